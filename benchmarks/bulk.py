"""5,000 pictures by `python -m bulk` and by the plain command, in turns, a fifth each: images/s, the start not counted.

The pictures are those of training in --images; each is small, so what Ray costs weighs most here.
"""

import statistics
import tempfile
import time
from contextlib import redirect_stdout
from os import devnull
from pathlib import Path

from benchmarks.common import images_folder, report
from bulk.cluster import cluster, judge
from bulk.places import Results
from bulk.plan import make_plan
from detector.__main__ import main as command
from detector.checkpoint import BUNDLED, read_checkpoint
from detector.cpu import cores
from detector.files import find_images

IMAGES, TURNS, PART = 5000, 5, 50


def measure() -> dict:
    images = find_images(images_folder().resolve() / "train")[:IMAGES]
    rates = {"command": [], "bulk": []}
    with tempfile.TemporaryDirectory() as name, cluster(None, cores(), None, "auto") as workers:
        for turn in range(TURNS):
            folder = Path(name) / str(turn)
            folder.mkdir()
            for i, image in enumerate(images[turn::TURNS]):
                (folder / f"{i:05}{image.suffix}").symlink_to(image)
            rates["command"].append(_by_command(folder, next(folder.iterdir())))
            rates["bulk"].append(_by_bulk(folder, workers))
            print({name: round(found[-1], 1) for name, found in rates.items()}, flush=True)
    told = {name: round(statistics.median(found), 1) for name, found in rates.items()}
    ratios = [ray / plain for ray, plain in zip(rates["bulk"], rates["command"], strict=True)]
    return {"images": len(images), "images/s": told, "bulk / command": round(statistics.median(ratios), 2)}


def _by_command(folder: Path, first: Path) -> float:
    """All of the folder's, less what one of them takes with its start."""
    start, rest = _seconds(first, folder), len(list(folder.iterdir())) - 1
    return rest / (_seconds(folder, folder) - start)


def _seconds(pictures: Path, name: Path) -> float:
    start = time.perf_counter()
    with Path(devnull).open("w") as quiet, redirect_stdout(quiet):
        command([str(pictures), "--model", "bundled", "--csv", f"{name}.csv"])
    return time.perf_counter() - start


def _by_bulk(folder: Path, workers) -> float:
    """From the end of the first part on: before, models are loaded."""
    results = Results(f"{folder}.out")
    told = {"sha256": read_checkpoint(BUNDLED).config.sha256, "precision": "auto", "column": None}
    plan = make_plan(results, [str(folder)], PART, told)
    scorer = results.name, "bundled", "auto", "auto"
    ends = [time.perf_counter() for _ in judge(scorer, list(range(len(plan.sizes))), workers)]
    return (sum(plan.sizes) - PART) / (ends[-1] - ends[0])


if __name__ == "__main__":
    report(measure)
