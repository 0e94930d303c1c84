"""What comes after the answer, for a picture of 1024 x 1024 pixels: origin, steadiness, map check, neighbours.

python -m benchmarks closer
"""

import detector
from benchmarks.common import ROOT, examples, in_turns, jpeg, report, table
from detector import provenance
from detector.mapcheck import check_map
from detector.nearest import Index, Known
from detector.stress import SIDE, steadiness

ROUNDS = 15


def measure() -> dict:
    data = jpeg(1024, 1024)
    model = detector.load("bundled")
    index = Index(model, [Known(ROOT / "examples" / name, "human") for name in examples()])
    prepared = model.prepare(data, SIDE)
    (verdict,) = model.classify([prepared])
    contestants = {
        "the answer": lambda: model.classify([model.prepare(data)]),
        "what the file says": lambda: provenance.read(data),
        "does it hold": lambda: steadiness(model, prepared.image, verdict),
        "does the map matter": lambda: check_map(model, prepared.x, verdict),
        "what looks alike": lambda: index.nearest(prepared.x),
    }
    found = in_turns(contestants, ROUNDS)
    table("1024 x 1024", found)
    after = sum(row["median"] for name, row in found.items() if name != "the answer")
    return {"seconds": found, "all of it after the answer, s": round(after, 3)}


if __name__ == "__main__":
    report(measure)
