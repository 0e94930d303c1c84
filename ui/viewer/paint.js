// Maps as pictures: what detector.explain.overlay does, pixel by pixel, in the browser.
const LEVELS = 1000; // of strength, to either side

// `source` on a canvas of its own, no side longer than `longest`, over white as the model sees transparency.
const fitted = (source, longest) => {
  const scale = Math.min(1, longest / Math.max(source.width, source.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(source.width * scale));
  canvas.height = Math.max(1, Math.round(source.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
};

// The first frame of a file, upright. Rejects what this browser cannot show.
const decoded = async (blob, longest) => {
  const frame = await createImageBitmap(blob);
  const canvas = fitted(frame, longest);
  frame.close();
  return canvas;
};

// The map of one class out of `stack` (3, h, w), stretched over width x height: levels of strength, 0 to 2 LEVELS. All
// classes share one scale.
const levelsOf = (stack, index, width, height) => {
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
  const found = new Uint16Array(width * height);
  let i = 0;
  for (const [top, bottom, v] of down) {
    const line = map[top].map((above, column) => (above * (1 - v) + map[bottom][column] * v) / peak);
    for (const [left, right, u] of across) found[i++] = (line[left] * (1 - u) + line[right] * u + 1) * LEVELS + 0.5;
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

// Level -> what of the colour is added, and what share of the grey shows through.
const paletteOf = (signed, opacity) => {
  const table = new Float32Array((2 * LEVELS + 1) * 4);
  for (let level = 0; level <= 2 * LEVELS; level++) {
    const value = level / LEVELS - 1;
    const covered = opacity * Math.sqrt(Math.abs(value));
    table.set([...colourOf(value, signed).map((channel) => channel * covered), 1 - covered], level * 4);
  }
  return table;
};

const greys = new WeakMap(); // picture -> its grey values
const greyOf = (picture, data) => {
  if (!greys.has(picture)) {
    const grey = new Uint8Array(data.length / 4);
    for (let n = 0, i = 0; n < grey.length; n++, i += 4)
      grey[n] = (data[i] * 19595 + data[i + 1] * 38470 + data[i + 2] * 7471 + 32768) >> 16;
    greys.set(picture, grey);
  }
  return greys.get(picture);
};

const stretched = new WeakMap(); // map -> its levels by size, so that another strength or class is only a blend
const levelsFor = (stack, index, { width, height }) => {
  if (!stretched.has(stack[index])) stretched.set(stack[index], {});
  return (stretched.get(stack[index])[`${width} x ${height}`] ??= levelsOf(stack, index, width, height));
};

// `picture`, a canvas, on `canvas`: grey under the map, or as it is where there is none.
const paint = (canvas, picture, stack, index, signed, opacity) => {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  if (!stack || !opacity) return context.drawImage(picture, 0, 0);
  const pixels = picture.getContext("2d").getImageData(0, 0, picture.width, picture.height);
  const data = pixels.data;
  const [grey, levels] = [greyOf(picture, data), levelsFor(stack, index, picture)];
  const palette = paletteOf(signed, opacity);
  for (let n = 0, i = 0; n < levels.length; n++, i += 4) {
    const p = levels[n] * 4;
    const under = grey[n] * palette[p + 3];
    data[i] = under + palette[p];
    data[i + 1] = under + palette[p + 1];
    data[i + 2] = under + palette[p + 2];
  }
  context.putImageData(pixels, 0, 0);
};
