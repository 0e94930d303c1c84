"""Probabilities -> sides, bands and words. One place, so that page, command, reports and figures say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.explain import Maps

NAMES = {"dalle": "DALL-E", "human": "Human", "other_ai": "Other AI"}  # on the page
SIDES = {"ai": "AI-generated", "human": "human-made"}
# Lower bound of the calibrated probability of the side that is answered -> what the answer is called.
BANDS = {"very likely": 0.9, "likely": 0.7, "leans": 0.5}


def side(p_ai: float) -> str:
    """The answer to the first question, from P(AI) alone: one of SIDES."""
    return "ai" if p_ai >= 0.5 else "human"


def band(p_ai: float) -> str:
    """The word for how sure that answer is."""
    return next(word for word, bound in BANDS.items() if max(p_ai, 1 - p_ai) >= bound)


def stepped_down(word: str) -> str:
    """The word below: for an answer that does not hold (detector.stress)."""
    words = list(BANDS)
    return words[min(words.index(word) + 1, len(words) - 1)]


@dataclass(frozen=True)
class Verdict:
    """What the pixels of one image say, according to one model; or, with `abstained`, that they say nothing."""

    probs: dict[str, float]  # class -> probability, after temperature; sums to 1. Empty if abstained
    logits: tuple[float, ...]  # before temperature, in the order of CLASSES
    maps: "Maps | None"
    model: str  # which model answered
    measured: bool = True  # whether its probabilities are calibrated and its errors known: only then has it words
    second: "Verdict | None" = None  # what another model says of the same image
    abstained: str = ""  # why there is nothing to judge in this image

    @property
    def p_ai(self) -> float:
        """Probability of AI-generated, by DALL-E or another: the surer of the two questions."""
        return self.probs["dalle"] + self.probs["other_ai"]

    @property
    def side(self) -> str:
        """AI or human, from P(AI) alone: one of SIDES."""
        return side(self.p_ai)

    @property
    def label(self) -> str:
        """The class that is answered: human, or the likelier of the two AI classes."""
        return "human" if self.side == "human" else self._likelier

    @property
    def maker(self) -> str | None:
        """Of the two AI classes the likelier, or None where they come too close."""
        return self._likelier if self.probs[self._likelier] >= BANDS["likely"] * self.p_ai else None

    @property
    def _likelier(self) -> str:
        return max(("dalle", "other_ai"), key=self.probs.__getitem__)

    @property
    def band(self) -> str | None:
        """How sure the AI-or-human answer is; None where there is none, or nobody knows what this model's probabilities
        are worth."""
        return band(self.p_ai) if self.measured and self.probs else None

    @property
    def sentence(self) -> str:
        """The answer in one sentence: AI or human first, then, of the two AI classes, the likelier."""
        return self.sentence_as(self.band)

    def sentence_as(self, band: str | None) -> str:
        """The same with another word for how sure it is, as where it does not hold (detector.stress)."""
        if self.abstained:
            return f"There is nothing to judge: {self.abstained}."
        if not self.measured:
            return f"P(AI-generated) is {self.p_ai:.0%}; nobody has measured how often this model is right."
        p = self.p_ai if self.side == "ai" else self.probs["human"]
        opening = "Too close to call, tilts to" if band == "leans" else band.capitalize()
        answer = f"{opening} {SIDES[self.side]} ({p:.0%})"
        if self.side == "human":
            return f"{answer}."
        if self.maker is None:
            return f"{answer}; which AI is unclear."
        maker = "DALL-E" if self.maker == "dalle" else "an AI other than DALL-E"
        return f"{answer}; of the two, {maker} is the likelier ({self.probs[self.maker] / self.p_ai:.0%})."


def share(answers: dict, truth: str, answered: str, word: str | None = None) -> float:
    """The share of images of the side `truth` that were answered with a side, in any band or in that of `word`.

    `answers` counts a test's images: true side -> side that is answered -> band (train.report.metrics.figures).
    """
    n = sum(sum(bands.values()) for bands in answers[truth].values())
    found = answers[truth][answered]
    return (sum(found.values()) if word is None else found[word]) / max(n, 1)


def share_flagged_rightly(answers: dict, share_ai: float, words: Sequence[str] = tuple(BANDS)) -> float | None:
    """Of the images that are called AI in one of `words`, the share that an AI made, in a pile of which `share_ai` is
    (Bayes); None where none would be called so. `answers`: see `share`."""
    caught, accused = (sum(share(answers, truth, "ai", word) for word in words) for truth in ("ai", "human"))
    flagged = share_ai * caught + (1 - share_ai) * accused
    return share_ai * caught / flagged if flagged else None


def error_rates(verdict: Verdict, answers: dict) -> str:
    """How often such an answer is wrong, both ways, as natural frequencies in one sentence."""
    other = "human" if verdict.side == "ai" else "ai"
    same = _of_100(share(answers, other, verdict.side, verdict.band))
    missed = _of_100(share(answers, verdict.side, other))
    return (
        f"Of 100 {SIDES[other]} test pictures {same} get this answer, and of 100 {SIDES[verdict.side]} ones {missed} "
        f"are called {SIDES[other]}."
    )


def _of_100(rate: float) -> str:
    return f"about {rate * 100:.0f}" if rate >= 0.005 else "fewer than 1"
