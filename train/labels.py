"""The names that people give the folders of the three classes."""

import re

# What is left of a folder's name without capitals, blanks and marks -> our class.
ALIASES = {
    "dalle": ("dalle", "dalle1", "dalle2", "dalle3", "dalleimages", "openaidalle"),
    "human": ("human", "humans", "humanmade", "humanart", "humangenerated", "hg", "real", "realimages", "nature"),
    "other_ai": (
        "otherai",
        "otherais",
        "ai",
        "aigenerated",
        "aiart",
        "aiimages",
        "oai",
        "fake",
        "generated",
        "synthetic",
    ),
}
_CLASS_OF = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
ACCEPTED = "; ".join(f"{name} ({', '.join(aliases)})" for name, aliases in ALIASES.items())


def class_of(folder: str) -> str | None:
    """The class that a folder's name stands for ("DALL-E 3", "Human", "OtherAI"), or None."""
    return _CLASS_OF.get(re.sub(r"[^a-z0-9]", "", folder.casefold()))
