"""What is known of a model, from its own files: its config's figures, its folder's pictures, its card."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from detector.images import ImageError, open_image
from detector.output.data_url import data_url
from ui.answer import title_of
from ui.shared import UI

if TYPE_CHECKING:
    from detector.checkpoint import Config
    from detector.predict import Detector

GENERATORS = UI.parent / "docs" / "generators.md"
LONGEST = 1400  # pixels of the longer side of a figure: its small print can be read
CLAIMED = (
    "Its card says 95 % validation accuracy and a loss of 0.0552 after 15 epochs. Those are its makers' figures, of "
    "their own pictures."
)
UNMEASURED = "Nobody here has measured how often this model is right."
SPLITS = {
    "test": "{n:,} pictures kept for this table alone (test)",
    "val": "{n:,} pictures that steered the training (validation)",
}
VARIANTS = {
    "clean": "As they are (clean)",
    "web": "Compressed once, JPEG 70 (web)",
    "hard": "Half as large, JPEG 40 (hard)",
    "degraded": "After a random trip through the web (degraded)",
}
HEADER = ["Pictures", "Named rightly, of 100 (balanced accuracy)", "AI told from human, of 100 (AUROC)"]
# File in the folder -> what it is called, and what it shows to those who do not see it.
PICTURES = {
    "reliability.png": (
        "How sure, and how often right (reliability diagram)",
        "Two plots of how often the model is right against how sure it is, on degraded validation pictures: before and "
        "after the temperature. On the diagonal, sureness and success agree; each dot is a group of pictures.",
    ),
    "loss_over_epochs.png": (
        "Loss over epochs",
        "Line plot of the loss of training and validation pictures after each pass over the data.",
    ),
    "accuracy_over_epochs.png": (
        "Accuracy over epochs",
        "Line plot of the accuracy on training and validation pictures after each pass over the data.",
    ),
    "sample_dataset.png": ("Some of what it was trained on", "A row of training pictures for each of the classes."),
    "model_output_samples.png": (
        "Some of its answers",
        "For each class the surest right and the surest wrong answers, each picture beside its heat map.",
    ),
}
# Heading in the card -> on the page.
HEADINGS = {"": "What it was trained on", "How well": "How it was measured, and its limits"}


def about_model(judge: "Detector") -> dict:
    """Everything that the tab shows of a model, as text, rows of text and data URLs."""
    from detector.hub import PUBLISHED  # brings torch, which takes longer than the page

    folder = folder_of(judge.name)
    bundled = judge.name.startswith("bundled")
    notes = [CLAIMED] * judge.name.startswith(f"hub {PUBLISHED}") + [UNMEASURED] * (not judge.config.measured)
    pictures, missing = pictures_in(folder) if folder else ([], [])
    if missing:
        notes.append(f"Not in this model's folder: {'; '.join(missing)}.")
    card = folder / "README.md" if folder else None
    return {
        "name": f"{title_of(judge.name)} ({judge.name})" if title_of(judge.name) != judge.name else judge.name,
        "notes": notes,
        "figures": figures(judge.config),
        "confusion": judge.config.metrics["test"]["clean"]["confusion"] if judge.config.measured else [],
        "pictures": pictures,
        "card": parts(card.read_text("utf-8")) if card and card.is_file() else [],
        "generators": generators(judge.name) if bundled and GENERATORS.is_file() else None,
    }


def folder_of(name: str) -> Path | None:
    """Where the files of the model of that name lie, if it was not taken from the Hub's cache or a lone file."""
    from detector.checkpoint import BUNDLED  # see above

    if name.startswith("bundled"):
        return BUNDLED
    return Path(name) if Path(name).is_dir() else None


def figures(config: "Config") -> list[dict]:
    """A table {"title", "rows"} for each split that was measured."""
    measured = config.metrics if config.measured else {}
    return [
        {
            "title": words.format(n=measured[split]["clean"]["n"]),
            "rows": [HEADER, *(row_of(as_what, measured[split][name]) for name, as_what in VARIANTS.items())],
        }
        for split, words in SPLITS.items()
        if split in measured
    ]


def row_of(as_what: str, found: dict) -> list[str]:
    return [as_what, of_100(found["balanced_accuracy"]), of_100(found["ai_vs_human"]["auroc"])]


def of_100(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f}"


def pictures_in(folder: Path) -> tuple[list[dict], list[str]]:
    """Those of PICTURES that lie there, and what the others would be; why, where one cannot be opened."""
    found, missing = [], []
    for name, (title, alt) in PICTURES.items():
        try:
            if not (folder / name).is_file():
                missing.append(title)
                continue
            found.append({"src": data_url(open_image(folder / name), LONGEST), "title": title, "alt": alt})
        except ImageError as error:
            missing.append(f"{title} ({str(error).rstrip('.')})")
    return found, missing


def parts(card: str) -> list[dict]:
    """A model card's Markdown as {"title", "blocks"}; a block is {"text"}, {"items"} or {"rows"}, the header first. All
    of it is text. Left out: metadata, code, pictures, and the figures, which the config has."""
    text = re.sub(r"\A---\n.*?\n---\n|^```.*?^```|^!\[.*?$|^# .*?$", "", card, flags=re.M | re.S)
    found = []
    for section in re.split(r"^(?=##+ )", text, flags=re.M):
        heading, body = re.match(r"(?:##+ ([^\n]*)\n)?(.*)", section, re.S).groups("")
        part = {"title": HEADINGS.get(heading, plain(heading)), "blocks": []}
        tables = []
        for block in filter(None, re.split(r"\n\s*\n", body.strip())):
            if block.startswith("|"):
                rows = table(block)
                if rows[0][0] != "split":
                    tables.append({"title": rows[0][0].capitalize(), "blocks": [{"rows": rows}]})
            elif block.startswith("- "):
                part["blocks"].append({"items": [plain(line) for line in re.split(r"^- ", block, flags=re.M)[1:]]})
            else:
                part["blocks"].append({"text": plain(block)})
        found += [part] * bool(part["blocks"]) + tables
    return found


def plain(markdown: str) -> str:
    """Its words in one line, without links, emphasis and code marks."""
    return re.sub(r"\*\*|`", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(markdown.split())))


def table(block: str) -> list[list[str]]:
    """The rows of a Markdown table, the header first."""
    rows = [[plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in block.splitlines()]
    return rows[:1] + rows[2:]


def generators(name: str) -> dict:
    """{"rows": of the page of generators, lowest P(AI) first, header first; "missed": how many of the first; "notes"}.
    `name` is the bundled model's."""
    text = GENERATORS.read_text("utf-8")
    header, *rows = table(re.search(r"^\|.*", text, re.M | re.S)[0].strip())
    caught = [row for row in rows if row[3] != "Human"]
    missed = [row for row in rows if row[3] == "Human"]
    old = [] if name in " ".join(text.split()) else ["It was measured with an earlier version of this model."]
    return {
        "rows": [header, *(row for group in (missed, caught) for row in sorted(group, key=lambda row: float(row[2])))],
        "missed": len(missed),
        "notes": old,
    }
