"""Give DenseNet121 some of what CLIP knows, without labels: any pictures will do.

    python -m experiments.bundled.distill DATA --teacher runs/clip.safetensors --init PATH --out runs/distilled
    python -m train DATA --init runs/distilled [--teacher runs/clip.safetensors]

CLIP looks at every image once, clean and whole; DenseNet121 learns to predict what it saw from degraded views
(train/fitting/teacher.py).
"""

import argparse
import sys
from pathlib import Path

import torch

from detector.checkpoint import CheckpointError, Config, save_checkpoint
from detector.transforms import train_transforms
from train.data.folders import DataError, read_splits
from train.data.loader import Batches, Images, image_loader
from train.fitting.start import initial_model
from train.fitting.steps import Diverged, Precision, train_one_epoch
from train.fitting.teacher import Distiller, find_teacher, look_at
from train.machine import keep_memory, say

PHASES = ((96, 3), (128, 8))  # (input size in pixels, epochs): as long as fits an hour on 2 cores
LR = 1.5e-3  # peak of one cycle, AdamW
BATCH_SIZE = 32


def distill(data: Path, teacher: str, init: str, out: Path) -> None:
    """A DenseNet121 that learned from `teacher`; the checkpoint in `out` is written after every epoch."""
    precision = Precision.best()
    splits = read_splits(data)
    samples = splits.get("train") or splits[""]  # labels are not used, so a folder that is not split will do
    model, _ = initial_model(init)
    distiller = Distiller(model, look_at(samples, find_teacher(teacher), precision))
    distiller.to(precision.device, memory_format=torch.channels_last)

    def objective(x: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        _, hint_loss = distiller(x, index)
        return hint_loss, torch.zeros(len(x), dtype=torch.bool)

    optimizer = torch.optim.AdamW(distiller.parameters(), LR, weight_decay=0.05)
    sizes = [size for size, n in PHASES for _ in range(n)]
    steps = Batches(len(samples), BATCH_SIZE, 1).n_steps * len(sizes)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, pct_start=0.15)
    for epoch, size in enumerate(sizes, 1):
        distiller.train()
        title = f"distill, epoch {epoch}/{len(sizes)}, {size} px"
        batches = Batches(len(samples), BATCH_SIZE, epoch)
        loader = image_loader(Images(samples, train_transforms(size), epoch), batches, precision.device)
        sums = train_one_epoch(objective, loader, optimizer, scheduler, precision, title)
        print(f"{title}: hint loss {sums.loss / sums.n:.3f}", flush=True)
        config = Config(recipe={"name": "distill", "hint_loss": sums.loss / sums.n})
        save_checkpoint(out, distiller.model, config)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m experiments.bundled.distill", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with train/<class>/ (the classes are not used)")
    parser.add_argument("--teacher", required=True, help="CLIP ViT-B/16: a file or a repository of the Hub")
    parser.add_argument("--init", default="imagenet", help="imagenet (default), scratch, or a checkpoint's path")
    parser.add_argument("--out", type=Path, default=Path("runs/distilled"), help="checkpoint folder (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        say(keep_memory())
        distill(options.data, options.teacher, options.init, options.out)
    except (DataError, CheckpointError, Diverged, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
