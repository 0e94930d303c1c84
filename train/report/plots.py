"""The pictures of a run. Each function draws one figure; nothing here computes a result."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from detector import CLASSES
from detector.verdict import NAMES

TRAIN, VAL = "#8a8f98", "#0f766e"


def over_epochs(history: Sequence[dict], title: str, train: Sequence[float], val: Sequence[float], note: str) -> Figure:
    """One quantity over the epochs, for both splits."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    kind = "penalty" if "penalty" in history[0] else "epoch"
    epochs = [line[kind] for line in history]
    axes.plot(epochs, train, "o-", color=TRAIN, label=note, markersize=4)
    axes.plot(epochs, val, "o-", color=VAL, label="validation", markersize=4)
    plural = {"epoch": "epochs", "penalty": "penalties"}[kind]
    axes.set(title=f"{title} over {plural}", xlabel=kind, ylabel=title.lower())
    if kind == "penalty":
        axes.set_xscale("log")
    else:
        axes.set_xticks(epochs if len(epochs) <= 20 else epochs[:: len(epochs) // 10])
    sizes = [line["size"] for line in history]
    for i in range(1, len(sizes)):
        if sizes[i] != sizes[i - 1]:  # a step in a curve here is no wonder
            axes.axvline(epochs[i] - 0.5, color="#d4d4d8", linewidth=1, zorder=0)
            axes.annotate(
                f" {sizes[i]} px", (epochs[i] - 0.5, 1), xycoords=("data", "axes fraction"), va="top", fontsize=8
            )
    axes.legend(frameon=False)
    return _clean(figure)


def confusion(counts: Sequence[Sequence[int]], title: str) -> Figure:
    """Truth in rows, answers in columns: counts, and the share of the row."""
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    table = np.asarray(counts, float)
    share = table / table.sum(1, keepdims=True).clip(1)
    axes.imshow(share, cmap="Greens", vmin=0, vmax=1)
    names = [NAMES[name] for name in CLASSES]
    axes.set(title=title, xlabel="answer", ylabel="truth")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center")
    for row in range(len(names)):
        for column in range(len(names)):
            colour = "white" if share[row, column] > 0.55 else "black"
            text = f"{counts[row][column]}\n{share[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    return figure


def reliability(bins: dict[str, list[tuple[float, float, int]]], errors: dict[str, float], title: str) -> Figure:
    """Confidence against accuracy for each of `bins`: name -> (mean confidence, accuracy, images) of each bin."""
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    for axes, (name, found) in zip(
        figure.subplots(1, len(bins), sharey=True, squeeze=False)[0], bins.items(), strict=True
    ):
        axes.plot([0, 1], [0, 1], color="#d4d4d8", linewidth=1, zorder=0)
        confidence, accuracy, n = (np.array(column) for column in zip(*found, strict=True))
        axes.scatter(confidence, accuracy, s=12 + 300 * n / n.sum(), color=VAL, alpha=0.75, linewidths=0, clip_on=False)
        axes.set(title=f"{name}, ECE {errors[name]:.3f}", xlabel="confidence", xlim=(0.25, 1.02), ylim=(0, 1.02))
    figure.axes[0].set_ylabel("accuracy")
    figure.suptitle(title)
    return _clean(figure)


def grid(rows: dict[str, Sequence[tuple[Image.Image, str]]], title: str, side: float = 1.7) -> Figure:
    """Images with a caption each, one row for each name."""
    columns = max(len(row) for row in rows.values())
    figure = Figure(figsize=(side * columns, (side + 0.2) * len(rows) + 0.4), layout="constrained")
    for cells, (name, row) in zip(figure.subplots(len(rows), columns, squeeze=False), rows.items(), strict=True):
        for axes in cells:
            axes.axis("off")
        for axes, (image, caption) in zip(cells, row, strict=False):
            axes.imshow(image)
            axes.set_title(caption, fontsize=7)
        cells[0].text(-0.08, 0.5, name, rotation=90, ha="right", va="center", transform=cells[0].transAxes, fontsize=9)
    figure.suptitle(title)
    return figure


def _clean(figure: Figure) -> Figure:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure
