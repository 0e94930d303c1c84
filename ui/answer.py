"""What the page says of an answer and of the model: words and numbers, which the browser lays out."""

from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

from detector import CLASSES
from detector.provenance import Provenance
from detector.verdict import SIDES, Verdict, share

if TYPE_CHECKING:
    from detector.checkpoint import Config
    from detector.predict import Detector

NO_ANSWER = "The server is gone, or too many people are waiting. Give the picture again in a minute."
NO_MAP = "The server is gone, or no longer has this picture; give it again to see other maps."
NO_MORE = "The server is gone, or no longer has this picture; give it again to have its answer checked."
NO_REPORT = "The server is gone, or no longer has this picture; give it again to have its report."
UNKNOWN = "Nobody has measured how often this model is right, so its numbers stand below without a word for them."
WHO = {"very likely": "Very likely {side}", "likely": "Probably {side}", "leans": "Too close to call, tilts to {side}"}
WHICH = {
    "dalle": "Of the two kinds of AI, DALL-E is the likelier.",
    "other_ai": "Of the two kinds of AI, another than DALL-E is the likelier.",
    None: "Which AI is unclear.",
}
# How much what a file says is worth.
WORTH = {"signed": "signed", "claimed": "claimed, not proven", "hinted": "a hint, no more"}
SILENT = (
    "This file says nothing of its origin. Most do not: whoever saves, sends or posts a picture usually takes that "
    "away. It is evidence of nothing."
)
COUNTED = "How often this answer is given, measured"
DETAIL = 5000  # characters of a text that are sent to be shown on demand
SURE = {
    "very likely": "The model is as sure as it gets.",
    "likely": "The model is fairly sure, no more.",
    "leans": "The model cannot tell: this is little better than tossing a coin.",
}


def card(
    verdict: Verdict, detector: "Detector", label: str | None = None, told: str | None = None,
    said: Provenance | None = None,
) -> dict:  # fmt: skip
    """One model's answer for the browser: three lines of words without a number, the probabilities and the maps of the
    classes in their order, how often such an answer is given to either kind of picture, and the truth, where it is
    known: the `label` and, in words, `told`; and, first of all, where the file `said` something else."""
    return {
        "title": title_of(verdict.model),
        "disagrees": said.disagreement(verdict.side) if said else "",
        **words(verdict.band, verdict.side),
        "which": "" if verdict.side == "human" else WHICH[verdict.maker],
        "side": verdict.side,
        "truth": truth(verdict, verdict.band, label, told) if label else "",
        "label": CLASSES.index(verdict.label),
        "probs": [round(verdict.probs[name], 4) for name in CLASSES],
        "counted": COUNTED,
        "rates": rates(verdict, detector.config) if verdict.band else [],
        "about": about(detector),
        "maps": {kind: numbers(getattr(verdict.maps, kind)) for kind in ("cam", "evidence")},
    }


def words(band: str | None, side: str) -> dict:
    """The first two lines of the card."""
    if band is None:
        return {"who": f"Its numbers say {SIDES[side]}", "sure": UNKNOWN}
    return {"who": WHO[band].format(side=SIDES[side]), "sure": SURE[band]}


def origin(said: Provenance) -> dict:
    """What the file says of itself, for the browser: a line, and every finding with its place and its worth."""
    if said.c2pa == "tampered":
        line = "changed after it was signed"
    elif said.findings:
        line = f"{said.findings[0].short} ({WORTH[said.findings[0].strength]})"
    else:
        line = "something that cannot be read" if said.problems else "nothing (usual)"
    return {
        "line": f"File says: {line}",
        "points": [
            {
                "says": f"The file {found.says}.",
                "where": f"{found.where}: {WORTH[found.strength]}",
                "detail": found.detail[:DETAIL],
            }
            for found in said.findings
        ],
        "rest": list(said.problems) if said.findings or said.problems else [SILENT],
    }


def about(detector: "Detector") -> str:
    """Which model this is, why it answers, and what its figures are of."""
    lines = [f"{detector.name}, computed in {detector.precision}.", detector.note]
    if detector.config.measured:
        n = detector.config.metrics["test"]["degraded"]["n"]
        lines.append(
            f"Measured on {n:,} pictures of sources that it never saw, with a short side of 240 to 256 pixels, after a "
            "trip through the web. It cannot judge edits, collages or what new generators may do."
        )
    return " ".join(filter(None, lines))


def truth(verdict: Verdict, band: str | None, label: str, told: str) -> str:
    """Whose a picture is, and whether an answer that is called `band` was right about it."""
    return f"Truth: {told}. {right_or_wrong(verdict, band, label)}"


def right_or_wrong(verdict: Verdict, band: str | None, label: str) -> str:
    right = (verdict.side == "human") == (label == "human")
    if band == "leans":
        return f"The model could not tell, and leaned the {'right' if right else 'wrong'} way."
    if not right:
        return "The model is wrong here."
    if label == "human" or verdict.maker == label:
        return "The model is right here."
    return f"The model is right that an AI made it, {'not sure' if verdict.maker is None else 'wrong about'} which."


def rates(verdict: Verdict, config: "Config") -> list[dict]:
    """Of 100 of the test's pictures of either side, after a trip through the web, how many got this answer."""
    answers = config.metrics["test"]["degraded"]["ai_vs_human"]["answers"]
    found = []
    for truth in ("human", "ai"):
        n = round(100 * share(answers, truth, verdict.side, verdict.band))
        get = "1 gets" if n == 1 else f"{n or 'fewer than 1'} get"
        found.append({"side": truth, "n": n, "text": f"Of 100 {SIDES[truth]} pictures, {get} this answer."})
    return found


def numbers(maps: np.ndarray) -> list:
    """(3, h, w) as nested lists, to a ten-thousandth of the strongest."""
    digits = 4 - int(np.floor(np.log10(max(np.abs(maps).max(), 1e-9))))
    return np.round(maps.astype(float), digits).tolist()


def title_of(name: str) -> str:
    """A model's name as a person would say it."""
    kind = name.split()[0]
    return {"bundled": "this project's model", "hub": "the published model"}.get(kind, name)


def headline(model: Future) -> str:
    """What the three answers mean and how often they are right, in one sentence. Waits until the model is loaded."""
    meaning = "Give a picture, and a model says which of the three made it"
    if model.exception():
        return f"{meaning}."
    config = model.result().detector.config
    if not config.measured:
        return f"{meaning}; how often it is right, nobody has measured."
    test = config.metrics["test"]["degraded"]
    ai, three = (round(found["balanced_accuracy"] * 10) for found in (test["ai_vs_human"], test))
    return f"{meaning}: AI or human right in about {ai} of 10, all three in about {three} of 10. A hint, never proof."
