"""One 1024 x 1024 JPEG, warm: bytes to probabilities and all six maps, against one bare forward pass.

    python benchmarks/latency.py [--rounds 40]

Bare is torchvision's densenet121 in fp32. The two take turns in one run; medians and quartiles in milliseconds, and
the ratio of the medians. Then the resident memory over 200 images.
"""

import argparse
import io
import json
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from PIL import Image
from torchvision.models import densenet121

import detector

EXAMPLE = Path(__file__).parents[1] / "examples" / "astronaut.png"


def jpeg(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.open(EXAMPLE).convert("RGB").resize((side, side), Image.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def milliseconds(function) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def resident_mb() -> float:
    """Resident memory now (Linux), else its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    data = jpeg(1024)
    model = detector.load("bundled")
    bare = densenet121(num_classes=3).eval()
    x = torch.randn(1, 3, 224, 224)

    @torch.inference_mode()
    def forward():
        bare(x)

    contestants = {"bare fp32 forward": forward, "ours, bytes to six maps": lambda: model.predict([data])}
    for function in contestants.values():
        for _ in range(5):
            function()
    times = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, function in contestants.items():
            times[name].append(milliseconds(function))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    print(f"{'':26}{'25 %':>8}{'median':>8}{'75 %':>8}  ms")
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:26}{low:8.1f}{middle:8.1f}{high:8.1f}")
    bare_ms, ours_ms = (statistics.median(found) for found in times.values())
    memory = []
    for i in range(200):
        model.predict([jpeg(256 + 16 * (i % 48))])
        if i % 50 == 49:
            memory.append(round(resident_mb()))
    print(f"ratio {ours_ms / bare_ms:.2f}; resident memory after 50, 100, 150, 200 images: {memory} MB")
    print(json.dumps({"latency_ms": {k: statistics.median(v) for k, v in times.items()}, "resident_mb": memory}))


if __name__ == "__main__":
    main()
