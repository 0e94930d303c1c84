"""One pass over all files: which can be read, what they are as files, and fingerprints of what they show."""

import functools
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dctn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from detector.images import ImageError, open_image
from train.data.loader import workers

THUMBNAIL = 16  # pixels a side


@dataclass(frozen=True)
class Facts:
    """What is known of a file without looking at its picture, and three fingerprints of the picture."""

    size: int  # bytes
    format: str
    width: int  # pixels
    height: int
    quality: float  # JPEG's, 1-100, estimated; 0 for other formats
    sha256: str  # of the file
    phash: int  # 64 bits
    thumbnail: bytes  # THUMBNAIL x THUMBNAIL x RGB


def scan(paths: Sequence[Path]) -> list[Facts | str]:
    """For each file its facts, or the sentence that says why it cannot be used."""
    loader = DataLoader(_Files(paths), 16, collate_fn=list, **workers(len(paths)))
    bar = tqdm(loader, "reading the images", unit="batch", mininterval=1, leave=False, disable=None)
    return [found for batch in bar for found in batch]


class _Files(Dataset):
    def __init__(self, paths: Sequence[Path]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Facts | str:
        try:
            return facts(self.paths[index])
        except (ImageError, OSError) as error:  # the latter: it vanished between two looks
            return str(error)


def facts(path: Path) -> Facts:
    """The facts of one file. Raises ImageError."""
    image = open_image(path)  # the reader that training and the page use: what it refuses, they would
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as header:
        found = (header.format, *header.size, jpeg_quality(getattr(header, "quantization", None)))
    thumbnail = image.resize((THUMBNAIL, THUMBNAIL), Image.BOX).tobytes()
    return Facts(len(data), *found, hashlib.sha256(data).hexdigest(), perceptual_hash(image), thumbnail)


def jpeg_quality(tables: dict | None) -> float:
    """The quality whose luminance table, scaled as libjpeg does it, has the sum that this file's has; 0 without one."""
    if not tables:
        return 0.0
    scale = 100 * sum(tables[min(tables)]) / _standard_sum()
    return round(5000 / scale if scale > 100 else (200 - scale) / 2, 1)


@functools.cache
def _standard_sum() -> int:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG", quality=50)  # libjpeg's 50 is the standard's own table
    return sum(Image.open(buffer).quantization[0])


def perceptual_hash(image: Image.Image) -> int:
    """64 bits that scaling and compression leave as they are: the signs, about their median, of the 8 x 8 lowest
    frequencies of 32 x 32 grey values (pHash; Zauner 2010)."""
    grey = np.asarray(image.convert("L").resize((32, 32), Image.BOX), np.float32)
    low = dctn(grey)[:8, :8].ravel()
    bits = low > np.median(low[1:])  # without the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
