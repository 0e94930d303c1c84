"""Known pictures that look to the model like this one: near in what its last layer is given, 1,024 numbers each.

The plainest explanation there is: not why, but "like these". Cosine of the means over the cells after the last ReLU.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from safetensors import safe_open
from torch import Tensor

from detector import CLASSES, ImageError
from detector.checkpoint import BUNDLED
from detector.files import find_images
from detector.threads import over_cores

if TYPE_CHECKING:
    from detector.predict import Detector

FREE = Path(__file__).parent / "known"  # pictures under free licences; SOURCES.md says whose
KEPT = BUNDLED / "known.safetensors"  # sha256 of a picture's file -> its feature (1024,), as the bundled model sees it
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
    """Known pictures as one model sees them. What cannot be read, or holds nothing to judge, is left out.

    What the bundled model sees of the gallery and of FREE comes with it; every other picture costs a forward pass.
    """

    def __init__(self, detector: "Detector", known: Sequence[Known]):
        self.detector = detector
        self._kept = kept(detector.config.sha256)
        found = [(i, feature) for i, feature in enumerate(over_cores(self._seen, known, PART)) if feature is not None]
        self.places = [i for i, _ in found]
        self.known = [known[i] for i in self.places]
        self.features = _unit(np.stack([feature for _, feature in found])) if found else np.empty((0, 1))  # (N, 1024)

    def _seen(self, part: Sequence[Known]) -> list[np.ndarray | None]:
        features = [self._kept.get(digest(one.path)) for one in part]
        x = {i: self._x(one.path) for i, one in enumerate(part) if features[i] is None}
        new = {i: one for i, one in x.items() if one is not None}
        for i, feature in zip(new, self.detector.embed(list(new.values())) if new else (), strict=True):
            features[i] = feature
        return features

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


def digest(path: Path) -> str:
    """What a picture's feature is kept under; "" if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def kept(weights: str) -> dict[str, np.ndarray]:
    """The features in KEPT, (1024,) each, if they were made by the weights of that hash; else none."""
    if not KEPT.is_file():
        return {}
    with safe_open(KEPT, "np") as file:
        if (file.metadata() or {}).get("weights") != weights:
            return {}
        return {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118 - no dict
