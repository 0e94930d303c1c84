"""A folder of 1,000 JPEGs to a CSV: decode, resize, forward, write.

Against the naive loop and a transformers pipeline with a ViT-B/16 of random weights, which get a tenth of the folder a
turn, and against the bare forward pass in batches, on as many images that are decoded already.
"""

import csv
import tempfile
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

IMAGES, PART, ROUNDS = 1000, 100, 3
SIZES = ((640, 480), (512, 512), (1024, 768), (800, 1200), (1024, 1024))  # pixels; what is found on the web


def measure() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "a"
        part.mkdir()
        for i in range(IMAGES):
            if i == PART:
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
    batch = torch.stack([model.prepare(file).x for file in files[:BATCH_SIZE]])

    def ours() -> None:
        with Path(devnull).open("w") as quiet, redirect_stdout(quiet):
            command([str(folder), "--model", "bundled", "--csv", str(folder / "ours.csv")])

    def naive_loop() -> None:
        with (folder / "naive.csv").open("w") as out, torch.no_grad():
            for file in files:
                x = transform(Image.open(file).convert("RGB"))[None]
                csv.writer(out).writerow([file, *network(x).softmax(1)[0].tolist()])

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(IMAGES // BATCH_SIZE):
            model.model.forward_head(model.engine.forward_features(batch))

    naive_name, vit_name = "naive loop", "transformers, ViT-B/16, batches of 8"
    bare_name, ours_name = "bare forward in batches, decoded before", "ours, files to CSV, model loaded anew"
    contestants = {
        naive_name: (naive_loop, PART),
        vit_name: (lambda: list(vit([str(file) for file in files], batch_size=8)), PART),
        bare_name: (bare, IMAGES),
        ours_name: (ours, IMAGES),
    }
    found = in_turns({name: action for name, (action, _) in contestants.items()}, ROUNDS, warm_up=1)
    for name, (_, images) in contestants.items():
        found[name] |= {key: found[name][key] / images for key in ("low", "median", "high")}
    table(f"throughput, an image, ours in {model.precision}", found)
    return {
        "precision": model.precision,
        "seconds an image": found,
        "images/s": round(1 / found[ours_name]["median"], 1),
        "share of the bare forward's rate": ratio(found, bare_name, ours_name),
        "transformers / ours": ratio(found, vit_name, ours_name),
        "naive loop / ours": ratio(found, naive_name, ours_name),
    }


if __name__ == "__main__":
    report(measure)
