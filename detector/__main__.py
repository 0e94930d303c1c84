"""The command: python -m detector IMAGE_OR_FOLDER... (see --help)."""

import argparse
import csv
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from tqdm import tqdm

import detector
from detector.checkpoint import CHOICES
from detector.explain import overlay
from detector.images import find_images, open_image
from detector.report import CSV_FIELDS, to_json, to_row
from detector.verdict import NAMES

BATCH_SIZE = 8  # images; more gain nothing on a CPU and cost memory
MAP_SIDE = 768  # pixels of an overlay's longer side, at most


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0, 1 if a file failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser("python -m detector", description=detector.__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER")
    parser.add_argument("--model", default="auto", help=f"{CHOICES} (default: auto)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a CSV file too")
    parser.add_argument("--maps", type=Path, metavar="DIR", help="write the six overlays of every image there")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    with ExitStack() as stack:
        try:
            rows = (
                _csv_writer(stack.enter_context(options.csv.open("w", newline="", encoding="utf-8")))
                if options.csv
                else None
            )
            if options.maps:
                options.maps.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"{error.filename} cannot be written: {error.strerror}.")
        try:
            model = detector.load(options.model)
        except detector.CheckpointError as error:
            parser.error(str(error))
        files = list(_files(options.paths))
        failed = 0
        width = min(60, max((len(str(file)) for file, _ in files), default=0))
        if not options.json:
            print(f"{'file':{width}}  answer             P(AI)  {'  '.join(NAMES.values())}")
        with tqdm(total=len(files), unit="image", disable=not sys.stderr.isatty(), leave=False) as bar:
            for result in _results(model, files, options.maps):
                failed += "error" in result
                with bar.external_write_mode(sys.stdout):
                    print(json.dumps(result, ensure_ascii=False) if options.json else _line(result, width), flush=True)
                if rows:
                    rows.writerow(to_row(result))
                bar.update()
    return 1 if failed else 0


def _csv_writer(file) -> csv.DictWriter:
    writer = csv.DictWriter(file, CSV_FIELDS)
    writer.writeheader()
    return writer


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """(file, its place below DIR of --maps): the images in a folder, or what was named, even if it is none."""
    for path in paths:
        inside = find_images(path) if path.is_dir() else []
        yield from ((file, file.relative_to(path)) for file in inside)
        if not inside:
            yield path, Path(path.name)


def _results(model: "detector.Detector", files: list[tuple[Path, Path]], maps: Path | None) -> Iterator[dict]:
    """One dict a file, in order. A bad file never stops the rest."""
    remaining = iter(files)
    while batch := list(islice(remaining, BATCH_SIZE)):
        xs, thumbnails, errors = [], [], {}
        for file, _ in batch:
            try:
                image = open_image(file)
            except detector.ImageError as error:
                errors[file] = str(error)
                continue
            xs.append(model.transform(image))
            image.thumbnail((MAP_SIDE, MAP_SIDE))
            thumbnails.append(image)
        answers = iter(zip(model.classify(xs), thumbnails, strict=True))
        for file, place in batch:
            if file in errors:
                yield {"file": str(file), "error": errors[file]}
                continue
            verdict, image = next(answers)
            if maps:
                _write_maps(maps / place, image, verdict)
            yield {"file": str(file)} | to_json(verdict)


def _write_maps(place: Path, image, verdict: "detector.Verdict") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(detector.CLASSES):
        for kind in ("cam", "evidence"):
            overlay(image, verdict.maps, index, kind).save(place.with_name(f"{place.name}.{name}.{kind}.png"))


def _line(result: dict, width: int) -> str:
    file = result["file"] if len(result["file"]) <= width else "…" + result["file"][1 - width :]
    if "error" in result:
        return f"{file:{width}}  {result['error']}"
    side = "human" if result["label"] == "human" else "AI"
    answer = result["band"] if result["band"] == "no clear answer" else f"{result['band']} {side}"
    probs = "  ".join(f"{p:>{len(name)}.0%}" for name, p in zip(NAMES.values(), result["probs"].values(), strict=True))
    return f"{file:{width}}  {answer:17}  {result['p_ai']:>5.0%}  {probs}"


if __name__ == "__main__":
    sys.exit(main())
