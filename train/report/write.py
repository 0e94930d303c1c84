"""What a run leaves beside its weights: report.json, pictures, and the card."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import detector
from detector import CLASSES
from detector.checkpoint import write_whole
from detector.explain import overlay
from detector.images import open_image
from detector.verdict import NAMES
from train.data.folders import Sample
from train.data.prepare import Prepared
from train.fitting.steps import targets_of
from train.report import plots
from train.report.card import write_card
from train.report.metrics import expected_calibration_error, reliability_bins

REPORT_FILE = "report.json"
# Drawn from results alone; the two others show images of the data, which `push` must not publish.
PLOTS = ("loss_over_epochs.png", "accuracy_over_epochs.png", "confusion.png", "reliability.png")
DATASET_PICTURE, SAMPLES_PICTURE = "sample_dataset.png", "model_output_samples.png"
COLUMNS = 10  # images in a row of the collage
SHOWN = 3  # right and wrong answers for each class
CELL = 224  # pixels a side, of an image in a picture


def write_report(
    out: Path, found: Prepared, history: list[dict], logits: dict[str, dict[str, Tensor]], results: dict[str, dict]
) -> None:
    """Everything into `out`, which holds the checkpoint already. `logits`: split -> variant -> (N, 3)."""
    model = detector.load(out)
    targets = targets_of(found.splits["val"])
    states = {"before": logits["val"]["degraded"], "after": logits["val"]["degraded"] / model.config.temperature}
    probs = {name: torch.softmax(z.double(), 1) for name, z in states.items()}
    errors = {name: expected_calibration_error(p, targets) for name, p in probs.items()}
    calibration = {"split": "val", "images_as": "degraded", "temperature": model.config.temperature, "ece": errors}
    report = {"audit": found.audit, "epochs": history, "calibration": calibration, "results": results}
    write_whole(out, {REPORT_FILE: (json.dumps(report, indent=1) + "\n").encode()})

    column = {key: [line[key] for line in history] for key in ("train_loss", "train_accuracy", "val_loss")}
    val_accuracy = [line["val"]["accuracy"] for line in history]
    note = "training (augmented images)"
    drawn = {
        "loss_over_epochs.png": plots.over_epochs(history, "Loss", column["train_loss"], column["val_loss"], note),
        "accuracy_over_epochs.png": plots.over_epochs(
            history, "Accuracy", column["train_accuracy"], val_accuracy, note
        ),
        "confusion.png": plots.confusion(results["test"]["confusion"], f"Test, {results['test']['n']} images"),
        "reliability.png": plots.reliability(
            {name: reliability_bins(p, targets) for name, p in probs.items()},
            errors,
            "Calibration on degraded validation images, before and after the temperature",
        ),
        DATASET_PICTURE: plots.grid(_collage(found.splits["train"]), "Sample dataset", side=1.1),
        SAMPLES_PICTURE: plots.grid(
            _answers(model, found.splits["test"], logits["test"]["clean"]),
            "Model output samples (test): surest right answers, surest wrong ones, and where each score came from",
        ),
    }
    for name, figure in drawn.items():
        figure.savefig(out / name, dpi=110)
    write_card(out, model.config, report)


def _cell(image: Image.Image) -> Image.Image:
    return image.resize((CELL, CELL), Image.BICUBIC)  # the square that the model saw


def _collage(samples: Sequence[Sample]) -> dict[str, list[tuple[Image.Image, str]]]:
    draw = random.Random(0)
    rows = {}
    for target, name in enumerate(CLASSES):
        own = [sample for sample in samples if sample.target == target]
        chosen = draw.sample(own, min(COLUMNS, len(own)))
        rows[NAMES[name]] = [(_cell(open_image(sample.path)), "") for sample in chosen]
    return rows


def _answers(
    model: "detector.Detector", samples: Sequence[Sample], logits: Tensor
) -> dict[str, list[tuple[Image.Image, str]]]:
    """For each class: images that were named rightly and wrongly, the surest first, each with its heatmap."""
    confidence, answer = torch.softmax(logits / model.config.temperature, 1).max(1)
    targets = targets_of(samples)
    rows = {}
    for target, name in enumerate(CLASSES):
        row = []
        for right in (True, False):
            own = torch.nonzero((targets == target) & ((answer == target) == right))[:, 0]
            for i in own[confidence[own].argsort(descending=True)][:SHOWN].tolist():
                image = open_image(samples[i].path)
                (verdict,) = model.predict([image])
                words = f"{'right' if right else 'WRONG'}: {NAMES[verdict.label]} {verdict.probs[verdict.label]:.0%}"
                heat = overlay(_cell(image), verdict.maps, CLASSES.index(verdict.label))
                row += [(_cell(image), words), (heat, f"Grad-CAM, {NAMES[verdict.label]}")]
        rows[NAMES[name]] = row
    return rows
