// The gallery: which picture is whose is not here, and comes with the answer. One Tab stop, arrows inside.
const AT_A_TIME = 12;
const pictures = find(".pictures");

const describe = (button, alt, caption) => {
  button.querySelector("img").alt = alt;
  button.querySelector("span").textContent = caption;
};

const add = () => {
  const { n, folder } = props.value;
  const first = pictures.children.length;
  for (let i = first; i < Math.min(first + AT_A_TIME, n); i++) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "picture";
    button.tabIndex = i ? -1 : 0;
    const image = document.createElement("img");
    image.loading = "lazy";
    image.src = `${api}/file=${folder}/${i}.jpg`;
    button.append(image, document.createElement("span"));
    describe(button, `Picture ${i + 1}`, `Picture ${i + 1}`);
    button.lastChild.setAttribute("aria-hidden", "true");
    pictures.append(button);
  }
  find(".more").hidden = pictures.children.length >= n;
  return pictures.children[first];
};

watch("value", () => {
  if (!props.value?.n || pictures.children.length) return;
  find(".strip").hidden = false;
  add();
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
const mark = (current) => {
  for (const button of pictures.children) button.setAttribute("aria-current", button === current);
};
pictures.addEventListener("click", ({ target }) => {
  const button = target.closest(".picture");
  if (!button) return;
  mark(button);
  const example = [...pictures.children].indexOf(button);
  const detail = { example, title: `Picture ${example + 1}`, thumbnail: button.querySelector("img").src };
  window.dispatchEvent(new CustomEvent("detector-example", { detail }));
});

// What the viewer says: another picture was given; whose one of these is, which comes with its answer.
window.detectorStrip?.abort();
window.detectorStrip = new AbortController();
const { signal } = window.detectorStrip;
window.addEventListener("detector-given", () => mark(null), { signal });
window.addEventListener("detector-answered", ({ detail: { example, label, text } }) => {
  const button = pictures.children[example];
  if (!button) return;
  button.classList.add(label);
  describe(button, `${props.names[label]}: ${text}`, props.names[label]);
  button.title = text;
}, { signal });
