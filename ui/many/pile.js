// The pile: what was given is sent a few at a time, and stopped and gone on with as one likes; what is done is kept.
const AT_WORK = 2; // questions that are out at a time: while one is answered, the next is on its way
const REST = 500; // milliseconds between two drawings of the list
const say = (text) => (find(".said").textContent = text);
const isImageName = (name) => props.suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)) && !/(^|\/)\./.test(name);
let working = false;
let age = 0; // of the pile: what belongs to one that was cleared no longer counts
let stopped = false;
let started = { at: 0, done: 0 };
let painted = 0; // when the list was drawn
const leftOut = [];

const waiting = () => pile.filter(({ found, sent }) => !found && !sent);
const tellLeftOut = (reasons) => {
  leftOut.push(...reasons);
  find(".left-out").hidden = !leftOut.length;
  find(".left-out summary").textContent = `${leftOut.length} left out`;
  find(".left-out ul").replaceChildren(...leftOut.map((reason) => part("li", "", reason)));
};

const progress = () => {
  const [n, left] = [pile.length, pile.filter(({ found }) => !found).length];
  [find("progress").max, find("progress").value] = [n || 1, n - left];
  const rate = (n - left - started.done) / (performance.now() - started.at);
  const seconds = Math.ceil(left / rate / 1000);
  const time = !left || !Number.isFinite(seconds) ? "" : seconds < 90 ? `, about ${seconds} seconds left` : `, about ${Math.round(seconds / 60)} minutes left`;
  find(".left").textContent = `${n - left} of ${n}${working ? time : ""}`;
  find(".running").hidden = !left && !working;
  find(".stop").textContent = !working ? "Go on" : stopped ? "Stopping …" : "Stop";
  if (working && performance.now() - painted < REST) return;
  painted = performance.now();
  showRows();
};

const tooLarge = ({ name, file }) =>
  file && file.size > props.most && `${name} has ${megabytes(file.size)} MB and the limit is ${megabytes(props.most)} MB.`;
const failed = (name, error) => ({ error, json: JSON.stringify({ file: name, error }) });

class Gone extends Error {}

const judgeSome = async (some) => {
  const sent = some.filter(({ path }) => !path);
  const paths = sent.length ? await sendFiles(sent.map(({ file }) => file)) : [];
  const places = new Map(sent.map((one, i) => [one, paths[i]]));
  const files = some.map((one) => ({ name: one.name, path: one.path ?? places.get(one) }));
  const { found } = await request("many_judge", { files, steady: find(".steady").checked });
  some.forEach((one, i) => (one.found = found[i]));
};

// One after the other, should one of them be what keeps all from being sent.
const judgeEach = async (some) => {
  try {
    await judgeSome(some);
  } catch (problem) {
    // Where there is no server, or it has no room, nothing is wrong with the pictures.
    if (problem.message === GONE || !(await fetch(`${api}/app_id`).catch(() => null))?.ok) throw new Gone();
    if (some.length > 1) for (const one of some) await judgeEach([one]);
    else some[0].found = failed(some[0].name, problem.name === "Error" ? problem.message : `${some[0].name} could not be sent; is it a file that can be read?`);
  }
};

const worker = async () => {
  const mine = age;
  for (;;) {
    const steady = find(".steady").checked;
    const some = stopped || mine !== age ? [] : waiting().slice(0, steady ? 1 : props.at_once);
    if (!some.length) return;
    for (const one of some) {
      one.sent = true;
      const error = tooLarge(one);
      if (error) one.found = failed(one.name, error);
    }
    try {
      const open = some.filter(({ found }) => !found);
      if (open.length) await judgeEach(open);
    } finally {
      for (const one of some) one.sent = false;
    }
    if (mine === age) progress();
  }
};

const work = async () => {
  if (working || !waiting().length) return progress();
  [working, stopped] = [true, false];
  started = { at: performance.now(), done: judged().length };
  say("");
  progress();
  const mine = age;
  const ends = await Promise.allSettled(Array.from({ length: find(".steady").checked ? 1 : AT_WORK }, worker));
  working = false;
  if (mine !== age) return work();
  const lost = ends.find(({ status }) => status === "rejected");
  if (lost) stopped = true;
  else askRates();
  say(lost ? `${GONE} What was answered until here is kept.` : sums());
  progress();
};

const unpackZip = async ({ name, file }) => {
  const mine = age;
  if (file.size > props.most)
    return tellLeftOut([`${name} has ${megabytes(file.size)} MB and the limit of a zip is ${megabytes(props.most)} MB; give the folder itself, which may have any size.`]);
  say(`Unpacking ${name} …`);
  try {
    const [path] = await sendFiles([file]);
    const { files, left_out, others } = await request("many_unpack", { path });
    if (mine !== age) return;
    pile.push(...files);
    const alone = others ? [`${name}: ${others} files that are no pictures were left alone.`] : [];
    tellLeftOut([...left_out, ...alone]);
    say(files.length ? "" : `${name} holds no pictures.`);
  } catch (problem) {
    tellLeftOut([problem.name === "Error" ? problem.message : `${name} could not be sent; is the server still there?`]);
    say(leftOut.at(-1));
  }
};

// {name, file, inside}: `inside` a folder, where what is no picture is left alone.
const add = async (given) => {
  const mine = age;
  if (!working) stopped = false;
  const zips = given.filter(({ name }) => isZip(name));
  const bad = given.filter(({ file }) => !file); // could not be read where it was dropped from
  if (bad.length) tellLeftOut(bad.map(({ name }) => `${name} cannot be read; check its permissions.`));
  given = given.filter(({ file }) => file);
  const others = given.filter(({ name, inside }) => inside && !isZip(name) && !isImageName(name)).length;
  pile.push(...given.filter(({ name, inside }) => !isZip(name) && (!inside || isImageName(name))));
  if (others) tellLeftOut([`${others} files that are no pictures were left alone.`]);
  const running = work();
  for (const zip of zips) await unpackZip(zip);
  await running;
  if (mine === age && !stopped) work(); // at what came out of them
};

const picked = (input) => {
  const given = [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name, inside: !!file.webkitRelativePath }));
  input.value = "";
  add(given);
};
for (const kind of ["files", "folder"]) {
  const input = find(`.pick-${kind}`);
  find(`.${kind}`).addEventListener("click", () => input.click());
  input.addEventListener("change", () => picked(input));
}
find(".stop").addEventListener("click", () => {
  if (!working) return work();
  stopped = true; // after those that are being judged
  progress();
});
find(".clear").addEventListener("click", () => {
  age += 1;
  [pile.length, leftOut.length, shown] = [0, 0, AT_A_TIME];
  tellLeftOut([]);
  say("");
  progress();
  find(".files").focus();
});

// What was dropped or pasted on the page, which viewer/take.js takes and hands on.
const receive = () => {
  const given = window.detectorPile ?? [];
  window.detectorPile = [];
  if (given.length) add(given);
};
window.detectorMany?.abort();
window.detectorMany = new AbortController();
window.addEventListener("detector-pile", receive, { signal: window.detectorMany.signal });
receive();
