// The picture that is given: dropped or pasted anywhere on the page, picked, or chosen from the gallery. Events for Python:
// "upload" when there is a file on the server to be judged, "select" for one of the gallery, "expand" for another map.
const picker = find("input[type=file]");
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);
const SOON = 500; // milliseconds after which a wait is said
let turn = 0; // of the last picture given: what came before it no longer counts
let source = null; // what the server needs to find it
let ready = props.ready; // whether the model is loaded
let timer = 0;
const started = performance.now();

const waiting = () => {
  if (ready) return words("Looking at it …");
  const left = Math.round(props.warm_up - (performance.now() - started) / 1000);
  words("Warming up", left > 0 ? `About ${left} second${left > 1 ? "s" : ""}; your picture waits.` : "A little longer; your picture waits.");
  timer = setTimeout(waiting, 1000);
};

const begin = (title) => {
  clearTimeout(timer);
  blank();
  find(".note").textContent = "";
  [picture, source, name] = [null, null, title];
  [view.width, view.height] = [0, 0];
  find(".name").textContent = "";
  state("busy");
  timer = setTimeout(waiting, SOON);
  return ++turn;
};

const show = (canvas) => {
  picture = canvas;
  showMap();
};

const ask = (event, question) => {
  props.value = { turn, ...question };
  trigger(event);
};

// Nothing happens out of sight on a phone; and who listens, and did not choose from the gallery, is led to the answer.
const lead = () => {
  if (source?.example === undefined) find(".verdict").focus({ preventScroll: true });
  if (!matchMedia("(max-width: 740px)").matches) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  find(".verdict").scrollIntoView({ behavior, block: "start" });
};

const refuse = (error) => {
  clearTimeout(timer);
  fail(error);
  lead();
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
  const sent = await fetch(`${folder}${api_prefix}/upload`, { method: "POST", body: form });
  if (sent.ok) return (await sent.json())[0];
  const text = await sent.text();
  const told = text.startsWith("{") ? JSON.parse(text).detail : text;
  throw new Error(/^[^<>{}]{1,300}$/.test(told) ? told : `The server did not take it (error ${sent.status}); try again.`);
};

const isImage = (file) => file.type.startsWith("image/") || /\.(hei[cf]|avif|jfif|tiff?)$/i.test(file.name);

const take = async (files) => {
  const file = files.find(isImage) ?? files[0];
  const mine = begin(file.name);
  if (files.length > 1)
    find(".note").textContent = `One at a time: of the ${files.length} files, ${file.name} is judged; the rest was left out.`;
  const error = refused(file);
  if (error) return refuse(error);
  const seen = drawn(file, LONGEST).then(
    (canvas) => mine === turn && show(canvas),
    () => mine === turn && (find(".name").textContent = `${file.name} (your browser cannot show it)`),
  );
  try {
    const [path] = await Promise.all([send(file), seen]);
    if (mine !== turn) return;
    source = { file: { path, orig_name: file.name, meta: { _type: "gradio.FileData" } } };
    ask("upload", { ...source, unseen: !picture });
  } catch (problem) {
    // A TypeError is fetch's own: no server, or a file that cannot be read, as a folder cannot. A SyntaxError is JSON's.
    const told = `${file.name} could not be sent: is it a file, and is the server still there? Try again.`;
    if (mine === turn) refuse(problem.name === "Error" ? problem.message : told);
  }
};

const clear = () => {
  begin("");
  clearTimeout(timer);
  state("empty");
  words(props.invitation);
  showMap();
  find(".pick").focus();
};

find(".pick").addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  const files = [...picker.files];
  picker.value = ""; // so that the same file can be picked again
  if (files.length) take(files);
});
find(".clear").addEventListener("click", clear);

const received = async () => {
  const said = props.value;
  if (said?.ready !== undefined) ready = said.ready;
  if (said?.unavailable) return refuse(said.unavailable);
  if (!said?.answer || said.turn !== turn) return;
  if (said.picture) {
    const mine = turn;
    const large = await drawn(await (await fetch(said.picture)).blob(), LONGEST);
    if (mine !== turn) return;
    picture = large;
    find(".name").textContent = "";
  }
  clearTimeout(timer);
  const { error, maps } = said.answer;
  if (maps) return differently(said.answer);
  if (error) return refuse(error);
  answer = said.answer;
  if (answer.nothing) {
    state("failed");
    showMap();
    words("Nothing to judge", answer.nothing, "", "nothing");
  } else {
    state("answered");
    speak(0);
  }
  if (answer.truth) window.dispatchEvent(new CustomEvent("answered", { detail: { ...source, ...answer.truth } }));
  lead();
};
watch("value", received);

// Other methods, and finer layers, which the server has to compute.
const differently = ({ maps, method, layer, error }) => {
  find(".said").textContent = error ?? "";
  if (error || method !== find(".method").value || layer !== find(".layer").value) return;
  other = { maps, signed: method === "hirescam" };
  look();
};
for (const select of [find(".method"), find(".layer")])
  select.addEventListener("change", () => {
    const [method, layer] = [find(".method").value, find(".layer").value];
    other = null;
    if (!method) return look();
    find(".said").textContent = "Computing this map …";
    ask("expand", { ...source, method, layer });
  });
for (const [select, choices] of [[find(".method"), { "": "this page's own", ...props.methods }], [find(".layer"), props.layers]])
  for (const [value, label] of Object.entries(choices)) select.append(new Option(label, value));

const writes = (target) => target?.closest?.("input:not([type=range], [type=radio], [type=checkbox], [type=file]), textarea, [contenteditable=true]");
const NO_FILE = "That holds no image file; save the picture, then drop or pick the file.";
const tellNote = (text) => (find(".note").textContent = text); // what was answered before stays
// On the whole page, before Gradio's own handlers, and so that no file that is dropped beside something replaces the page.
// Gradio may draw the page anew after its server was away: then the former handlers go.
window.viewerHandlers?.abort();
window.viewerHandlers = new AbortController();
const { signal } = window.viewerHandlers;
const everywhere = (kind, handler) => document.addEventListener(kind, handler, { capture: true, signal });
for (const kind of ["dragenter", "dragover"])
  everywhere(kind, (event) => {
    const files = event.dataTransfer?.types.includes("Files");
    if (!files && writes(event.target)) return; // text that is moved into a field
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    viewer.classList.add("over");
  });
everywhere("dragleave", (event) => event.relatedTarget ?? viewer.classList.remove("over"));
everywhere("drop", (event) => {
  const files = [...(event.dataTransfer?.files ?? [])];
  if (!files.length && writes(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  viewer.classList.remove("over");
  files.length ? take(files) : tellNote(NO_FILE);
});
everywhere("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  // Office programs put a picture of the text beside the text.
  const text = event.clipboardData?.types.includes("text/plain");
  if ((text || !files.length) && writes(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  files.length ? take(files) : tellNote(NO_FILE);
});
// One of the gallery: its small copy is there at once, and the server sends the larger one with the answer.
window.addEventListener("example", ({ detail: { example, title, thumbnail } }) => {
  const mine = begin(title);
  fetch(thumbnail).then((sent) => sent.blob()).then((blob) => drawn(blob, LONGEST)).then(
    (canvas) => mine === turn && !picture && show(canvas),
    () => {}, // the larger one is on its way
  );
  source = { example };
  ask("select", source);
}, { signal });

words(props.invitation);
