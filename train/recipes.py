"""The knobs of training, each with its reason. The recipes: data, not branches."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from detector.transforms import card_transforms, train_transforms, web_transforms

HINT_WEIGHT = 1.0  # of a teacher's hints beside the labels' loss; without labels it is worse, 3.0 showed no gain
EVAL_BATCH_SIZE = 64  # images; without gradients there is room, and a larger batch is no faster on a CPU
SAVE_EVERY = 300  # seconds; what a killed run loses at most, where saving takes a second
FEW = 200  # images; of fewer, processes of their own gain nothing: 100 take 2.1 s so and 1.8 s without (2 cores)
LOOKED_AT = 512  # images of a teacher between two saves: a few minutes of a CPU
PREFETCH = 2  # batches that each of those keeps ready: one to give, one to make


@dataclass(frozen=True)
class Recipe:
    """What a run does. `sizes`: the input size of every epoch in pixels, growing, since small images teach the coarse
    things at a third of the price."""

    name: str
    sizes: tuple[int, ...]
    transforms: Callable
    views: int  # > 0: only the classifier learns, on features cached once for this many augmented views of an image
    lr: float  # peak
    weight_decay: float
    label_smoothing: float
    batch_size: int = 32  # of all processes together
    clean_first: bool = False  # the first view is the image as it is
    penalties: tuple[float, ...] = ()  # of L2, each tried on all views at once: no epochs, nor what belongs to steps

    def with_epochs(self, n: int) -> "Recipe":
        """The same course of sizes, stretched or shortened to `n` epochs."""
        return replace(self, sizes=tuple(self.sizes[i * len(self.sizes) // n] for i in range(n)))


CARD = Recipe(
    name="card",
    sizes=(224,) * 15,
    transforms=card_transforms,
    views=3,
    lr=1e-4,  # Adam, constant, as the card of the published model says
    weight_decay=0.0,
    label_smoothing=0.0,
)
ROBUST = Recipe(
    name="robust",
    sizes=(128,) * 4 + (160,) * 2 + (192,),
    transforms=train_transforms,
    views=0,
    lr=7e-4,  # AdamW, one cycle
    weight_decay=0.05,
    label_smoothing=0.1,
)
HEAD = Recipe(
    name="head",
    sizes=(224,),
    transforms=web_transforms,
    views=2,
    lr=0.0,
    weight_decay=0.0,
    label_smoothing=0.0,
    clean_first=True,  # and one passed through the web: with both it is better on new sources than with either
    # Weaker ones gain no more than the sources of validation can tell, and make weights so large that the cells of the
    # maps cancel each other.
    penalties=(1000.0, 300.0, 100.0),
)
RECIPES = {recipe.name: recipe for recipe in (ROBUST, CARD, HEAD)}
