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
from detector.arguments import add_engine, add_model
from detector.explain import LAYERS, METHODS, VIEW_SIDE, import_library
from detector.files import Input, inputs
from detector.output import as_json, as_table
from detector.output.as_csv import CsvError, CsvFile, check_csv
from detector.output.maps import write_overlays, write_overlays_of

if TYPE_CHECKING:  # torch takes seconds to import, and Ctrl+C is to end those in a sentence too
    from detector.predict import Prepared


# Not the docstrings, which python -OO takes away.
WHAT = "Tells whether images were made by DALL-E, by a human, or by another AI, and shows where the score came from."
EXIT_CODES = (
    "Exit code: 0; 1 if a file failed or was left out, or the output cannot be written; 2 for wrong usage; "
    "130 if interrupted."
)


class Parser(argparse.ArgumentParser):
    """Whose errors keep a file's name from commanding the terminal."""

    def error(self, message: str):
        if message.startswith("unrecognized arguments"):
            message += ' (files whose names begin with "-" go last, after "--")'
        super().error(as_table.printable(message))


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
    parser, options = _parse(arguments)
    handler = logging.StreamHandler()
    handler.setFormatter(Log())
    logging.basicConfig(handlers=[handler])
    if sys.stdout is None:
        parser.error("standard output is closed; send it to a file.")
    encoding = "utf-8" if options.json else None  # JSON is UTF-8 everywhere, the table what the terminal can show
    sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    files = list(inputs(options.paths))
    if options.provenance:
        return _tell_origins(files, options.json)
    with ExitStack() as stack:
        try:
            if options.csv:  # before seconds go by
                check_csv(options.csv, options.overwrite, (Path(file.name) for file in files))
            if options.maps:
                options.maps.mkdir(parents=True, exist_ok=True)
            if options.map_method:
                import_library()
            model = detector.load(options.model, options.precision, options.device)
            table = stack.enter_context(CsvFile(options.csv)) if options.csv else None
        except (detector.CheckpointError, CsvError, ImportError) as error:
            parser.error(str(error))
        except OSError as error:
            parser.error(f"{error.filename} cannot be written: {error.strerror}.")
        return _answer_all(model, files, options, table)


def _parse(arguments: list[str] | None) -> tuple[Parser, argparse.Namespace]:
    parser = Parser("python -m detector", description=WHAT, epilog=EXIT_CODES, allow_abbrev=False)
    parser.add_argument("paths", nargs="+", metavar="IMAGE_OR_FOLDER")
    add_model(parser)
    add_engine(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, in UTF-8, instead of the table")
    parser.add_argument("--provenance", action="store_true", help="only what the files themselves say; needs no model")
    parser.add_argument("--csv", type=_path, metavar="FILE", help="write a CSV file too, or anew if it is one of ours")
    parser.add_argument("--overwrite", action="store_true", help="let --csv replace any file but an image")
    parser.add_argument("--maps", type=_path, metavar="DIR", help="write the six overlays of every image there")
    parser.add_argument("--map-method", choices=METHODS, help="overlays by this method of grad-cam instead of the six")
    parser.add_argument("--map-layer", choices=LAYERS, default=None, help="of --map-method; the later ones are finer")
    options = parser.parse_args(arguments)
    if options.provenance and (options.csv or options.maps):
        parser.error("--provenance asks no model, so there is nothing for --csv or --maps to write; leave those out.")
    if options.map_method and not options.maps:
        parser.error("--map-method says how overlays are made; give --maps DIR too.")
    if options.map_layer and not options.map_method:
        parser.error("--map-layer is for --map-method; give that too.")
    return parser, options


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name is empty.")
    return Path(text)


def _answer_all(
    model: "detector.Detector", files: list[Input], options: argparse.Namespace, table: CsvFile | None
) -> int:
    from detector.predict import BATCH_SIZE
    from detector.threads import over_cores

    failed = 0
    width = as_table.width_of([file.name for file in files])
    # Methods of the library take long: what was answered is then printed, and Ctrl+C heeded, after every image.
    size = 1 if options.map_method else BATCH_SIZE
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
    opened = [_open(model, file, VIEW_SIDE if options.maps else None) for file in files]
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
    if options.maps and not verdict.abstained:
        try:
            if options.map_method:
                method, layer = options.map_method, options.map_layer or LAYERS[0]
                maps = model.explain_with(image, method, layer)
                write_overlays_of(options.maps / file.place, image.image, maps, method, layer)
            else:
                write_overlays(options.maps / file.place, image.image, verdict.maps)
        except OSError as error:  # the answer stands
            where = error.filename or options.maps
            return found | {"error": f"Its maps cannot be written: {where}: {error.strerror}."}
    return found


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
