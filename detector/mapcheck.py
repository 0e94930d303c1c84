"""Does the map matter? What is hidden where it is bright must cost the answer more than as much hidden anywhere.

ROAD (Rong et al. 2022, arXiv:2202.00449), by the library `grad-cam`: hidden cells are filled from what surrounds them,
so that no edge tells the network that something is missing. The library's metric gives a number for a flat map too, so
it is set against random cells, several times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from detector import CLASSES
from detector.explain import import_library
from detector.threads import over_cores
from detector.transforms import as_seen
from detector.verdict import Verdict

if TYPE_CHECKING:
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    from detector.predict import Detector

SHARE = 1 / 5  # of the cells that are hidden
DRAWS = 5  # of random cells
LEAST = 0.02  # of probability; what hiding costs below that is nothing


@dataclass(frozen=True)
class MapCheck:
    """What hiding a fifth of an image's cells costs the class that was answered, in probability: before less after."""

    label: str  # that class
    most: float  # the brightest cells of its map hidden
    least: float  # the darkest
    random: tuple[float, ...]  # random ones, once for each draw
    pictures: tuple[Image.Image, Image.Image]  # what the network then saw: the brightest hidden, the first random draw

    @property
    def passed(self) -> bool:
        """Whether the brightest cells cost more than any draw of random ones, and more than nothing."""
        return self.most > max(*self.random, LEAST)

    @property
    def sentence(self) -> str:
        lost = [round(100 * cost) for cost in (self.most, float(np.mean(self.random)))]
        found = f"Hiding where the map is bright {_costs(lost[0])}, hiding as much at random {_costs(lost[1])}"
        return f"{found}: {'the map is about something' if self.passed else 'this map failed its check'}."


def _costs(points: int) -> str:
    if points < 0:
        return f"adds {-points} point{'s' if points < -1 else ''}"
    return f"costs {points or 'no'} point{'s' if points != 1 else ''}"


def check_map(detector: "Detector", x: Tensor, verdict: Verdict, cam: np.ndarray | None = None) -> MapCheck:
    """Of the Grad-CAM of the class that was answered, or another map `cam` (h, w) of that, for the image x (3, S, S).

    Raises ImportError without `grad-cam`.
    """
    import_library()
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    index = CLASSES.index(verdict.label)
    cam = verdict.maps.cam[index] if cam is None else cam
    order, random = np.argsort(cam, None), np.random.default_rng(0)
    n = round(SHARE * cam.size)
    chosen = [order[-n:], order[:n], *(random.choice(cam.size, n, replace=False) for _ in range(DRAWS))]
    masks = [_mask(cells, cam.shape, x.shape[1:]) for cells in chosen]
    impute = NoisyLinearImputer()

    def hidden(masks: Sequence[np.ndarray]) -> list[tuple[float, Tensor]]:
        """For each mask the probability that is left, and what the network then saw (3, S, S)."""
        seen = torch.stack([_filled(impute, x, torch.from_numpy(mask)) for mask in masks])
        return list(zip(detector.probabilities(seen)[:, index].tolist(), seen, strict=True))

    after, seen = zip(*over_cores(hidden, masks, len(masks)), strict=True)
    cost = [verdict.probs[verdict.label] - left for left in after]
    pictures = tuple(as_seen(seen[i], detector.config.mean, detector.config.std) for i in (0, 2))
    return MapCheck(verdict.label, cost[0], cost[1], tuple(cost[2:]), pictures)


def _mask(cells: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """0 in the cells, 1 elsewhere (S, S)."""
    mask = np.ones(shape, np.float32)
    mask.flat[cells] = 0
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.NEAREST))


def _filled(impute: "NoisyLinearImputer", x: Tensor, mask: Tensor) -> Tensor:
    """The image x (3, S, S) with what surrounds them in the pixels where `mask` (S, S) is 0.

    Computed at half the size: what is filled in is smooth, and the system of equations has a quarter of the unknowns.
    """
    small = F.avg_pool2d(x[None], 2)[0]
    kept = -F.max_pool2d(-mask[None, None], 2)[0, 0]  # where all four pixels are kept
    filled = F.interpolate(impute(small, kept)[None], x.shape[1:], mode="bilinear")[0]
    return torch.where(mask > 0, x, filled)
