"""Files -> what the command tells of each: the answer, and whatever else was asked for."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detector import ImageError, provenance
from detector.explain import LAYERS, VIEW_SIDE
from detector.files import Input
from detector.images import read_file
from detector.output import as_json
from detector.output.maps import write_overlays, write_overlays_of
from detector.provenance import said_by
from detector.seen import Seen, look

if TYPE_CHECKING:  # torch takes seconds to import, and --provenance needs none
    from detector.predict import Detector, Prepared


def results(model: "Detector", options: argparse.Namespace, files: Sequence[Input]) -> list[dict]:
    """One dict a file, in order: a line of the JSON. A bad file never stops the rest."""
    from detector.stress import SIDE

    longest = SIDE if options.steady else VIEW_SIDE if options.maps else None
    opened = [_open(model, file, longest, bool(options.report)) for file in files]
    verdicts = model.classify_opened([image for image, _ in opened])
    found = []
    for file, (image, source), verdict in zip(files, opened, verdicts, strict=True):
        if isinstance(verdict, str):
            found.append({"file": file.name, "error": verdict})
            continue
        said = said_by(source, Path(file.name).name)
        seen = look(model, image, verdict, said, options.steady, options.check_map, options.index)
        result = {"file": file.name} | as_json.seen_to_json(seen)
        found.append(result | _write(model, seen, options, file, source, result))
    return found


def origin(file: Input) -> dict:
    """What the file says, as JSON, or {"error"}."""
    try:
        return as_json.origin_to_json(provenance.read(file.read() if file.read else file.name))
    except ImageError as error:  # gone since it was listed, or no image
        return {"error": str(error)}


def _open(
    model: "Detector", file: Input, longest: int | None, keep: bool
) -> "tuple[Prepared | str, str | bytes]":  # fmt: skip
    """The image, or what is wrong with it, and what else there is to know of it is read from: its name or, with `keep`,
    the very bytes that were opened."""
    source, name = file.name, Path(file.name).name
    try:
        if file.read and not file.error:
            source = file.read()
        elif keep and not file.error:
            source = read_file(Path(source), name)
        return file.error or model.prepare(source, longest, name), source
    except ImageError as error:
        return str(error), source


def _write(model: "Detector", seen: Seen, options: argparse.Namespace, file: Input, data: bytes, result: dict) -> dict:
    """{"error"} if what was asked for cannot be written; the answer stands."""
    errors = []
    if options.maps and not seen.verdict.abstained:
        errors.append(_failed("maps", options.maps, lambda: _write_maps(model, seen, options, file)))
    if options.report:
        from detector.output.report import write_report

        place = options.report / file.place
        errors.append(_failed("report", options.report, lambda: write_report(place, seen, data, result, model)))
    told = " ".join(filter(None, errors))
    return {"error": told} if told else {}


def _failed(what: str, folder: Path, write: Callable[[], None]) -> str:
    try:
        write()
    except OSError as error:
        return f"Its {what} cannot be written: {error.filename or folder}: {error.strerror}."
    return ""


def _write_maps(model: "Detector", seen: Seen, options: argparse.Namespace, file: Input) -> None:
    place, view = options.maps / file.place, seen.image.image.copy()
    view.thumbnail((VIEW_SIDE, VIEW_SIDE))
    if options.map_method:
        method, layer = options.map_method, options.map_layer or LAYERS[0]
        write_overlays_of(place, view, model.explain_with(seen.image, method, layer), method, layer)
    else:
        write_overlays(place, view, seen.verdict.maps)
