"""Does an answer hold? The same picture as it arrives elsewhere: compressed, made smaller, cut, mirrored.

Not how right an answer is, but how much of it hangs on the way in which the picture came. Answers that held in all
deliveries were right for 80 % of the validation images, those that held in fewer than three quarters for 50 %: so the
words follow (benchmarks/steady.py, docs/steadiness.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter, ImageOps

from detector.threads import over_cores
from detector.transforms import prepared, recompress
from detector.verdict import Verdict, stepped_down

if TYPE_CHECKING:
    from detector.predict import Detector

SIDE = 1024  # pixels of the longer side that a picture is first made smaller to: what is sent on is seldom larger
LADDER = (95, 90, 60, 45, 30, 20)  # JPEG qualities; three of them are deliveries too
HELD = 0.75  # share of deliveries with the same side; below it the words step down a band (benchmarks/steady.py)
# Right in 50 % of the validation images with such an answer, and in 58 % of the test images (docs/steadiness.md).
UNSTEADY = (
    "The model cannot tell, and what it leans to changes with how the picture comes: little better than tossing a coin."
)


def _scaled(factor: float, image: Image.Image, resample: int = Image.BICUBIC) -> Image.Image:
    return image.resize([max(1, round(length * factor)) for length in image.size], resample)


def _cut(share: float, image: Image.Image) -> Image.Image:
    """Without `share` of its length at each side."""
    x, y = (round(length * share) for length in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 512))  # pixels: 2 of 1024


def _screenshot(image: Image.Image) -> Image.Image:
    """As a browser shows it at two thirds of its size, photographed at one and a half times that."""
    return _scaled(1.5, _scaled(2 / 3, image, Image.BILINEAR), Image.BILINEAR)


# A PNG is not among them: it changes nothing that the model sees.
DELIVERIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 90": partial(recompress, quality=90),
    "JPEG 60": partial(recompress, quality=60),
    "JPEG 30": partial(recompress, quality=30),
    "WebP 60": partial(recompress, quality=60, image_format="WEBP"),
    "half size": partial(_scaled, 1 / 2),
    "quarter size": partial(_scaled, 1 / 4),
    "256 pixels": prepared,
    "margin cut off": partial(_cut, 1 / 16),
    "middle 80 %": partial(_cut, 1 / 10),
    "mirrored": ImageOps.mirror,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "slight blur": _blurred,
    "screenshot": _screenshot,
}


@dataclass(frozen=True)
class Steadiness:
    """How one model's answer fared in all deliveries."""

    side: str  # that was answered: one of verdict.SIDES
    verdicts: dict[str, Verdict]  # delivery -> the answer there
    ladder: dict[int, float]  # JPEG quality -> P(AI)
    pictures: dict[str, Image.Image]  # delivery -> the picture as it arrived

    @property
    def p_ai(self) -> dict[str, float]:
        return {name: verdict.p_ai for name, verdict in self.verdicts.items()}

    @property
    def held(self) -> int:
        """In how many deliveries the side is the same."""
        return sum(verdict.side == self.side for verdict in self.verdicts.values())

    @property
    def of(self) -> int:
        return len(self.verdicts)

    @property
    def holds(self) -> bool:
        """Whether that is enough for the words to stay."""
        return self.held >= HELD * self.of

    def word(self, band: str | None) -> str | None:
        """What an answer of that band is called, knowing this."""
        return stepped_down(band) if band and not self.holds else band


def steadiness(
    detector: "Detector", image: Image.Image, verdict: Verdict, ladder: Sequence[int] = LADDER
) -> Steadiness:
    """What `detector` answers for `image` (RGB) in all deliveries; `verdict` is its answer for the image as it is.

    One forward pass for each of DELIVERIES, and for each quality of `ladder` that is not among them.
    """
    image = image.copy()
    image.thumbnail((SIDE, SIDE), Image.BICUBIC)
    steps = {quality: f"JPEG {quality}" for quality in ladder}
    deliveries = {name: partial(recompress, quality=quality) for quality, name in steps.items()} | DELIVERIES

    def arrive(names: Sequence[str]) -> list[tuple[Image.Image, Verdict]]:
        pictures = [deliveries[name](image) for name in names]
        return list(zip(pictures, detector.judge(pictures), strict=True))

    found = dict(zip(deliveries, over_cores(arrive, list(deliveries), len(deliveries)), strict=True))
    pictures = {name: found[name][0] for name in DELIVERIES}
    verdicts = {name: found[name][1] for name in DELIVERIES}
    return Steadiness(verdict.side, verdicts, {q: found[name][1].p_ai for q, name in steps.items()}, pictures)
