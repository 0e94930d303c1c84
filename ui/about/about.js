// What is known of the model, and the pictures that fool it. Whatever the server says is put in as text.
const AGAIN = 1000; // milliseconds after which it is asked whether all were looked at

const paragraphs = (texts) => texts.map((text) => part("p", "", text));

const folded = (title, ...content) => {
  const [made, inside] = [part("details"), part("div", "inside")];
  inside.append(...content);
  made.append(part("summary", "", title), inside);
  return made;
};

const pictureOf = ({ src, title, alt }) => {
  const [figure, image] = [part("figure", "plot"), part("img")];
  [image.src, image.alt] = [src, alt];
  figure.append(image, part("figcaption", "", title));
  return figure;
};

const blockOf = ({ text, items, rows }, title) => {
  if (rows) return tableOf(rows, title);
  if (!items) return part("p", "", text);
  const list = part("ul");
  list.append(...items.map((item) => part("li", "", item)));
  return list;
};

// Truth in rows, answers in columns: counts, and the share of the row, which shades the cell.
const confusionOf = (counts) => {
  const sums = counts.map((row) => Math.max(1, row.reduce((sum, n) => sum + n, 0)));
  const rows = counts.map((row, i) => [NAMES[i], ...row.map((n, j) => `${n} (${percent(n / sums[i])})`)]);
  const box = tableOf([["Truth", ...NAMES.map((name) => `Answer: ${name}`)], ...rows], "What it takes for what: test pictures as they are (confusion matrix)");
  box.querySelectorAll("td").forEach((td, n) => {
    const share = counts.flat()[n] / sums[Math.floor(n / NAMES.length)];
    td.style.setProperty("--paint", `color-mix(in srgb, var(--body-text-color) ${25 * share}%, transparent)`);
  });
  return box;
};

const showModel = ({ name, notes, figures, confusion, pictures, card, generators }) => {
  find(".name").textContent = `It answers: ${name}.`;
  find(".learned .notes").append(...paragraphs(notes));
  const known = find(".known");
  if (confusion.length)
    known.append(
      ...figures.map(({ title, rows }) => tableOf(rows, title)),
      part("p", "", "Named rightly: of 100 pictures, each of the three classes counting alike; blind guessing gets 33. AI told from human: of 100 pairs, one picture of each kind, the AI-made one gets the higher number in so many; a coin gets 50."),
      confusionOf(confusion),
    );
  if (pictures.length) known.append(folded("As pictures", ...pictures.map(pictureOf)));
  for (const { title, blocks } of card) known.append(folded(title, ...blocks.map((block) => blockOf(block, title))));
  if (generators) showGenerators(generators);
};

const showGenerators = ({ rows, missed, notes }) => {
  const [place, n] = [find(".generators"), rows.length - 1];
  place.hidden = false;
  place.querySelector("h2").textContent = `${n} generators, one picture of each`;
  place.querySelector("p").textContent = `It calls ${n - missed} of them AI-made and misses ${missed}. One picture says little of a generator, and catching many is worth little by itself: see above how many human-made pictures it calls AI-made too.`;
  place.querySelector(".notes").append(...paragraphs(notes));
  const box = tableOf(rows, "P(AI): how AI-like the model finds it, 0 to 1");
  box.classList.add("long");
  box.querySelectorAll("tbody tr").forEach((row, i) => row.classList.toggle("missed", i < missed));
  place.querySelector("details").append(box);
};

const fooledOf = (title, pictures) => {
  const [side, list] = [part("div"), part("div", "thumbnails")];
  list.append(...pictures.map(({ picture, told, p_ai }) => {
    const made = pictureOf({ src: picture, alt: told, title: `It says ${p_ai < 0.5 ? "human-made" : "AI-made"}, P(AI) ${percent(p_ai)}. Truth: ${told}.` });
    made.className = "";
    return made;
  }));
  side.append(part("h3", "", title), list);
  return side;
};

find(".show").addEventListener("click", async ({ target }) => {
  const say = (text) => (find(".said").textContent = text);
  target.disabled = true;
  say("It looks at all of them; that takes some seconds …");
  try {
    let told = await request("about_fooled");
    while (told.busy) {
      await rest(AGAIN);
      told = await request("about_fooled");
    }
    say(`Of ${told.n} pictures:`);
    find(".fooled").replaceChildren(fooledOf("Human-made, and most AI-like to it", told.human), fooledOf("AI-made, and most human-like to it", told.ai));
    target.hidden = true;
  } catch (problem) {
    say(problem.message);
    target.disabled = false;
  }
});

request("about_model").then(showModel).catch((problem) => (find(".name").textContent = problem.message));
