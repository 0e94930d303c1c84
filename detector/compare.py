"""Two models on the same pictures: where they agree and, where the truth is known, which is right more often.

The exact McNemar test (McNemar 1947, Psychometrika 12:153; Dietterich 1998, Neural Computation 10:1895) looks only at
pictures that one model names rightly and the other wrongly: were both equally good, either would win half of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from detector import ImageError
from detector.hub import load_checkpoint
from detector.predict import BATCH_SIZE, Detector, Prepared
from detector.threads import over_cores
from detector.verdict import Verdict


class Answer(NamedTuple):
    label: str  # one of CLASSES
    p_ai: float


class Compared(NamedTuple):
    """One picture that both models judged."""

    path: Path
    truth: str | None  # its true class; None where nobody said
    a: Answer
    b: Answer


@dataclass(frozen=True)
class Comparison:
    """What two models answered for the same pictures. All counts are of the three classes."""

    a: str  # the models' names
    b: str
    pictures: tuple[Compared, ...]
    left_out: dict[Path, str]  # what cannot be read, or holds nothing to judge -> why, in one sentence

    @property
    def differ(self) -> list[Compared]:
        """The pictures for which they answer different classes, those first whose P(AI) is furthest apart."""
        found = [one for one in self.pictures if one.a.label != one.b.label]
        return sorted(found, key=lambda one: -abs(one.a.p_ai - one.b.p_ai))

    @property
    def known(self) -> list[Compared]:
        """The pictures whose truth is known."""
        return [one for one in self.pictures if one.truth]

    @property
    def right(self) -> tuple[int, int]:
        """How many of those a names rightly, and b."""
        return sum(one.a.label == one.truth for one in self.known), sum(one.b.label == one.truth for one in self.known)

    @property
    def mcnemar_p(self) -> float | None:
        """How often chance alone would favour either model at least as much; None where no truth is known."""
        both = sum(one.a.label == one.b.label == one.truth for one in self.known)
        return mcnemar(*(right - both for right in self.right)) if self.known else None


def mcnemar(only_a: int, only_b: int) -> float:
    """The two-sided p of the exact test, from how many pictures only one of two models names rightly."""
    n = only_a + only_b
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n)


def load_pair(a: str, b: str, precision: str = "auto", device: str = "auto") -> Detector:
    """Model `a` with `b` as its second opinion, named as for detector.load. Raises CheckpointError."""
    # What `auto` answers by is the bundled one; its own second opinion is not wanted.
    first, second = (load_checkpoint("bundled" if name == "auto" else name) for name in (a, b))
    return Detector(replace(first, second=second), precision, device)


def compare(pair: Detector, pictures: Sequence[tuple[Path, str | None]]) -> Comparison:
    """The answers of both models of a pair for (path, true class or None). A bad file never stops the rest."""

    def tell(part: Sequence[tuple[Path, str | None]]) -> list[Compared | tuple[Path, str]]:
        verdicts = pair.classify_opened([_open(pair, path) for path, _ in part])
        return [
            (path, verdict) if isinstance(verdict, str)
            else Compared(path, truth, _answer(verdict), _answer(verdict.second))
            for (path, truth), verdict in zip(part, verdicts, strict=True)
        ]  # fmt: skip

    found = list(over_cores(tell, pictures, BATCH_SIZE))
    judged = tuple(one for one in found if isinstance(one, Compared))
    left_out = dict(one for one in found if not isinstance(one, Compared))
    return Comparison(pair.name, pair.second.name, judged, left_out)


def _open(pair: Detector, path: Path) -> Prepared | str:
    """The image, or why it is left out."""
    try:
        image = pair.prepare(path)
    except ImageError as error:
        return str(error)
    return f"{path.name} is left out: {image.abstained}." if image.abstained else image


def _answer(verdict: Verdict) -> Answer:
    return Answer(verdict.label, verdict.p_ai)
