"""The two recipes: data, not branches."""

from collections.abc import Callable
from dataclasses import dataclass

from detector.transforms import card_transforms, train_transforms


@dataclass(frozen=True)
class Recipe:
    """What a run does. `phases`: (input size in pixels, epochs), growing, since small images teach the coarse things
    at a third of the price."""

    name: str
    phases: tuple[tuple[int, int], ...]
    transforms: Callable
    views: int  # > 0: only the classifier learns, on features cached once for this many augmented views of an image
    lr: float  # peak
    weight_decay: float
    label_smoothing: float
    batch_size: int = 32


CARD = Recipe(
    name="card",
    phases=((224, 15),),
    transforms=card_transforms,
    views=3,
    lr=1e-4,  # Adam, constant, as the card of the published model says
    weight_decay=0.0,
    label_smoothing=0.0,
)
ROBUST = Recipe(
    name="robust",
    phases=((128, 2), (160, 3), (192, 1)),
    transforms=train_transforms,
    views=0,
    lr=7e-4,  # AdamW, one cycle
    weight_decay=0.05,
    label_smoothing=0.1,
)
RECIPES = {recipe.name: recipe for recipe in (ROBUST, CARD)}
