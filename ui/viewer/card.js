// The answer: its words, the picture under its map, three tiles. Everything is painted here; the server sent numbers.
const find = (selector) => element.querySelector(selector);
const viewer = find(".viewer");
const view = find(".view");
const NAMES = props.names; // of the three classes, in their order
const LONGEST = 1024; // pixels of a picture that is shown

let picture = null; // a canvas
let name = ""; // of its file
let answer = null; // what the server said of it
let model = 0; // which of the answer's models speaks
let chosen = 0; // the class whose map is shown
let other = null; // maps by another method, instead of the model's own

const part = (tag, className, text = "") => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
};

const tiles = NAMES.map((label, i) => {
  const tile = part("button", `tile ${["dalle", "human", "other_ai"][i]}`);
  const line = part("span", "line");
  line.append(part("span", "label", label), part("b", "percent"));
  const meter = part("span", "meter");
  meter.append(part("i", ""));
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  tile.append(canvas, line, meter);
  tile.type = "button";
  tile.setAttribute("role", "radio");
  find(".tiles").append(tile);
  return tile;
});

const percent = (p) => (p < 0.01 ? "<1 %" : p > 0.99 ? ">99 %" : `${Math.round(p * 100)} %`);
const speaking = () => answer?.models?.[model];
const signed = () => (other ? other.signed : find(".signed input").checked);
const stack = () => other?.maps ?? speaking()?.maps[signed() ? "evidence" : "cam"];
const strength = () => Number(find(".opacity").value) / 100;

const small = (longest) => {
  const scale = Math.min(1, longest / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
};

const showMap = () => {
  if (picture) paint(view, picture, stack(), chosen, signed(), strength());
  const what = picture ? `${name}${speaking() ? `, under the map of what speaks for ${NAMES[chosen]}` : ""}` : "No picture yet";
  view.setAttribute("aria-label", what);
};

const showTiles = () => {
  const { probs } = speaking();
  const thumbnail = picture && small(200);
  tiles.forEach((tile, i) => {
    tile.querySelector(".percent").textContent = percent(probs[i]);
    tile.querySelector(".meter i").style.width = `${probs[i] * 100}%`;
    tile.setAttribute("aria-checked", i === chosen);
    tile.setAttribute("aria-label", `${NAMES[i]}, ${percent(probs[i])}`);
    tile.tabIndex = i === chosen ? 0 : -1;
    if (thumbnail) paint(tile.querySelector("canvas"), thumbnail, stack(), i, signed(), 0.8);
  });
  const stops = signed() ? [-1, -0.5, 0, 0.5, 1] : [0, 1 / 3, 2 / 3, 1];
  const colours = stops.map((value) => (value === 0 && signed() ? "#ddd" : `rgb(${colourOf(value, signed())})`));
  find(".bar").style.background = `linear-gradient(90deg, ${colours})`;
  find(".low").textContent = signed() ? "against" : "little";
  find(".high").textContent = signed() ? "for" : "much";
};

const look = () => {
  showMap();
  showTiles();
};

const words = (who, sure = "", which = "", kind = "") => {
  find(".who").textContent = who;
  find(".sure").textContent = sure;
  find(".which").textContent = which;
  find(".card").dataset.kind = kind;
};

// "Of 100 human-made pictures, 14 get this answer", and a hundred dots.
const rate = ({ of, side, share }) => {
  const n = Math.round(share * 100);
  const line = part("div", `rate ${side}`);
  const dots = part("span", "dots");
  dots.setAttribute("aria-hidden", "true");
  for (let i = 0; i < 100; i++) dots.append(part("i", i < n ? "on" : ""));
  line.append(part("p", "", `Of 100 ${of} pictures, ${n || "fewer than 1"} ${n === 1 ? "gets" : "get"} this answer.`), dots);
  return line;
};

const showCard = () => {
  const now = speaking();
  words(now.who, now.sure, now.which, now.side);
  find(".rates").replaceChildren(...now.rates.map(rate));
  if (now.rates.length) find(".rates").prepend(part("h3", "", "How often it is wrong, measured"));
  const second = answer.models[1 - model];
  find(".second").hidden = !second;
  if (second) {
    find(".second summary").textContent = `${second.title[0].toUpperCase()}${second.title.slice(1)} says: ${second.who}`;
    find(".second p").textContent = `${second.sure} ${second.which}`;
  }
  find(".by").textContent = `Answered by ${now.title}. A hint, never proof.`;
  find(".truth").textContent = answer.truth
    ? `Truth: ${answer.truth.text}. The model is ${answer.truth.side === now.side ? "right" : "wrong"} here.`
    : "";
};

const state = (word) => {
  viewer.className = `viewer ${word}`;
};

const speak = (index) => {
  model = index;
  other = null;
  find(".method").value = "";
  find(".said").textContent = "";
  chosen = speaking().label;
  showCard();
  look();
};

const blank = () => {
  answer = other = null;
  words("");
  find(".truth").textContent = find(".by").textContent = find(".spot").textContent = "";
  find(".rates").replaceChildren();
};

const fail = (error) => {
  blank();
  state(name ? "failed" : "failed empty");
  words("No answer", error, "", "error");
};

find(".tiles").addEventListener("click", (event) => {
  const index = tiles.indexOf(event.target.closest(".tile"));
  if (index < 0 || !speaking()) return;
  chosen = index;
  look();
});
find(".tiles").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  chosen = (chosen + step + tiles.length) % tiles.length;
  look();
  tiles[chosen].focus();
});
find(".opacity").addEventListener("input", showMap);
find(".signed input").addEventListener("change", () => {
  other = null;
  find(".method").value = "";
  look();
});
find(".second button").addEventListener("click", () => speak(1 - model));

// What one cell holds of all that speaks for the class.
const tell = ({ offsetX, offsetY }) => {
  const map = stack()?.[chosen];
  if (!map) return;
  const [rows, columns] = [map.length, map[0].length];
  const row = Math.min(rows - 1, Math.floor((offsetY / view.clientHeight) * rows));
  const column = Math.min(columns - 1, Math.floor((offsetX / view.clientWidth) * columns));
  const value = map[row]?.[column] ?? 0;
  const all = map.flat().reduce((sum, cell) => sum + Math.max(0, Math.sign(value) * cell), 0);
  const points = all ? Math.round((100 * Math.abs(value)) / all) : 0;
  const of = `of 100 points that speak ${value < 0 ? "against" : "for"} ${NAMES[chosen]}`;
  find(".spot").textContent = points ? `Here lie ${points} ${of}.` : `Here lies next to nothing ${of.replace("of 100 points ", "of what ").replace("speak", "speaks")}.`;
};
view.addEventListener("pointermove", tell);
view.addEventListener("pointerdown", tell);
view.addEventListener("pointerleave", () => (find(".spot").textContent = ""));
