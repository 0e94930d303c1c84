"""One picture's answer as a page that stands alone, DIR/NAME.html, and the same as JSON beside it.

Nothing in the page is fetched and nothing in it runs; a file's name, and what it says, are text and never markup.
"""

import datetime
import errno
import hashlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from detector import CLASSES, provenance
from detector.checkpoint import write_whole
from detector.explain import KINDS, overlay
from detector.images import open_image
from detector.output import as_json
from detector.output.as_table import printable
from detector.output.data_url import data_url
from detector.provenance import NOTHING, Provenance
from detector.verdict import NAMES, Verdict, error_rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.mapcheck import MapCheck
    from detector.nearest import Index, Neighbour
    from detector.predict import Detector, Prepared
    from detector.stress import Steadiness

MARK = '<meta name="generator" content="AI image detector: report">'
LARGE, SMALL = 560, 112  # pixels of the longer side of the picture under its maps, and of small pictures
PACKAGES = ("torch", "torchvision", "pillow", "grad-cam", "c2pa-python", "numpy")
PAGE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Seen:
    """All that was found of one picture."""

    file: str  # as it is called in what is written
    data: bytes  # of the file
    image: "Prepared"
    verdict: Verdict
    said: Provenance
    steady: "Steadiness | None" = None  # None where there is nothing to judge, as for all that follow
    checked: "MapCheck | None" = None
    nearest: "Sequence[Neighbour]" = ()


def see(detector: "Detector", file: str, data: bytes, index: "Index | None" = None) -> Seen:
    """All that can be found of the picture in `data`, with its neighbours if there is an index. Raises ImageError."""
    from detector.mapcheck import check_map
    from detector.stress import SIDE, steadiness

    image = detector.prepare(data, SIDE)
    (verdict,) = detector.classify([image])
    said = provenance.read(data, file)
    if verdict.abstained:
        return Seen(file, data, image, verdict, said)
    steady, checked = steadiness(detector, image.image, verdict), check_map(detector, image.x, verdict)
    return Seen(file, data, image, verdict, said, steady, checked, index.nearest(image.x) if index else [])


def write_report(place: Path, seen: Seen, result: dict, detector: "Detector") -> None:
    """PLACE.html and PLACE.json, both or neither, and over nothing but an older report. `result`: a line of the
    command's JSON. Raises OSError."""
    names = [f"{place.name}.{kind}" for kind in ("html", "json")]
    for path in (place.with_name(name) for name in names):
        if os.path.lexists(path) and not _is_ours(path):
            raise FileExistsError(errno.EEXIST, "it exists and is no report of this program; give another folder", path)
    place.parent.mkdir(parents=True, exist_ok=True)
    found = result | {"report": facts(seen, detector)}
    texts = (page(seen, found["report"], detector), as_json.to_line(found) + "\n")
    write_whole(
        place.parent, dict(zip(names, (text.encode("utf-8", "backslashreplace") for text in texts), strict=True))
    )


def _is_ours(path: Path) -> bool:
    """A report, or the JSON beside one."""
    page = path.with_suffix(".html")
    return path.is_file() and page.is_file() and MARK.encode() in page.read_bytes()[:1000]


def facts(seen: Seen, detector: "Detector") -> dict:
    """What makes the answer one that can be checked: when, of which bytes, by which weights and programs."""
    return {
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "file_sha256": hashlib.sha256(seen.data).hexdigest(),
        "file_bytes": len(seen.data),
        "weights_sha256": detector.config.sha256,
        "precision": detector.precision,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def page(seen: Seen, facts: dict, detector: "Detector") -> str:
    """The report as HTML, of `facts` as the function of that name gives them."""
    verdict, steady, measured = seen.verdict, seen.steady, detector.config.measured
    test = detector.config.metrics["test"]["degraded"] if measured else None
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown)
    return environment.from_string(PAGE.read_text("utf-8")).render(
        mark=MARK,
        seen=seen, facts=facts, verdict=verdict, steady=steady, test=test,
        names=NAMES, silent=NOTHING, note=detector.note,
        disagrees=seen.said.disagreement(verdict.side) if steady else "",
        answer=verdict.sentence_as(steady.word(verdict.band)) if steady else verdict.sentence,
        rates=error_rates(verdict, test["ai_vs_human"]["answers"]) if steady and test else "",
        picture=data_url(seen.image.image, LARGE),
        maps=[(name, *_overlays(seen, index)) for index, name in enumerate(CLASSES)] if steady else [],
        deliveries=[(name, one, data_url(steady.pictures[name], SMALL)) for name, one in steady.verdicts.items()]
        if steady else [],
        ladder=" ".join(f"{(95 - quality) * 4},{100 - 100 * p:.1f}" for quality, p in steady.ladder.items())
        if steady else "",
        hidden=[data_url(one, 2 * SMALL) for one in seen.checked.pictures] if seen.checked else [],
        nearest=[(near, data_url(open_image(near.known.path), 2 * SMALL)) for near in seen.nearest],
    )  # fmt: skip


def _overlays(seen: Seen, index: int) -> list[str]:
    """The picture under the maps of one class, of each kind."""
    return [data_url(overlay(seen.image.image, seen.verdict.maps, index, kind), LARGE) for kind in KINDS]


def _shown(value):
    """Nothing that turns the direction of writing, or that no screen shows, gets into the page."""
    return printable(value) if isinstance(value, str) and not value.isprintable() else value
