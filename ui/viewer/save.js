// The answer as one picture: the picture under its map, the words, the bars, the model, the date.
const WIDTH = 1200; // pixels; the picture takes the left half

const lines = (context, text, width) => {
  const found = [""];
  for (const word of text.split(" ")) {
    const longer = `${found.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width <= width || !found.at(-1)) found[found.length - 1] = longer;
    else found.push(word);
  }
  return found;
};

const sheet = () => {
  const now = speaking();
  const [left, gap, half] = [document.createElement("canvas"), 32, WIDTH / 2];
  paint(left, picture, stack(), chosen, signed(), strength());
  const height = Math.round((left.height * (half - gap)) / left.width);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const [family, column] = [getComputedStyle(viewer).fontFamily, half - 2 * gap];
  const write = (text, size, weight, y) => {
    context.font = `${weight} ${size}px ${family}`;
    for (const line of text ? lines(context, text, column) : []) context.fillText(line, half + gap, (y += size * 1.35));
    return y + (text ? size * 0.35 : 0);
  };
  const draw = () => {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(left, gap, gap, half - gap, height);
    context.fillStyle = "#111";
    let y = write(now.who, 36, 700, gap);
    for (const text of [now.sure, now.which, find(".truth").textContent]) y = write(text, 20, 400, y);
    now.probs.forEach((p, i) => {
      y = write(`${NAMES[i]} ${percent(p)}`, 18, 600, y);
      context.fillStyle = "#ddd";
      context.fillRect(half + gap, y, column, 10);
      context.fillStyle = getComputedStyle(tiles[i].querySelector(".meter i")).backgroundColor;
      context.fillRect(half + gap, y, column * p, 10);
      context.fillStyle = "#111";
      y += 14;
    });
    for (const { of, share } of now.rates) {
      const n = Math.round(share * 100);
      y = write(`Of 100 ${of} pictures, ${n || "fewer than 1"} ${n === 1 ? "gets" : "get"} this answer.`, 16, 400, y);
    }
    y = write(`Map: what speaks ${signed() ? "for and against" : "for"} ${NAMES[chosen]}.`, 16, 400, y);
    return write(`${find(".by").textContent} ${new Date().toISOString().slice(0, 10)}, ${name}`, 16, 400, y);
  };
  [canvas.width, canvas.height] = [WIDTH, 100];
  const needed = draw();
  canvas.height = Math.ceil(Math.max(needed, height + gap) + gap);
  draw();
  return canvas;
};

find(".save").addEventListener("click", () => {
  sheet().toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const words = speaking().who.toLowerCase().replace(/[^a-z]+/g, "-");
    link.download = `${name.replace(/\.\w+$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-") || "picture"}-${words}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
});
