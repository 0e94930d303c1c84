"""DATA as the user typed it -> audited splits: everything that happens before the first step."""

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from detector.checkpoint import CheckpointError
from detector.files import find_images
from detector.hub import names_repository
from detector.nearest import FREE
from train.data import audit
from train.data.folders import SPLITS, DataError, Sample, read_splits, require_classes, split_by_group
from train.data.hub import fetch_dataset
from train.data.scan import Facts, scan

GALLERY = Path(__file__).parents[2] / "examples"  # what the page shows; it lies beside the code, not in the package
LISTED = 20  # lines of a list that an error or a log shows


@dataclass(frozen=True)
class Prepared:
    """Images ready to be trained on, and what was found out about them."""

    name: str
    splits: dict[str, list[Sample]]  # train, val, test
    audit: dict  # as report.json and the card tell it


def prepare(data: str, drop_leaks: bool = False) -> Prepared:
    """Find, read and check all images of `data`, a folder or a dataset of the Hub. Raises DataError, with a list, if
    the same picture or group is in two splits; with `drop_leaks` only the later of the two keeps it."""
    root = _locate(data)
    found = read_splits(root)
    split_of = [split for split, samples in found.items() for _ in samples]
    samples = [sample for samples in found.values() for sample in samples]
    usable, facts, unreadable = _readable(samples, root)
    # What people are asked to judge themselves by is never trained on.
    shown = {k for k in audit.copies_of(gallery(), facts) if split_of[usable[k]] in ("train", "")}
    usable, facts = ([x for k, x in enumerate(found) if k not in shown] for found in (usable, facts))
    split_of, samples = [split_of[i] for i in usable], [samples[i] for i in usable]
    pairs, leaking = audit.near_duplicates(facts), {}
    groups = audit.joined_groups(samples, pairs)
    if "" in found:
        require_classes({"": samples})
        splits = split_by_group(samples, groups)
    else:
        leaking = audit.leaks(split_of, samples, pairs)
        if leaking and not drop_leaks:
            raise DataError(
                f"{len(leaking)} images are in a later split too, whose score would be memory; move or delete them, or "
                f"leave them out with --drop-leaks:\n{_shorten(list(leaking.values()))}"
            )
        splits = {
            split: [s for i, s in enumerate(samples) if split_of[i] == split and i not in leaking] for split in SPLITS
        }
    require_classes(splits)
    targets = [sample.target for sample in samples]
    return Prepared(
        Path(data).resolve().name if Path(data).exists() else data,
        splits,
        {
            "images": {split: len(found) for split, found in splits.items()},
            "split_by": "group, 80/10/10" if "" in found else "folder",
            "null": audit.zero_pixel_null(audit.file_rows(facts), targets, groups),
            # What index.csv says that the originals were, if it does: the preparation may have hidden it, or not.
            "origin_null": _origin_null(samples, groups),
            "not_in_index": sum(not sample.indexed for sample in samples) if any(s.indexed for s in samples) else 0,
            "near_duplicates": len(pairs),
            "leaks_left_out": list(leaking.values()),
            "gallery_left_out": len(shown),
            "contradictions": audit.contradictions(samples, pairs),
            "balance": audit.balance(splits),
            "unreadable": unreadable,
        },
    )


@functools.cache
def gallery() -> list[Facts]:
    """The pictures that the page shows with their truth: its gallery, where that is there, and the known ones."""
    return [found for folder in (GALLERY, FREE) if folder.is_dir() for found in facts_in(folder)]


def facts_in(folder: Path) -> list[Facts]:
    """Of the images below a folder that can be read."""
    return [found for found in scan(find_images(folder)) if not isinstance(found, str)]


def _origin_null(samples: list[Sample], groups: list[str]) -> dict | None:
    """The null on the images whose originals are known in full, if there are some of two classes."""
    known = [i for i, sample in enumerate(samples) if sample.origin and all(sample.origin)]
    targets = [samples[i].target for i in known]
    if len(set(targets)) < 2:
        return None
    found = audit.zero_pixel_null([samples[i].origin for i in known], targets, [groups[i] for i in known])
    return found | {"n": len(known)}


def read_folder(data: str) -> tuple[list[Sample], list[str]]:
    """The images that `data` is measured on, its `test` folder if it is split, and a line for each unreadable one."""
    root = _locate(data)
    found = read_splits(root)
    samples = found.get("test") or found[""]
    usable, _, unreadable = _readable(samples, root)
    return [samples[i] for i in usable], unreadable


def _locate(data: str) -> Path:
    if not os.path.exists(data) and names_repository(data):  # noqa: PTH110 - pathlib's raises for names too long
        try:
            return fetch_dataset(data)
        except CheckpointError as error:
            raise DataError(f"There is no folder {data}; as a dataset of the Hub, {error}") from error
    return Path(data)


def _readable(samples: list[Sample], root: Path) -> tuple[list[int], list[Facts], list[str]]:
    """Indices and facts of the images that can be read, and a line for each that cannot."""
    found = scan([sample.path for sample in samples])
    bad = [f"{s.path.relative_to(root)}: {f}" for s, f in zip(samples, found, strict=True) if isinstance(f, str)]
    if len(bad) == len(samples):
        raise DataError(f"None of the {len(bad)} images in {root} can be read. {found[0]}")
    usable = [i for i, f in enumerate(found) if not isinstance(f, str)]
    return usable, [found[i] for i in usable], bad


def _shorten(lines: list[str]) -> str:
    more = [f"... and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join(["  " + line for line in [*lines[:LISTED], *more]])


def unreadable_words(lines: list[str]) -> str:
    return f"{len(lines)} images cannot be read and are left out:\n{_shorten(lines)}"


def words(found: dict) -> str:
    """The audit for the log."""
    lines = [f"Images: {', '.join(f'{n:,} {split}' for split, n in found['images'].items())}."]
    if found["unreadable"]:
        lines.append(unreadable_words(found["unreadable"]))
    if found["leaks_left_out"]:
        lines.append(f"{len(found['leaks_left_out'])} images that are in a later split too are left out.")
    if found["gallery_left_out"]:
        lines.append(f"{found['gallery_left_out']} images that the page's gallery shows are left out of training.")
    if found["not_in_index"]:
        lines.append(f"index.csv has no row for {found['not_in_index']} of them.")
    for what, null in (("the files", found["null"]), ("their originals (index.csv)", found["origin_null"])):
        if null and null["balanced_accuracy"] is not None:
            score = f"Zero-pixel null on {what}: balanced accuracy {null['balanced_accuracy']:.2f} without looking."
            lines.append(_red(f"{score} WARNING: {NULL_WARNING}") if null["fires"] else score)
    if found["contradictions"]:
        lines += ["The same picture stands in two classes:", _shorten(found["contradictions"])]
    return "\n".join(lines)


def _red(text: str) -> str:
    return f"\033[31m{text}\033[0m" if sys.stdout.isatty() else text


NULL_WARNING = (
    f"above {audit.NULL_LIMIT:.2f} the class is in how the files were collected, not only in what they show; "
    "a detector's score on them proves little."
)
