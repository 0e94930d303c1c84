"""One text of a file's metadata, and how much of it is looked through."""

import zlib
from typing import NamedTuple

MAX_TEXT = 2**20  # characters of one text; a ComfyUI workflow has some hundred thousand
MAX_FIELDS, MAX_ALL = 500, 4 * 2**20  # texts of one file, and their characters together


class Field(NamedTuple):
    """One text of a file's metadata."""

    where: str  # "PNG text", "EXIF", "XMP", "IPTC", "comment", "alpha channel"
    key: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.where} {self.key}".strip()


class TooMuch(ValueError):
    """More text than is looked through."""


class Budget:
    """How much of a file's text is looked through: what is inflated or decoded counts, found or not."""

    def __init__(self):
        self.left, self.texts = MAX_ALL, MAX_FIELDS

    def take(self, n: int) -> None:
        self.left -= n
        self.texts -= 1
        if self.left < 0 or self.texts < 0:
            raise TooMuch


def as_text(value: bytes | str, encoding: str = "utf-8") -> str:
    if isinstance(value, bytes):
        try:
            value = value[: 4 * MAX_TEXT].decode(encoding)
        except UnicodeDecodeError:
            value = value[: 4 * MAX_TEXT].decode("latin-1")
    return value[:MAX_TEXT].strip("\0 \r\n\t")


def inflated(packed: bytes, window: int) -> bytes:
    """What was deflated, at most MAX_TEXT bytes of it; `window` as zlib wants it."""
    return zlib.decompressobj(window).decompress(packed, MAX_TEXT)
