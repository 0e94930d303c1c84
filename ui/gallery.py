"""Images to try: our own, the published model's samples, or any folder of class folders."""

import re
from dataclasses import dataclass
from pathlib import Path

from detector import CLASSES
from detector.verdict import NAMES

EXAMPLES = Path(__file__).parent.parent / "examples"
# The published model's own samples, in its repository on the Hub.
PUBLISHED_SAMPLES = {"DallE_4.jpg": "dalle", "HG_22.jpg": "human", "OtherAI_5.jpg": "other_ai"}


@dataclass(frozen=True)
class Example:
    """An image whose true label is known."""

    path: Path
    label: str  # one of CLASSES
    title: str

    @property
    def caption(self) -> str:
        return f"{NAMES[self.label]}: {self.title}"


def bundled_examples() -> list[Example]:
    """The images of examples/, as SOURCES.md lists them."""
    rows = re.findall(r"^\| (\S+\.\w+) \| (\w+) \| ([^|]+) \|", (EXAMPLES / "SOURCES.md").read_text("utf-8"), re.M)
    return [Example(EXAMPLES / name, label, title) for name, label, title in rows]


def published_samples() -> list[Example]:
    """The published model's three samples from the Hub. Raises CheckpointError if they cannot be had."""
    from detector.checkpoint import PUBLISHED, download

    return [
        Example(download(PUBLISHED, name), label, f"Sample {name} of the published model")
        for name, label in PUBLISHED_SAMPLES.items()
    ]


def folder_examples(folder: Path) -> list[Example]:
    """Every image below `folder`/<class>/, the classes taking turns. Raises ValueError if there is none."""
    from detector.images import find_images

    classes = [
        [Example(path, name, path.stem) for path in find_images(folder / name)]
        for name in CLASSES
        if (folder / name).is_dir()
    ]
    turns = [found[i] for i in range(max(map(len, classes), default=0)) for found in classes if i < len(found)]
    if not turns:
        raise ValueError(f"{folder} holds no images; it needs at least one of the folders {', '.join(CLASSES)}.")
    return turns
