"""What is found in a file, in words that mean the same everywhere."""

from dataclasses import dataclass, field

KINDS = ("generated", "captured", "edited", "other")  # what is claimed; the first two answer "AI or human?"
STRENGTHS = ("signed", "claimed", "hinted")  # the strongest first
# IPTC's DigitalSourceType (cv.iptc.org/newscodes/digitalsourcetype), which C2PA uses too -> kind and words, what counts
# first coming first; the others decide nothing. algorithmicMedia is made without a trained model, and anything can be
# scanned from paper.
SOURCE_TYPES = {
    "trainedAlgorithmicMedia": ("generated", "made by AI"),
    "compositeWithTrainedAlgorithmicMedia": ("edited", "made by AI in part"),
    "digitalCapture": ("captured", "taken by a camera"),
    "computationalCapture": ("captured", "taken by a camera"),
    "negativeFilm": ("captured", "scanned from film"),
    "positiveFilm": ("captured", "scanned from film"),
    "compositeSynthetic": ("edited", "put together of parts, some of them synthetic"),
    "algorithmicMedia": ("other", "made by an algorithm"),
    "print": ("other", "scanned from paper"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that a file says of its origin."""

    where: str  # the place in the file: "C2PA", "PNG text parameters", "EXIF Software"
    says: str  # what it claims, as the second half of a sentence that begins with "The file"
    maker: str  # the program or model that is named, or ""
    kind: str  # one of KINDS
    strength: str  # one of STRENGTHS
    short: str = ""  # the claim in a few words: "made by AI"
    detail: str = field(default="", repr=False)  # the text itself, a prompt maybe: shown on demand and never logged

    @property
    def side(self) -> str | None:
        """AI or human, if that is what is claimed; a hint is no claim."""
        return {"generated": "ai", "captured": "human"}.get(self.kind) if self.strength != "hinted" else None


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """The strongest first, and of those what answers "AI or human?"."""
    return tuple(sorted(findings, key=lambda f: (STRENGTHS.index(f.strength), KINDS.index(f.kind))))
