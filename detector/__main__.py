"""The command: python -m detector IMAGE_OR_FOLDER... (see --help)."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

import detector
from detector import provenance
from detector.explain import LAYERS, VIEW_SIDE, import_library
from detector.files import Input, find_images, inputs
from detector.output import as_json, as_table
from detector.output.as_csv import CsvError, CsvFile, check_csv
from detector.output.maps import write_overlays, write_overlays_of
from detector.usage import Parser, parse, parse_compare

if TYPE_CHECKING:  # torch takes seconds to import, and Ctrl+C is to end those in a sentence too
    from detector.nearest import Index
    from detector.predict import Prepared


class Log(logging.Formatter):
    """Messages alone, the names in them made safe to print."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return as_table.printable(record.getMessage())


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0; 1 if a file failed or the output cannot be written; 2 for wrong usage; 130 if interrupted."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("\nInterrupted; what was answered until here is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # | head
        _give_up_stdout()
        return 1
    except CsvError as error:
        print(as_table.printable(str(error)), file=sys.stderr)
        return 1


def _run(arguments: list[str] | None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    comparing = arguments[:1] == ["compare"]
    parser, options = parse_compare(arguments[1:]) if comparing else parse(arguments)
    handler = logging.StreamHandler()
    handler.setFormatter(Log())
    logging.basicConfig(handlers=[handler])
    if sys.stdout is None:
        parser.error("standard output is closed; send it to a file.")
    encoding = "utf-8" if options.json else None  # JSON is UTF-8 everywhere, the table what the terminal can show
    sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    if comparing:
        return _compare(parser, options)
    files = list(inputs(options.paths))
    if options.provenance:
        return _tell_origins(files, options.json)
    with ExitStack() as stack:
        try:
            if options.csv:  # before seconds go by
                check_csv(options.csv, options.overwrite, (Path(file.name) for file in files))
            if options.maps:
                options.maps.mkdir(parents=True, exist_ok=True)
            if options.map_method or options.check_map:
                import_library()
            model = detector.load(options.model, options.precision, options.device)
            options.index = _index(model, options.nearest, parser) if options.nearest else None
            table = stack.enter_context(CsvFile(options.csv)) if options.csv else None
        except (detector.CheckpointError, CsvError, ImportError) as error:
            parser.error(str(error))
        except OSError as error:
            parser.error(f"{error.filename} cannot be written: {error.strerror}.")
        return _answer_all(model, files, options, table)


def _compare(parser: Parser, options: argparse.Namespace) -> int:
    """Two models on the pictures of a folder."""
    from detector.compare import compare, load_pair

    first = [(path, path.relative_to(options.folder).parts[0]) for path in find_images(options.folder)]
    pictures = [(path, name if name in detector.CLASSES else None) for path, name in first]
    if not pictures:
        parser.error(f"{options.folder} holds no images.")
    try:
        pair = load_pair(options.a, options.b, options.precision, options.device)
    except detector.CheckpointError as error:
        parser.error(str(error))
    found = compare(pair, pictures)
    for reason in found.left_out.values():
        print(as_table.printable(reason), file=sys.stderr)
    told = as_json.comparison_to_json(found)
    _print(as_json.to_line(told) if options.json else as_table.comparison_to_lines(told))
    return 1 if found.left_out else 0


def _index(model: "detector.Detector", folder: Path, parser: Parser) -> "Index":
    from detector.nearest import Index, known_in

    if not (known := known_in(folder)):
        parser.error(f"{folder} holds no images in folders named {', '.join(detector.CLASSES)}.")
    return Index(model, known)


def _answer_all(
    model: "detector.Detector", files: list[Input], options: argparse.Namespace, table: CsvFile | None
) -> int:
    from detector.predict import BATCH_SIZE
    from detector.threads import over_cores

    failed = 0
    width = as_table.width_of([file.name for file in files])
    # Methods of the library take long: what was answered is then printed, and Ctrl+C heeded, after every image.
    size = 1 if options.map_method or options.steady or options.check_map else BATCH_SIZE
    with tqdm(total=len(files), unit="image", disable=not sys.stderr.isatty(), leave=False) as bar:
        if not options.json:
            _print(as_table.head(width))
        for result in over_cores(partial(_results, model, options), files, size):
            failed += "error" in result
            with bar.external_write_mode(sys.stdout):
                _print(as_json.to_line(result) if options.json else as_table.to_line(result, width))
            if table:
                table.add(result)
            bar.update()
    return 1 if failed else 0


def _tell_origins(files: list[Input], json: bool) -> int:
    """What each file says of itself, a line or some."""
    failed = False
    width = as_table.width_of([file.name for file in files])
    for file in files:
        result = {"file": file.name} | ({"error": file.error} if file.error else _origin(file))
        failed |= "error" in result
        _print(as_json.to_line(result) if json else as_table.origin_to_lines(result, width))
    return int(failed)


def _origin(file: Input) -> dict:
    try:
        return as_json.origin_to_json(provenance.read(file.name))
    except detector.ImageError as error:  # gone since it was listed, or no image
        return {"error": str(error)}


def _results(model: "detector.Detector", options: argparse.Namespace, files: Sequence[Input]) -> list[dict]:
    """One dict a file, in order. A bad file never stops the rest."""
    from detector.stress import SIDE

    longest = SIDE if options.steady else VIEW_SIDE if options.maps else None
    opened = [_open(model, file, longest) for file in files]
    verdicts = iter(model.classify([image for image in opened if not isinstance(image, str)]))
    return [
        {"file": file.name}
        | ({"error": image} if isinstance(image, str) else _answer(model, image, next(verdicts), options, file))
        for file, image in zip(files, opened, strict=True)
    ]


def _open(model: "detector.Detector", file: Input, longest: int | None) -> "Prepared | str":
    """The image, or what is wrong with it."""
    try:
        return file.error or model.prepare(file.name, longest)
    except detector.ImageError as error:
        return str(error)


def _answer(model, image: "Prepared", verdict: "detector.Verdict", options: argparse.Namespace, file: Input) -> dict:
    found = as_json.to_json(verdict) | {"provenance": _origin(file)}
    if verdict.abstained:
        return found
    if options.steady:
        from detector.stress import steadiness

        steady = steadiness(model, image.image, verdict)
        found |= {"band": steady.word(verdict.band), "steady": as_json.steady_to_json(steady)}
    if options.index:
        found["nearest"] = as_json.nearest_to_json(options.index.nearest(image.x))
    if options.check_map:
        from detector.mapcheck import check_map

        found["map_check"] = as_json.map_check_to_json(check_map(model, image.x, verdict))
    return found | (_write_maps(model, image, verdict, options, file) if options.maps else {})


def _write_maps(
    model, image: "Prepared", verdict: "detector.Verdict", options: argparse.Namespace, file: Input
) -> dict:
    """{"error"} if that fails; the answer stands."""
    place, view = options.maps / file.place, image.image
    view.thumbnail((VIEW_SIDE, VIEW_SIDE))
    try:
        if options.map_method:
            method, layer = options.map_method, options.map_layer or LAYERS[0]
            write_overlays_of(place, view, model.explain_with(image, method, layer), method, layer)
        else:
            write_overlays(place, view, verdict.maps)
    except OSError as error:
        where = error.filename or options.maps
        return {"error": f"Its maps cannot be written: {where}: {error.strerror}."}
    return {}


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up_stdout()
        raise CsvError(f"The output cannot be written: {error.strerror}.") from error


def _give_up_stdout() -> None:
    """Nothing more goes there, not even what Python still holds when it ends and would complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
