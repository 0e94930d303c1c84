"""The command: python -m detector IMAGE_OR_FOLDER... (see --help)."""

import argparse
import csv
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from PIL import Image
from tqdm import tqdm

import detector
from detector.engine import DEVICES, DTYPES
from detector.explain import KINDS, VIEW_SIDE, overlay
from detector.hub import CHOICES
from detector.images import find_images
from detector.output.as_csv import CSV_FIELDS, to_row
from detector.output.as_json import to_json
from detector.predict import BATCH_SIZE, Prepared
from detector.threads import over_cores
from detector.verdict import NAMES


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0, 1 if a file failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser("python -m detector", description=detector.__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER")
    parser.add_argument("--model", default="auto", help=f"{CHOICES} (default: auto)")
    parser.add_argument("--precision", choices=("auto", *DTYPES), default="auto", help="fp32: the same digits anywhere")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a CSV file too")
    parser.add_argument("--maps", type=Path, metavar="DIR", help="write the six overlays of every image there")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold bytes that are no text
    with ExitStack() as stack:
        try:
            model = detector.load(options.model, options.precision, options.device)
            rows = _csv_writer(stack.enter_context(_text(options.csv))) if options.csv else None
            if options.maps:
                options.maps.mkdir(parents=True, exist_ok=True)
        except detector.CheckpointError as error:
            parser.error(str(error))
        except OSError as error:
            parser.error(f"{error.filename} cannot be written: {error.strerror}.")
        files = list(_files(options.paths))
        failed = 0
        width = min(60, max((len(str(file)) for file, _ in files), default=0))
        if not options.json:
            print(f"{'file':{width}}  answer             P(AI)  {'  '.join(NAMES.values())}")
        with tqdm(total=len(files), unit="image", disable=not sys.stderr.isatty(), leave=False) as bar:
            for result in over_cores(partial(_results, model, options.maps), files, BATCH_SIZE):
                failed += "error" in result
                with bar.external_write_mode(sys.stdout):
                    print(json.dumps(result, ensure_ascii=False) if options.json else _line(result, width), flush=True)
                if rows:
                    rows.writerow(to_row(result))
                bar.update()
    return 1 if failed else 0


def _text(path: Path):
    return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")


def _csv_writer(file) -> csv.DictWriter:
    writer = csv.DictWriter(file, CSV_FIELDS)
    writer.writeheader()
    return writer


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """(file, its place below DIR of --maps): the images in a folder, or what was named, even if it is none."""
    taken = set()
    for path in paths:
        try:
            inside = find_images(path) if path.is_dir() else []
        except OSError:  # a name too long, a folder that is closed: opening it will say so
            inside = []
        for file, place in [(file, file.relative_to(path)) for file in inside] or [(path, Path(path.name))]:
            n = 2
            unique = place
            while unique in taken:  # a/cat.png and b/cat.png were both named
                unique, n = place.with_name(f"{place.name}.{n}"), n + 1
            taken.add(unique)
            yield file, unique


def _results(model: "detector.Detector", maps: Path | None, files: Sequence[tuple[Path, Path]]) -> list[dict]:
    """One dict a file, in order. A bad file never stops the rest."""
    prepared, errors = [], {}
    for file, _ in files:
        try:
            prepared.append(model.prepare(file, VIEW_SIDE if maps else None))
        except detector.ImageError as error:
            errors[file] = str(error)
    answers = zip(prepared, model.classify(prepared), strict=True)
    return [
        {"file": str(file)} | ({"error": errors[file]} if file in errors else _answer(*next(answers), maps, place))
        for file, place in files
    ]


def _answer(prepared: Prepared, verdict: "detector.Verdict", maps: Path | None, place: Path) -> dict:
    if maps and not verdict.abstained:
        try:
            _write_maps(maps / place, prepared.image, verdict)
        except OSError as problem:
            return {"error": f"Its maps cannot be written to {maps} ({problem.strerror})."}
    return to_json(verdict)


def _write_maps(place: Path, image: Image.Image, verdict: "detector.Verdict") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(detector.CLASSES):
        for kind in KINDS:
            overlay(image, verdict.maps, index, kind).save(place.with_name(f"{place.name}.{name}.{kind}.png"))


def _line(result: dict, width: int) -> str:
    file = result["file"] if len(result["file"]) <= width else "…" + result["file"][1 - width :]
    if "error" in result:
        return f"{file:{width}}  {result['error']}"
    if "abstained" in result:
        return f"{file:{width}}  nothing to judge: {result['abstained']}"
    answer = f"{result['band'] or 'unmeasured:'} {'human' if result['label'] == 'human' else 'AI'}"
    probs = "  ".join(f"{p:>{len(name)}.0%}" for name, p in zip(NAMES.values(), result["probs"].values(), strict=True))
    return f"{file:{width}}  {answer:17}  {result['p_ai']:>5.0%}  {probs}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
