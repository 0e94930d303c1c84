"""Files -> what the command tells of each: the answer, and whatever else was asked for."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detector import ImageError, provenance
from detector.explain import LAYERS, VIEW_SIDE
from detector.files import Input
from detector.images import read_file
from detector.output import as_json
from detector.output.maps import write_overlays, write_overlays_of

if TYPE_CHECKING:  # torch takes seconds to import, and --provenance needs none
    from detector.predict import Detector, Prepared
    from detector.verdict import Verdict


def results(model: "Detector", options: argparse.Namespace, files: Sequence[Input]) -> list[dict]:
    """One dict a file, in order: a line of the JSON. A bad file never stops the rest."""
    from detector.stress import SIDE

    longest = SIDE if options.steady else VIEW_SIDE if options.maps else None
    opened = [_open(model, file, longest) for file in files]
    verdicts = iter(model.classify([image for image in opened if not isinstance(image, str)]))
    return [
        {"file": file.name}
        | ({"error": image} if isinstance(image, str) else _answer(model, image, next(verdicts), options, file))
        for file, image in zip(files, opened, strict=True)
    ]


def origin(file: Input) -> dict:
    """What the file says, as JSON, or {"error"}."""
    try:
        return as_json.origin_to_json(provenance.read(file.name))
    except ImageError as error:  # gone since it was listed, or no image
        return {"error": str(error)}


def _open(model: "Detector", file: Input, longest: int | None) -> "Prepared | str":
    """The image, or what is wrong with it."""
    try:
        return file.error or model.prepare(file.name, longest)
    except ImageError as error:
        return str(error)


def _answer(model: "Detector", image: "Prepared", verdict: "Verdict", options: argparse.Namespace, file: Input) -> dict:
    found = as_json.to_json(verdict) | {"provenance": origin(file)}
    steady = checked = None
    nearest = []
    if options.steady and not verdict.abstained:
        from detector.stress import steadiness

        steady = steadiness(model, image.image, verdict)
        found |= {"band": steady.word(verdict.band), "steady": as_json.steady_to_json(steady)}
    if options.index and not verdict.abstained:
        nearest = options.index.nearest(image.x)
        found["nearest"] = as_json.nearest_to_json(nearest)
    if options.check_map and not verdict.abstained:
        from detector.mapcheck import check_map

        checked = check_map(model, image.x, verdict)
        found["map_check"] = as_json.map_check_to_json(checked)
    failed = {}
    if options.maps and not verdict.abstained:
        failed |= _written("maps", options.maps, lambda: _write_maps(model, image, verdict, options, file))
    if options.report:
        from detector.output.report import Seen, write_report

        def write() -> None:
            data = read_file(Path(file.name), file.name)
            seen = Seen(file.name, data, image, verdict, provenance.read(data), steady, checked, nearest)
            write_report(options.report / file.place, seen, {"file": file.name} | found, model)

        failed |= _written("report", options.report, write)
    return found | failed


def _written(what: str, folder: Path, write) -> dict:
    """{"error"} if `write` cannot; the answer stands."""
    try:
        write()
    except ImageError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"Its {what} cannot be written: {error.filename or folder}: {error.strerror}."}
    return {}


def _write_maps(
    model: "Detector", image: "Prepared", verdict: "Verdict", options: argparse.Namespace, file: Input
) -> None:
    place, view = options.maps / file.place, image.image.copy()
    view.thumbnail((VIEW_SIDE, VIEW_SIDE))
    if options.map_method:
        method, layer = options.map_method, options.map_layer or LAYERS[0]
        write_overlays_of(place, view, model.explain_with(image, method, layer), method, layer)
    else:
        write_overlays(place, view, verdict.maps)
