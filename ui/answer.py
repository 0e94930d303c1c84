"""What the page says, as HTML: of an answer, of an error, of the model."""

import html
from concurrent.futures import Future
from typing import TYPE_CHECKING

from detector.verdict import Verdict, error_rates

if TYPE_CHECKING:
    from detector.checkpoint import Config

WAITING = '<div class="answer"><p class="waiting">Drop, paste or pick an image. The answer appears here.</p></div>'
# In the browser, with no way to the server: what to say of a Dropzone's value as soon as it changes.
WORDS_JS = """(given) => {
  if (!given?.error) return '<div class="answer" role="status"><p class="waiting">Looking at it …</p></div>';
  const escaped = document.createElement("p");
  escaped.textContent = given.error;
  return `<div class="answer"><p class="error" role="alert">${escaped.innerHTML}</p></div>`;
}"""


def answer_to(path: str, content: str) -> str:
    """`content` as the answer to the upload `path`: the browser shows it beside no other image."""
    return f'<div class="answer" data-for="{html.escape(path)}" role="status">{content}</div>'


def answer_html(verdict: Verdict, config: "Config") -> str:
    """The sentence, P(AI) as a bar between the two answers, and what a strong word is worth; or why there is none."""
    sentence = f'<p class="sentence">{html.escape(verdict.sentence)}</p>'
    if verdict.abstained:
        return sentence
    ai, human = f"{verdict.p_ai:.0%}", f"{verdict.probs['human']:.0%}"
    return f"""{sentence}
<div class="scale"><span><b>AI-generated {ai}</b></span><span>human-made {human}</span></div>
<div class="meter" aria-hidden="true"><div style="width: {verdict.p_ai:.1%}"></div></div>
<p class="caution">{html.escape(caution(verdict, config))}</p>
{second_html(verdict.second)}"""


def second_html(second: Verdict | None) -> str:
    """What another model says, in one line."""
    if second is None:
        return ""
    known = "" if second.measured else " (nobody has measured it)"
    return f'<p class="second">Second opinion, {html.escape(second.model)}: AI-generated {second.p_ai:.0%}{known}.</p>'


def caution(verdict: Verdict, config: "Config") -> str:
    """How far this answer can be trusted, from what was measured for this model."""
    if not verdict.measured:
        return "How often this model is wrong was not measured here; take its answer as a hint, not as proof."
    test = config.metrics["test"]["degraded"]  # as pictures are that went round the web
    return f"{error_rates(verdict, test['ai_vs_human']['answers'])} It is a hint, not proof."


def error_html(sentence: str) -> str:
    return f'<p class="error" role="alert">{html.escape(sentence)}</p>'


NO_ANSWER = "No answer came: the server is gone, or too many people are waiting. Give the image again in a minute."
NO_ANSWER = f'<div class="answer">{error_html(NO_ANSWER)}</div>'


def model_html(future: Future) -> str:
    """Which model answers, why, and its limits. Waits until it is loaded."""
    if error := future.exception():
        return f'<p role="alert">There is no model: {html.escape(str(error))}</p>'
    model = future.result().detector
    lines = [f"<b>Model: {html.escape(model.name)}</b>, in {model.precision}.", html.escape(model.note)]
    if model.config.measured:
        test = model.config.metrics["test"]
        clean, hard = (test[variant]["balanced_accuracy"] for variant in ("clean", "hard"))
        lines.append(
            f"Balanced accuracy of the three classes on {test['clean']['n']:,} test images: {clean:.0%}, {hard:.0%} "
            "after strong compression (guessing: 33%). They were prepared to 240-256 pixels on the short side; with "
            "originals, as people drop them, it was not measured yet."
        )
    else:
        lines.append("Its probabilities are not calibrated, and its limits were not measured here.")
    lines.append("It cannot tell apart what it has not learned: edits, collages, new generators. Never proof.")
    return f"<p>{' '.join(filter(None, lines))}</p>"
