// The answer as one picture: the picture under its map, the words, the bars, the model, the date.
const SHEET = { width: 1200, gap: 32, tallest: 900 }; // pixels; the picture takes the left half, at most so tall

// Text in lines no wider than `width`; a word that is itself too wide is broken.
const broken = (context, text, width) => {
  const found = [""];
  for (const word of text.split(" ")) {
    const longer = `${found.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width <= width) {
      found[found.length - 1] = longer;
      continue;
    }
    if (found.at(-1)) found.push("");
    for (const letter of word) {
      if (context.measureText(found.at(-1) + letter).width > width) found.push("");
      found[found.length - 1] += letter;
    }
  }
  return found;
};

const mapWords = () => {
  if (!opacity()) return "";
  const by = other ? ` (${method.selectedOptions[0].text}, ${layer.selectedOptions[0].text})` : "";
  return `Map${by}: what speaks ${signed() ? "for and against" : "for"} ${CLASSES[chosen][1]}.`;
};

const sheet = () => {
  const { width, gap, tallest } = SHEET;
  const [now, left, canvas] = [speaking(), document.createElement("canvas"), document.createElement("canvas")];
  paint(left, picture, stack(), chosen, signed(), opacity());
  const [x, column] = [width / 2 + gap, width / 2 - 2 * gap];
  const scale = Math.min((width / 2 - gap) / left.width, tallest / left.height);
  const context = canvas.getContext("2d");
  const write = (text, size, weight, y) => {
    context.font = `${weight} ${size}px ${getComputedStyle(viewer).fontFamily}`;
    for (const line of text ? broken(context, text, column) : []) context.fillText(line, x, (y += size * 1.35));
    return y + (text ? size * 0.35 : 0);
  };
  const draw = () => {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(left, gap, gap, left.width * scale, left.height * scale);
    context.fillStyle = "#111";
    let y = write(now.disagrees, 20, 600, gap);
    y = write(now.who, 36, 700, y);
    for (const text of [now.sure, now.which, now.truth]) y = write(text, 20, 400, y);
    now.probs.forEach((p, i) => {
      y = write(`${CLASSES[i][1]} ${percent(p)}`, 18, 600, y);
      context.fillStyle = "#ddd";
      context.fillRect(x, y, column, 10);
      context.fillStyle = getComputedStyle(tiles[i].querySelector(".meter i")).backgroundColor;
      context.fillRect(x, y, column * p, 10);
      context.fillStyle = "#111";
      y += 14;
    });
    for (const { text } of now.rates) y = write(text, 16, 400, y);
    y = write(`${answer.origin.line}.`, 16, 400, y);
    if (model === 0 && closer?.steady) y = write(`${closer.steady.line}.`, 16, 400, y);
    y = write(mapWords(), 16, 400, y);
    return write(`Answered by ${now.title}. A hint, never proof. ${new Date().toISOString().slice(0, 10)}, ${name}`, 16, 400, y);
  };
  [canvas.width, canvas.height] = [width, 1];
  const needed = Math.max(draw(), left.height * scale + gap);
  canvas.height = Math.ceil(needed + gap);
  draw();
  return canvas;
};

const download = (blob, suffix, who) => {
  const plain = (text) => text.replace(/[^\p{L}\p{N}_]+/gu, "-").replace(/^-+|-+$/g, "");
  const stem = plain(name.replace(/\.\w+$/, "")).slice(0, 60) || "picture";
  saveAs(blob, `${stem}-${plain(who.toLowerCase())}.${suffix}`);
};

find(".save").addEventListener("click", () => sheet().toBlob((blob) => download(blob, "png", speaking().who)));

const LATE = 20000; // milliseconds after which a report may be asked for anew
const PATIENCE = 30; // times that a server that is busy is asked for one, since somebody wants it
let report = null; // {turn, asked, since}: the picture whose report is asked for, how often, and when last

// A page that stands alone, of the first model's answer, which the server writes once nobody waits for one.
const askReport = () => {
  report.since = performance.now();
  props.value = { turn, ...source };
  trigger("download");
};

find(".report").addEventListener("click", () => {
  if (report?.turn === turn && performance.now() - report.since < LATE) return; // an answer may have been lost
  const mine = (report = { turn, asked: 0 });
  find(".handed").textContent = "Writing it; that takes a few seconds …";
  askReport();
  watchOver(() => report === mine && turn === mine.turn, () => receiveReport({ error: props.lost.report }));
});

const receiveReport = ({ page, error, busy }) => {
  const mine = report;
  if (busy && mine && ++mine.asked < PATIENCE) return setTimeout(() => report === mine && turn === mine.turn && askReport(), AGAIN);
  report = null;
  find(".handed").textContent = page ? "" : (error ?? "Others wait for their answers; ask again in a moment.");
  if (page) download(new Blob([page], { type: "text/html" }), "html", answer.models?.[0].who ?? "nothing to judge");
};
