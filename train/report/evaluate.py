"""The figures of a model on labelled images."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from detector import CLASSES
from detector.checkpoint import Config, keep_figures
from detector.hub import load_checkpoint
from detector.transforms import VARIANTS, eval_transforms, prepared
from detector.verdict import share
from detector.vision import transforms
from train.data.folders import Sample
from train.data.prepare import prepare, read_folder, unreadable_words
from train.fitting.steps import Precision, predict_logits, targets_of
from train.report.metrics import HUMAN, answered, figures, fit_temperature, interval_words, intervals, side_weights


def variant_logits(
    model: nn.Module, config: Config, samples: Sequence[Sample], precision: Precision, variants: dict[str, Callable]
) -> dict[str, Tensor]:
    """variant -> logits (N, 3) of all samples, in fp32 as the page computes them. `variants`: image -> image."""
    exact = Precision(precision.device, bf16=False)
    to_x = eval_transforms(config.input_size, config.mean, config.std)
    return {
        name: predict_logits(
            model, samples, transforms.Compose([variant, *to_x.transforms]), exact, f"images as {name}"
        )
        for name, variant in variants.items()
    }


def evaluation(logits: dict[str, Tensor], samples: Sequence[Sample], temperature: float) -> dict:
    """What `figures` says of the first variant, with `intervals`; of each variant; and of the first by source and
    generator."""
    targets = targets_of(samples)
    variants = {name: figures(z, targets, temperature) for name, z in logits.items()}
    first = next(iter(logits))
    probs = torch.softmax(logits[first].double() / temperature, 1)
    answers, sources = answered(probs), [sample.source for sample in samples]
    return variants[first] | {
        "variants": variants,
        "intervals": intervals(probs, targets, sources),
        "by_source": _by(sources, answers, targets),
        "by_generator": _by([sample.generator for sample in samples], answers, targets),
    }


def _by(keys: Sequence[str], answers: Tensor, targets: Tensor) -> dict[str, dict]:
    """For each key: how many images, of which classes, the share that is named rightly, and that is called AI."""
    found = {}
    for key in sorted({key for key in keys if key}):
        mine = torch.tensor([k == key for k in keys])
        own = targets[mine]
        found[key] = {
            "n": len(own),
            "classes": [name for i, name in enumerate(CLASSES) if (own == i).any()],
            "accuracy": round((answers[mine] == own).double().mean().item(), 4),
            "called_ai": round((answers[mine] != HUMAN).double().mean().item(), 4),
        }
    return found


def measure(
    model: nn.Module, config: Config, splits: dict[str, list[Sample]], precision: Precision
) -> tuple[Config, dict[str, dict[str, Tensor]], dict[str, dict]]:
    """The temperature fitted on degraded val, its sides and sources counting alike, and the figures of val and test:
    config with both in it; split -> variant -> logits (N, 3); split -> evaluation."""
    logits = {split: variant_logits(model, config, splits[split], precision, VARIANTS) for split in ("val", "test")}
    targets = targets_of(splits["val"])
    weights = side_weights(targets, [sample.source for sample in splits["val"]])
    temperature = fit_temperature(logits["val"]["degraded"], targets, weights)
    results = {split: evaluation(z, splits[split], temperature) for split, z in logits.items()}
    metrics = {split: result["variants"] for split, result in results.items()}
    return replace(config, temperature=temperature, metrics=metrics), logits, results


def measure_and_keep(model: str, data: str) -> dict:
    """Measure the model that `model` names on val and test of `data`, and remember temperature and figures under the
    hash of its weights: from then on its probabilities are calibrated and it has words. The evaluation of test, and
    where it is kept. Raises DataError or CheckpointError."""
    checkpoint, found = load_checkpoint(model), prepare(data)
    precision = Precision.best()
    config, _, results = measure(checkpoint.model.to(precision.device), checkpoint.config, found.splits, precision)
    kept = keep_figures(config)
    about = {"model": checkpoint.name, "data": data, "kept": str(kept), "unreadable": found.audit["unreadable"]}
    return about | results["test"]


def evaluate(model: str, data: str, full_size: bool = False) -> dict:
    """The figures of the model that `model` names (as for `detector.load`) on the images of `data`: a folder of class
    folders, its `test` folder if it is split, or a dataset of the Hub. With `full_size` those are originals, measured
    as they are first, and then made small like this project's. Raises DataError or CheckpointError."""
    samples, unreadable = read_folder(data)
    checkpoint = load_checkpoint(model)
    precision = Precision.best()
    network = checkpoint.model.to(precision.device)
    variants = {name: VARIANTS[name] for name in ("clean", "web", "hard")}
    if full_size:
        small = {name: transforms.Compose([prepared, variant]) for name, variant in variants.items()}
        variants = {"original": VARIANTS["clean"]} | small
    logits = variant_logits(network, checkpoint.config, samples, precision, variants)
    found = evaluation(logits, samples, checkpoint.config.temperature or 1.0)
    return {"model": checkpoint.name, "data": data, "unreadable": unreadable} | found


def table(found: dict) -> str:
    """The evaluation for the terminal."""
    rows = [f"{found['model']} on {found['n']} images of {found['data']}", ""]
    heads = ("balanced accuracy", "AUROC", "human called very likely AI", "ECE", "AI/human ECE")
    widths = [len(head) + 2 for head in heads]
    rows.append(f"{'images as':10}" + "".join(f"{head:>{w}}" for head, w in zip(heads, widths, strict=True)))
    any_human = sum(found["confusion"][HUMAN]) > 0
    for name, v in found["variants"].items():
        ai = v["ai_vs_human"]
        wrong = share(ai["answers"], "human", "ai", "very likely") if any_human else None
        cells = (v["balanced_accuracy"], ai["auroc"], wrong, v["ece"], ai["ece"])
        texts = ["-" if cell is None else f"{cell:.3f}" for cell in cells]
        rows.append(f"{name:10}" + "".join(f"{text:>{w}}" for text, w in zip(texts, widths, strict=True)))
    if found["intervals"]:
        rows += ["", f"95 % intervals over sources: {interval_words(found['intervals'])}."]
    rows += ["", "truth \\ answer" + "".join(f"{name:>10}" for name in CLASSES) + "    recall"]
    for name, counts in zip(CLASSES, found["confusion"], strict=True):
        recall = found["recall"][name]
        rows.append(f"{name:14}" + "".join(f"{n:10}" for n in counts) + f"{'-' if recall is None else recall:>10}")
    for title, key in (("source", "by_source"), ("generator", "by_generator")):
        if found[key]:
            width = max(len(title), *(len(name) for name in found[key]))
            rows += ["", f"{title:{width}}       n  accuracy  called AI"]
            rows += [f"{k:{width}}{v['n']:8}{v['accuracy']:10.3f}{v['called_ai']:11.3f}" for k, v in found[key].items()]
    if "kept" in found:
        rows += ["", f"Kept in {found['kept']}: from now on this model is calibrated and its answers have words."]
    if found["unreadable"]:
        rows += ["", unreadable_words(found["unreadable"])]
    return "\n".join(rows)
