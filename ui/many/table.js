// The list: a row a picture, each made once; which are shown, in which order, and what they come to.
const AT_A_TIME = 100; // rows
const pile = []; // {name, file or path, found: what the server said, or undefined}
let shown = AT_A_TIME;

const judged = () => pile.filter(({ found }) => found);
const called = (side, band) => ({ found }) => found?.side === side && (!band || found.band === band);
const FILTERS = [
  ["all", () => true],
  ...Object.keys(props.sides).flatMap((side) => [
    [`called ${props.sides[side]}`, called(side)],
    ...props.bands.map((band) => [`– ${band} ${props.sides[side]}`, called(side, band)]),
  ]),
  ["where the file says something", ({ found }) => found.said],
  ["where file and pixels disagree", ({ found }) => found.disagrees],
  ["not judged", ({ found }) => found.error],
];
const doubt = ({ found }) => (found.p_ai === undefined ? 1 : Math.abs(found.p_ai - 0.5));
const ORDERS = [
  ["as they came", () => 0],
  ["most doubtful first", (a, b) => doubt(a) - doubt(b)],
  ["most AI-like first", (a, b) => (b.found.p_ai ?? -1) - (a.found.p_ai ?? -1)],
  ["most human-like first", (a, b) => (a.found.p_ai ?? 2) - (b.found.p_ai ?? 2)],
];
const [filter, order] = [find(".filter"), find(".order")];
FILTERS.forEach(([label], i) => filter.append(new Option(label, i)));
ORDERS.forEach(([label], i) => order.append(new Option(label, i)));

// All of it is text: names and findings are the files' own.
const rowOf = (one) => {
  const { found } = one;
  const row = part(found.error ? "div" : "button", `row ${found.side ?? ""}`);
  const image = found.picture ? imageOf(found.picture, "") : part("span", "none");
  const said = [found.disagrees && "File and pixels disagree.", found.said, found.held].filter(Boolean).join(" · ");
  row.append(image, part("span", "name", one.name), part("span", `file${found.disagrees ? " disagrees" : ""}`, said));
  const answer = part("span", "answer");
  if (found.error) answer.textContent = found.error;
  else {
    answer.append(part("b", "", found.who), part("span", "p", `AI ${percent(found.p_ai)}`), meterOf(found.p_ai));
    row.type = "button";
    row.title = "Open it in Check";
    row.addEventListener("click", () => window.dispatchEvent(new CustomEvent("detector-take", { detail: one })));
  }
  row.append(answer);
  const item = part("li");
  item.append(row);
  return item;
};

// "412 pictures: 230 called AI-generated, 177 human-made; 5 could not be judged."
const sums = () => {
  const all = judged();
  const counts = Object.keys(props.sides).map((side) => [all.filter(called(side)).length, props.sides[side]]);
  const bad = all.filter(({ found }) => found.error).length;
  const n = `${all.length} picture${all.length === 1 ? "" : "s"}`;
  return `${n}: ${counts.map(([k, name]) => `${k} called ${name}`).join(", ")}${bad ? `; ${bad} not judged` : ""}.`;
};

const showRows = () => {
  const all = judged();
  find(".found").hidden = !all.length;
  const fitting = all.filter(FILTERS[filter.value][1]).sort(ORDERS[order.value][1]);
  FILTERS.forEach(([label, fits], i) => (filter.options[i].text = `${label} (${all.filter(fits).length})`));
  const [list, wanted] = [find(".rows"), fitting.slice(0, shown).map((one) => (one.row ??= rowOf(one)))];
  const same = [...list.children].findIndex((row, i) => row !== wanted[i]);
  if (same < 0) list.append(...wanted.slice(list.children.length)); // those that stand there stay: one may be clicked just now
  else {
    const now = document.activeElement?.closest?.(".rows li");
    list.replaceChildren(...wanted);
    if (now) (now.isConnected ? now.firstChild : list).focus({ preventScroll: true });
  }
  find(".more").hidden = fitting.length <= shown;
  find(".more").textContent = `Show more (${fitting.length - shown} left)`;
};
for (const select of [filter, order])
  select.addEventListener("change", () => {
    shown = AT_A_TIME;
    showRows();
  });
find(".more").addEventListener("click", () => {
  const first = shown;
  shown += AT_A_TIME;
  showRows();
  find(".rows").children[first]?.firstChild.focus();
});

// "If X % of the pile is AI-made, of 100 that are called AI about N are."
let rates = null;
const range = find(".pile input");
const showRates = () => {
  find(".pile output").textContent = range.value;
  const lines = rates.map(({ flag, right }) => {
    const n = right[range.value];
    const told = n === null ? "none would be" : `about ${n} are AI-made, and ${100 - n} human-made`;
    return part("li", "", `Of 100 pictures ${flag}, ${told}.`);
  });
  find(".pile ul").replaceChildren(...lines);
};
range.addEventListener("input", showRates);
const askRates = async () => {
  if (rates) return;
  ({ lines: rates } = await request("many_rates").catch(() => ({ lines: null })));
  find(".pile").hidden = !rates?.length;
  if (rates?.length) showRates();
};

const save = (text, type, name) => saveAs(new Blob([text], { type }), name);
find(".json").addEventListener("click", () => save(judged().map(({ found }) => `${found.json}\n`).join(""), "application/jsonl", "pictures.jsonl"));
find(".csv").addEventListener("click", async () => {
  const found = judged().map((one) => JSON.parse(one.found.json));
  try {
    save((await request("many_csv", { found })).csv, "text/csv", "pictures.csv");
  } catch (problem) {
    say(problem.message);
  }
});
