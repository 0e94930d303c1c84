// The answer: its words, the picture under its map, three tiles. Everything is painted here; the server sent numbers.
// The scripts of this folder run as one, after shared/ask.js, in the order of __init__.py.
const [viewer, view, verdict] = [find(".viewer"), find(".view"), find(".verdict")];
const CLASSES = Object.entries(props.names); // [class, its name], in the model's order
const LONGEST = 768; // pixels of a picture that is shown

let picture = null; // a canvas
let name = ""; // of its file
let answer = null; // what the server said of it
let model = 0; // which of the answer's models speaks
let chosen = 0; // the class whose map is shown
let other = null; // maps by another method, instead of the model's own

const tiles = CLASSES.map(([key, label]) => {
  const tile = part("button", `tile ${key}`);
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

const speaking = () => answer?.models?.[model];
const signed = () => (other ? other.signed : find(".signed input").checked);
const stack = () => other?.maps ?? speaking()?.maps[signed() ? "evidence" : "cam"];
const opacity = () => Number(find(".opacity").value) / 100;

const showView = () => {
  if (picture) paint(view, picture, stack(), chosen, signed(), opacity());
  const under = speaking() ? `, under the map of what speaks for ${CLASSES[chosen][1]}` : "";
  view.setAttribute("aria-label", picture ? name + under : "No picture yet");
};

const showChoice = () => {
  tiles.forEach((tile, i) => {
    tile.setAttribute("aria-checked", i === chosen);
    tile.tabIndex = i === chosen ? 0 : -1;
  });
  showView();
};

// The tiles' own maps and the legend: for another answer, or another kind of map.
const showMaps = () => {
  const small = picture && fitted(picture, 200);
  tiles.forEach((tile, i) => {
    const told = percent(speaking().probs[i]);
    tile.querySelector(".percent").textContent = told;
    tile.querySelector(".meter i").style.width = `${speaking().probs[i] * 100}%`;
    tile.setAttribute("aria-label", `${CLASSES[i][1]}, ${told}`);
    if (small) paint(tile.querySelector("canvas"), small, stack(), i, signed(), 0.8);
  });
  const stops = signed() ? [-1, -0.5, 0, 0.5, 1] : [0, 1 / 3, 2 / 3, 1];
  const colours = stops.map((value) => (signed() && !value ? "#ddd" : `rgb(${colourOf(value, signed())})`));
  find(".bar").style.background = `linear-gradient(90deg, ${colours})`;
  [find(".low").textContent, find(".high").textContent] = signed() ? ["against", "for"] : ["little", "much"];
  showChoice();
};

const showWords = (who, sure = "", which = "", side = "") => {
  find(".who").textContent = who;
  find(".sure").textContent = sure;
  find(".which").textContent = which;
  find(".left").textContent = "";
  find(".card").dataset.side = side;
  find(".disagrees").textContent = "";
};

// What the file says of itself. All of it is the file's own text: never markup.
const showOrigin = (origin) => {
  find(".origin").hidden = !origin;
  find(".origin").open = false;
  find(".origin summary").textContent = origin?.line ?? "";
  const rows = (origin?.points ?? []).flatMap(({ says, where, detail }) => {
    const text = part("details", "");
    text.append(part("summary", "", "Show the text"), part("pre", "", detail));
    text.querySelector("pre").tabIndex = 0;
    return [part("p", "", says), part("p", "where", where), ...(detail ? [text] : [])];
  });
  find(".origin div").replaceChildren(...rows, ...(origin?.rest ?? []).map((text) => part("p", "", text)));
};

// "Of 100 human-made pictures, 14 get this answer.", and a hundred dots.
const rateLine = ({ side, n, text }) => {
  const line = part("div", `rate ${side}`);
  const dots = part("span", "dots");
  dots.setAttribute("aria-hidden", "true");
  for (let i = 0; i < 100; i++) dots.append(part("i", i < n ? "on" : ""));
  line.append(part("p", "", text), dots);
  return line;
};

const showCard = () => {
  const now = speaking();
  showWords(now.who, now.sure, now.which, now.side);
  find(".disagrees").textContent = now.disagrees;
  find(".rates").replaceChildren(...now.rates.map(rateLine));
  if (now.rates.length) find(".rates").prepend(part("h3", "", now.counted));
  const second = answer.models[1 - model];
  find(".second").hidden = !second;
  if (second) {
    find(".second summary").textContent = `${second.title[0].toUpperCase()}${second.title.slice(1)} says: ${second.who}`;
    find(".second p").textContent = `${second.sure} ${second.which}`;
  }
  find(".about summary").textContent = `Answered by ${now.title}: a hint, never proof`;
  find(".about p").textContent = now.about;
  find(".truth").textContent = now.truth;
};

const setState = (word) => {
  viewer.className = `viewer ${word}`;
};

const showModel = (index) => {
  model = index;
  dropOther();
  chosen = speaking().label;
  showCard();
  showCloser();
  showMaps();
};

const blank = () => {
  answer = closer = null;
  dropOther();
  showWords("");
  showOrigin(null);
  for (const place of [".truth", ".spot", ".rates"]) find(place).textContent = "";
  find(".more").open = false;
};

const fail = (error) => {
  blank();
  setState(name ? "failed" : "failed empty");
  showWords("No answer", error);
};

find(".tiles").addEventListener("click", (event) => {
  const index = tiles.indexOf(event.target.closest(".tile"));
  if (index < 0 || !speaking()) return;
  chosen = index;
  showChoice();
});
find(".tiles").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  chosen = (chosen + step + tiles.length) % tiles.length;
  showChoice();
  tiles[chosen].focus();
});
find(".opacity").addEventListener("input", showView);
find(".signed input").addEventListener("change", showMaps);
find(".second button").addEventListener("click", () => showModel(1 - model));

// What one cell holds of all that speaks for the class, or against it.
const tellShare = ({ offsetX, offsetY }) => {
  const map = stack()?.[chosen];
  if (!map) return;
  const cellAt = (place, length, cells) => Math.min(cells - 1, Math.max(0, Math.floor((place / length) * cells)));
  const value = map[cellAt(offsetY, view.clientHeight, map.length)][cellAt(offsetX, view.clientWidth, map[0].length)];
  const all = map.flat().reduce((sum, cell) => sum + Math.max(0, Math.sign(value) * cell), 0);
  const points = all ? Math.round((100 * Math.abs(value)) / all) : 0;
  const way = `${value < 0 ? "against" : "for"} ${CLASSES[chosen][1]}`;
  find(".spot").textContent = points
    ? `Here lie ${points} of 100 points that speak ${way}.`
    : `Here lies next to nothing of what speaks ${way}.`;
};
view.addEventListener("pointermove", tellShare);
view.addEventListener("pointerdown", tellShare);
view.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && (find(".spot").textContent = ""));
