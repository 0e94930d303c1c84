"""What a file itself says of its origin: signatures, marks of generators, traces of a camera.

    from detector import provenance
    found = provenance.read("picture.jpg")
    found.c2pa, found.findings

The second ledger beside the model's answer. Needs the untouched file: whoever saves a picture anew or sends it through
a chat takes all of this away, so that nothing found is evidence of nothing. Loads no torch.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from detector.containers import is_png, is_tiff, picture_of
from detector.images import ImageError, identify, read_file
from detector.provenance.fields import fields_of
from detector.provenance.finding import Finding, in_order
from detector.provenance.makers import marks_in
from detector.provenance.signed import signed_by

__all__ = ["Finding", "Provenance", "read", "said_by"]
log = logging.getLogger(__name__)

NOTHING = "nothing (usual, and evidence of nothing)"


@dataclass(frozen=True)
class Provenance:
    """What a file says of its origin, the strongest finding first."""

    c2pa: str | None  # trusted, unknown_signer, tampered, expired, none; None where it could not be told
    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()  # what could not be read, in sentences

    @property
    def side(self) -> str | None:
        """AI or human, as the file has it: "ai", "human", or None where it says neither."""
        return next(filter(None, (found.side for found in self.findings)), None)

    def disagreement(self, side: str) -> str:
        """That the file and an answer with that side say different things, in one sentence, or ""."""
        if self.side in (None, side):
            return ""
        claim = next(found for found in self.findings if found.side)
        return f"The file and its pixels disagree: the file {claim.says}."

    @property
    def line(self) -> str:
        """The whole in a few words: the strongest finding, or that there is none."""
        if not self.findings:
            return NOTHING
        more = len(self.findings) - 1
        return f"it {self.findings[0].says}" + (f" (and {more} more)" if more else "")


def read(source: str | Path | bytes, name: str | None = None) -> Provenance:
    """What the file `source` says. Raises ImageError where it is no image; `name` is what errors call it."""
    name = name or (Path(source).name if isinstance(source, str | Path) else "This image")
    data = source if isinstance(source, bytes) else read_file(Path(source), name)
    problems: list[str] = []
    image = _opened(data, name)
    c2pa, findings, problem = signed_by(data, Image.MIME.get(image.format, "") if image else "image/tiff")
    if problem:
        problems.append(problem)
    if image:
        with image:
            findings += marks_in(fields_of(data, image, problems))
    for text in problems:
        log.info("%s: %s", name, text)
    return Provenance(c2pa, in_order(findings), tuple(problems))


def said_by(source: str | Path | bytes, name: str | None = None) -> Provenance:
    """The same, but what keeps the file from being read is among its problems: an answer is given all the same."""
    try:
        return read(source, name)
    except ImageError as error:
        return Provenance(None, (), (str(error),))


def _opened(data: bytes, name: str) -> Image.Image | None:
    """The image, not decoded; None for a TIFF whose metadata Pillow cannot read.

    Where a fault in what is not the picture keeps Pillow from opening the file, the picture without the rest.
    """
    try:
        return identify(data if not is_png(data) else picture_of(data).data, name)
    except ImageError:
        if is_tiff(data):
            return None
        return identify(picture_of(data).data, name)
