"""A folder of 1,000 JPEGs to a CSV: decode, resize, forward, write.

Against the naive loop, against a transformers pipeline with a ViT-B/16 of random weights, and against the bare forward
pass in batches, on images that are decoded already. A tenth of the folder a turn; the whole folder once at the end.
"""

import csv
import tempfile
import time
from contextlib import redirect_stdout
from os import devnull
from pathlib import Path

import torch
from PIL import Image
from torchvision.models import densenet121
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, pipeline

import detector
from benchmarks.common import examples, in_turns, jpeg, ratio, report, table
from detector import CLASSES
from detector.__main__ import main as command
from detector.predict import BATCH_SIZE
from detector.transforms import eval_transforms

IMAGES, ROUNDS = 1000, 5
SIZES = ((640, 480), (512, 512), (1024, 768), (800, 1200), (1024, 1024))  # pixels; what is found on the web


def measure() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "a"
        part.mkdir()
        for i in range(IMAGES):
            if i == IMAGES // 10:
                part = Path(folder) / "b"
                part.mkdir()
            (part / f"{i:04}.jpg").write_bytes(_picture(i))
        return _measure(Path(folder))


def _picture(i: int, made: dict = {}) -> bytes:  # noqa: B006 - each is made once
    names = examples()
    key = i % len(names), i % len(SIZES)
    if key not in made:
        made[key] = jpeg(*SIZES[key[1]], names[key[0]])
    return made[key]


def _measure(folder: Path) -> dict:
    files = sorted((folder / "a").iterdir())
    model = detector.load("bundled")
    network = densenet121(num_classes=len(CLASSES)).eval()
    network.load_state_dict(model.model.state_dict())
    transform = eval_transforms()
    processor = ViTImageProcessor()
    vit = pipeline(
        "image-classification", model=ViTForImageClassification(ViTConfig(num_labels=3)), image_processor=processor
    )
    batch = torch.stack([model.transform(model.open(file)) for file in files[:BATCH_SIZE]])

    def ours(place: Path) -> None:
        with Path(devnull).open("w") as quiet, redirect_stdout(quiet):
            command([str(place), "--model", "bundled", "--csv", str(folder / "ours.csv")])

    def naive_loop() -> None:
        with (folder / "naive.csv").open("w") as out, torch.no_grad():
            for file in files:
                x = transform(Image.open(file).convert("RGB"))[None]
                csv.writer(out).writerow([file, *network(x).softmax(1)[0].tolist()])

    @torch.inference_mode()
    def bare_engine() -> None:
        for _ in range(len(files) // BATCH_SIZE):
            model.model.forward_head(model.engine.forward_features(batch))

    found = in_turns(
        {
            "naive loop": naive_loop,
            "transformers, ViT-B/16, batches of 8": lambda: list(vit([str(file) for file in files], batch_size=8)),
            "bare forward in batches, decoded before": bare_engine,
            "ours, files to CSV": lambda: ours(folder / "a"),
        },
        ROUNDS,
        warm_up=1,
    )
    share = {"bare forward in batches, decoded before": len(files) // BATCH_SIZE * BATCH_SIZE}
    for name, row in found.items():
        for key in ("low", "median", "high"):
            row[key] /= share.get(name, len(files))
    table(f"throughput, an image, ours in {model.precision}", found)
    start = time.perf_counter()
    ours(folder)
    whole = time.perf_counter() - start
    name = "ours, files to CSV"
    return {
        "precision": model.precision,
        "seconds an image": found,
        "images/s, 1,000 images, model loaded anew": round(IMAGES / whole, 1),
        "share of the bare forward's rate": ratio(found, "bare forward in batches, decoded before", name),
        "transformers / ours": ratio(found, "transformers, ViT-B/16, batches of 8", name),
        "naive loop / ours": ratio(found, "naive loop", name),
    }


if __name__ == "__main__":
    report(measure)
