"""Overlays as PNG files, which say of themselves what they are."""

import errno
import os
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from detector import CLASSES
from detector.explain import KINDS, Maps, overlay

_TEXT = ("Software", "AI image detector: overlay")  # PNG's own keyword for the program that wrote a file
_MARK = b"tEXt" + b"\0".join(text.encode("latin-1") for text in _TEXT)
_HEAD = 128  # bytes; Pillow writes this chunk right behind the header


def is_overlay(path: Path) -> bool:
    """Whether a file is an overlay that `write_overlays` wrote."""
    try:
        if not path.is_file():  # a pipe would wait for ever
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:  # whoever opens it to read it will say so
        return False
    return head.startswith(b"\x89PNG") and _MARK in head


def write_overlays(place: Path, image: Image.Image, maps: Maps) -> None:
    """PLACE.CLASS.KIND.png for each class and kind of map: six. Raises OSError."""
    for index, name in enumerate(CLASSES):
        for kind in KINDS:
            _write(place.with_name(f"{place.name}.{name}.{kind}.png"), overlay(image, maps, index, kind))


def write_overlays_of(place: Path, image: Image.Image, maps: np.ndarray, method: str, layer: str) -> None:
    """PLACE.CLASS.METHOD.LAYER.png for each class, of maps (3, h, w) of `explain_with`. Raises OSError."""
    kind = "evidence" if (maps < 0).any() else "cam"
    for index, name in enumerate(CLASSES):
        _write(place.with_name(f"{place.name}.{name}.{method}.{layer}.png"), overlay(image, maps, index, kind))


def _write(path: Path, image: Image.Image) -> None:
    """Whole or not at all, and over nothing but an older overlay."""
    if os.path.lexists(path) and not is_overlay(path):
        raise FileExistsError(errno.EEXIST, "it exists and is no overlay of this program; give another folder", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    info = PngInfo()
    info.add_text(*_TEXT)
    part = path.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        image.save(part, "PNG", pnginfo=info, icc_profile=None)  # sRGB by now; a profile would stand before the mark
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
