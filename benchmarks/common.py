"""What the benchmarks share: pictures, turns, tables, the page as its users meet it."""

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from detector.cpu import cores
from tests.client import Page

ROOT = Path(__file__).parents[1]
QUALITY = 90


def jpeg(width: int, height: int | None = None, example: str = "astronaut.png") -> bytes:
    """One of the examples at another size, as a JPEG."""
    buffer = io.BytesIO()
    image = Image.open(ROOT / "examples" / example).convert("RGB")
    image.resize((width, height or width), Image.BICUBIC).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def images_folder() -> Path:
    """What --images names: a folder of train, val, test."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--images", type=Path, default=ROOT.parent / "shared" / "data")
    options, _ = parser.parse_known_args()
    return options.images


def examples() -> list[str]:
    return sorted(path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".png", ".jpg"))


def in_turns(contestants: dict[str, Callable], rounds: int, warm_up: int = 2, settle: bool = False) -> dict[str, dict]:
    """Seconds that each takes, in turns, so that a noisy machine is noisy for all: {name: {low, median, high, n}}.

    `settle`: each runs once untimed before it is timed, so that it does not pay for threads that another left spinning.
    """
    times = {name: [] for name in contestants}
    for i in range(warm_up + rounds):
        for name, function in contestants.items():
            if settle:
                function()
            start = time.perf_counter()
            function()
            if i >= warm_up:
                times[name].append(time.perf_counter() - start)
    return {name: spread(found) for name, found in times.items()}


def spread(values: list[float]) -> dict:
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"low": low, "median": median, "high": high, "n": len(values)}


def ratio(found: dict, a: str, b: str) -> float:
    return round(found[a]["median"] / found[b]["median"], 3)


def table(title: str, found: dict[str, dict], unit: str = "ms", scale: float = 1000) -> None:
    print(f"\n{title:44}{'25 %':>9}{'median':>9}{'75 %':>9}  {unit}")
    for name, row in found.items():
        print(f"{name:44}" + "".join(f"{row[key] * scale:9.1f}" for key in ("low", "median", "high")), flush=True)


def machine() -> dict:
    """The machine that the figures are of."""
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.open() if line.startswith("model name")), cpu)
    return {"cpu": cpu, "cores": cores(), "python": platform.python_version(), "torch": torch.__version__}


def resident_mb(process: int | str = "self") -> float:
    """Resident memory in MB (Linux)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def running(*command: str | Path, port: int = 7899) -> Iterator[Page]:
    """The page that `python COMMAND` serves, from when it is up; `page.process` is its number."""
    process = subprocess.Popen(
        [sys.executable, *map(str, command), "--port", str(port)], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            try:
                page = Page(port)
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"The page did not start: {process.args}") from None
                time.sleep(0.01)
        page.process = process.pid
        yield page
    finally:
        process.terminate()
        process.wait()


def report(measure: Callable[[], dict]) -> None:
    """Run one benchmark as a program: tables on the screen, and the figures in --json FILE."""
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options, _ = parser.parse_known_args()
    print(" · ".join(f"{key} {value}" for key, value in machine().items()))
    found = measure()
    for key, value in found.items():
        if isinstance(value, float | int):
            print(f"{key}: {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
