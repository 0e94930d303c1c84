"""Logits and targets -> the figures that reports, cards and the page quote."""

import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score
from torch import Tensor

from detector import CLASSES
from detector.verdict import BANDS

HUMAN = CLASSES.index("human")


def figures(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> dict:
    """The figures of one split: logits (N, 3), targets (N,). Rates are in [0, 1]; confusion rows are the truth.

    `fpr_at_band`: the share of human-made images with P(AI) at or above the band's bound.
    """
    probs = torch.softmax(logits.double() / temperature, 1)
    predicted = probs.argmax(1)
    confusion = confusion_matrix(targets, predicted, labels=range(len(CLASSES)))
    is_ai, p_ai = targets != HUMAN, 1 - probs[:, HUMAN]
    return {
        "n": len(targets),
        "accuracy": _rate((predicted == targets).double().mean()),
        "balanced_accuracy": _rate(balanced_accuracy_score(targets, predicted)),
        "recall": {
            name: _rate(row[i] / row.sum()) for i, (name, row) in enumerate(zip(CLASSES, confusion, strict=True))
        },
        "confusion": confusion.tolist(),
        "ai_vs_human": {
            "balanced_accuracy": _rate(balanced_accuracy_score(is_ai, p_ai >= 0.5)),
            "auroc": _rate(roc_auc_score(is_ai, p_ai)),
            "fpr_at_band": {
                word.replace(" ", "_"): _rate((p_ai[~is_ai] >= bound).double().mean())
                for word, bound in reversed(BANDS.items())
            },
        },
        "ece": _rate(expected_calibration_error(probs, targets)),
    }


def expected_calibration_error(probs: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Mean |accuracy - confidence| over equal-width bins of confidence (Guo et al. 2017, arXiv:1706.04599)."""
    confidence, predicted = probs.max(1)
    right = (predicted == targets).to(probs)
    index = (confidence * bins).long().clamp(max=bins - 1)
    gap = torch.zeros(bins, dtype=probs.dtype).index_add_(0, index, right - confidence)
    return gap.abs().sum().item() / len(targets)


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), to 1 %, between 1/8 and 8."""
    temperatures = torch.logspace(-3, 3, 421, base=2, dtype=torch.float64)
    losses = [torch.nn.functional.cross_entropy(logits.double() / t, targets) for t in temperatures]
    return round(temperatures[torch.stack(losses).argmin()].item(), 4)


def _rate(value: float) -> float:
    return round(float(value), 4)
