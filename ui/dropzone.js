// The image that is given: dropped or pasted anywhere on the page, or picked. Runs once, in Gradio's gr.HTML, which
// gives it `element`, `props`, `trigger` and `watch`. Events for Python: "input" as soon as another image is given or an
// error is to be shown (the old answer goes), "upload" when there is a file on the server to be judged, "clear".
const find = (selector) => element.querySelector(selector);
const picker = find("input[type=file]");
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);
let turn = 0; // of the last image given: what came before it no longer counts
let example = 0; // the turn in which an example was chosen
let wanted = ""; // the path whose answer may be seen

// An answer that comes late, to an image that is no longer the one, stays out of sight.
const settle = () => {
  const answered = document.querySelector("#answer [data-for]")?.dataset.for;
  element.closest("#check")?.toggleAttribute("data-late", answered !== undefined && answered !== wanted);
};
new MutationObserver(settle).observe(document.body, { subtree: true, childList: true, attributeFilter: ["data-for"] });

const want = (path) => {
  wanted = path;
  settle();
};

const shown = (url, name, note = "") => {
  find("img")?.remove();
  find(".note").textContent = note;
  const given = Boolean(url);
  find(".zone").classList.toggle("given", given);
  find(".name").textContent = "";
  if (!given) return;
  const picture = document.createElement("img");
  picture.alt = `The image to be judged: ${name}`;
  picture.onload = () => url.startsWith("blob:") && URL.revokeObjectURL(url);
  picture.onerror = () => {
    picture.remove();
    find(".name").textContent = `${name} (your browser cannot show it)`;
  };
  picture.src = url;
  find(".picture").append(picture);
};

const begin = () => {
  want("");
  props.value = { pending: true };
  trigger("input");
  return ++turn;
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
  const { root, api_prefix } = window.gradio_config; // of the root only the path: behind a proxy the rest may differ
  const folder = new URL(root, location.href).pathname.replace(/\/$/, "");
  const answer = await fetch(`${folder}${api_prefix}/upload`, { method: "POST", body: form });
  if (answer.ok) return (await answer.json())[0];
  const text = await answer.text();
  const words = text.startsWith("{") ? JSON.parse(text).detail : text;
  throw new Error(/^[^<>{}]{1,300}$/.test(words) ? words : `The server did not take it (error ${answer.status}); try again.`);
};

const isImage = (file) => file.type.startsWith("image/") || /\.(hei[cf]|avif|jfif|tiff?)$/i.test(file.name);

const take = async (files) => {
  const file = files.find(isImage) ?? files[0];
  const mine = begin();
  const note = files.length > 1 ? `One at a time: of the ${files.length} files, ${file.name} is judged; the rest was left out.` : "";
  shown(URL.createObjectURL(file), file.name, note);
  const error = refused(file);
  if (error) return say(error);
  try {
    const path = await send(file);
    if (mine !== turn) return;
    props.value = { path, orig_name: file.name, meta: { _type: "gradio.FileData" } };
    want(path);
    trigger("upload");
  } catch (problem) {
    // A TypeError is fetch's own: no server, or a file that cannot be read, as a folder cannot. A SyntaxError is JSON's.
    const words = `${file.name} could not be sent: is it a file, and is the server still there? Try again.`;
    if (mine === turn) say(problem.name === "Error" ? problem.message : words);
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
  want("");
  shown("");
  props.value = null;
  trigger("clear");
  find(".pick").focus();
});

const writes = (target) => target?.closest?.("input:not([type=range], [type=radio], [type=checkbox], [type=file]), textarea, [contenteditable=true]");
const NO_FILE = "That holds no image file; save the picture, then drop or pick the file.";
// On the whole page, before Gradio's own handlers, and so that no file that is dropped beside something replaces the page.
// Gradio may draw the page anew after its server was away: then the former handlers go.
window.dropzone?.abort();
window.dropzone = new AbortController();
const { signal } = window.dropzone;
const everywhere = (name, handler) => document.addEventListener(name, handler, { capture: true, signal });
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
  // Office programs put a picture of the text beside the text.
  const text = event.clipboardData?.types.includes("text/plain");
  if ((text || !files.length) && writes(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  files.length ? take(files) : say(NO_FILE);
});

// An example that was chosen comes from the server; what is given before it is there counts instead.
find(".zone").addEventListener("example", () => {
  example = begin();
});
watch("value", () => {
  const { url, path, orig_name } = props.value ?? {};
  if (!url || example !== turn) return;
  shown(url, orig_name);
  want(path);
  trigger("upload");
});
