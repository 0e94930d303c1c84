// The gallery: which picture is whose is not here, and comes with the answer. One Tab stop, arrows inside.
const AT_A_TIME = 12;
const find = (selector) => element.querySelector(selector);
const pictures = find(".pictures");
const LABELS = props.names;

const describe = (button, alt, caption) => {
  button.querySelector("img").alt = alt;
  button.querySelector("span").textContent = caption;
};

const add = () => {
  const { n, folder } = props.value;
  const { root, api_prefix } = window.gradio_config; // of the root only the path: behind a proxy the rest may differ
  const first = pictures.children.length;
  for (let i = first; i < Math.min(first + AT_A_TIME, n); i++) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "picture";
    button.tabIndex = i ? -1 : 0;
    const image = document.createElement("img");
    image.loading = "lazy";
    image.src = `${new URL(root, location.href).pathname.replace(/\/$/, "")}${api_prefix}/file=${folder}/${i}.jpg`;
    button.append(image, document.createElement("span"));
    describe(button, `Picture ${i + 1}`, `Picture ${i + 1}`);
    button.lastChild.setAttribute("aria-hidden", "true");
    pictures.append(button);
  }
  find(".more").hidden = pictures.children.length >= n;
  return pictures.children[first];
};

watch("value", () => {
  if (props.value?.n && !pictures.children.length) add();
});
find(".more").addEventListener("click", () => add()?.focus());

const reach = (button) => {
  for (const other of pictures.children) other.tabIndex = other === button ? 0 : -1;
};
pictures.addEventListener("focusin", ({ target }) => reach(target));
pictures.addEventListener("keydown", (event) => {
  const all = [...pictures.children];
  const now = all.indexOf(document.activeElement);
  const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  all[next]?.focus();
});
pictures.addEventListener("click", ({ target }) => {
  const button = target.closest(".picture");
  if (!button) return;
  for (const other of pictures.children) other.setAttribute("aria-current", other === button);
  const detail = { example: [...pictures.children].indexOf(button), title: button.querySelector("img").alt, thumbnail: button.querySelector("img").src };
  window.dispatchEvent(new CustomEvent("example", { detail }));
});

// What the viewer was told about one of them, with its answer.
window.stripHandlers?.abort();
window.stripHandlers = new AbortController();
window.addEventListener("answered", ({ detail: { example, label, text } }) => {
  const button = pictures.children[example];
  if (!button || !label) return;
  button.classList.add(label);
  describe(button, `${LABELS[label]}: ${text}`, LABELS[label]);
  button.title = text;
}, { signal: window.stripHandlers.signal });
