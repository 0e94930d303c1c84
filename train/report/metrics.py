"""Logits and targets -> the figures that reports, cards and the page quote."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from detector import CLASSES
from detector.verdict import BANDS, SIDES, band, side

HUMAN = CLASSES.index("human")
AI = [i for i in range(len(CLASSES)) if i != HUMAN]
DRAWS = 1000  # of sources, for an interval: its ends then move by less than one point


def figures(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> dict:
    """The figures of one split: logits (N, 3), targets (N,). Rates are in [0, 1]; confusion rows are the truth.

    What is counted is what `Verdict` answers: the side from P(AI) alone, then which AI. What needs a class that has no
    image is None; balanced accuracy is over the classes that have some. `answers` counts images: true side -> side
    that is answered -> band.
    """
    from sklearn.metrics import confusion_matrix, roc_auc_score  # takes two seconds to import

    probs = torch.softmax(logits.double() / temperature, 1)
    p_ai, predicted = probs[:, AI].sum(1), answered(probs)
    confusion = confusion_matrix(targets, predicted, labels=range(len(CLASSES)))
    recalls = [row[i] / row.sum() if row.sum() else None for i, row in enumerate(confusion)]
    is_ai, called_ai = targets != HUMAN, predicted != HUMAN
    halves = [
        (called_ai[mine] == answer).double().mean() if mine.any() else None
        for mine, answer in ((is_ai, True), (~is_ai, False))
    ]
    return {
        "n": len(targets),
        "accuracy": _rate((predicted == targets).double().mean()),
        "balanced_accuracy": _mean(recalls),
        "recall": {name: None if r is None else _rate(r) for name, r in zip(CLASSES, recalls, strict=True)},
        "confusion": confusion.tolist(),
        "ai_vs_human": {
            "balanced_accuracy": _mean(halves),
            "auroc": _rate(roc_auc_score(is_ai, p_ai)) if 0 < is_ai.sum() < len(is_ai) else None,
            "ece": _rate(expected_calibration_error(torch.stack([1 - p_ai, p_ai], 1), is_ai.long())),
            "answers": {"human": _answers(p_ai[~is_ai]), "ai": _answers(p_ai[is_ai])},
        },
        "ece": _rate(expected_calibration_error(probs, targets)),
    }


def answered(probs: Tensor) -> Tensor:
    """The class that `Verdict.label` names, for probabilities (N, 3): an index (N,)."""
    return torch.where(probs[:, AI].sum(1) >= 0.5, torch.tensor(AI)[probs[:, AI].argmax(1)], HUMAN)


def _answers(p_ai: Tensor) -> dict[str, dict[str, int]]:
    """Side -> band -> how many of the probabilities get that answer."""
    found = {name: dict.fromkeys(BANDS, 0) for name in SIDES}
    for p in p_ai.tolist():
        found[side(p)][band(p)] += 1
    return found


def reliability_bins(probs: Tensor, targets: Tensor, bins: int = 15) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, images) of each equal-width bin of confidence that is not empty: probs (N, C)."""
    confidence, predicted = probs.max(1)
    right = (predicted == targets).to(probs)
    index = (confidence * bins).long().clamp(max=bins - 1)
    inside = [index == i for i in index.unique()]
    return [(confidence[m].mean().item(), right[m].mean().item(), int(m.sum())) for m in inside]


def expected_calibration_error(probs: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Mean |accuracy - confidence| over equal-width bins of confidence (Guo et al. 2017, arXiv:1706.04599)."""
    found = reliability_bins(probs, targets, bins)
    return sum(n * abs(accuracy - confidence) for confidence, accuracy, n in found) / len(targets)


def source_weights(targets: Tensor, sources: Sequence[str]) -> Tensor:
    """What each image counts (N,), 1 in sum: classes alike, and in a class its sources, so that no large source
    decides alone."""
    keys = list(zip(targets.tolist(), sources, strict=True))
    images = Counter(keys)
    of_class = Counter(target for target, _ in images)
    return torch.tensor([1 / (images[key] * of_class[key[0]] * len(of_class)) for key in keys], dtype=torch.float64)


def side_weights(targets: Tensor, sources: Sequence[str]) -> Tensor:
    """The same with AI and human counting alike, as they do where a pile is half of either: three classes alike would
    have P(AI) fitted to one of which two thirds are AI-made."""
    weights = source_weights(targets, sources)
    human = targets == HUMAN
    return torch.where(human, weights / weights[human].sum(), weights / weights[~human].sum()) / 2


def fit_temperature(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), to 1 %, between 1/8 and 8. Images count
    as `weights` (N,) says, or alike."""
    weights = torch.ones(len(targets)) if weights is None else weights
    temperatures = torch.logspace(-3, 3, 421, base=2, dtype=torch.float64)
    losses = [
        torch.dot(torch.nn.functional.cross_entropy(logits.double() / t, targets, reduction="none"), weights.double())
        for t in temperatures
    ]
    return round(temperatures[torch.stack(losses).argmin()].item(), 4)


def intervals(probs: Tensor, targets: Tensor, sources: Sequence[str]) -> dict[str, list[float]]:
    """95 % intervals, over sources, of balanced accuracy and, where both kinds are there, AUROC: probs (N, 3).

    Sources are drawn anew within each class, whole (cluster bootstrap; Davison and Hinkley 1997, section 3.8): images
    of one source are alike, so drawing images would promise too much. Empty if a class has fewer than two sources.
    """
    from sklearn.metrics import roc_auc_score  # takes two seconds to import

    keys = list(zip(targets.tolist(), sources, strict=True))
    clusters = sorted(set(keys))
    if min(Counter(target for target, _ in clusters).values()) < 2:
        return {}
    classes = torch.tensor([target for target, _ in clusters])
    per_class = [(torch.nonzero(classes == target)[:, 0], targets == target) for target in classes.unique()]
    cluster = torch.tensor([clusters.index(key) for key in keys])
    right, is_ai, p_ai = answered(probs) == targets, targets != HUMAN, probs[:, AI].sum(1)
    found = {"balanced_accuracy": [], "auroc": []}
    generator = torch.Generator().manual_seed(0)
    for _ in range(DRAWS):
        times = torch.zeros(len(clusters))  # that each is drawn
        for own, _ in per_class:
            times += own[torch.randint(len(own), (len(own),), generator=generator)].bincount(minlength=len(clusters))
        weights = times[cluster]
        recalls = [(weights * right)[mine].sum() / weights[mine].sum() for _, mine in per_class]
        found["balanced_accuracy"].append(sum(recalls) / len(recalls))
        if 0 < is_ai.sum() < len(is_ai):
            found["auroc"].append(roc_auc_score(is_ai, p_ai, sample_weight=weights))
    return {name: _middle(values) for name, values in found.items() if values}


def interval_words(found: dict[str, list[float]]) -> str:
    titles = {"balanced_accuracy": "balanced accuracy", "auroc": "AUROC"}
    return ", ".join(f"{titles[name]} {low:.2f} to {high:.2f}" for name, (low, high) in found.items())


def _middle(values: list[float]) -> list[float]:
    """The 2.5th and the 97.5th percentile."""
    return [_rate(end) for end in torch.tensor(values).quantile(torch.tensor([0.025, 0.975]))]


def _mean(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return _rate(sum(known) / len(known))


def _rate(value: float) -> float:
    return round(float(value), 4)
