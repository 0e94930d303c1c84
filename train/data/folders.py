"""Folders of class folders -> samples."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector import CLASSES
from detector.files import find_images

SPLITS = ("train", "val", "test")
SEED = 0  # of everything that is drawn: a run is the same again
# What is left of a folder's name without capitals, blanks and marks -> our class.
ALIASES = {
    "dalle": ("dalle", "dalle1", "dalle2", "dalle3", "dalleimages", "openaidalle"),
    "human": ("human", "humans", "humanmade", "humanart", "humangenerated", "hg", "real", "realimages", "nature"),
    "other_ai": (
        "otherai",
        "otherais",
        "ai",
        "aigenerated",
        "aiart",
        "aiimages",
        "oai",
        "fake",
        "generated",
        "synthetic",
    ),
}
_CLASS_OF = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
ACCEPTED = "; ".join(f"{name} ({', '.join(aliases)})" for name, aliases in ALIASES.items())
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


def class_of(folder: str) -> str | None:
    """The class that a folder's name stands for ("DALL-E 3", "Human", "OtherAI"), or None."""
    return _CLASS_OF.get(re.sub(r"[^a-z0-9]", "", folder.casefold()))


def read_splits(root: Path) -> dict[str, list[Sample]]:
    """split -> samples of a folder `train/val/test/<class>/`, or {"": samples} of a folder `<class>/`.

    Class folders go by any name that ALIASES lists. `index.csv` beside them, if there, tells more: its columns
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
    from sklearn.model_selection import GroupShuffleSplit  # takes two seconds to import

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
