// A class: the same pictures for everybody whose address has the same code, and their guesses on a projector.
// The scripts of this folder run as one, after shared/ask.js and viewer/paint.js, in the order of __init__.py.
const CLASSES = Object.entries(props.names); // [class, its name], in the model's order
const SCREENS = [".start", ".round", ".end", ".projector"];
const EVERY = 2000; // milliseconds between two looks at the votes
const NO_CODE = "A code has 1 to 20 letters from A to Z, digits or hyphens.";

const show = (screen) => {
  for (const name of SCREENS) find(name).hidden = name !== screen;
};

// What was asked last and failed can be asked again. One question at a time: a second press changes nothing.
let [busy, failed, skipped] = [false, null, null];
const attempt = async (work, skip = null) => {
  if (busy) return;
  busy = true;
  const had = find(".trouble").contains(document.activeElement);
  try {
    await work();
    find(".trouble").hidden = true;
    if (had && document.activeElement === document.body) find("h2").focus();
  } catch (error) {
    [failed, skipped] = [work, skip];
    find(".trouble p").textContent = error.message;
    find(".skip").hidden = !skip;
    find(".trouble").hidden = false;
    find(".again").focus();
  } finally {
    busy = false;
  }
};
find(".again").addEventListener("click", () => attempt(failed, skipped));

const inAddress = (name) => new URLSearchParams(location.search).get(name) ?? "";
const setAddress = (name, value) => {
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(history.state, "", url);
};

let code = ""; // of the class, or none
let visitor = ""; // a random number of this browser tab's, made for a class alone
const token = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Into the class `wanted`, or out of any. False where that is no code.
const join = (wanted) => {
  if (!/^[A-Za-z0-9-]{0,20}$/.test(wanted)) return false;
  code = wanted.toUpperCase();
  if (code && !visitor) {
    visitor = token();
    try {
      visitor = sessionStorage["quiz-visitor"] ??= visitor;
    } catch {} // forbidden here: the votes count until the page is loaded again
  }
  find(".class").textContent = code
    ? `Class ${code}: everybody gets the same pictures, and the guesses are counted together. No names are kept, and the counts are forgotten an hour after the last guess.`
    : "";
  for (const button of element.querySelectorAll(".project, .leave")) button.hidden = !code;
  find(".join").hidden = Boolean(code);
  find(".replay").textContent = code ? "Play on alone, with other pictures" : "Play again, with other pictures";
  return true;
};

find(".join").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = find(".join input");
  const joined = field.value.trim() && join(field.value.trim());
  field.setAttribute("aria-invalid", !joined);
  if (!joined) {
    find("#quiz-code-help").textContent = NO_CODE;
    return field.focus();
  }
  setAddress("class", code);
  find(".go").focus();
});
const leave = () => {
  join("");
  setAddress("class", "");
};
find(".leave").addEventListener("click", () => {
  leave();
  find(".go").focus();
});

// "DALL-E [bar] 4", for a class, a share of the bar and what is written beside it.
const barLine = (index, share, text) => {
  const line = part("div", `line ${CLASSES[index][0]}`);
  line.append(part("span", "label", CLASSES[index][1]), meterOf(share), part("span", "amount", text));
  return line;
};

let revealed = false;
let back = ".start"; // the screen that the projector view was opened from

const look = async () => {
  const [of, truths] = [code, revealed];
  const { people, votes, truth } = await request("play_votes", { class: of, truth: truths });
  if (of !== code || truths !== revealed) return;
  find(".people").textContent = `${people === 1 ? "1 person has" : `${people} people have`} guessed so far. Join at ${location.origin}${location.pathname}?class=${code}`;
  votes.forEach((counts, i) => {
    const lines = counts.map((n, index) => barLine(index, n / Math.max(1, counts[0] + counts[1] + counts[2]), `${n}`));
    if (truth.length) lines[truth[i].label].classList.add("true");
    const told = part("p", "", truth.length ? `Truth: ${truth[i].told}` : "");
    find(".wall").children[i].querySelector(".counts").replaceChildren(...lines, told);
  });
};

const setRevealed = (on) => {
  revealed = on;
  find(".reveal").textContent = on ? "Hide the truth" : "Show the truth";
};

const project = () =>
  attempt(async () => {
    const { pictures } = await request("play_rounds", { class: code });
    const small = await Promise.all(pictures.map((picture) => request("play_picture", { picture, small: true })));
    const figures = small.map(({ picture }, i) => {
      const figure = part("figure");
      figure.append(imageOf(picture, `Picture ${i + 1}`), part("figcaption", "", `Picture ${i + 1}`), part("div", "counts"));
      return figure;
    });
    find(".wall").replaceChildren(...figures);
    find(".name").textContent = pictures.length ? `Class ${code}` : NO_PICTURES;
    setRevealed(false);
    await look();
    back = SCREENS.find((name) => !find(name).hidden);
    show(".projector");
    setAddress("view", "projector");
    find(".name").focus();
  });
for (const button of element.querySelectorAll(".project")) button.addEventListener("click", project);
const lookAgain = () =>
  look().catch((error) => {
    find(".people").textContent = error.message; // until the next look
  });
find(".reveal").addEventListener("click", () => {
  setRevealed(!revealed);
  lookAgain();
});
find(".close").addEventListener("click", () => {
  setAddress("view", "");
  show(back);
  find(back === ".end" ? ".replay" : ".go").focus();
});
const looking = setInterval(() => {
  if (!element.isConnected) clearInterval(looking);
  else if (!document.hidden && find(".projector").checkVisibility()) lookAgain();
}, EVERY);
