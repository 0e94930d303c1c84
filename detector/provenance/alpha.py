"""Text in the lowest bit of an alpha channel, which is where NovelAI repeats what it writes into a PNG's texts.

Format: github.com/NovelAI/novelai-image-metadata; the bits run down the columns: a signature, the length in bits
(32 bits, big-endian), the text, deflated by gzip if the signature says so.
"""

import json
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from detector.provenance.text import MAX_TEXT, Field, inflated

_SIGNATURES = {b"stealth_pngcomp": True, b"stealth_pnginfo": False}  # -> deflated
_HEAD = 15 + 4  # bytes
MAX_PIXELS = 4_000_000  # NovelAI's pictures have up to 3 million


def hidden_in(image: Image.Image) -> Iterator[Field]:
    """The texts in an image's alpha channel, if there are any. Decodes the image."""
    # Of JPEG and the like nothing would be left, and a larger picture would take long.
    if image.mode != "RGBA" or image.format not in ("PNG", "WEBP") or image.width * image.height > MAX_PIXELS:
        return
    alpha = np.asarray(image.getchannel("A"))  # (H, W)
    columns = -(-8 * _HEAD // alpha.shape[0])
    head = _bytes(alpha[:, :columns], 0, _HEAD)
    if (packed := _SIGNATURES.get(head[:15])) is None:
        return
    length = min(int.from_bytes(head[15:], "big") // 8, MAX_TEXT)
    body = _bytes(alpha, _HEAD, length)
    text = (inflated(body, zlib.MAX_WBITS | 16) if packed else body).decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    for key, value in (found if isinstance(found, dict) else {"parameters": text}).items():
        yield Field("alpha channel", key, value if isinstance(value, str) else json.dumps(value))


def _bytes(alpha: np.ndarray, start: int, n: int) -> bytes:
    """`n` bytes from byte `start` on, of the lowest bits down the columns."""
    height = alpha.shape[0]
    first, last = 8 * start // height, -(-8 * (start + n) // height)
    bits = (alpha[:, first:last] & 1).T.ravel()[8 * start - first * height :][: 8 * n]
    return np.packbits(bits).tobytes()
