"""Bytes or path -> RGB image, or one clear sentence. Every limit on input lives here."""

import functools
import io
import logging
import stat
from pathlib import Path

from PIL import Image, ImageOps

log = logging.getLogger(__name__)

try:  # HEIC, where the plug-in is installed
    from pillow_heif import register_heif_opener
except ImportError:
    pass
else:
    register_heif_opener()

MAX_BYTES = 20 * 2**20  # 20 MB: a camera's largest JPEGs fit
MAX_PIXELS = 50_000_000  # 150 MB decoded
MIN_SIDE = 32  # pixels; below this there is nothing to judge
MAX_SCANS = 64  # of a progressive JPEG; encoders write about 10, and each costs a pass over all pixels
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"]
)  # what a folder is searched for
_READABLE = "a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file"


class ImageError(ValueError):
    """A file that cannot be classified. Its text is one sentence for people: file, fault, remedy."""


def open_image(
    source: str | Path | bytes | Image.Image,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    enough: int | None = None,
) -> Image.Image:
    """The picture as a person sees it: first frame, upright, RGB, transparency over white.

    Raises ImageError, before anything is decoded if the header already tells. `name` is what errors call the file. A
    JPEG whose sides all have 2, 4 or 8 times `enough` pixels is decoded at a half, a quarter or an eighth of its size.
    """
    name = name or (Path(source).name if isinstance(source, str | Path) else "This image")
    if isinstance(source, Image.Image):
        return _decode(source, name, max_pixels, enough)
    data = source if isinstance(source, bytes) else _read(Path(source), name, max_bytes)
    _check_bytes(len(data), name, max_bytes)
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, max_pixels) from error
    except Exception as error:  # hostile bytes can raise anything in a decoder; the cause is kept
        raise ImageError(f"{name} {_fault(data)}") from error
    with image:
        # In a JPEG's data FF is always escaped, so these two bytes are its scans: a small file could ask for millions.
        if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAX_SCANS:
            raise ImageError(f"{name} is built to take very long to open; save it anew as a plain JPEG.")
        return _decode(image, name, max_pixels, enough)


@functools.cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]  # Pillow refuses a name that it was built without


def _read(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe or device could block for ever
            raise ImageError(f"{name} is not a file; give an image, or a folder that holds some.")
        _check_bytes(found.st_size, name, max_bytes)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist; check the path.") from error
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror or error}); check its permissions.") from error


def _check_bytes(size: int, name: str, max_bytes: int) -> None:
    if size == 0:
        raise ImageError(f"{name} is empty (0 bytes); save or download it again.")
    if size > max_bytes:
        raise ImageError(
            f"{name} has {size / 2**20:.0f} MB and the limit is {max_bytes / 2**20:.0f} MB; "
            "save it smaller or as a JPEG and try again."
        )


def _too_many_pixels(name: str, max_pixels: int, size: tuple[int, int] | None = None) -> ImageError:
    found = f"{size[0]:,} x {size[1]:,} pixels" if size else "far too many pixels"
    return ImageError(
        f"{name} has {found} and the limit is {max_pixels / 1e6:.0f} megapixels; scale it down and try again."
    )


def _fault(data: bytes) -> str:
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "is an SVG drawing, which has no pixels to judge; export it as PNG and try again."
    if head.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not an image; save the picture itself and try again."
    if data[4:8] == b"ftyp" and data[8:11] in (b"hei", b"hev", b"mif", b"msf"):
        return "is a HEIC photo, which needs the pillow-heif package; install it, or export the photo as JPEG."
    return f"is not an image that can be read; give {_READABLE}."


def _decode(image: Image.Image, name: str, max_pixels: int, enough: int | None) -> Image.Image:
    width, height = image.size
    if width * height > max_pixels:
        raise _too_many_pixels(name, max_pixels, image.size)
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels, too small to judge; "
            f"use a version with at least {MIN_SIDE} pixels on each side."
        )
    try:
        if getattr(image, "is_animated", False):
            image.seek(0)
        if enough:
            image.draft(None, (enough, enough))  # JPEG's own scaling; other formats ignore it
        image.load()
        return _to_rgb(_upright(image, name))
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error
    except Exception as error:  # as above: broken pixels can raise anything
        raise ImageError(f"{name} is damaged or incomplete; save or download it again.") from error


def _upright(image: Image.Image, name: str) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # noqa: BLE001 - hostile bytes again; the pixels are sound
        log.info("%s: its EXIF cannot be read (%r), so it is taken as upright.", name, error)
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        image = _to_8_bit(image)
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")  # a copy may have 200 MB
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, 32 bits or floats -> 8 bits, scaled by the full range that its values lie in."""
    # TIFF: floats in [0, 1], or integers of 8 or 16 bits stored wider.
    ranges = (65535,) if image.mode.startswith("I;16") else (1, 255, 65535)
    image = image.convert("F")
    low, high = image.getextrema()
    full = next((full for full in ranges if high <= full), None)
    if full is None or not low >= 0:
        raise ImageError("has pixel values that are not those of a picture; export it as 8-bit PNG and try again.")
    return image.point(lambda value: value * (255 / full) + 0).convert("L")
