"""Bytes or path -> RGB image, or one clear sentence. Every limit on input lives here."""

import functools
import io
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from detector.colour import to_srgb
from detector.containers import Picture, is_tiff, picture_of, png_rows
from detector.levels import LevelError, open_tiff, to_8_bit

log = logging.getLogger(__name__)

try:  # HEIC, where the plug-in is installed
    from pillow_heif import register_heif_opener
except ImportError:
    pass
else:
    register_heif_opener()

MAX_BYTES = 20 * 2**20  # of the picture itself: a camera's largest JPEGs fit
MAX_FILE = 64 * 2**20  # bytes of a whole file: a phone's picture may be followed by its video
MAX_PIXELS = 50_000_000  # 150 MB decoded
MIN_SIDE = 32  # pixels; below this there is nothing to judge
MAX_SCANS = 64  # of a progressive JPEG; encoders write about 10, and each costs a pass over all pixels
MAX_PAGES = 16  # of a TIFF that are looked at for the picture itself
ENOUGH_ROWS = 0.5  # of a JPEG or PNG that breaks off: what a browser draws is judged if that share of it is there
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"]
)  # what a folder is searched for
DAMAGED = "is damaged or incomplete; save or download it again."
_READABLE = "a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file"


class ImageError(ValueError):
    """A file that cannot be classified. Its text is one sentence for people: file, fault, remedy."""


def open_image(
    source: str | Path | bytes | Image.Image, name: str | None = None, enough: int | None = None
) -> Image.Image:
    """The picture as a person sees it: first frame, upright, sRGB, transparency over white.

    Raises ImageError, before anything is decoded if the header already tells. `name` is what errors call the file. A
    JPEG whose sides all have 2, 4 or 8 times `enough` pixels is decoded at a half, a quarter or an eighth of its size.
    A PIL image is taken as it stands, and left so. `info["transparent"]` is set where nothing at all is to be seen.
    """
    name = name or (Path(source).name if isinstance(source, str | Path) else "This image")
    if isinstance(source, Image.Image):
        _check_size(source.size, name)
        return _finish(lambda: source, name)
    data = source if isinstance(source, bytes) else read_file(Path(source), name)
    _check_bytes(len(data), name, MAX_FILE)
    picture = picture_of(data)
    _check_bytes(len(picture.data), name, MAX_BYTES)
    if picture.scans > MAX_SCANS:
        raise ImageError(f"{name} is built to take very long to open; save it anew as a plain JPEG.")
    try:
        image = identify(picture.data, name)
    except ImageError:
        if is_tiff(data):  # of a kind that Pillow does not know
            return _unknown_tiff(data, name)
        raise
    with image:
        if image.format == "TIFF" and image.tag_v2.get(284) == 2 and max(image.tag_v2.get(258, (8,))) > 8:
            return _unknown_tiff(data, name)  # 16 bits in a plane for each colour, which Pillow mixes up
        return _decode(image, picture, name, enough)


def identify(data: bytes, name: str) -> Image.Image:
    """The image with its metadata, opened but not decoded. Raises ImageError."""
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name) from error
    except Exception as error:  # hostile bytes can raise anything in a decoder; the cause is kept
        raise ImageError(f"{name} {_fault(data)}") from error


@functools.cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]  # Pillow refuses a name that it was built without


def read_file(path: Path, name: str) -> bytes:
    """A file's bytes, within the limit. Raises ImageError."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe or device could block for ever
            raise ImageError(f"{name} is not a file; give an image, or a folder that holds some.")
        _check_bytes(found.st_size, name, MAX_FILE)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist; check the path.") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be read ({reason}); check its name and permissions.") from error


def _check_bytes(size: int, name: str, most: int) -> None:
    if size == 0:
        raise ImageError(f"{name} is empty (0 bytes); save or download it again.")
    if size > most:
        raise ImageError(
            f"{name} has {size / 2**20:.0f} MB and the limit is {most / 2**20:.0f} MB; "
            "save it smaller or as a JPEG and try again."
        )


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name, size)
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels, too small to judge; "
            f"use a version with at least {MIN_SIDE} pixels on each side."
        )


def _too_many_pixels(name: str, size: tuple[int, int] | None = None) -> ImageError:
    found = f"{size[0]:,} x {size[1]:,} pixels" if size else "far too many pixels"
    return ImageError(
        f"{name} has {found} and the limit is {MAX_PIXELS / 1e6:.0f} megapixels; scale it down and try again."
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


def _decode(image: Image.Image, picture: Picture, name: str, enough: int | None) -> Image.Image:
    def load() -> Image.Image:
        if enough:
            image.draft(None, (enough, enough))  # JPEG's own scaling; other formats ignore it
        if picture.whole:
            image.load()
            return image
        return _rows_that_came(image, picture, name)

    try:
        if image.format == "TIFF":
            image.seek(_main_page(image))
        elif getattr(image, "is_animated", False):
            image.seek(0)
    except Exception as error:  # as above: a broken header can raise anything
        raise ImageError(f"{name} {DAMAGED}") from error
    _check_size(image.size, name)
    return _finish(load, name)


def _unknown_tiff(data: bytes, name: str) -> Image.Image:
    try:
        size, load = open_tiff(data)
    except Exception as error:  # as above
        raise ImageError(f"{name} {_fault(data)}") from error
    _check_size(size, name)
    return _finish(load, name)


def _finish(load: Callable[[], Image.Image], name: str) -> Image.Image:
    try:
        return _to_rgb(_upright(_plain(load()), name))
    except (ImageError, LevelError) as error:
        raise ImageError(f"{name} {error}") from error
    except Exception as error:  # as above: broken pixels can raise anything
        raise ImageError(f"{name} {DAMAGED}") from error


def _rows_that_came(image: Image.Image, picture: Picture, name: str) -> Image.Image:
    """A JPEG or PNG that breaks off, without its lower rows that never came."""
    if image.format == "PNG":
        rows = png_rows(picture.data)
        try:
            image.load()
        except OSError:
            image.tile = []  # the rows that came are in place
    else:
        image.load()
        # The decoder leaves in plain middle grey what never came.
        came = np.flatnonzero((np.asarray(image.convert("RGB")) != 128).any((1, 2)))
        rows = int(came[-1]) + 1 if len(came) else 0
    if rows < max(ENOUGH_ROWS * image.height, MIN_SIDE):
        raise ImageError(DAMAGED)
    if rows < image.height:
        log.warning("%s breaks off; the upper %d of its %d rows are judged.", name, rows, image.height)
    return image.crop((0, 0, image.width, rows))


def _main_page(image: Image.Image) -> int:
    """The page of a TIFF that is the picture: the first, unless that is only a small copy of another (TIFF 6.0)."""
    shapes = []
    for page in range(min(image.n_frames, MAX_PAGES)):
        image.seek(page)
        reduced = image.tag_v2.get(254, 0) & 1 or image.tag_v2.get(255) == 2  # NewSubfileType, SubfileType
        shapes.append((bool(reduced), image.width, image.height))
    reduced, width, height = shapes[0]
    for page, (small, w, h) in enumerate(shapes):
        alike = abs(w * height - h * width) < 0.05 * w * height
        if not small and (reduced or (alike and w * h > 4 * width * height)):
            return page
    return 0


def _plain(image: Image.Image) -> Image.Image:
    """The image with 8 bits a channel, and without what its format only seems to say."""
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        white_is_zero = image.format == "TIFF" and image.tag_v2.get(262) == 0
        return to_8_bit(image, white_is_zero)
    # BMP's fourth byte is often left at zero by programs that know no transparency.
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema()[1] == 0:
        return image.convert("RGB")
    return image


def _upright(image: Image.Image, name: str) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # noqa: BLE001 - hostile bytes again; the pixels are sound
        log.info("%s: its EXIF cannot be read (%r), so it is taken as upright.", name, error)
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")  # a copy may have 200 MB
        alpha = image.getchannel("A")
        white = Image.new("RGB", image.size, "white")
        white.paste(to_srgb(image.convert("RGB"), profile), mask=alpha)
        white.info["transparent"] = alpha.getextrema()[1] == 0
        return white
    return to_srgb(image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB"), profile)
