"""Files that are broken on purpose, thousands of them, through all that reads what a stranger sends.

    python -m tests.fuzz 200000        # make soak

They are tried in processes that may crash, hang or grow, and are watched for that.
"""

import argparse
import gc
import logging
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.broken import mutated, seeds, zipped
from tests.running import resident

HANG = 5  # seconds that one file may take
GROWTH = 64e6  # bytes that a process may be larger after the second half than after the first
ZIP_EVERY = 25  # of so many files one is a zip


def sentence(text: str) -> None:
    """What people are told is one short sentence."""
    if not (0 < len(text) < 400 and text.endswith(".") and text.isprintable() and "Traceback" not in text):
        raise AssertionError(f"no sentence: {text!r}")


def look(data: bytes) -> str:
    """What became of a file: "opened" or "refused"; all else is raised."""
    from detector import ImageError, provenance
    from detector.images import open_image

    try:
        became = "opened"
        image = open_image(data)
        if image.mode != "RGB" or min(image.size) < 1:
            raise AssertionError(f"{image.mode} {image.size}")
    except ImageError as error:
        became = "refused"
        sentence(str(error))
    try:
        for problem in provenance.read(data).problems:
            sentence(problem)
    except ImageError as error:
        sentence(str(error))
    return became


def look_in(data: bytes, place: Path) -> str:
    """The same of a zip."""
    from detector import ImageError
    from detector.archive import open_zip

    place.write_bytes(data)
    try:
        archive = open_zip(place)
    except ImageError as error:
        sentence(str(error))
        return "zip refused"
    with archive.file:
        for reason in archive.left_out.values():
            sentence(reason)
        for name in archive.pictures:
            try:
                archive.read(name)
            except ImageError as error:
                sentence(str(error))
    return "zip opened"


@dataclass
class Found:
    became: Counter = field(default_factory=Counter)
    slowest: float = 0.0  # seconds
    growth: float = 0.0  # bytes, over the second half
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        self.became += other.became
        self.faults += other.faults
        self.slowest, self.growth = max(self.slowest, other.slowest), max(self.growth, other.growth)


def attempt(number: int, known: Sequence[bytes], folder: Path) -> str:
    """What became of the file, or the zip, of that number."""
    return look(mutated(number, known)) if number % ZIP_EVERY else look_in(zipped(number, known), folder / "a.zip")


def _work(numbers: range, known: Sequence[bytes], trying: Callable, at, answers) -> None:
    """In a process of its own: all of `numbers`, each told in `at` before it is tried."""
    warnings.simplefilter("ignore")
    logging.disable()
    found, start, middle = Found(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for i, number in enumerate(numbers):
            at.value, start = number, time.perf_counter()
            try:
                found.became[trying(number, known, Path(folder))] += 1
            except BaseException as error:  # noqa: BLE001 - that is what is looked for
                found.faults.append(f"{number}: {type(error).__name__}: {str(error)[:300]}")
            found.slowest = max(found.slowest, time.perf_counter() - start)
            if i == len(numbers) // 2:
                gc.collect()
                middle = resident()
    gc.collect()
    found.growth = resident() - middle
    answers.put(found)


def run(n: int, first: int = 0, processes: int = 2, trying: Callable = attempt) -> Found:
    """`n` files from number `first` on. A process that crashes or hangs is a fault; another goes on after that file."""
    known = seeds()
    context = multiprocessing.get_context("spawn")
    total, answers = Found(), context.Queue()
    share = -(-n // processes)
    ends = [min(first + n, first + (i + 1) * share) for i in range(processes)]
    at = [context.Value("q", -1) for _ in range(processes)]

    def begin(i: int, number: int) -> multiprocessing.Process:
        at[i].value = -1  # nothing is being tried while it starts
        process = context.Process(target=_work, args=(range(number, ends[i]), known, trying, at[i], answers))
        process.start()
        return process

    workers = {i: begin(i, first + i * share) for i in range(processes)}
    seen = {i: (-1, time.monotonic()) for i in workers}
    while workers:
        while not answers.empty():  # or a process that has answered would wait for its answer to be taken
            total.add(answers.get())
        for i, process in list(workers.items()):
            number = at[i].value
            if number != seen[i][0]:
                seen[i] = (number, time.monotonic())
            hangs = number >= 0 and process.is_alive() and time.monotonic() - seen[i][1] > HANG
            if hangs:
                process.kill()
                process.join()
            if not process.is_alive():
                del workers[i]
                if process.exitcode:
                    total.faults.append(f"{number}: {'hangs' if hangs else f'ends the process ({process.exitcode})'}")
                    if number + 1 < ends[i]:
                        workers[i] = begin(i, number + 1)
        time.sleep(0.05)
    while not answers.empty():
        total.add(answers.get())
    return total


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("n", type=int, help="files")
    parser.add_argument("--first", type=int, default=0, help="number of the first one; another gives other files")
    options = parser.parse_args()
    found = run(options.n, options.first)
    print(f"{dict(found.became)}; slowest {found.slowest:.2f} s; grown by {found.growth / 1e6:.0f} MB")
    print("\n".join(found.faults) or "no faults")
    sys.exit(bool(found.faults) or found.growth > GROWTH)


if __name__ == "__main__":
    main()
