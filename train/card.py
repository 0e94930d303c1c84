"""The short card that lies beside a checkpoint, with the Hub's metadata."""

from pathlib import Path

from detector.checkpoint import Config

CARD = """\
---
license: mit
library_name: pytorch
pipeline_tag: image-classification
tags: [ai-generated-image-detection, densenet, dall-e]
---

# DALL-E, human, or another AI: DenseNet121, {version}

Three classes, in this order: dalle, human, other_ai. Input: the whole image, resized to {size} x {size}, ImageNet mean
and std. Trained by `python -m train` with the recipe `{recipe}`, starting from {init}{teacher}.
Images: {images}. Temperature {temperature}, fitted on validation images degraded as the web does it.

| split | images as | balanced accuracy (3 classes) | AI or human: AUROC | human-made called "very likely" AI | ECE |
|---|---|---|---|---|---|
{rows}

Validation picked the epoch and the temperature; test was used for this table alone, and is the figure to believe if it
comes from sources that training never saw. Clean: as it is. Web: JPEG 70. Hard: half size, JPEG 40. Degraded: random
scale, blur and one or two rounds of JPEG or WebP 40-95.

Do not use it to accuse anyone: it is wrong about one test image in {wrong:.0f}, more often on pictures unlike its
training data.
"""


def write_card(folder: Path, config: Config) -> None:
    """README.md in `folder`, from nothing but `config`."""
    rows = [
        f"| {split} | {variant} | {found['balanced_accuracy']:.3f} | {found['ai_vs_human']['auroc']:.3f} "
        f"| {found['ai_vs_human']['fpr_at_band']['very_likely']:.1%} | {found['ece']:.3f} |"
        for split, variants in config.metrics.items()
        for variant, found in variants.items()
    ]
    text = CARD.format(
        version=config.version,
        size=config.input_size,
        recipe=config.recipe["name"],
        init=config.recipe["init"],
        teacher=", with a teacher's features beside the labels" if config.recipe["teacher"] else "",
        images=", ".join(f"{n:,} {split}" for split, n in config.data["images"].items()),
        temperature=config.temperature,
        rows="\n".join(rows),
        wrong=1 / max(1 - config.metrics["test"]["clean"]["accuracy"], 1e-3),
    )
    (folder / "README.md").write_text(text, "utf-8")
