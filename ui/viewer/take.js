// The picture that is given: dropped or pasted anywhere on the page, picked, or chosen from the gallery. Events for Python:
// "upload" when there is a file on the server to be judged, "select" for one of the gallery, "expand" for another map.
const picker = find("input[type=file]");

const begin = (title, chosenFrom = "") => {
  clearTimeout(timer);
  turn++;
  [picture, source, name, open] = [null, null, title, ""];
  [view.width, view.height] = [0, 0];
  blank();
  find(".note").textContent = find(".name").textContent = "";
  verdict.setAttribute("aria-live", chosenFrom ? "polite" : "off"); // see `finish`
  setState("busy");
  timer = setTimeout(wait, SOON);
  if (!chosenFrom) window.dispatchEvent(new CustomEvent("detector-given"));
  return turn;
};

const show = (canvas) => {
  picture = canvas;
  showView();
};

const tooLarge = (file) => {
  if (file.size > props.most)
    return `${file.name} has ${megabytes(file.size)} MB and the limit is ${megabytes(props.most)} MB; save it smaller or as a JPEG and try again.`;
};

const take = async (file) => {
  const mine = begin(file.name);
  reveal();
  const error = tooLarge(file);
  if (error) return refuse(error);
  const seen = decoded(file, LONGEST).then(
    (canvas) => mine === turn && show(canvas),
    () => mine === turn && (find(".name").textContent = file.name), // the server shows it, if it is one
  );
  try {
    const [[path]] = await Promise.all([sendFiles([file]), seen]);
    if (mine !== turn) return;
    source = { file: { path, meta: { _type: "gradio.FileData" } } };
    ask("upload", { ...source, unseen: !picture });
  } catch (problem) {
    // Others are fetch's TypeError (see `sendFiles`) and JSON's SyntaxError.
    const told = `${file.name} could not be sent: is it a file, and is the server still there? Try again.`;
    if (mine === turn) refuse(problem.name === "Error" ? problem.message : told);
  }
};

const isHere = (room) => document.getElementById(`${room}-room`)?.checkVisibility();
const enter = () => isHere("check") || openRoom("check");

// The files in a folder that was dropped, and in those in it.
const filesIn = async (entry) => {
  if (entry.isFile) {
    const file = await new Promise((done) => entry.file(done, () => done(null))); // null: it cannot be read
    return [{ file, name: entry.fullPath.slice(1), inside: entry.fullPath.lastIndexOf("/") > 0 }];
  }
  const [reader, found] = [entry.createReader(), []];
  for (;;) {
    const some = await new Promise((done) => reader.readEntries(done, () => done(null))); // a hundred at a time
    if (!some) return [...found, { file: null, name: entry.fullPath.slice(1) }];
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesIn(one)));
  }
};

// One picture is for this room. Several, a folder or a zip are for "Many pictures", and so is all that is given there.
const give = async (files, entries = [], here = false) => {
  const folder = entries.some(({ isDirectory }) => isDirectory);
  if (here || (files.length === 1 && !folder && !isZip(files[0].name) && !isHere("many"))) {
    enter();
    return take(files[0]);
  }
  const given = folder ? (await Promise.all(entries.map(filesIn))).flat() : files.map((file) => ({ file, name: file.name }));
  window.detectorPile = [...(window.detectorPile ?? []), ...given];
  openRoom("many");
  window.dispatchEvent(new CustomEvent("detector-pile"));
};

const clear = () => {
  begin("");
  clearTimeout(timer);
  setState("empty");
  showWords(props.invitation);
  showView();
  find(".pick").focus();
};

find(".pick").addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  const files = [...picker.files];
  picker.value = ""; // so that the same file can be picked again
  if (files.length) give(files);
});
find(".clear").addEventListener("click", clear);

const writes = (target) => target?.closest?.("input:not([type=range], [type=radio], [type=checkbox], [type=file]), textarea, [contenteditable=true]");
const tellNoFile = () => {
  find(".note").textContent = "That holds no image file; save the picture, then drop or pick the file."; // the answer stays
};
// On the whole page, before Gradio's own handlers, and so that no file that is dropped beside something replaces the page.
// Gradio may draw the page anew after its server was away: then the former handlers go.
window.detectorViewer?.abort();
window.detectorViewer = new AbortController();
const { signal } = window.detectorViewer;
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
  const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  files.length ? give(files, entries) : tellNoFile();
});
everywhere("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  // Office programs put a picture of the text beside the text.
  const text = event.clipboardData?.types.includes("text/plain");
  if ((text || !files.length) && writes(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  files.length ? give(files) : tellNoFile();
});

// Out of the list of "Many pictures".
window.addEventListener("detector-take", ({ detail: { file, path, name } }) => {
  if (file) return give([file], [], true);
  enter();
  begin(name);
  reveal();
  source = { file: { path, meta: { _type: "gradio.FileData" } } };
  ask("upload", { ...source, unseen: true });
}, { signal });

// One of the gallery: its small copy is there at once, and the server sends the larger one with the answer.
window.addEventListener("detector-example", ({ detail: { example, title, thumbnail } }) => {
  const mine = begin(title, "gallery");
  reveal();
  fetch(thumbnail).then((sent) => sent.blob()).then((blob) => decoded(blob, LONGEST)).then(
    (canvas) => mine === turn && !picture && show(canvas),
    () => {}, // the larger one is on its way
  );
  source = { example };
  ask("select", source);
}, { signal });

dropOther();
showWords(props.invitation);
if (new URLSearchParams(location.search).has("class")) openRoom("quiz"); // see quiz/class.js
