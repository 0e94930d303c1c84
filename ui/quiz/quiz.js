// The game: a picture, your guess, how sure, and only then the truth and the model's answer.
const NO_PICTURES = "There are no pictures here to play with.";
const PAUSE = 1000; // milliseconds before a model that is being loaded is asked again
const MIDDLE = 67; // of the slider, where it stands for every picture

const [view, slider, next] = [find(".picture"), find(".sure input"), find(".next")];
const seen = new Set(); // pictures that were played on this page
let game = null; // {pictures: those that are played, rounds: those that are done}
let round = null; // {picture, url, guess, sure}; then {label, told}, and {answer} once it is heard
let canvas = null; // the picture

const guesses = CLASSES.map(([key, name], i) => {
  const button = part("button", `button guess ${key}`, name);
  button.type = "button";
  button.setAttribute("aria-keyshortcuts", `${i + 1}`);
  button.addEventListener("click", () => choose(i));
  find(".guesses").append(button);
  return button;
});

const press = (index) => guesses.forEach((button, i) => button.setAttribute("aria-pressed", i === index));
const tellSure = () => {
  find(".sure output").textContent = `${slider.value} %`;
  slider.setAttribute("aria-valuetext", `${slider.value} %`);
};
const setTruth = (shown) => {
  [find(".question").hidden, next.hidden] = [shown, !shown];
  find(".sure").hidden = true;
};

const begin = () =>
  attempt(async () => {
    const { pictures } = await request("play_rounds", code ? { class: code } : { seen: [...seen] });
    if (!pictures.length) throw new Error(NO_PICTURES);
    game = { pictures, rounds: [] };
    await goOn();
  });

// The next picture, or the end.
const goOn = async () => {
  const { pictures, rounds } = game;
  if (rounds.length === pictures.length) return finish();
  const picture = pictures[rounds.length];
  const { picture: url } = await request("play_picture", { picture });
  canvas = await decoded(await (await fetch(url)).blob(), props.longest);
  round = { picture, url, guess: null };
  seen.add(picture);
  const number = `Picture ${rounds.length + 1} of ${pictures.length}`;
  paint(view, canvas);
  view.setAttribute("aria-label", number);
  find(".number").textContent = number;
  find(".shown").className = `shown${canvas.width > 1.2 * canvas.height ? " wide" : ""}`;
  find(".why").hidden = true;
  for (const line of element.querySelectorAll(".told p")) line.textContent = "";
  find(".probs").replaceChildren();
  press(null);
  slider.value = MIDDLE;
  tellSure();
  setTruth(false);
  show(".round");
  find(".number").focus({ preventScroll: true });
  find(".round").scrollIntoView({ block: "nearest" });
};

const skip = () => {
  if (busy) return;
  game.pictures.splice(game.rounds.length, 1);
  attempt(goOn, skip);
};

const choose = (index) => {
  if (busy || round.told) return;
  round.guess = index;
  press(index);
  find(".sure").hidden = false;
  slider.focus({ preventScroll: true });
  find(".sure").scrollIntoView({ block: "nearest" });
};

const settle = () =>
  attempt(async () => {
    if (round.told) return;
    const question = { picture: round.picture, guess: round.guess, ...(code && { class: code, visitor }) };
    round.sure = Number(slider.value) / 100;
    const { label, told, answer } = await request("play_guess", question);
    Object.assign(round, { label, told });
    game.rounds.push(round);
    const mine = round;
    mine.heard = hear(mine, question, answer).then(() => mine === round && showAnswer());
    find(".truth").textContent = `Truth: ${told}.`;
    find(".mine").textContent = `You said ${CLASSES[round.guess][1]}, ${slider.value} % sure. ${judged(round.guess, label)}`;
    if (answer.waiting) find(".model").textContent = "The model is still warming up; its answer comes here.";
    next.textContent = game.rounds.length < game.pictures.length ? "Next picture" : "See the score";
    setTruth(true);
    next.focus();
  }, skip);

// The round gets its answer, as soon as there is a model, while you play on.
const hear = async (heard, question, answer) => {
  let now = answer;
  while (now.waiting) {
    await rest(PAUSE);
    now = await request("play_guess", question).then((told) => told.answer, ({ message }) => ({ error: message }));
  }
  heard.answer = now;
};

const showAnswer = () => {
  const { answer, label } = round;
  if (answer.error) {
    find(".model").textContent = `The model gives no answer. ${answer.error}`;
    return;
  }
  const name = CLASSES[answer.label][1];
  // AI or human comes first, so that the likeliest of the three may be another than the guess.
  const why = answer.probs[answer.label] < Math.max(...answer.probs) ? ", since the two kinds of AI together outweigh Human" : "";
  find(".model").textContent = `The model says: ${answer.who}. Its guess: ${name}${why}. ${judged(answer.label, label)}`;
  find(".probs").replaceChildren(...answer.probs.map((p, i) => barLine(i, p, percent(p))));
  const map = find(".why canvas");
  paint(map, canvas, answer.map, answer.label, false, 0.75);
  map.setAttribute("aria-label", `The picture, grey under the map of what speaks for ${name}`);
  find(".why figcaption").textContent = `Where the model's score for ${name} came from`;
  find(".why").hidden = false;
  find(".shown").classList.add("both");
  if (document.activeElement === next) next.scrollIntoView({ block: "nearest" }); // it has moved
};

const finish = () => {
  const { rounds } = game;
  round = null;
  if (!rounds.length) return show(".start");
  showScore(rounds);
  show(".end");
  find(".score").focus({ preventScroll: true });
  find("h2").scrollIntoView({ block: "nearest" });
  if (rounds.some(({ answer }) => !answer))
    Promise.all(rounds.map(({ heard }) => heard)).then(() => rounds === game.rounds && showScore(rounds));
};

slider.addEventListener("input", tellSure);
slider.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.repeat) settle();
});
find(".settle").addEventListener("click", settle);
next.addEventListener("click", () => attempt(goOn, skip));
find(".skip").addEventListener("click", () => skipped());
find(".go").addEventListener("click", begin);
find(".replay").addEventListener("click", () => {
  if (code) leave();
  begin();
});

// Keys 1, 2, 3 wherever the focus is, except where one types.
window.detectorQuiz?.abort();
window.detectorQuiz = new AbortController();
document.addEventListener("keydown", (event) => {
  const index = ["1", "2", "3"].indexOf(event.key);
  const typing = event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]");
  if (index < 0 || typing || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (find(".question").checkVisibility()) choose(index);
}, { signal: window.detectorQuiz.signal });

if (!join(inAddress("class"))) {
  join("");
  find(".class").textContent = `The class in this page's address cannot be used. ${NO_CODE}`;
}
if (code && inAddress("view") === "projector") project();
