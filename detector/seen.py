"""All that can be found of one picture, put together in one place for the command, the page and the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.provenance import Provenance
from detector.verdict import Verdict

if TYPE_CHECKING:
    from detector.mapcheck import MapCheck
    from detector.nearest import Index, Neighbour
    from detector.predict import Detector, Prepared
    from detector.stress import Steadiness


@dataclass(frozen=True)
class Seen:
    """One picture's answer, and what was asked for beside it: None where it was not, or where nothing is to judge."""

    image: "Prepared | None"  # None where only the answer is wanted any more
    verdict: Verdict
    said: Provenance
    steady: "Steadiness | None" = None
    checked: "MapCheck | None" = None
    nearest: "Sequence[Neighbour] | None" = None

    @property
    def band(self) -> str | None:
        """The word for how sure the answer is, knowing whether it holds."""
        return self.steady.word(self.verdict.band) if self.steady else self.verdict.band


def look(
    detector: "Detector", image: "Prepared", verdict: Verdict, said: Provenance, steady: bool = True,
    check: bool = True, index: "Index | None" = None,
) -> Seen:  # fmt: skip
    """What there is to find beside the `verdict` of an image that went through `prepare`, for `steady` with a picture.

    Raises ImportError without `grad-cam` if the map is to be checked.
    """
    from detector.mapcheck import check_map
    from detector.stress import steadiness

    if verdict.abstained:
        return Seen(image, verdict, said)
    return Seen(
        image, verdict, said,
        steadiness(detector, image.image, verdict) if steady else None,
        check_map(detector, image.x, verdict) if check else None,
        index.nearest(image.x) if index else None,
    )  # fmt: skip
