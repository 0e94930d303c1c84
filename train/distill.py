"""Give DenseNet121 some of ImageNet's knowledge where its own ImageNet weights cannot be had.

    python -m train.distill DATA --teacher mobilenet_v2_imagenet_features.safetensors --out runs/distilled
    python -m train DATA --init runs/distilled [--teacher ...]

A frozen MobileNetV2 looks at the same augmented views; DenseNet121 learns to predict its features at three depths and
their mean over the image (hints: Romero et al. 2015, arXiv:1412.6550). No labels are used. The teacher is never part
of the product.
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from detector import CLASSES
from detector.checkpoint import CheckpointError, Config, read_state_dict, save_checkpoint
from detector.model import DenseNet121
from detector.transforms import train_transforms
from train.data import Batches, DataError, Images, image_loader, read_splits
from train.engine import Diverged, Precision, train_one_epoch

PHASES = ((96, 3), (128, 8))  # (input size in pixels, epochs): as long as fits an hour on 2 cores
LR = 1.5e-3  # peak of one cycle, AdamW
BATCH_SIZE = 32
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


def distill(data: Path, teacher: Path, out: Path) -> None:
    """A DenseNet121 that learned from `teacher`, from scratch; the checkpoint in `out` is written after every epoch."""
    precision = Precision.best()
    distiller = Distiller(DenseNet121(len(CLASSES)), Teacher(teacher))
    distiller.to(precision.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW((p for p in distiller.parameters() if p.requires_grad), LR, weight_decay=0.05)
    splits = read_splits(data)
    samples = splits.get("train") or splits[""]  # labels are not used, so a folder that is not split will do
    sizes = [size for size, n in PHASES for _ in range(n)]
    steps = Batches(len(samples), BATCH_SIZE, 1).n_steps * len(sizes)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, pct_start=0.15)
    for epoch, size in enumerate(sizes, 1):
        distiller.train()
        title = f"distill, epoch {epoch}/{len(sizes)}, {size} px"
        loader = image_loader(Images(samples, train_transforms(size), epoch), Batches(len(samples), BATCH_SIZE, epoch))
        # The distiller gives logits, hint loss; the loop wants the loss first.
        sums = train_one_epoch(lambda x, _: distiller(x)[::-1], loader, optimizer, scheduler, precision, title)
        print(f"{title}: hint loss {sums.loss / sums.n:.3f}", flush=True)
        config = Config(recipe={"name": "distill", "hint_loss": sums.loss / sums.n})
        save_checkpoint(out, distiller.model, config)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m train.distill", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with train/<class>/ (the classes are not used)")
    parser.add_argument("--teacher", type=Path, required=True, help="MobileNetV2 features, .safetensors")
    parser.add_argument("--out", type=Path, default=Path("runs/distilled"), help="checkpoint folder (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        distill(options.data, options.teacher, options.out)
    except (DataError, CheckpointError, Diverged, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
