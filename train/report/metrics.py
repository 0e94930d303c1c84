"""Logits and targets -> the figures that reports, cards and the page quote."""

import torch
from torch import Tensor

from detector import CLASSES
from detector.verdict import BANDS, SIDES, band, side

HUMAN = CLASSES.index("human")
AI = [i for i in range(len(CLASSES)) if i != HUMAN]


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


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), to 1 %, between 1/8 and 8."""
    temperatures = torch.logspace(-3, 3, 421, base=2, dtype=torch.float64)
    losses = [torch.nn.functional.cross_entropy(logits.double() / t, targets) for t in temperatures]
    return round(temperatures[torch.stack(losses).argmin()].item(), 4)


def _mean(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return _rate(sum(known) / len(known))


def _rate(value: float) -> float:
    return round(float(value), 4)
