"""The answer as types, for those who read it by program: command, API and tools for agents give the same object."""

from typing import Literal

from typing_extensions import Required, TypedDict

Label = Literal["dalle", "human", "other_ai"]


class Probs(TypedDict):
    """They sum to 1."""

    dalle: float
    human: float
    other_ai: float


class Finding(TypedDict):
    where: str  # in the file
    says: str  # in words that follow "the file"
    maker: str
    kind: Literal["generated", "edited", "captured", "other"]
    strength: Literal["signed", "claimed", "hinted"]


class Origin(TypedDict, total=False):
    """What the file itself says of where it comes from. Nothing found is evidence of nothing."""

    c2pa: Required[Literal["trusted", "unknown_signer", "tampered", "expired", "none"] | None]
    findings: Required[list[Finding]]
    problems: list[str]  # what could not be read, in sentences


class Opinion(TypedDict):
    """What a second model says of the same picture. Nobody measured it."""

    label: Label
    probs: Probs
    p_ai: float
    model: str


class Steady(TypedDict):
    """In how many of how many deliveries of the picture the answer is for the same side."""

    held: int
    of: int
    p_ai: dict[str, float]  # delivery -> P(AI)


class MapCheck(TypedDict):
    """What hiding a fifth of the picture costs the class that was answered, in probability: where the map is strongest,
    where it is weakest, and at random."""

    most: float
    least: float
    random: list[float]
    passed: bool


class Near(TypedDict):
    file: str
    label: Label
    similarity: float  # cosine


class Answer(TypedDict, total=False):
    """One picture's answer. Where there is nothing to judge, `abstained` stands for label, probs, p_ai and band."""

    label: Label  # the side that is likelier, and of AI the likelier kind
    probs: Probs
    p_ai: float  # probability that it is AI-made: dalle + other_ai
    band: Literal["very likely", "likely", "leans"] | None  # how sure; None for a model that nobody measured
    model: Required[str]
    abstained: str  # why there is nothing to judge
    second: Opinion
    provenance: Required[Origin]
    steady: Steady
    map_check: MapCheck
    nearest: list[Near]
