// One picture on its way through the network: what Check judged last, or the first of the gallery.
const NAMES = Object.values(props.names);
const KEYS = Object.keys(props.names);
let found = null; // the numbers of the picture that is shown
let small = null; // its square, to be painted on

const cell = (tag, text, scope = "") => {
  const made = part(tag, "", text);
  if (scope) made.scope = scope;
  return made;
};

// Rows of text, the header first, in a box that scrolls by itself where they are too wide.
const tableOf = ([header, ...rows], title) => {
  const [box, table, head, body] = [part("div", "box"), part("table"), part("thead"), part("tbody")];
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", title);
  head.append(part("tr"));
  head.firstChild.append(...header.map((text) => cell("th", text, "col")));
  for (const [first, ...rest] of rows) {
    const row = part("tr");
    row.append(cell("th", first, "row"), ...rest.map((text) => cell("td", text)));
    body.append(row);
  }
  table.append(part("caption", "", title), head, body);
  box.append(table);
  return box;
};

const signed = (number, digits) => {
  const text = Math.abs(number).toFixed(digits);
  return (Number(text) === 0 ? "" : number < 0 ? "\u2212" : "+") + text;
};

const sumOf = (map) => map.flat().reduce((sum, term) => sum + term, 0);

const barsOf = (probs) =>
  probs.map((p, i) => {
    const line = part("div", `line ${KEYS[i]}`);
    line.append(part("span", "", NAMES[i]), meterOf(p), part("b", "percent", percent(p)));
    return line;
  });

// Steps 3 and 4, of one class. All classes are on one scale, so that weak evidence looks weak.
const showClass = (index) => {
  const map = found.terms[index];
  const canvas = find(".cells canvas");
  paint(canvas, small, found.terms, index, true, 0.8);
  canvas.setAttribute("aria-label", `The square in grey under its map: red where it speaks for ${NAMES[index]}, blue where against`);
  find(".cells").style.setProperty("--rows", map.length);
  find(".cells").style.setProperty("--columns", map[0].length);
  find(".class").textContent = NAMES[index];
  find(".terms").setAttribute("aria-label", `What each cell adds to ${NAMES[index]}`);
  const peak = Math.max(1e-12, ...found.terms.flat(2).map(Math.abs));
  const rows = map.map((line) => {
    const row = part("tr");
    row.append(...line.map((term) => {
      const made = part("td", "", signed(1000 * term, 0));
      made.style.setProperty("--paint", `rgb(${colourOf(term, true).join(" ")} / ${(0.4 * Math.abs(term)) / peak})`);
      return made;
    }));
    return row;
  });
  find(".terms tbody").replaceChildren(...rows);
};

const showSteps = () => {
  const { terms, bias, logits, temperature, probs, label } = found;
  [find(".whole").src, find(".whole").alt] = [found.picture, "The whole picture"];
  [find(".square").src, find(".square").alt] = [found.square, "The same, squeezed into a small square"];
  find(".size").textContent = `${small.width} x ${small.height}`;
  for (const place of element.querySelectorAll(".count")) place.textContent = `${terms[0].length} x ${terms[0][0].length}`;
  const header = ["Class", `${terms[0].flat().length} numbers`, "bias", "score", ...(temperature ? [`score \u00f7 ${temperature}`] : [])];
  const rows = terms.map((map, i) => [NAMES[i], ...[sumOf(map), bias[i], logits[i], ...(temperature ? [logits[i] / temperature] : [])].map((x) => signed(x, 3))]);
  find(".sums").replaceWith(tableOf([header, ...rows], "The sums, rounded"));
  element.querySelector(".broad .box").classList.add("sums");
  find(".cooled").hidden = !temperature;
  find(".uncooled").hidden = Boolean(temperature);
  find(".bars").replaceChildren(...barsOf(probs));
  const other = KEYS.map((key, i) => (key === "human" ? "" : NAMES[i])).filter(Boolean).join(" and ");
  find(".kind").textContent = `AI or human is decided by ${other} together.`;
  find(".chooser select").value = label;
  showClass(label);
};

let asked = ""; // the picture that was asked for last
const enter = async () => {
  const source = window.detectorSource;
  const question = source?.file ? { path: source.file.path } : { example: source?.example ?? 0 };
  const mine = JSON.stringify(question);
  if (mine === asked) return;
  asked = mine;
  const say = (text) => (find(".which").textContent = text);
  const hide = (hidden) => (find(".steps").hidden = find(".chooser").hidden = hidden);
  try {
    const told = await request("about_steps", question);
    if (mine !== asked) return;
    hide(Boolean(told.nothing));
    if (told.nothing) return say(told.nothing);
    const square = await decoded(await (await fetch(told.square)).blob(), Infinity);
    if (mine !== asked) return;
    [found, small] = [told, square];
    showSteps();
    say(source ? "Your last picture of Check." : "A picture of the gallery; give one in Check, and its way is shown here.");
  } catch (problem) {
    if (mine !== asked) return;
    asked = ""; // so that coming back asks again
    hide(true);
    say(problem.message);
  }
};
for (const [i, name] of NAMES.entries()) find(".chooser select").append(new Option(name, i));
find(".chooser select").addEventListener("change", ({ target }) => showClass(Number(target.value)));
new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && enter()).observe(find(".about"));
