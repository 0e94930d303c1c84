// The end of a game: who was right, how sure that was, and what fooled you.
const BINS = [[0.5, "below 50 %"], [0.7, "50 to 70 %"], [0.9, "70 to 90 %"], [Infinity, "90 % and above"]]; // [below, name]
const HUMAN = CLASSES.findIndex(([key]) => key === "human");

// What a guess is worth: the same words for people and the model.
const judged = (said, label) => {
  if (said === label) return "Right.";
  return said === HUMAN || label === HUMAN ? "Wrong." : "Right that an AI made it, wrong about which.";
};

// [{sure, right}] -> those bins that hold any: how often right, how sure on average.
const binned = (answers) =>
  BINS.map(([bound, name], i) => {
    const inside = answers.filter(({ sure }) => sure < bound && sure >= (BINS[i - 1]?.[0] ?? 0));
    const right = inside.filter((one) => one.right).length;
    return { name, n: inside.length, right, sure: inside.reduce((sum, { sure }) => sum + sure, 0) / inside.length };
  }).filter(({ n }) => n);

// Share right over how sure: circles are yours, squares the model's. On the diagonal one is as often right as one is sure.
const plotOf = (series) => {
  const [left, top, width, height, from] = [44, 30, 300, 220, 0.2];
  const x = (p) => left + ((p - from) / (1 - from)) * width;
  const y = (p) => top + (1 - p) * height;
  const told = series.flatMap(({ name, answers }) =>
    binned(answers).map((bin) => `${name}, ${bin.name} sure: ${bin.right} of ${bin.n} right.`));
  const svg = drawn("svg", { viewBox: "0 0 372 296", role: "img", "aria-label": `How often right over how sure. ${told.join(" ")}` });
  for (const p of [0, 0.5, 1]) {
    svg.append(drawn("line", { class: "grid", x1: left, x2: left + width, y1: y(p), y2: y(p) }));
    svg.append(drawn("text", { x: left - 6, y: y(p) + 4, "text-anchor": "end" }, `${p * 100} %`));
  }
  for (const p of [0.2, 0.5, 0.7, 0.9, 1]) {
    svg.append(drawn("line", { class: "grid", x1: x(p), x2: x(p), y1: y(0), y2: y(1) }));
    svg.append(drawn("text", { x: x(p), y: y(0) + 18, "text-anchor": "middle" }, p === 0.9 ? "90" : `${p * 100}${p === 1 ? " %" : ""}`));
  }
  svg.append(drawn("line", { class: "ideal", x1: x(from), y1: y(from), x2: x(1), y2: y(1) }));
  svg.append(drawn("text", { x: left + width / 2, y: 290, "text-anchor": "middle" }, "how sure"));
  svg.append(drawn("text", { x: 0, y: 12 }, "how often right"));
  series.forEach(({ answers }, square) => {
    for (const { n, right, sure } of binned(answers)) {
      const [r, cx, cy] = [4 + 2 * Math.sqrt(n), x(sure), y(right / n)];
      svg.append(square
        ? drawn("rect", { class: "model", x: cx - r, y: cy - r, width: 2 * r, height: 2 * r })
        : drawn("circle", { class: "you", cx, cy, r }));
    }
  });
  return svg;
};

const fooledBy = ({ url, told, guess, sure }) => {
  const figure = part("figure");
  const caption = part("figcaption", "", `${told[0].toUpperCase()}${told.slice(1)}. You said ${CLASSES[guess][1]}, ${percent(sure)} sure.`);
  figure.append(imageOf(url, told), caption);
  return figure;
};

const averageOf = (answers) => answers.reduce((sum, { sure }) => sum + sure, 0) / answers.length;

// `rounds`, each with what you guessed and, once it is heard, what the model answered.
const showScore = (rounds) => {
  const heard = rounds.filter(({ answer }) => answer?.probs);
  const right = ({ guess, label }) => guess === label;
  const modelRight = ({ answer, label }) => answer.label === label;
  const yours = rounds.map((round) => ({ sure: round.sure, right: right(round) }));
  const its = heard.map((round) => ({ sure: round.answer.probs[round.answer.label], right: modelRight(round) }));
  const [mine, model] = [rounds.filter(right).length, heard.filter(modelRight).length];
  const both = heard.filter((round) => !right(round) && !modelRight(round)).length;
  find(".score").textContent = `You were right in ${mine} of ${rounds.length}${heard.length ? `, the model in ${model} of ${heard.length}` : ""}.`;
  const sums = [["You", mine], ...(heard.length ? [["The model", model], ["Both wrong", both]] : [])];
  find(".sums").replaceChildren(...sums.map(([name, n]) => {
    const sum = part("p", "sum");
    sum.append(part("b", "", `${n}`), part("span", "", name));
    return sum;
  }));
  find(".late").textContent = rounds.some(({ answer }) => !answer)
    ? "The model is still warming up; its score comes here."
    : (rounds.find(({ answer }) => answer.error)?.answer.error ?? "");
  const series = [{ name: "You", answers: yours }, ...(its.length ? [{ name: "The model", answers: its }] : [])];
  find(".plot").replaceChildren(plotOf(series));
  const lines = series.map(({ name, answers }, square) =>
    part("span", "", `${square ? "□ The model was" : "● You were"} ${percent(averageOf(answers))} sure on average.`));
  lines.push(part("span", "", "Points under the dotted line: surer than right. Ten pictures are few, so a point may lie off it by chance."));
  find(".legend").replaceChildren(...lines);
  const fooled = rounds.filter((round) => !right(round));
  find(".fooled").hidden = !fooled.length;
  find(".smalls").replaceChildren(...fooled.map(fooledBy));
};
