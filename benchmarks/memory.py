"""Resident memory of the page over 2,000 images of mixed sizes, and what an image costs over 10 to 10,000 of them.

The page: each image from another visitor, who leaves the page open. The cost: `Detector.predict` in one process.
"""

import statistics
import time
from pathlib import Path

import detector
from benchmarks.common import jpeg, report, resident_mb, running

IMAGES, EVERY = 2000, 250
SIDES = (256, 320, 512, 640, 768, 1024, 1280, 2048)  # pixels
STEPS = (10, 100, 1000, 10_000)


def measure() -> dict:
    pictures = [jpeg(side) for side in SIDES]
    memory = []
    with running(Path("app.py"), "--model", "bundled") as page:
        for i in range(IMAGES):
            page.ask(pictures[i % len(pictures)], f"visitor{i}")
            if (i + 1) % EVERY == 0:
                memory.append(round(resident_mb(page.process)))
    print(f"resident memory of the page after every {EVERY} images: {memory} MB", flush=True)
    model = detector.load("bundled")
    picture = jpeg(320)
    model.predict([picture] * 16)
    done, costs, resident = 0, {}, {}
    for n in STEPS:
        chunks = []
        while done < n:
            take = min(250, n - done)
            start = time.perf_counter()
            model.predict([picture] * take)
            chunks.append((time.perf_counter() - start) / take)
            done += take
        costs[n], resident[n] = statistics.median(chunks), round(resident_mb())
        print(f"up to image {n:6,}: {costs[n] * 1000:.1f} ms an image, {resident[n]} MB", flush=True)
    return {
        "page, MB": memory,
        "page, MB from the second reading to the last": memory[-1] - memory[1],
        "seconds an image": costs,
        "MB": resident,
        "10,000 / 100, an image": round(costs[10_000] / costs[100], 3),
    }


if __name__ == "__main__":
    report(measure)
