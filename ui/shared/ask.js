// Questions to the server, and small helpers. The scripts of a room run as one, this first, in Gradio's gr.HTML, which
// gives them `element`, `props`, `trigger` and `watch`.
const find = (selector) => element.querySelector(selector);
// Of Gradio's root only the path: behind a proxy the rest may differ.
const api = new URL(window.gradio_config.root, location.href).pathname.replace(/\/$/, "") + window.gradio_config.api_prefix;
const GONE = "The server does not answer; is it still there? Try again in a moment.";

const part = (tag, className = "", text = "") => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
};

const imageOf = (src, alt) => {
  const image = document.createElement("img");
  [image.src, image.alt] = [src, alt];
  return image;
};

const SVG = "http://www.w3.org/2000/svg";
const drawn = (name, attributes, text = "") => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

// A bar, of which a share is filled.
const meterOf = (share) => {
  const [meter, fill] = [part("span", "meter"), part("i")];
  fill.style.width = `${share * 100}%`;
  meter.append(fill);
  return meter;
};

const saveAs = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

const megabytes = (bytes) => Math.round(bytes / 2 ** 20);
const isZip = (name) => /\.zip$/i.test(name);
const percent = (p) => (p < 0.01 ? "<1 %" : p > 0.99 ? ">99 %" : `${Math.round(p * 100)} %`);

const TRIES = 60; // times that a door is asked again where too many ask
const rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// What the server's door `name` (ui.shared.door) answers to `question`. Throws an Error with a sentence for people.
const request = async (name, question = {}, tries = TRIES) => {
  const sent = await fetch(`${api}/run/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ data: [question] }),
  }).catch(() => null);
  const told = await sent?.json().catch(() => null);
  if (!told?.data) throw new Error(told?.error ?? GONE);
  if (!told.data[0].crowded) return told.data[0];
  if (!tries) throw new Error("Too many people are asking; try again in a minute.");
  await rest(1000);
  return request(name, question, tries - 1);
};

// Files -> where they lie on the server. Throws an Error with a sentence for people, or fetch's TypeError where there is no
// server, or a file that cannot be read, as a folder cannot.
const sendFiles = async (files) => {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name || "image");
  const sent = await fetch(`${api}/upload`, { method: "POST", body: form });
  if (sent.ok) return sent.json();
  const text = await sent.text();
  const told = text.startsWith("{") ? JSON.parse(text).detail : text;
  throw new Error(/^[^<>{}[\]]{1,300}$/.test(told) ? told : `The server did not take it (error ${sent.status}); try again.`);
};

const openRoom = (name) => document.getElementById(`${name}-room-button`)?.click();
