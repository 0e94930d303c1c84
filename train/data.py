"""Folders of class folders -> batches."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from detector import CLASSES
from detector.images import find_images, open_image


class DataError(ValueError):
    """A data folder that cannot be trained on. Its text is one sentence for people."""


class ImageFolder(Dataset):
    """`root/<class>/*` -> (x, target); targets follow `detector.CLASSES`, never the order of folders."""

    def __init__(self, root: Path, transform: Callable, fixed: bool = False):
        self.transform = transform
        self.fixed = fixed  # each image gets the same random draw every time
        self.samples = []
        for target, name in enumerate(CLASSES):
            files = find_images(root / name) if (root / name).is_dir() else []
            if not files:
                raise DataError(f"{root / name} holds no images; each split needs the folders {', '.join(CLASSES)}.")
            self.samples += [(path, target) for path in files]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, target = self.samples[index]
        if self.fixed:
            random.seed(index)
        return self.transform(open_image(path)), target


def make_loader(dataset: Dataset, batch_size: int, shuffle: bool, seed: int = 0) -> DataLoader:
    """Batches of `dataset`; a shuffled loader drops the last, small batch, whose batch statistics would be noise."""
    return DataLoader(
        dataset,
        batch_size,
        shuffle=shuffle,
        drop_last=shuffle and len(dataset) > batch_size,
        num_workers=min(8, os.cpu_count() or 1),
        generator=torch.Generator().manual_seed(seed),
    )


def phase_epochs(
    root: Path, transforms: Callable, phases: tuple[tuple[int, int], ...], batch_size: int
) -> list[tuple[int, DataLoader]]:
    """(input size, train loader) of every epoch, in order; `phases` are (input size, epochs)."""
    epochs = []
    for seed, (size, n) in enumerate(phases):
        loader = make_loader(ImageFolder(root, transforms(size)), batch_size, shuffle=True, seed=seed)
        epochs += [(size, loader)] * n
    return epochs
