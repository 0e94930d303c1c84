"""What was named -> the files to judge; a folder -> the images below it. Nothing is left out without its reason."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from detector.archive import is_zip, open_zip
from detector.images import SUFFIXES, ImageError
from detector.output.maps import is_overlay

log = logging.getLogger(__name__)

OVERLAYS = "%s: %s overlays of this program are left out."


@dataclass(frozen=True)
class Found:
    """What a search of a folder came upon."""

    images: list[Path]  # files with an image's suffix, in order; whether they can be read shows when they are opened
    left_out: dict[Path, str]  # what may hold images and is not searched -> why, in one sentence
    overlays: int  # files that this project wrote itself; judged, they would be taken for pictures
    others: int  # files with another suffix, left alone


def search(folder: Path) -> Found:
    """Everything below a folder, each folder once: links are followed, after all that needs none."""
    images, left_out, hidden = [], {}, Counter()
    overlays = others = 0
    seen = set()  # folders, as the disk numbers them
    folders, links = [(folder, None)], []  # to search, with the hidden folder that they lie in
    while folders or links:
        place, inside = folders.pop() if folders else links.pop(0)
        try:
            found = place.stat()
            if (found.st_dev, found.st_ino) in seen:
                left_out[place] = f"{place} is a link to a folder that is searched already; nothing of it is missing."
                continue
            seen.add((found.st_dev, found.st_ino))
            with os.scandir(place) as listing:
                names = sorted(entry.name for entry in listing)
        except OSError as error:
            left_out[place] = f"{place} cannot be searched ({error.strerror}); check its permissions."
            continue
        for path in (place / name for name in names):
            is_hidden, is_image = path.name.startswith("."), path.suffix.lower() in SUFFIXES
            if os.path.isdir(path):  # noqa: PTH112 - pathlib's raises for some links
                (links if path.is_symlink() else folders).append((path, inside or (path if is_hidden else None)))
            elif path.is_symlink() and not os.path.exists(path) and (is_image or not is_hidden):  # noqa: PTH110
                left_out[path] = f"{path} is a link that leads nowhere; mend or remove it."
            elif not is_image:
                others += 1
            elif is_overlay(path):
                overlays += 1
            elif inside:
                hidden[inside] += 1
            elif is_hidden:
                left_out[path] = f"{path} is hidden, as its name begins with a dot; name it to have it judged."
            else:
                images.append(path)
    for path, n in hidden.items():
        left_out[path] = f"{path} is a hidden folder with {n:,} images; name it to have them judged."
    return Found(sorted(images), left_out, overlays, others)


def find_images(folder: Path) -> list[Path]:
    """The images below a folder, in order; what is left out is logged."""
    found = search(folder)
    for reason in found.left_out.values():
        log.warning("%s", reason)
    if found.overlays:
        log.warning(OVERLAYS, folder, f"{found.overlays:,}")
    return found.images


class Input(NamedTuple):
    """One file to judge."""

    name: str  # as it is called in what is written
    place: Path  # below DIR of --maps
    error: str = ""  # why it is not even opened
    read: Callable[[], bytes] | None = None  # of one in a zip: its bytes, or an ImageError


def inputs(paths: Iterable[str]) -> Iterator[Input]:
    """The images in a folder or a zip, or what was named, even if it is none, and what is left out with the reason."""
    taken = set()
    for name, place, error, read in (file for path in paths for file in _below(path)):
        n, unique = 2, place
        while str(unique).casefold() in taken:  # a/cat.png and b/cat.png were both named
            unique, n = place.with_name(f"{place.name}.{n}"), n + 1
        taken.add(str(unique).casefold())
        yield Input(name, unique, error, read)


def _below(name: str) -> Iterator[Input]:
    path = Path(name)
    if not name:
        yield Input(name, path, "An empty name was given; is a variable unset?")
    elif is_zip(name) and os.path.isfile(path):  # noqa: PTH113 - pathlib's raises for names too long
        yield from _in_zip(path)
    elif not os.path.isdir(path):  # noqa: PTH112 - as above
        overlay = f"{path.name} is an overlay that this command wrote; give the picture that it shows."
        yield Input(str(path), Path(path.name), overlay if is_overlay(path) else "")
    else:
        found = search(path)
        if not found.images and not found.left_out:
            others = f"{found.overlays:,} overlays and {found.others:,} other files"
            yield Input(str(path), Path(path.name), f"{path} holds no images ({others}).")
        elif found.overlays:
            log.warning(OVERLAYS, path, f"{found.overlays:,}")
        for file in sorted([*found.images, *found.left_out]):
            yield Input(str(file), file.relative_to(path), found.left_out.get(file, ""))


def _in_zip(path: Path) -> Iterator[Input]:
    try:
        found = open_zip(path)
    except ImageError as error:
        yield Input(str(path), Path(path.name), str(error))
        return
    if not found.pictures and not found.left_out:
        yield Input(str(path), Path(path.name), f"{path} holds no images ({found.others:,} other files).")
    for name in sorted([*found.pictures, *found.left_out]):
        place = Path(path.stem) / PurePosixPath(name) if name in found.pictures else Path(path.stem)
        yield Input(f"{path}/{name}", place, found.left_out.get(name, ""), partial(found.read, name))
