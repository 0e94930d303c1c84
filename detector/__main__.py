"""The command: python -m detector IMAGE_OR_FOLDER... (see --help)."""

import argparse
import logging
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

import detector
from detector.explain import import_library
from detector.files import Input, inputs, search
from detector.output import as_json, as_table
from detector.output.as_csv import CsvError, CsvFile, check_csv
from detector.per_file import origin, results
from detector.usage import Parser, parse, parse_compare

if TYPE_CHECKING:  # torch takes seconds to import, and Ctrl+C is to end those in a sentence too
    from detector.nearest import Index


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
            for folder in filter(None, (options.maps, options.report)):
                folder.mkdir(parents=True, exist_ok=True)
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

    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder.")
    found = search(options.folder)
    first = [(path, path.relative_to(options.folder).parts[0]) for path in found.images]
    pictures = [(path, name if name in detector.CLASSES else None) for path, name in first]
    if not pictures:
        parser.error(f"{options.folder} holds no images.")
    try:
        pair = load_pair(options.a, options.b, options.precision, options.device)
    except detector.CheckpointError as error:
        parser.error(str(error))
    told = compare(pair, pictures)
    left_out = found.left_out | told.left_out
    for reason in left_out.values():
        print(as_table.printable(reason), file=sys.stderr)
    told = as_json.comparison_to_json(told)
    _print(as_json.to_line(told) if options.json else as_table.comparison_to_lines(told))
    return 1 if left_out else 0


def _index(model: "detector.Detector", folder: Path, parser: Parser) -> "Index":
    from detector.nearest import FREE, Index, known_in

    folder = FREE if str(folder) == "bundled" else folder
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
        for result in over_cores(partial(results, model, options), files, size):
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
        result = {"file": file.name} | ({"error": file.error} if file.error else origin(file))
        failed |= "error" in result
        _print(as_json.to_line(result) if json else as_table.origin_to_lines(result, width))
    return int(failed)


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
