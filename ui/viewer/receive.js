// What the server says, or that it says nothing any more. Every question carries the number of its picture.
const SOON = 500; // milliseconds after which a wait is told
const LONG = 3000; // and after which it is worth asking whether the server is still there
let turn = 0; // of the last picture given: what came before it no longer counts
let source = null; // what the server needs to find it
let open = ""; // the question that is out: "answer" or "map"
let ready = false; // whether the model is loaded
let warm = performance.now() + props.warm_up * 1000; // when it is likely to be
let timer = 0;

const ask = (event, question) => {
  open = question.method ? "map" : "answer";
  props.value = { turn, ...question };
  trigger(event);
  const [mine, what] = [turn, open];
  watchOver(() => mine === turn && open === what, () => lose(what));
};

// Gradio says nothing of a server that is gone, and waits.
const watchOver = async (waiting, lost) => {
  while (waiting()) {
    await rest(LONG);
    if (!waiting()) return;
    try {
      await fetch(`${api}/app_id`);
    } catch {
      if (waiting()) lost();
    }
  }
};

const lose = (what) => {
  if (open !== what) return; // of a question that no longer counts
  if (what === "answer") return refuse(props.lost.answer);
  open = "";
  dropOther();
  find(".said").textContent = props.lost.map;
  showMaps();
};

const wait = () => {
  if (ready) return showWords("Looking at it …");
  showWords("Warming up", "Your picture waits.");
  const count = () => {
    const left = Math.ceil((warm - performance.now()) / 1000);
    find(".left").textContent = left > 0 ? `About ${left} second${left > 1 ? "s" : ""}.` : "A little longer.";
    timer = setTimeout(ready ? wait : count, 1000);
  };
  count();
};

// Nothing happens out of sight.
const reveal = () => {
  const { top, bottom } = verdict.getBoundingClientRect();
  if (top >= 0 && bottom <= innerHeight) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  verdict.scrollIntoView({ behavior, block: "start" });
};

// Who gave a picture is led to its answer, and so hears it once; who chose one of the gallery stays there, and is told.
const finish = () => {
  clearTimeout(timer);
  open = "";
  if (source?.example === undefined) verdict.focus({ preventScroll: true });
  reveal();
};

const refuse = (error) => {
  fail(error);
  finish();
};

const received = async () => {
  const said = props.value ?? {};
  if (said.warm_up !== undefined) {
    ready = !said.warm_up;
    warm = performance.now() + said.warm_up * 1000;
  }
  if (said.unavailable) return fail(said.unavailable);
  if (said.lost === "closer") return closer?.wait && receiveCloser({ error: props.lost.closer });
  if (said.lost === "alike") return seeking && receiveAlike({ error: props.lost.alike });
  if (said.lost === "report") return report?.turn === turn && receiveReport({ error: props.lost.report });
  if (said.lost) return lose(said.lost);
  if (said.alike && said.turn === turn) return receiveAlike(said.alike);
  if (said.report && said.turn === turn) return receiveReport(said.report);
  if (said.closer && said.turn === turn) return receiveCloser(said.closer);
  if (!said.answer || said.turn !== turn) return;
  if (said.answer.method) return showOther(said.answer);
  if (said.picture) {
    const mine = turn;
    const large = await decoded(await (await fetch(said.picture)).blob(), LONGEST).catch(() => picture);
    if (mine !== turn) return;
    picture = large;
    find(".name").textContent = "";
  }
  if (said.answer.error) return refuse(said.answer.error);
  answer = said.answer;
  window.detectorSource = source; // for the other rooms
  showOrigin(answer.origin);
  if (answer.nothing) {
    setState("failed");
    showView();
    showWords("Nothing to judge", answer.nothing);
  } else {
    setState("answered");
    showModel(0);
  }
  if (said.known) window.dispatchEvent(new CustomEvent("detector-answered", { detail: { ...source, ...said.known } }));
  finish();
  dropDemanded();
  if (!answer.nothing) lookCloser();
};
watch("value", received);

// Other methods, and finer layers, which the server has to compute.
const [method, layer] = [find(".method"), find(".layer")];
for (const [select, choices] of [[method, { "": "this page's own", ...props.methods }], [layer, props.layers]])
  for (const [value, label] of Object.entries(choices)) select.append(new Option(label, value));

function dropOther() {
  other = null;
  method.value = "";
  layer.disabled = true;
  find(".signed input").disabled = false;
  find(".said").textContent = "";
}

const showOther = ({ maps, error, ...made }) => {
  if (made.method !== method.value || made.layer !== layer.value || made.model !== model) return;
  open = "";
  if (error) dropOther();
  else other = { maps, signed: made.method === "hirescam" };
  find(".said").textContent = error ?? "";
  showMaps();
};

const choose = () => {
  const [wanted, fineness] = [method.value, layer.value];
  dropOther();
  [method.value, layer.value] = [wanted, fineness];
  showMaps();
  if (!wanted) return;
  layer.disabled = false;
  find(".signed input").disabled = true; // a method has its own colours
  find(".said").textContent = "Computing this map …";
  ask("expand", { ...source, method: wanted, layer: fineness, model });
};
method.addEventListener("change", choose);
layer.addEventListener("change", choose);
