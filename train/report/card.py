"""The model card: the Hub's metadata, and the truth about a run, from its config and report alone."""

from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from detector.checkpoint import Config
from detector.verdict import BANDS, NAMES, share
from train.report.metrics import interval_words

COLUMNS = (
    "split",
    "images as",
    "balanced accuracy (3 classes)",
    "AI or human: AUROC",
    'human-made called "very likely" AI',
    'AI-made called "very likely" human',
    "ECE",
    "AI or human: ECE",
)
CARD = """\
---
{metadata}
---

# DALL-E, human, or another AI: DenseNet121, {version}

Three classes, in this order: dalle, human, other_ai. Input: the whole image, resized to {size} x {size}, ImageNet mean
and std. Trained by `python -m train` with the recipe `{recipe}`, starting from {init}{teacher}.
Images: {images}. Temperature {temperature}, fitted on validation images degraded as the web does it.

```python
import detector  # of this project

(verdict,) = detector.load("OWNER/NAME").predict(["picture.jpg"])
```

## How well

{figures}

Validation picked the epoch or the penalty, and the temperature; test was used for this table alone, and is the figure
to believe if it comes from sources that training never saw. All figures are of images as the data holds them; those of
this project were prepared to a short side of 240 to 256 pixels and JPEG 84 to 88, and originals, as people drop them,
were not measured.
Clean: as it is. Web: JPEG 70. Hard: half size, JPEG 40. Degraded: random scale, blur and one or two rounds of JPEG or
WebP 40-95.

Do not use it to accuse anyone: it is wrong about one test image in {wrong:.1f}, more often on pictures unlike its
training data. Of 100 human-made test images it calls AI, by how sure it sounds: {false_alarms}.
Of 100 AI-made ones it calls human-made: {misses}.
{report}"""

REPORT = """
{intervals}{sources}

Truth in rows, answers in columns ({names}): {confusion}.

![Confusion matrix on test](confusion.png)
![Loss over epochs](loss_over_epochs.png)
![Accuracy over epochs](accuracy_over_epochs.png)
![Reliability diagram before and after calibration](reliability.png)

## Audit of the data

{audit}
"""


def write_card(folder: Path, config: Config, report: dict) -> None:
    """README.md in `folder`, from its config and its report (see train.report.write)."""
    test = config.metrics["test"]["clean"]
    answers = test["ai_vs_human"]["answers"]
    results = report["results"]["test"]
    ends = results["intervals"]
    text = CARD.format(
        metadata=_metadata(config).to_yaml(),
        version=config.version,
        size=config.input_size,
        recipe=config.recipe["name"],
        init=config.recipe["init"],
        teacher=", with a teacher's features beside the labels" if config.recipe["teacher"] else "",
        images=", ".join(f"{n:,} {split}" for split, n in config.data["images"].items()),
        temperature=config.temperature,
        figures=figures_table(config.metrics),
        wrong=1 / max(1 - test["accuracy"], 1e-3),
        false_alarms=_by_band(answers, "human", "ai"),
        misses=_by_band(answers, "ai", "human"),
        report=REPORT.format(
            intervals=f"95 % intervals over sources (test, clean): {interval_words(ends)}.\n\n" if ends else "",
            sources="\n\n".join(_table(key, results[key]) for key in ("by_source", "by_generator") if results[key]),
            names=", ".join(NAMES.values()),
            confusion="; ".join(" ".join(map(str, row)) for row in results["confusion"]),
            audit="\n".join(f"- {line}" for line in _audit(report["audit"])),
        ),
    )
    (folder / "README.md").write_text(text, "utf-8")


def figures_table(metrics: dict) -> str:
    """The figures of each split and variant, as the card and the README show them."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    for split, variants in metrics.items():
        for variant, found in variants.items():
            ai = found["ai_vs_human"]
            alarms, misses = (share(ai["answers"], *way, "very likely") for way in (("human", "ai"), ("ai", "human")))
            scores = [f"{score:.3f}" for score in (found["balanced_accuracy"], ai["auroc"], found["ece"], ai["ece"])]
            rows.append([split, variant, *scores[:2], f"{alarms:.1%}", f"{misses:.1%}", *scores[2:]])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _by_band(answers: dict, truth: str, answered: str) -> str:
    return ", ".join(f"{share(answers, truth, answered, word) * 100:.1f} ({word})" for word in BANDS)


def _table(key: str, found: dict) -> str:
    rows = [f"| test images {key.replace('_', ' ')} | class | n | named rightly | called AI |", "|---|---|---|---|---|"]
    for name, row in found.items():
        classes = ", ".join(NAMES[c] for c in row["classes"])
        rows.append(f"| {name} | {classes} | {row['n']} | {row['accuracy']:.1%} | {row['called_ai']:.1%} |")
    return "\n".join(rows)


def _metadata(config: Config) -> ModelCardData:
    test = config.metrics["test"]["clean"]
    figures = {"balanced_accuracy": test["balanced_accuracy"], "roc_auc": test["ai_vs_human"]["auroc"]}
    names = {"balanced_accuracy": "Balanced accuracy, three classes", "roc_auc": "AUROC, AI or human"}
    return ModelCardData(
        license="mit",
        library_name="pytorch",
        pipeline_tag="image-classification",
        tags=["ai-generated-image-detection", "densenet", "dall-e"],
        model_name=f"densenet121-{config.recipe['name']}-{config.version}",
        eval_results=[
            EvalResult(
                task_type="image-classification", dataset_type=config.data["name"], dataset_name=config.data["name"],
                dataset_split="test", metric_type=metric, metric_name=names[metric], metric_value=value,
            )
            for metric, value in figures.items()
        ],
    )  # fmt: skip


def _audit(found: dict) -> list[str]:
    lines = [f"Splits by {found['split_by']}; {found['near_duplicates']} pairs of near-duplicate images in all."]
    for what, null in (("the files", found["null"]), ("their originals", found["origin_null"])):
        if null and null["balanced_accuracy"] is not None:
            verdict = "**warning: the class is in how the data was collected**" if null["fires"] else "no warning"
            lines.append(
                f"Zero-pixel null (from format, size and JPEG quality of {what}, cross-validated by group): "
                f"balanced accuracy {null['balanced_accuracy']:.2f} without looking, {verdict}."
            )
    lines.append(f"{len(found['leaks_left_out'])} images that were in a later split too were left out.")
    lines.append(f"{len(found['unreadable'])} images could not be read and were left out.")
    lines.append(f"{len(found['contradictions'])} pairs show the same picture in two classes.")
    for split, counts in found["balance"].items():
        lines.append(f"{split}: " + ", ".join(f"{n:,} {name}" for name, n in counts["classes"].items()) + ".")
    return lines
