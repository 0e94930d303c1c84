"""Which maps matter: how often hiding what a method shows costs more than hiding as much at random, method by layer.

python -m benchmarks maps --images DATA        # DATA: a folder of train, val, test (../shared/data by default)
"""

import random

import numpy as np

import detector
from benchmarks.common import images_folder, report
from detector import CLASSES
from detector.explain import LAYERS, METHODS
from detector.mapcheck import check_map
from train.data.folders import read_splits

IMAGES = 30  # drawn from the test images, as many of each class


def measure() -> dict:
    model = detector.load("bundled")
    draw = random.Random(0)
    test = read_splits(images_folder())["test"]
    chosen = [s for c in range(3) for s in draw.sample([s for s in test if s.target == c], IMAGES // 3)]
    opened = [prepared for sample in chosen if not (prepared := model.prepare(sample.path)).abstained]
    verdicts = model.classify(opened)
    found = {}
    for layer in LAYERS:
        for method in METHODS:
            checks = []
            for prepared, verdict in zip(opened, verdicts, strict=True):
                maps = model.explain_with(prepared, method, layer)
                checks.append(check_map(model, prepared.x, verdict, maps[CLASSES.index(verdict.label)]))
            found[f"{method}, {layer}"] = {
                "passed": round(float(np.mean([check.passed for check in checks])), 3),
                "bright, points": round(float(np.mean([100 * check.most for check in checks])), 1),
                "random, points": round(float(np.mean([100 * np.mean(check.random) for check in checks])), 1),
            }
            print(layer, method, found[f"{method}, {layer}"], flush=True)
    return {"n": len(opened), "maps": found}


def as_table(found: dict) -> str:
    """What docs/steadiness.md shows."""
    rows = [
        "| method, layer | passed | the brightest fifth hidden, points | a random fifth, points |",
        "|---|---|---|---|",
    ]
    for name, row in found["maps"].items():
        rows.append(f"| {name} | {row['passed']:.0%} | {row['bright, points']:.1f} | {row['random, points']:.1f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    report(measure)
