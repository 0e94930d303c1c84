"""A teacher beside the labels: a frozen MobileNetV2 whose features DenseNet121 learns to predict.

At three depths and in their mean over the image (hints: Romero et al. 2015, arXiv:1412.6550). The teacher is never part
of the product.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from detector.checkpoint import CheckpointError, read_state_dict
from detector.model import DenseNet121

TEACHER_SIZE = 224  # pixels; the teacher always sees the size it was trained at
# DenseNet121's block -> (its channels, MobileNetV2's layer, its channels): strides 8, 16 and 32.
HINTS = {"denseblock2": (512, 6, 32), "denseblock3": (1024, 13, 96), "norm5": (1024, 18, 1280)}


class Teacher(nn.Module):
    """MobileNetV2 (Sandler et al. 2018), frozen: x (N, 3, H, W) -> its features at the depths of HINTS."""

    def __init__(self, path: Path):
        super().__init__()
        self.features = mobilenet_v2(weights=None).features
        try:
            missing, unexpected = self.load_state_dict(read_state_dict(path), strict=False)
        except RuntimeError as error:
            fault = str(error).splitlines()[1].strip()
            raise CheckpointError(f"{path} is not MobileNetV2's features: {fault}") from error
        missing = [key for key in missing if not key.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise CheckpointError(f"{path} is not MobileNetV2's features: {(missing + unexpected)[0]} does not fit.")
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Teacher":
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> list[Tensor]:
        wanted = [layer for _, layer, _ in HINTS.values()]
        x = F.interpolate(x, (TEACHER_SIZE, TEACHER_SIZE), mode="bilinear", antialias=False)
        found = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in wanted:
                found.append(x)
        return found


class Distiller(nn.Module):
    """A DenseNet121, its teacher, and the 1 x 1 adapters between them (used in training only)."""

    def __init__(self, model: DenseNet121, teacher: Teacher):
        super().__init__()
        self.model, self.teacher = model, teacher
        self.adapters = nn.ModuleList(nn.Conv2d(ours, theirs, 1) for ours, _, theirs in HINTS.values())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, 3, H, W) -> logits (N, 3), hint loss (): 1 is what knowing nothing costs, 0 is the teacher itself."""
        hints = []
        features = x
        for name, block in self.model.features.named_children():
            features = block(features)
            if name in HINTS:
                hints.append(features)
        losses = []
        for adapter, ours, theirs in zip(self.adapters, hints, self.teacher(x), strict=True):
            hint = adapter(torch.relu(ours)).float()
            target = F.adaptive_avg_pool2d(theirs.float(), hint.shape[-2:])
            losses.append(_hint_loss(hint, target))
        losses.append(_hint_loss(hint.mean((2, 3)), target.mean((2, 3))))  # what a classifier would read
        return self.model.forward_head(features), torch.stack(losses).mean()


def _hint_loss(hint: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, each channel of the teacher in units of its own standard deviation over the batch."""
    dims = [0, *range(2, target.ndim)]
    std, mean = torch.std_mean(target, dims, keepdim=True)
    scale = std + 1e-3 * target.std()  # a channel that is silent in this batch must not become infinitely loud
    return F.mse_loss((hint - mean) / scale, (target - mean) / scale)
