"""Probabilities -> bands and words. One place, so that page, command and reports say the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector import CLASSES

if TYPE_CHECKING:
    from detector.explain import Maps

NAMES = {"dalle": "DALL-E", "human": "Human", "other_ai": "Other AI"}  # on the page
# Lower bound of the calibrated probability of the answer -> what the answer is called.
BANDS = {"very likely": 0.9, "likely": 0.7, "leans": 0.5}
NO_ANSWER = "no clear answer"


def band(probability: float) -> str:
    """The word for an answer of this probability."""
    return next((word for word, bound in BANDS.items() if probability >= bound), NO_ANSWER)


@dataclass(frozen=True)
class Verdict:
    """What the pixels of one image say, according to one model."""

    probs: dict[str, float]  # class -> probability, after temperature; sums to 1
    logits: tuple[float, float, float]  # before temperature, in the order of CLASSES
    maps: "Maps"
    model: str  # which model answered

    @property
    def label(self) -> str:
        """The likeliest of the three classes."""
        return max(CLASSES, key=self.probs.__getitem__)

    @property
    def p_ai(self) -> float:
        """Probability of AI-generated, by DALL-E or another: the surer of the two questions."""
        return self.probs["dalle"] + self.probs["other_ai"]

    @property
    def band(self) -> str:
        """How sure the AI-or-human answer is. Below one half, "human" is the likeliest class and still no answer."""
        return band(self.probs["human"] if self.label == "human" else self.p_ai)

    @property
    def sentence(self) -> str:
        """The answer in one sentence: AI or human first, then, of the two AI classes, the likelier."""
        if self.band == NO_ANSWER:
            return f"No clear answer: human-made {self.probs['human']:.0%}, AI-generated {self.p_ai:.0%}."
        if self.label == "human":
            return f"{_opening(self.band)} human-made ({self.probs['human']:.0%})."
        share = self.probs[self.label] / self.p_ai
        maker = "DALL-E" if self.label == "dalle" else "an AI other than DALL-E"
        second = (
            f"of the two, {maker} is the likelier ({share:.0%})" if band(share) != "leans" else "which AI is unclear"
        )
        return f"{_opening(self.band)} AI-generated ({self.p_ai:.0%}); {second}."


def _opening(word: str) -> str:
    return "Leans towards" if word == "leans" else word.capitalize()
