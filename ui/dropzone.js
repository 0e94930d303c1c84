// The image that is given: dropped or pasted anywhere on the page, or picked. Runs once, in Gradio's gr.HTML, which
// gives it `element`, `props`, `trigger` and `watch`. Events for Python: "input" as soon as another image is given or an
// error is to be shown (the old answer goes), "upload" when the file has arrived on the server, "clear".
const find = (selector) => element.querySelector(selector);
const picker = find("input[type=file]");
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);
let turn = 0; // of the last image given: what came before it no longer counts

const shown = (url, name) => {
  find("img")?.remove();
  const given = Boolean(url);
  find(".zone").classList.toggle("given", given);
  find(".name").textContent = "";
  if (!given) return;
  const picture = document.createElement("img");
  picture.alt = `The image to be judged: ${name}`;
  picture.onload = () => url.startsWith("blob:") && URL.revokeObjectURL(url);
  picture.onerror = () => {
    find(".name").textContent = `${name} (your browser cannot show it)`;
  };
  picture.src = url;
  find(".picture").append(picture);
};

const say = (error) => {
  props.value = { error };
  trigger("input");
};

const refused = (file) => {
  if (file.size > props.most)
    return `${file.name} has ${megabytes(file.size)} MB and the limit is ${megabytes(props.most)} MB; save it smaller or as a JPEG and try again.`;
};

const send = async (file) => {
  const form = new FormData();
  form.append("files", file, file.name || "image");
  const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
  const answer = await fetch(`${root}${api_prefix}/upload`, { method: "POST", body: form, credentials: "include" });
  if (answer.ok) return (await answer.json())[0];
  const words = await answer.text();
  throw new Error(/^[^<>{}]{1,300}$/.test(words) ? words : `The server did not take it (error ${answer.status}); try again.`);
};

const take = async (files) => {
  const mine = ++turn;
  const file = files.find((one) => one.type.startsWith("image/")) ?? files[0];
  shown(URL.createObjectURL(file), file.name);
  const error = refused(file);
  if (error) return say(error);
  props.value = { pending: files.length > 1 ? `One at a time: of the ${files.length} files, ${file.name} is judged.` : "" };
  trigger("input");
  try {
    const path = await send(file);
    if (mine !== turn) return;
    props.value = { path, orig_name: file.name, meta: { _type: "gradio.FileData" } };
    trigger("upload");
  } catch (problem) {
    // A TypeError is fetch's own: no server, or a file that cannot be read, as a folder cannot.
    const words = `${file.name} could not be sent: is it a file, and is the server still there? Try again.`;
    if (mine === turn) say(problem instanceof TypeError ? words : problem.message);
  }
};

find(".pick").addEventListener("click", () => picker.click());
find(".picture").addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  const files = [...picker.files];
  picker.value = ""; // so that the same file can be picked again
  if (files.length) take(files);
});
find(".clear").addEventListener("click", () => {
  turn++;
  shown("");
  props.value = null;
  trigger("clear");
  find(".pick").focus();
});

const writes = (target) => target?.closest?.("input:not([type=range], [type=radio], [type=checkbox], [type=file]), textarea, [contenteditable=true]");
const NO_FILE = "That holds no image file; save the picture, then drop or pick the file.";
// On the whole page, before Gradio's own handlers, and so that no file that is dropped beside something replaces the page.
const everywhere = (name, handler) => document.addEventListener(name, handler, true);
for (const name of ["dragenter", "dragover"])
  everywhere(name, (event) => {
    const files = event.dataTransfer?.types.includes("Files");
    if (!files && writes(event.target)) return; // text that is moved into a field
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    find(".zone").classList.add("over");
  });
everywhere("dragleave", (event) => event.relatedTarget ?? find(".zone").classList.remove("over"));
everywhere("drop", (event) => {
  const files = [...(event.dataTransfer?.files ?? [])];
  if (!files.length && writes(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  find(".zone").classList.remove("over");
  files.length ? take(files) : say(NO_FILE);
});
everywhere("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length && writes(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  files.length ? take(files) : say(NO_FILE);
});

// An example that was chosen comes from the server.
watch("value", () => {
  if (!props.value?.url) return;
  turn++;
  shown(props.value.url, props.value.orig_name);
});
