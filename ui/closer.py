"""What the page says once the answer stands: whether it holds, and whether its map matters."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from detector.images import open_image, read_file
from detector.output.data_url import address, data_url
from detector.provenance import said_by
from detector.seen import Seen, look
from detector.verdict import NAMES, Verdict
from ui.answer import truth, words
from ui.gallery import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.mapcheck import MapCheck
    from detector.nearest import Index
    from detector.predict import Detector, Prepared
    from detector.stress import Steadiness
    from ui.gallery import Example

COUNTED_BEFORE = "How often this answer is given, measured before it was checked whether it holds"
SMALL, HALF = 160, 320  # pixels of the longer side of the small pictures, and of two side by side


def look_closer(detector: "Detector", path: Path, known: "Example | None" = None) -> dict:
    """What is found of the picture in `path`, which may be `known`, for the browser. Raises ImageError, ImportError."""
    from detector.mapcheck import check_map  # brings torch, which takes longer than the page
    from detector.stress import steadiness

    prepared, verdict = _judged(detector, path)
    if verdict.abstained:
        return {}
    return {
        "steady": told_of(steadiness(detector, prepared.image, verdict), verdict, known),
        "map": told_of_map(check_map(detector, prepared.x, verdict), prepared.image.size),
    }


def look_alike(detector: "Detector", path: Path, gallery: "Sequence[Example]") -> dict:
    """The known pictures that look most like the one in `path`, with their truth: of the gallery, whose number is told
    too, and those that come with the project. Raises ImageError."""
    x = detector.prepare(path).x
    if x is None:
        return {"pictures": []}
    known = (*gallery, *_free())

    def told(index: int) -> dict:
        one = known[index]
        return {
            "example": index if index < len(gallery) else None,
            "label": one.label,
            "text": one.title,
            "name": NAMES[one.label],
            "picture": address(one.thumbnail) if one.thumbnail else data_url(open_image(one.path), SMALL),
        }

    return {"pictures": [told(near.index) for near in _index(detector, known).nearest(x)]}


def report_of(detector: "Detector", path: Path, gallery: "Sequence[Example]") -> dict:
    """The stand-alone page of the picture in `path`. Raises ImageError, ImportError."""
    from detector.output.report import facts, page

    data = read_file(path, path.name)
    seen = all_of(detector, data, path.name, gallery)
    return {"page": page(path.name, seen, facts(data, detector), detector)}


def all_of(detector: "Detector", data: bytes, name: str, gallery: "Sequence[Example]") -> Seen:
    """All that can be found of a file's picture; errors call it `name`. Raises ImageError, ImportError."""
    prepared, verdict = _judged(detector, data, name)
    return look(detector, prepared, verdict, said_by(data, name), index=_index(detector, (*gallery, *_free())))


def _judged(detector: "Detector", source: Path | bytes, name: str | None = None) -> "tuple[Prepared, Verdict]":
    """The image with a picture as large as `steadiness` wants, and its answer. Raises ImageError."""
    from detector.stress import SIDE

    prepared = detector.prepare(source, SIDE, name)
    return prepared, *detector.classify([prepared])


@functools.cache
def _free() -> "list[Example]":
    from detector.nearest import FREE

    return listed(FREE)


@functools.lru_cache(maxsize=1)
def _index(detector: "Detector", known: "tuple[Example, ...]") -> "Index":
    from detector.nearest import Index, Known

    return Index(detector, [Known(one.path, one.label) for one in known])


def told_of(found: "Steadiness", verdict: Verdict, known: "Example | None" = None) -> dict:
    """The line, the small pictures with their answers, P(AI) for each JPEG quality, and what changes in the card."""
    band = found.word(verdict.band)
    weaker, line = band != verdict.band, f"Holds: {found.held} of {found.of}"
    card = words(band, verdict.side) | {"counted": COUNTED_BEFORE} if weaker else {}
    if weaker:
        line = f"{line}, so the words are a step weaker"
        if known:
            card["truth"] = truth(verdict, band, known.label, known.told)
    elif band and not found.holds:  # which already was the weakest word
        from detector.stress import UNSTEADY

        line, card = f"{line}: little better than tossing a coin", {"sure": UNSTEADY}
    return {
        "line": line,
        "card": card,
        "pictures": [
            {
                "name": name,
                "label": NAMES[answer.label],
                "p_ai": round(answer.p_ai, 4),
                "same": answer.side == found.side,
                "picture": data_url(found.pictures[name], SMALL),
            }
            for name, answer in found.verdicts.items()
        ],
        "ladder": [[quality, round(p, 4)] for quality, p in found.ladder.items()],
    }


def told_of_map(found: "MapCheck", size: tuple[int, int]) -> dict:
    """The line, the sentence, and what the network saw with cells hidden, in the picture's shape."""
    return {
        "line": f"Map: {'about something' if found.passed else 'failed its check'}",
        "sentence": found.sentence,
        "pictures": [
            {"name": name, "picture": data_url(picture.resize(size, Image.BICUBIC), HALF)}
            for name, picture in zip(("bright parts hidden", "as much hidden at random"), found.pictures, strict=True)
        ],
    }
