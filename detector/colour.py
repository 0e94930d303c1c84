"""Colours as a person sees them: whatever space a file's profile names, as sRGB."""

import functools
import io
import logging

import numpy as np
from PIL import Image, ImageCms

log = logging.getLogger(__name__)

MAX_PROFILE = 8 * 2**20  # bytes; those of printing presses, the largest there are, have up to 3 MB
SAME = 2  # of 255: a profile whose colours are that near to sRGB's is taken for sRGB


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An image of mode L, RGB, CMYK or LAB, whose colours `profile` (ICC.1) tells -> RGB. Without one: sRGB's own."""
    transform = _transform(profile, image.mode) if profile else None
    if transform is None and image.mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return ImageCms.applyTransform(image, transform) if transform else image.convert("RGB")


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What turns `profile`'s colours into sRGB's; None where that changes nothing or the profile is broken."""
    try:
        if len(profile) > MAX_PROFILE:
            raise ValueError(f"it has {len(profile)} bytes")
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except Exception as error:  # noqa: BLE001 - hostile bytes; said in the log, and browsers take it for sRGB too
        log.warning("A colour profile is broken and taken as sRGB (%s).", error)
        return None
    if mode in ("L", "RGB"):
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        colours = np.stack(np.meshgrid(*[steps] * len(mode), indexing="ij"), -1).reshape(1, -1, len(mode))
        sample = Image.fromarray(colours if mode == "RGB" else colours[..., 0], mode)
        after = np.asarray(ImageCms.applyTransform(sample, transform), int)
        if np.abs(after - np.asarray(sample.convert("RGB"), int)).max() <= SAME:
            return None
    return transform
