"""Pictures to try, whose truth is known: our own, the published model's samples, or any folder of class folders."""

import io
import logging
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

from detector import CLASSES

log = logging.getLogger(__name__)

EXAMPLES = Path(__file__).parent.parent / "examples"
THUMBNAIL_SIDE = 256  # pixels of the longer side
SEED = 4  # of the order, which is the same for everybody, so that people can talk about "picture 5"
# The published model's own samples, in its repository on the Hub.
PUBLISHED_SAMPLES = {"DallE_4.jpg": "dalle", "HG_22.jpg": "human", "OtherAI_5.jpg": "other_ai"}


@dataclass(frozen=True)
class Example:
    """An image whose true label is known."""

    path: Path
    label: str  # one of CLASSES
    title: str  # what it is, by whom, of when
    thumbnail: bytes = b""  # a small JPEG

    @property
    def told(self) -> str:
        """The truth in words, which the browser gets with the answer and not before."""
        made = {"human": "human-made", "dalle": "made by DALL-E", "other_ai": "made by another AI"}[self.label]
        return f"{made} ({self.title})"


def bundled_examples() -> list[Example]:
    """The images of examples/."""
    return listed(EXAMPLES)


def listed(folder: Path) -> list[Example]:
    """The images of `folder`, as its SOURCES.md lists them."""
    table = (folder / "SOURCES.md").read_text("utf-8")
    rows = [[cell.strip() for cell in row.split("|")[1:6]] for row in re.findall(r"^\| \S+\.\w+ \|.+", table, re.M)]
    return [Example(folder / name, label, ", ".join(filter(None, told))) for name, label, *told in rows]


def published_samples() -> list[Example]:
    """The published model's three samples from the Hub. Raises CheckpointError if they cannot be had at once."""
    from detector.hub import AUTO_DEADLINE, PUBLISHED, fetch, within

    paths = within(AUTO_DEADLINE, lambda: fetch(PUBLISHED, list(PUBLISHED_SAMPLES)).paths)
    return [
        Example(path, label, f"sample {path.name} of the published model")
        for path, label in zip(paths, PUBLISHED_SAMPLES.values(), strict=True)
    ]


def folder_examples(folder: Path) -> list[Example]:
    """Every image below `folder`/<class>/. Raises ValueError if there is none."""
    from detector.files import find_images

    found = [
        Example(path, name, path.stem)
        for name in CLASSES
        if (folder / name).is_dir()
        for path in find_images(folder / name)
    ]
    if not found:
        raise ValueError(f"{folder} holds no images; it needs at least one of the folders {', '.join(CLASSES)}.")
    return found


def below(number: int, n: int) -> int:
    """`number`, if it is one of 0 to n - 1. Raises ValueError."""
    if type(number) is not int or not 0 <= number < n:  # True is an int too
        raise ValueError(number)
    return number


def example_at(examples: list[Example], number: int) -> Example:
    """The one of that number. Raises ValueError."""
    return examples[below(number, len(examples))]


def shuffled(examples: list[Example]) -> list[Example]:
    """The same in an order that tells nothing, and is the same every time."""
    return random.Random(SEED).sample(examples, len(examples))


def with_thumbnails(examples: list[Example]) -> list[Example]:
    """The same, each with a small copy that the page may show; what cannot be opened is left out and said in the log.

    Only these copies are served: the folder that the images come from may hold what is nobody's business.
    """
    from detector.images import ImageError, open_image

    found = []
    for example in examples:
        try:
            image = open_image(example.path, enough=THUMBNAIL_SIDE)
        except ImageError as error:
            log.warning("Left out of the gallery: %s", error)
            continue
        image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85, comment=b"")  # the file's own may tell whose it is
        found.append(replace(example, thumbnail=buffer.getvalue()))
    return found


def thumbnail_files(examples: list[Example], folder: Path) -> list[Path]:
    """The thumbnails as files in `folder`; those that a cleaned temporary folder lost are written again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i}.jpg" for i in range(len(examples))]
    for path, example in zip(paths, examples, strict=True):
        if not path.exists() or path.stat().st_size != len(example.thumbnail):  # lost, or cut short by a full disk
            path.write_bytes(example.thumbnail)
    return paths
