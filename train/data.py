"""Folders of class folders -> samples -> batches."""

import csv
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.model_selection import GroupShuffleSplit
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from detector import CLASSES
from detector.images import ImageError, find_images, open_image
from train.labels import ACCEPTED, class_of
from train.parallel import rank, worker_count, world_size

SPLITS = ("train", "val", "test")
SEED = 0  # of everything that is drawn: a run is the same again
LAYOUT = "give a folder of train, val and test with a folder for each class in them, or a folder of class folders"


class DataError(ValueError):
    """Data that cannot be trained on. Its text is one sentence for people, sometimes with a list below."""


@dataclass(frozen=True)
class Sample:
    """One image file and what is known of it."""

    path: Path
    target: int  # index in detector.CLASSES
    group: str = ""  # images of one prompt, one session, one picture: never in two splits; "" if it stands alone
    source: str = ""  # where it was collected
    generator: str = ""
    origin: tuple[str, ...] = ()  # the orig_* columns of index.csv: what the file was before it was prepared
    indexed: bool = False  # whether index.csv has a row for it


def read_splits(root: Path) -> dict[str, list[Sample]]:
    """split -> samples of a folder `train/val/test/<class>/`, or {"": samples} of a folder `<class>/`.

    Class folders go by any name that `train.labels` lists. `index.csv` beside them, if there, tells more: its columns
    split, class and file name the image; group, source (or repo), generator and orig_* are kept. Without it the group
    is the folder below the class folder, if there is one. Raises DataError.
    """
    if not root.is_dir():
        raise DataError(f"There is no folder {root}; {LAYOUT}.")
    index = _read_index(root)
    if any((root / split).is_dir() for split in SPLITS):
        missing = [split for split in SPLITS if not (root / split).is_dir()]
        if missing:
            raise DataError(f"{root} has no folder {missing[0]}; {LAYOUT}.")
        found = {split: _read_classes(root / split, split, index) for split in SPLITS}
    else:
        found = {"": _read_classes(root, "", index)}
    if index and not any(sample.indexed for samples in found.values() for sample in samples):
        raise DataError(f"{root / 'index.csv'} names no image that is there; mend its columns, or take it away.")
    return found


def _read_index(root: Path) -> dict[tuple[str, str | None, str], dict[str, str]]:
    """(split, class, file) -> row; also under split "", for a folder that is not split."""
    path = root / "index.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes the mark that -sig takes away
            rows = list(csv.DictReader(file))
        keys = [(class_of(row["class"]), row["file"]) for row in rows]
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is no table of comma-separated values with the columns class and file ({error}); mend it or take "
            "it away."
        ) from error
    splits = {("", *key): row for key, row in zip(keys, rows, strict=True)}
    return splits | {(row.get("split") or "", *key): row for key, row in zip(keys, rows, strict=True)}


def _read_classes(folder: Path, split: str, index: dict[tuple[str, str | None, str], dict[str, str]]) -> list[Sample]:
    samples = []
    for directory in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        name = class_of(directory.name)
        if name is None:
            raise DataError(f"{directory} is not named like one of the classes; these are understood: {ACCEPTED}.")
        for path in find_images(directory):
            below = path.relative_to(directory)
            row = index.get((split, name, below.as_posix()), {})
            samples.append(
                Sample(
                    path,
                    CLASSES.index(name),
                    group=row.get("group") or (f"{name}/{below.parent.as_posix()}" if len(below.parts) > 1 else ""),
                    source=row.get("source") or row.get("repo") or "",
                    generator=row.get("generator") or "",
                    origin=tuple(value or "" for key, value in row.items() if key and key.startswith("orig_")),
                    indexed=bool(row),
                )
            )
    if not samples:
        raise DataError(f"{folder} holds no images in class folders; {LAYOUT}.")
    return samples


def require_classes(splits: dict[str, list[Sample]]) -> None:
    """Raises DataError if a split lacks a class."""
    for split, samples in splits.items():
        for target, name in enumerate(CLASSES):
            if not any(sample.target == target for sample in samples):
                raise DataError(
                    f"No images of the class {name} in {split or 'the data'}; each split needs {', '.join(CLASSES)}, "
                    f"in folders named like these: {ACCEPTED}."
                )


def split_by_group(samples: Sequence[Sample], groups: Sequence[str]) -> dict[str, list[Sample]]:
    """80 % train, 10 % val, 10 % test of each class by number of groups; no group is in two of them."""
    found: dict[str, list[Sample]] = {split: [] for split in SPLITS}
    taken: dict[str, str] = {}  # a group may hold several classes: the first decides
    for target in range(len(CLASSES)):
        own = [i for i, sample in enumerate(samples) if sample.target == target]
        names = [groups[i] for i in own]
        if len(set(names)) < 3:
            raise DataError(f"The class {CLASSES[target]} has fewer than 3 groups of images; it cannot be split.")
        n = max(1, round(0.1 * len(set(names))))
        rest, test = next(GroupShuffleSplit(1, test_size=n, random_state=SEED).split(own, groups=names))
        inner = [names[i] for i in rest]
        train, val = next(GroupShuffleSplit(1, test_size=n, random_state=SEED).split(rest, groups=inner))
        for split, chosen in (("train", rest[train]), ("val", rest[val]), ("test", test)):
            for i in chosen:
                where = taken.setdefault(names[i], split)
                found[where].append(samples[own[i]])
    return found


class Images(Dataset):
    """Samples -> (x, target). What is drawn at random for a sample depends on `epoch` and its index alone: not
    on the worker, the process, or where a run was interrupted."""

    def __init__(self, samples: Sequence[Sample], transform: Callable, epoch: int = 0):
        self.samples, self.transform, self.epoch = samples, transform, epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | DataError:
        sample = self.samples[index]
        draw = random.Random(f"{SEED}/{self.epoch}/{index}").getrandbits(63)
        random.seed(draw)
        torch.manual_seed(draw)
        try:
            return self.transform(open_image(sample.path)), sample.target
        except ImageError as error:  # it could be read when the run began
            return DataError(f"The data changed while it was in use: {error}")


class Batches(Sampler[list[int]]):
    """This process's share of every batch of an epoch: from `start`, in an order that the epoch alone decides."""

    def __init__(self, n: int, batch_size: int, epoch: int, start: int = 0):
        if batch_size % world_size() or n < world_size():
            raise DataError(
                f"{n} images in batches of {batch_size} cannot be shared by {world_size()} processes; "
                f"give --batch-size a multiple of {world_size()}."
            )
        generator = torch.Generator().manual_seed(SEED * 10_000 + epoch)
        order = torch.randperm(n, generator=generator)
        # The last, small batch is left out: its batch statistics would be noise. Processes get equal shares.
        size = min(batch_size, n - n % world_size())
        whole = [batch for batch in order.split(size) if len(batch) == size]
        self.n_steps = len(whole)
        self.batches = [batch[rank() :: world_size()].tolist() for batch in whole[start:]]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Loader(DataLoader):
    """Raises a DataError in its own words, where a DataLoader would wrap a worker's traceback in it."""

    def __iter__(self) -> Iterator:
        for batch in super().__iter__():
            if isinstance(batch, DataError):
                raise batch
            yield batch


def _collate(items: list) -> tuple[Tensor, Tensor] | DataError:
    return next((item for item in items if isinstance(item, DataError)), None) or default_collate(items)


def image_loader(dataset: Images, batches: Iterable[list[int]]) -> DataLoader:
    """Loads `batches` of `dataset` in workers."""
    return _Loader(
        dataset,
        batch_sampler=batches,
        collate_fn=_collate,
        num_workers=worker_count(),
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4,
    )
