"""A picture's way through the network, in numbers; the browser draws it."""

from pathlib import Path
from typing import TYPE_CHECKING

from detector import CLASSES
from detector.output.data_url import data_url

if TYPE_CHECKING:
    from detector.serving import Service

PICTURE_SIDE = 480  # pixels of the longer side of the picture that is shown


def steps(service: "Service", path: Path) -> dict:
    """All that lies between the picture and its probabilities: for each class c and cell, logits[c] = the sum of
    terms[c] (h, w) + bias[c], and probs = softmax(logits / temperature). Or {"nothing": why}. Raises ImageError."""
    from detector.transforms import as_seen  # brings torch, which takes longer than the page

    judge = service.detector
    answer = service.answer(path, PICTURE_SIDE)
    shown = {"picture": data_url(answer.image)}
    verdict = answer.verdict
    if verdict.abstained:
        return shown | {"nothing": f"There is nothing to judge: {verdict.abstained}."}
    return shown | {
        "square": data_url(as_seen(judge.prepare(path).x, judge.config.mean, judge.config.std)),
        "label": CLASSES.index(verdict.label),
        "terms": verdict.maps.evidence.astype(float).tolist(),
        "bias": judge.model.classifier.bias.tolist(),
        "logits": list(verdict.logits),
        "temperature": judge.config.temperature,
        "probs": [verdict.probs[name] for name in CLASSES],
    }
