// Whether the answer holds and whether its map matters: asked for once the answer stands, and told when it comes.
const AGAIN = 2000; // milliseconds after which a server that was busy is asked again
const TIMES = 4; // that it is asked by itself
const BUSY = "Others wait for their answers; close this and open it again.";
const ALIKE = "Known pictures, of the gallery below and of others that come with it, that are nearest in what the model's last layer is given, and whose they are:";
let closer = null; // what the server found of this picture; or {wait}, {busy}, {error}
let asked = 0; // times that it was asked
let alike = null; // the known pictures that look like it; asked for on demand, since with them comes their truth
let seeking = false; // whether they are asked for

const askCloser = () => {
  asked += 1;
  props.value = { turn, ...source };
  trigger("apply");
};

const lookCloser = () => {
  const mine = (closer = { wait: true });
  asked = 0;
  showCloser();
  askCloser();
  watchOver(() => closer === mine, () => receiveCloser({ error: props.lost.closer }));
};

const small = ({ name, picture, p_ai, label, same, text }) => {
  const figure = part("figure", same === false ? "other" : "");
  figure.append(imageOf(picture, name), part("figcaption", "", name));
  const told = text ?? (p_ai === undefined ? "" : `${label}, AI ${percent(p_ai)}`);
  if (told) figure.append(part("span", "told", told));
  return figure;
};

// P(AI) over JPEG quality, best on the left.
const ladder = (steps) => {
  const [width, height, left, foot] = [320, 120, 44, 34];
  const x = (i) => left + (i * (width - left - 14)) / (steps.length - 1);
  const y = (p) => 8 + (1 - p) * (height - foot - 8);
  const told = steps.map(([quality, p]) => `${quality}: ${percent(p)}`).join(", ");
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `AI at JPEG quality ${told}` });
  for (const p of [0, 0.5, 1]) {
    svg.append(drawn("line", { x1: left, x2: width - 14, y1: y(p), y2: y(p), class: "grid" }));
    svg.append(drawn("text", { x: left - 6, y: y(p) + 4, "text-anchor": "end" }, `${p * 100} %`));
  }
  steps.forEach(([quality], i) => svg.append(drawn("text", { x: x(i), y: height - 18, "text-anchor": "middle" }, quality)));
  svg.append(drawn("text", { x: left, y: height - 4 }, "AI, by JPEG quality"));
  svg.append(drawn("polyline", { points: steps.map(([, p], i) => `${x(i)},${y(p)}`).join(" ") }));
  return svg;
};

const showCloser = () => {
  const [holds, matters] = [find(".holds"), find(".matters")];
  const told = speaking() && model === 0 ? closer : null;
  find(".alike").hidden = !told;
  holds.hidden = !told || !(told.steady || told.wait || told.busy || told.error);
  matters.hidden = !told?.map;
  if (!told) return;
  const { steady, map } = told;
  const state = told.wait ? "being checked …" : told.busy ? "ask now" : "it could not be checked";
  const failed = told.busy ? BUSY : (told.error ?? "");
  holds.querySelector("summary").textContent = steady?.line ?? `Does it hold? ${state}`;
  const why = "The same picture as it might arrive elsewhere, and what the model then says:";
  const strip = part("div", "smalls");
  strip.append(...(steady?.pictures ?? []).map(small));
  holds.querySelector("div").replaceChildren(
    ...(steady ? [part("p", "", why), strip, ladder(steady.ladder)] : [part("p", "", failed)]),
  );
  if (!map) return;
  matters.querySelector("summary").textContent = map.line;
  const seen = part("div", "smalls");
  seen.append(...map.pictures.map(small));
  matters.querySelector("div").replaceChildren(part("p", "", map.sentence), seen);
};

const receiveCloser = (found) => {
  const mine = closer;
  if (found.busy && asked < TIMES) return setTimeout(() => closer === mine && askCloser(), AGAIN);
  closer = found;
  if (!answer?.models) return;
  const changed = found.steady?.card ?? {};
  if (Object.keys(changed).length) {
    Object.assign(answer.models[0], changed);
    showCard();
  }
  showCloser();
};

const dropDemanded = () => {
  alike = null;
  seeking = false;
  find(".alike").open = false;
  find(".handed").textContent = "";
};

const receiveAlike = (found) => {
  seeking = false;
  alike = found.pictures ?? null;
  const strip = part("div", "smalls");
  strip.append(...(alike ?? []).map(small));
  const said = found.error ?? (found.busy ? BUSY : alike.length ? ALIKE : "There are none.");
  find(".alike div").replaceChildren(part("p", "", said), strip);
  for (const detail of (alike ?? []).filter(({ example }) => example !== null)) window.dispatchEvent(new CustomEvent("detector-answered", { detail }));
};
find(".alike").addEventListener("toggle", () => {
  if (!find(".alike").open || alike || seeking) return;
  seeking = true;
  find(".alike div").replaceChildren(part("p", "", "Looking …"));
  props.value = { turn, ...source };
  trigger("like");
  const mine = turn;
  watchOver(() => seeking && mine === turn, () => receiveAlike({ error: props.lost.alike }));
});

find(".holds").addEventListener("toggle", () => {
  if (find(".holds").open && closer?.busy) lookCloser();
});
