// Maps as pictures: what detector.explain.overlay does, pixel by pixel, in the browser.

// (3, h, w) numbers of all classes -> those of one, stretched to width x height, in -1 to 1: 1 is the strongest of all.
const stretched = (stack, index, width, height) => {
  const map = stack[index];
  const [rows, columns] = [map.length, map[0].length];
  const peak = Math.max(1e-12, ...stack.flat(2).map(Math.abs));
  const taps = (length, cells) =>
    Array.from({ length }, (_, i) => {
      const place = Math.min(Math.max(((i + 0.5) * cells) / length - 0.5, 0), cells - 1);
      const first = Math.floor(place);
      return [first, Math.min(first + 1, cells - 1), place - first];
    });
  const [across, down] = [taps(width, columns), taps(height, rows)];
  const found = new Float32Array(width * height);
  let i = 0;
  for (const [top, bottom, v] of down)
    for (const [left, right, u] of across) {
      const above = map[top][left] * (1 - u) + map[top][right] * u;
      const below = map[bottom][left] * (1 - u) + map[bottom][right] * u;
      found[i++] = (above * (1 - v) + below * v) / peak;
    }
  return found;
};

// Strength -1 to 1 -> colour.
const colourOf = (value, signed) => {
  const { heat, away, towards } = props.colours;
  if (signed) return value > 0 ? towards : away;
  const step = Math.min(Math.abs(value), 1) * (heat.length - 1);
  const low = Math.min(Math.floor(step), heat.length - 2);
  return heat[low].map((from, i) => from + (heat[low + 1][i] - from) * (step - low));
};

const LEVELS = 1000;
const palettes = new Map();
const paletteOf = (signed) => {
  if (!palettes.has(signed)) {
    const table = new Float32Array((2 * LEVELS + 1) * 4);
    for (let i = 0; i <= 2 * LEVELS; i++) {
      const value = i / LEVELS - 1;
      table.set([...colourOf(value, signed), Math.sqrt(Math.abs(value))], i * 4);
    }
    palettes.set(signed, table);
  }
  return palettes.get(signed);
};

// `picture`, a canvas, on `canvas`: grey under the map, or as it is where there is none.
const paint = (canvas, picture, stack, index, signed, opacity) => {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (!stack || !opacity) return;
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const [data, palette] = [pixels.data, paletteOf(signed)];
  stretched(stack, index, canvas.width, canvas.height).forEach((value, n) => {
    const i = 4 * n;
    const grey = (data[i] * 19595 + data[i + 1] * 38470 + data[i + 2] * 7471 + 32768) >> 16;
    const level = Math.round((value + 1) * LEVELS) * 4;
    const covered = opacity * palette[level + 3];
    for (let channel = 0; channel < 3; channel++)
      data[i + channel] = grey + (palette[level + channel] - grey) * covered;
  });
  context.putImageData(pixels, 0, 0);
};

// The first frame, upright, no side longer than `longest`. Rejects what this browser cannot show.
const drawn = async (blob, longest) => {
  const frame = await createImageBitmap(blob);
  const scale = Math.min(1, longest / Math.max(frame.width, frame.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(frame.width * scale));
  canvas.height = Math.max(1, Math.round(frame.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // transparency lies over white, as the model sees it
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(frame, 0, 0, canvas.width, canvas.height);
  frame.close();
  return canvas;
};
