"""One run: recipe + data -> runs/NAME with checkpoint, figures and card."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.transforms import v2

from detector.checkpoint import CheckpointError, Config, load_checkpoint, save_checkpoint
from detector.model import DenseNet121
from detector.transforms import VARIANTS, eval_transforms
from train.card import write_card
from train.data import ImageFolder, make_loader, phase_epochs
from train.distill import Distiller, Teacher
from train.engine import Precision, predict_logits, train_one_epoch
from train.metrics import figures, fit_temperature
from train.recipes import Recipe
from train.start import initial_model

EVAL_BATCH_SIZE = 64
HINT_WEIGHT = 0.5  # of the teacher's hints beside the labels' cross-entropy


def run(recipe: Recipe, data: Path, out: Path, init: str, teacher: Path | None) -> Config:
    """Train, keep the best epoch by validation, calibrate it on degraded validation images, measure, write the card."""
    started = time.strftime("%Y-%m-%d")
    torch.manual_seed(0)
    model, start = initial_model(init)
    if recipe.views and teacher:
        raise CheckpointError(f"The recipe {recipe.name} trains on labels alone; leave --teacher out.")
    if recipe.views and start.startswith("scratch"):
        raise CheckpointError(
            f"The recipe {recipe.name} keeps the features frozen; give --init a path to trained ones."
        )
    counts = {split: len(ImageFolder(data / split, eval_transforms())) for split in ("train", "val", "test")}
    config = Config(
        version=started,
        recipe={k: v for k, v in asdict(recipe).items() if k != "transforms"}
        | {"init": start, "teacher": bool(teacher)},
        data={"name": data.resolve().name, "images": counts},
    )
    print(f"{recipe.name}: {counts}, starting from {start}", flush=True)
    precision = Precision.best()
    model.to(precision.device, memory_format=torch.channels_last)
    fit = _fit_classifier if recipe.views else _fit
    fit(recipe, data, out, model, teacher, config, precision)

    model.load_state_dict(load_checkpoint(str(out)).model.state_dict())
    temperature = fit_temperature(*_logits(model, data / "val", VARIANTS["degraded"], precision, "calibrate"))
    metrics = {
        split: {
            variant: figures(*_logits(model, data / split, degrade, precision, f"{split}, {variant}"), temperature)
            for variant, degrade in VARIANTS.items()
        }
        for split in ("val", "test")
    }
    config = replace(config, temperature=temperature, metrics=metrics)
    save_checkpoint(out, model, config)
    write_card(out, config)
    for split, variants in metrics.items():
        for variant, found in variants.items():
            ai = found["ai_vs_human"]
            print(
                f"{split:5} {variant:9} balanced accuracy {found['balanced_accuracy']:.3f}, AUROC {ai['auroc']:.3f}, "
                f"ECE {found['ece']:.3f}",
                flush=True,
            )
    return config


def _logits(model: nn.Module, root: Path, degrade, precision: Precision, title: str) -> tuple[Tensor, Tensor]:
    dataset = ImageFolder(root, v2.Compose([degrade, eval_transforms()]), fixed=True)
    return predict_logits(model, make_loader(dataset, EVAL_BATCH_SIZE, shuffle=False), precision, title)


class _Best:
    """Writes the checkpoint when validation improves, and a line of figures after every epoch."""

    def __init__(self, out: Path, config: Config):
        self.out, self.config, self.score = out, config, -1.0
        out.mkdir(parents=True, exist_ok=True)
        (out / "metrics.jsonl").unlink(missing_ok=True)

    def epoch(self, model: DenseNet121, logits: Tensor, targets: Tensor, **line: float) -> None:
        val = figures(logits, targets)
        line |= {"val_loss": nn.functional.cross_entropy(logits, targets).item(), "val": val}
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        better = val["balanced_accuracy"] > self.score
        print(
            f"epoch {line['epoch']}: loss {line['train_loss']:.3f}, val loss {line['val_loss']:.3f}, "
            f"val balanced accuracy {val['balanced_accuracy']:.3f}{' (best so far)' if better else ''}",
            flush=True,
        )
        if better:
            self.score = val["balanced_accuracy"]
            save_checkpoint(self.out, model, self.config)


def _fit(recipe: Recipe, data: Path, out: Path, model: DenseNet121, teacher, config: Config, precision: Precision):
    """All layers, AdamW, one cycle over phases of growing size."""
    distiller = Distiller(model, Teacher(teacher)).to(precision.device) if teacher else None
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def loss_of(x: Tensor, target: Tensor) -> Tensor:
        if not distiller:
            return criterion(model(x).float(), target)
        logits, hint_loss = distiller(x)
        return criterion(logits.float(), target) + HINT_WEIGHT * hint_loss

    parameters = [p for p in (distiller or model).parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, recipe.lr, weight_decay=recipe.weight_decay)
    epochs = phase_epochs(data / "train", recipe.transforms, recipe.phases, recipe.batch_size)
    steps = sum(len(loader) for _, loader in epochs)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=steps)
    best = _Best(out, config)
    for epoch, (size, loader) in enumerate(epochs, 1):
        model.train()
        loss = train_one_epoch(loss_of, loader, optimizer, scheduler, precision, f"epoch {epoch}, {size} px")
        logits, targets = _logits(model, data / "val", VARIANTS["clean"], precision, "val")
        best.epoch(model, logits, targets, epoch=epoch, size=size, train_loss=loss)


def _fit_classifier(
    recipe: Recipe, data: Path, out: Path, model: DenseNet121, teacher, config: Config, precision: Precision
):
    """Only the classifier, Adam with a constant rate. The backbone runs once for each view, not once an epoch."""
    ((size, epochs),) = recipe.phases
    views = ImageFolder(data / "train", recipe.transforms(size))
    view_loader = make_loader(views, EVAL_BATCH_SIZE, shuffle=False)
    backbone = nn.Sequential(model.features, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())  # -> (N, 1024)
    cached = [
        TensorDataset(*predict_logits(backbone, view_loader, precision, f"features of view {view + 1}/{recipe.views}"))
        for view in range(recipe.views)
    ]
    val = ImageFolder(data / "val", eval_transforms(size))
    val_features, targets = predict_logits(backbone, make_loader(val, EVAL_BATCH_SIZE, shuffle=False), precision, "val")
    classifier = model.classifier.cpu()
    optimizer = torch.optim.Adam(classifier.parameters(), recipe.lr)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    on_cpu = Precision(torch.device("cpu"), bf16=False)

    def loss_of(features: Tensor, target: Tensor) -> Tensor:
        return criterion(classifier(features), target)

    best = _Best(out, config)
    for epoch in range(1, epochs + 1):
        loader = DataLoader(cached[epoch % len(cached)], recipe.batch_size, shuffle=True)
        loss = train_one_epoch(loss_of, loader, optimizer, scheduler, on_cpu, f"epoch {epoch}/{epochs}")
        with torch.inference_mode():
            logits = classifier(val_features)
        best.epoch(model, logits, targets, epoch=epoch, size=size, train_loss=loss)
    model.to(precision.device)
