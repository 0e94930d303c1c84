"""From `python app.py` to the page, and to the first answer, against importing what any such page needs."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import jpeg, ratio, report, running, spread, table

ROUNDS = 5


def measure() -> dict:
    data = jpeg(512)
    times = {"python -c 'import torch, torchvision, gradio'": [], "to the page": [], "to the first answer": []}
    for _ in range(1 + ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch, torchvision, gradio"], check=True)
        imports = time.perf_counter() - start
        start = time.perf_counter()
        with running(Path("app.py"), "--model", "bundled") as page:
            up = time.perf_counter() - start
            page.ask(data, "first")
            answered = time.perf_counter() - start
        for found, seconds in zip(times.values(), (imports, up, answered), strict=True):
            found.append(seconds)
    found = {name: spread(seconds[1:]) for name, seconds in times.items()}  # the first reads the disk
    table("start", found, "s", 1)
    floor, page, answer = found
    return {
        "seconds": found,
        "page / imports": ratio(found, page, floor),
        "answer / imports": ratio(found, answer, floor),
    }


if __name__ == "__main__":
    report(measure)
