"""Give DenseNet121 some of ImageNet's knowledge where its own ImageNet weights cannot be had.

    python -m experiments.bundled.distill DATA --teacher mobilenet_v2_imagenet_features.safetensors --out runs/distilled
    python -m train DATA --init runs/distilled [--teacher ...]

A frozen MobileNetV2 looks at the same augmented views; DenseNet121 learns to predict its features at three depths and
their mean over the image (hints: Romero et al. 2015, arXiv:1412.6550). No labels are used. The teacher is never part
of the product.
"""

import argparse
import sys
from pathlib import Path

import torch

from detector import CLASSES
from detector.checkpoint import CheckpointError, Config, save_checkpoint
from detector.model import DenseNet121
from detector.transforms import train_transforms
from train.data.folders import DataError, read_splits
from train.data.loader import Batches, Images, image_loader
from train.fitting.steps import Diverged, Precision, train_one_epoch
from train.fitting.teacher import Distiller, Teacher

PHASES = ((96, 3), (128, 8))  # (input size in pixels, epochs): as long as fits an hour on 2 cores
LR = 1.5e-3  # peak of one cycle, AdamW
BATCH_SIZE = 32


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
        batches = Batches(len(samples), BATCH_SIZE, epoch)
        loader = image_loader(Images(samples, train_transforms(size), epoch), batches, precision.device)
        # The distiller gives logits, hint loss; the loop wants the loss first.
        sums = train_one_epoch(lambda x, _: distiller(x)[::-1], loader, optimizer, scheduler, precision, title)
        print(f"{title}: hint loss {sums.loss / sums.n:.3f}", flush=True)
        config = Config(recipe={"name": "distill", "hint_loss": sums.loss / sums.n})
        save_checkpoint(out, distiller.model, config)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m experiments.bundled.distill", description=__doc__.split("\n")[0])
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
