"""One picture's answer as a page that stands alone, DIR/NAME.html, and the same as JSON beside it.

Nothing in the page is fetched and nothing in it runs; a file's name, and what it says, are text and never markup.
"""

import datetime
import errno
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from detector import CLASSES, ImageError
from detector.checkpoint import write_whole
from detector.explain import overlay
from detector.images import open_image
from detector.output import as_json
from detector.output.as_table import printable
from detector.output.data_url import data_url
from detector.provenance import NOTHING
from detector.seen import Seen
from detector.stress import UNSTEADY
from detector.verdict import NAMES, error_rates

if TYPE_CHECKING:
    from detector.predict import Detector

MARK = '<meta name="generator" content="AI image detector: report">'
LARGE, SMALL = 560, 112  # pixels of the longer side of the picture under its maps, and of small pictures
PACKAGES = ("detector", "torch", "torchvision", "pillow", "grad-cam", "c2pa-python", "numpy")
PAGE = Path(__file__).with_suffix(".html")


def write_report(place: Path, seen: Seen, data: bytes, result: dict, detector: "Detector") -> None:
    """PLACE.html and PLACE.json, both or neither, and over nothing but an older report. Of the file's bytes `data`, for
    which `result` is the line of the command's JSON; no folder is named in them. Raises OSError."""
    names = [f"{place.name}.{kind}" for kind in ("html", "json")]
    for path in (place.with_name(name) for name in names):
        if os.path.lexists(path) and not _is_ours(path):
            raise FileExistsError(errno.EEXIST, "it exists and is no report of this program; give another folder", path)
    place.parent.mkdir(parents=True, exist_ok=True)
    name = Path(result["file"]).name
    found = {**result, "file": name, "report": facts(data, detector)}
    if "nearest" in found:
        found["nearest"] = [{**near, "file": Path(near["file"]).name} for near in found["nearest"]]
    texts = (page(name, seen, found["report"], detector), as_json.to_line(found) + "\n")
    encoded = (text.encode("utf-8", "backslashreplace") for text in texts)
    write_whole(place.parent, dict(zip(names, encoded, strict=True)))


def _is_ours(path: Path) -> bool:
    """A report, or the JSON of one."""
    mark = MARK if path.suffix == ".html" else '"report": {"made":'
    return path.is_file() and mark.encode() in path.read_bytes()


def facts(data: bytes, detector: "Detector") -> dict:
    """What makes the answer one that can be checked: when, of which bytes, by which weights and programs."""
    second = {"second_weights_sha256": detector.second.config.sha256} if detector.second else {}
    return {
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "file_bytes": len(data),
        "weights_sha256": detector.config.sha256,
        **second,
        "precision": detector.precision,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed as a package)"


def page(name: str, seen: Seen, facts: dict, detector: "Detector") -> str:
    """The report of the picture called `name` as HTML, of `facts` as the function of that name gives them."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown)
    return environment.from_string(PAGE.read_text("utf-8")).render(
        mark=MARK, name=name, seen=seen, facts=facts, verdict=seen.verdict, steady=seen.steady, names=NAMES,
        silent=NOTHING, note=detector.note, answer=seen.verdict.sentence_as(seen.band),
        picture=data_url(seen.image.image, LARGE), **(_answered(seen, detector) if seen.steady else {}),
    )  # fmt: skip


def _answered(seen: Seen, detector: "Detector") -> dict:
    """What the page shows only where there was something to judge."""
    verdict, steady, picture = seen.verdict, seen.steady, seen.image.image
    test = detector.config.metrics["test"]["degraded"] if detector.config.measured else None

    def under(index: int, kind: str) -> str:
        """The picture under the map of one class."""
        return data_url(overlay(picture, verdict.maps, index, kind), LARGE)

    return {
        "test": test,
        "rates": error_rates(verdict, test["ai_vs_human"]["answers"]) if test else "",
        "unsteady": UNSTEADY,
        "disagrees": seen.said.disagreement(verdict.side),
        "cams": {name: under(index, "cam") for index, name in enumerate(CLASSES)},
        "evidence": under(CLASSES.index(verdict.label), "evidence"),
        "deliveries": [(name, one, data_url(steady.pictures[name], SMALL)) for name, one in steady.verdicts.items()],
        "ladder": " ".join(f"{(95 - quality) * 4},{100 - 100 * p:.1f}" for quality, p in steady.ladder.items()),
        "hidden": [data_url(one.resize(picture.size), 2 * SMALL) for one in seen.checked.pictures],
        "nearest": [(near, _thumbnail(near.known.path)) for near in seen.nearest or ()],
    }


def _thumbnail(path: Path) -> str:
    """The address of a small copy; "" where the picture is gone since it was indexed."""
    try:
        return data_url(open_image(path, enough=2 * SMALL), 2 * SMALL)
    except ImageError:
        return ""


def _shown(value):
    """Nothing that turns the direction of writing, or that no screen shows, gets into the page."""
    return printable(value) if isinstance(value, str) and not value.isprintable() else value
