"""Do answers that hold come true more often? Band, and deliveries in which the side is the same, against being right.

python -m benchmarks steady --images DATA        # DATA: a folder of train, val, test (../shared/data by default)

The rule of detector.stress is chosen on validation; test is for the record. The pictures are small (256 pixels), so
that "quarter size" is harder on them than on what people drop.
"""

import math
from collections.abc import Sequence

import detector
from benchmarks.common import images_folder, report
from detector.stress import DELIVERIES, HELD, SIDE, steadiness
from detector.threads import over_cores
from detector.verdict import BANDS
from train.data.folders import Sample, read_splits
from train.report.metrics import HUMAN

GROUPS = {"all": len(DELIVERIES), "most": math.ceil(HELD * len(DELIVERIES)), "fewer": 0}  # -> held at least


def measure() -> dict:
    model = detector.load("bundled")
    splits = read_splits(images_folder())

    def tell(samples: Sequence[Sample]) -> list[tuple[str, int, bool]]:
        """Band, deliveries held, whether the side is right."""
        found = []
        for sample in samples:
            prepared = model.prepare(sample.path, SIDE)
            (verdict,) = model.classify([prepared])
            if not verdict.abstained:
                steady = steadiness(model, prepared.image, verdict, ())
                found.append((verdict.band, steady.held, (verdict.side == "human") == (sample.target == HUMAN)))
        return found

    found = {}
    for split in ("val", "test"):
        answers = list(over_cores(tell, splits[split], 4))
        found[split] = {band: _grouped([a for a in answers if a[0] == band]) for band in BANDS}
        found[split]["any"] = _grouped(answers)
        print(split, found[split], flush=True)
    return found


def _grouped(answers: list[tuple[str, int, bool]]) -> dict[str, dict]:
    """Group -> how many answers, and the share of them that is right."""
    found, most = {}, len(DELIVERIES) + 1
    for name, least in GROUPS.items():
        right = [ok for _, held, ok in answers if least <= held < most]
        found[name], most = {"n": len(right), "right": round(sum(right) / max(1, len(right)), 3)}, least
    return found


def as_table(found: dict) -> str:
    """What docs/steadiness.md shows."""
    all_of, most = GROUPS["all"], GROUPS["most"]
    rows = [f"| answer | held in all {all_of}: right | in {most} to {all_of - 1} | in fewer |", "|---|---|---|---|"]
    for split in ("val", "test"):
        for band, groups in found[split].items():
            cells = (f"{group['right']:.0%} of {group['n']}" if group["n"] else "none" for group in groups.values())
            rows.append(f"| {split}, {band} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    report(measure)
