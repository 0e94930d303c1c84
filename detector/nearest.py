"""Known pictures that look to the model like this one: near in what its last layer is given, 1,024 numbers each.

The plainest explanation there is: not why, but "like these". Cosine of the means over the cells after the last ReLU.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor

from detector import CLASSES, ImageError
from detector.files import find_images
from detector.threads import over_cores

if TYPE_CHECKING:
    from detector.predict import Detector

SHOWN = 4  # pictures
SAME = 0.9999  # of the cosine; so near is only the picture itself, which is left out
PART = 8  # pictures in one forward pass


class Known(NamedTuple):
    """A picture whose true class is known."""

    path: Path
    label: str  # one of CLASSES


class Neighbour(NamedTuple):
    known: Known
    index: int  # its place among those that the Index was made of
    similarity: float  # cosine, -1 to 1


class Index:
    """Known pictures as one model sees them. What cannot be read, or holds nothing to judge, is left out."""

    def __init__(self, detector: "Detector", known: Sequence[Known]):
        self.detector = detector
        found = [(i, feature) for i, feature in enumerate(over_cores(self._seen, known, PART)) if feature is not None]
        self.places = [i for i, _ in found]
        self.known = [known[i] for i in self.places]
        self.features = _unit(np.stack([feature for _, feature in found])) if found else np.empty((0, 1))  # (N, 1024)

    def _seen(self, part: Sequence[Known]) -> list[np.ndarray | None]:
        x = [self._x(one.path) for one in part]
        features = iter(self.detector.embed(good) if (good := [one for one in x if one is not None]) else ())
        return [None if one is None else next(features) for one in x]

    def _x(self, path: Path) -> Tensor | None:
        try:
            return self.detector.prepare(path).x
        except ImageError:
            return None

    def nearest(self, x: Tensor, n: int = SHOWN) -> list[Neighbour]:
        """The `n` nearest of an image x (3, S, S), the nearest first, without itself."""
        if not self.known:
            return []
        cosines = self.features @ _unit(self.detector.embed([x]))[0]
        order = [i for i in np.argsort(-cosines) if cosines[i] < SAME][:n]
        return [Neighbour(self.known[i], self.places[i], float(cosines[i])) for i in order]


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)


def known_in(folder: Path) -> list[Known]:
    """The images below FOLDER/<class>/, each class a folder named as in CLASSES."""
    return [Known(path, name) for name in CLASSES if (folder / name).is_dir() for path in find_images(folder / name)]
