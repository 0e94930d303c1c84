// Two models side by side. The maps are painted here, all six on one scale.
const AGAIN = 2000; // milliseconds after which a server that was busy is asked again
const SMALL = 360; // pixels of a map's longer side
const [first, second] = [find(".a"), find(".b")];
const say = (text) => (find(".said").textContent = text);
let source = null; // of the picture: {example} or {path}
let name = "";
let turn = 0; // of the picture
let round = 0; // of the gallery

// What is asked takes turns with those who want an answer.
const patiently = async (door, question, counts) => {
  for (;;) {
    const found = await request(door, { ...question, a: first.value, b: second.value });
    if (!found.busy || !counts()) return found;
    say("Others wait for their answers; this one comes after them …");
    await rest(AGAIN);
  }
};

const showSide = (side, card, picture, maps, offset) => {
  side.dataset.side = card.side;
  side.querySelector("h2").textContent = card.name;
  side.querySelector(".who").textContent = card.who;
  side.querySelector(".sure").textContent = card.sure;
  const tiles = Object.entries(props.names).map(([key, label], i) => {
    const [tile, canvas, line] = [part("div", `tile ${key}`), document.createElement("canvas"), part("span", "line")];
    paint(canvas, picture, maps, offset + i, false, 0.8);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Where ${card.name} finds what speaks for ${label}`);
    line.append(part("span", "", label), part("b", "percent", percent(card.probs[i])));
    tile.append(canvas, line, meterOf(card.probs[i]));
    return tile;
  });
  side.querySelector(".tiles").replaceChildren(...tiles);
};

const compare = async () => {
  const mine = ++turn;
  find(".sides").hidden = find(".scale").hidden = true;
  if (!source || !second.value) return say("Choose a second model.");
  say(`${name}: both look at it …`);
  try {
    const found = await patiently("compare_picture", source, () => mine === turn);
    if (mine !== turn) return;
    if (!found.models) return say(found.nothing);
    const picture = await decoded(await (await fetch(found.picture)).blob(), SMALL);
    if (mine !== turn) return;
    const maps = found.models.flatMap(({ maps }) => maps.cam);
    find(".sides").hidden = find(".scale").hidden = false;
    found.models.forEach((card, i) => showSide(element.querySelectorAll(".side")[i], card, picture, maps, 3 * i));
    say(found.models[0].side === found.models[1].side ? `${name}: both lean the same way.` : `${name}: they disagree.`);
  } catch (problem) {
    if (mine === turn) say(problem.message);
  }
};

const take = async (file) => {
  const mine = ++turn;
  find(".sides").hidden = find(".scale").hidden = true;
  say(`Sending ${file.name} …`);
  try {
    const [path] = await sendFiles([file]);
    if (mine !== turn) return;
    [source, name] = [{ path }, file.name];
    compare();
  } catch (problem) {
    if (mine === turn) say(problem.name === "Error" ? problem.message : `${file.name} could not be sent: is it a file, and is the server still there?`);
  }
};
const picker = find("input[type=file]");
find(".pick").addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  const [file] = picker.files;
  picker.value = "";
  if (file) take(file);
});
for (const select of [first, second])
  select.addEventListener("change", () => {
    round += 1;
    find(".counted").replaceChildren();
    compare();
  });

find(".gallery").addEventListener("click", async () => {
  const mine = ++round;
  const counted = find(".counted");
  if (!second.value) return counted.replaceChildren(part("p", "", "Choose a second model."));
  counted.replaceChildren(part("p", "", "Both look at all of them; that takes some seconds …"));
  try {
    const found = await patiently("compare_gallery", {}, () => mine === round);
    if (mine !== round) return;
    const { n, agree, a, b, mcnemar_p: p, differ } = found;
    const rows = differ.map((one) => {
      const said = ["a", "b"].map((key) => `${key.toUpperCase()} says ${props.names[one[key].label]}, AI ${percent(one[key].p_ai)}`).join("; ");
      return part("li", "", `${one.file}: ${said}; it is ${props.names[one.truth]}.`);
    });
    const list = part("ul");
    list.append(...rows);
    counted.replaceChildren(
      part("p", "", `They agree on ${agree} of ${n} pictures.`),
      part("p", "", `A (${a.model}) names ${a.right} rightly, B (${b.model}) ${b.right}.`),
      part("p", "", `Were both equally good, chance alone would favour one of them as much in ${percent(p)} of such trials (exact McNemar test).`),
      list,
    );
  } catch (problem) {
    if (mine === round) counted.replaceChildren(part("p", "", problem.message));
  }
});

// The picture of Check, whenever this room is entered and another was judged there.
const enter = () => {
  const found = window.detectorSource;
  const given = found?.file ? { path: found.file.path } : { example: found?.example ?? 0 };
  if (source && (!found || JSON.stringify(given) === enter.last)) return;
  enter.last = JSON.stringify(given);
  [source, name] = [given, found ? "The picture of Check" : "A picture of the gallery"];
  compare();
};
new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && enter()).observe(find(".tools"));

const begin = async () => {
  try {
    const { models } = await request("compare_models");
    second.append(new Option("choose …", ""));
    for (const select of [first, second]) for (const model of models) select.append(new Option(model, model));
    second.value = models.find((model) => !["bundled", "hub"].includes(model)) ?? ""; // the Hub is asked on demand
    compare();
  } catch (problem) {
    say(problem.message);
  }
};
begin();
