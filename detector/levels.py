"""Pixels of 16 or 32 bits or of floats -> 8 bits, and TIFFs that hold such pixels in ways unknown to Pillow."""

import io
import logging
from collections.abc import Callable, Sequence
from operator import index

import numpy as np
from PIL import Image, ImageOps

MOST = 400 * 2**20  # bytes of pixels before they are made 8 bits
_ICC_PROFILE = 34675  # the TIFF tag


class LevelError(ValueError):
    """Pixels that are none of a picture. Its text goes on after the file's name."""

    def __init__(self):
        super().__init__("has pixel values that are not those of a picture; export it as 8-bit PNG and try again.")


def to_8_bit(image: Image.Image, inverted: bool = False) -> Image.Image:
    """Grey of 16 bits, 32 bits or floats -> 8 bits, scaled by the full range that its values lie in."""
    # TIFF: floats in [0, 1], or integers of 8 or 16 bits stored wider.
    ranges = (65535,) if image.mode.startswith("I;16") else (1, 255, 65535)
    image = image.convert("F")
    full = _full(*image.getextrema(), ranges)
    scaled = image.point(lambda value: value * (255 / full) + 0).convert("L")
    return ImageOps.invert(scaled) if inverted else scaled


def _full(low: float, high: float, ranges: Sequence[int] = (1, 255, 65535)) -> int:
    """The value that stands for full brightness where pixels lie between `low` and `high`."""
    full = next((full for full in ranges if high <= full), None)
    if full is None or not low >= 0:
        raise LevelError
    return full


def open_tiff(data: bytes) -> tuple[tuple[int, int], Callable[[], Image.Image]]:
    """Width and height of a TIFF's picture, and what decodes it, by the library `tifffile`. Raises anything."""
    from tifffile import TiffFile  # rarely needed

    # It writes a line for every broken tag, thousands for one hostile file; our own sentence is enough.
    logging.getLogger("tifffile").disabled = True

    pages = TiffFile(io.BytesIO(data)).pages
    page = next((page for page in pages if not page.is_reduced), pages[0])
    return (index(page.imagewidth), index(page.imagelength)), lambda: _decoded(page)  # a broken tag may be text


def _decoded(page) -> Image.Image:
    if page.nbytes > MOST or page.dtype.kind not in "uf":
        raise LevelError
    pixels = page.asarray().astype(np.float32)
    if page.planarconfig == 2 and page.samplesperpixel > 1:  # a plane for each colour
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, -1)[..., :4]  # (H, W, samples)
    full = 2**page.bitspersample - 1 if page.dtype.kind == "u" else _full(pixels.min(), pixels.max())
    pixels *= 255 / full
    if page.photometric == 0:  # white is zero
        pixels = 255 - pixels
    samples = pixels.shape[2]
    if samples == 4 and not page.extrasamples:
        raise LevelError  # inks of 16 bits or floats
    eight_bit = pixels.round().astype(np.uint8)
    image = Image.fromarray(eight_bit[..., 0] if samples == 1 else eight_bit)  # L, LA, RGB or RGBA
    if profile := page.tags.get(_ICC_PROFILE):
        image.info["icc_profile"] = bytes(profile.value)
    return image
