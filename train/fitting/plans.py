"""What the two recipes optimise: the whole network, or a linear layer on cached features."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

from detector.model import DenseNet121
from detector.transforms import eval_transforms
from train.data.folders import Sample
from train.data.loader import Batches, Images, image_loader
from train.fitting.steps import Precision, predict_logits, targets_of
from train.fitting.teacher import Distiller, look_at
from train.recipes import HINT_WEIGHT, Recipe


@dataclass
class Plan:
    """One way to train `model`, for the loop in `train.fitting.loop`."""

    model: DenseNet121  # what is validated and kept
    objective: nn.Module  # (x, index) -> loss (), rightly named (N,)
    optimizer: Optimizer
    scheduler: LRScheduler
    batches: Callable[[int, int], Batches]  # (epoch from 1, first step) -> what is left of that epoch
    loader: Callable[[int, Batches], Iterable[tuple[Tensor, Tensor]]]  # (epoch, its batches) -> (x, index)
    validate: Callable[[], Tensor]  # -> logits (N, 3) of the validation images


class Objective(nn.Module):
    """(x, index) -> cross-entropy of `classify`, with a teacher's hints beside it if there is one, and which images
    are named rightly. `targets` (n,): the classes of all images."""

    def __init__(
        self, classify: nn.Module, targets: Tensor, label_smoothing: float, distiller: Distiller | None = None
    ):
        super().__init__()
        self.classify, self.targets, self.distiller = classify, targets, distiller
        self.criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        target = self.targets[index].to(x.device)
        logits, hint_loss = (self.classify(x), 0) if self.distiller is None else self.distiller(x, index)
        loss = self.criterion(logits.float(), target) + HINT_WEIGHT * hint_loss
        return loss, logits.detach().argmax(1) == target


def whole_network(
    recipe: Recipe, splits: dict[str, list[Sample]], model: DenseNet121, teacher: Path | None, precision: Precision
) -> Plan:
    """All layers, AdamW, one cycle over images of growing size."""
    distiller = Distiller(model, look_at(splits["train"], teacher, precision)) if teacher else None
    objective = Objective(model, targets_of(splits["train"]), recipe.label_smoothing, distiller)
    objective.to(precision.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        [p for p in objective.parameters() if p.requires_grad], recipe.lr, weight_decay=recipe.weight_decay
    )

    def batches(epoch: int, start: int) -> Batches:
        return Batches(len(splits["train"]), recipe.batch_size, epoch, start)

    def loader(epoch: int, left: Batches) -> Iterable[tuple[Tensor, Tensor]]:
        size = recipe.sizes[epoch - 1]
        return image_loader(Images(splits["train"], recipe.transforms(size), epoch), left, precision.device)

    steps = batches(1, 0).n_steps * len(recipe.sizes)
    scheduler = OneCycleLR(optimizer, recipe.lr, total_steps=steps)
    return Plan(
        model, objective, optimizer, scheduler, batches, loader,
        lambda: predict_logits(model, splits["val"], eval_transforms(), precision, "validation"),
    )  # fmt: skip


def frozen_features(
    recipe: Recipe, splits: dict[str, list[Sample]], model: DenseNet121, precision: Precision
) -> tuple[list[Tensor], Tensor]:
    """What the classifier is given: (N, 1024) for each view of the training images, and of the validation images. The
    backbone runs once for each view, not once an epoch."""
    model.to(precision.device, memory_format=torch.channels_last).requires_grad_(False)
    backbone = nn.Sequential(model.features, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    size = recipe.sizes[0]
    clean = eval_transforms(size)
    transforms = [clean if recipe.clean_first and not view else recipe.transforms(size) for view in range(recipe.views)]
    views = [
        predict_logits(backbone, splits["train"], transform, precision, f"view {view}/{recipe.views}", view)
        for view, transform in enumerate(transforms, 1)
    ]
    return views, predict_logits(backbone, splits["val"], clean, precision, "validation")


def classifier_only(
    recipe: Recipe, splits: dict[str, list[Sample]], model: DenseNet121, teacher: None, precision: Precision
) -> Plan:
    """Only the classifier, Adam with a constant rate."""
    targets = targets_of(splits["train"])
    seen, val = frozen_features(recipe, splits, model, precision)
    views = [TensorDataset(x, torch.arange(len(targets))) for x in seen]
    val = precision.put(val)
    classifier = model.classifier.requires_grad_(True)
    optimizer = torch.optim.Adam(classifier.parameters(), recipe.lr)

    @torch.inference_mode()
    def validate() -> Tensor:
        return classifier(val).cpu()

    return Plan(
        model, Objective(classifier, targets, recipe.label_smoothing), optimizer, ConstantLR(optimizer, factor=1.0),
        lambda epoch, start: Batches(len(targets), recipe.batch_size, epoch, start),
        lambda epoch, left: DataLoader(views[(epoch - 1) % len(views)], batch_sampler=left),
        validate,
    )  # fmt: skip
