"""A picture's way through the network, in numbers; the browser draws it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from detector import CLASSES
from detector.output.data_url import data_url

if TYPE_CHECKING:
    from torch import Tensor

    from detector.checkpoint import Config
    from detector.serving import Service

PICTURE_SIDE = 480  # pixels of the longer side of the picture that is shown


def steps(service: "Service", path: Path) -> dict:
    """All that lies between the picture and its probabilities: for each class c and cell, logits[c] = the sum of
    terms[c] (h, w) + bias[c], and probs = softmax(logits / temperature). Or {"nothing": why}. Raises ImageError."""
    judge = service.detector
    answer = service.answer(path, PICTURE_SIDE)
    shown = {"picture": data_url(answer.image)}
    verdict = answer.verdict
    if verdict.abstained:
        return shown | {"nothing": f"There is nothing to judge: {verdict.abstained}."}
    return shown | {
        "square": data_url(square(judge.prepare(path).x, judge.config)),
        "label": CLASSES.index(verdict.label),
        "terms": verdict.maps.evidence.astype(float).tolist(),
        "bias": judge.model.classifier.bias.tolist(),
        "logits": list(verdict.logits),
        "temperature": judge.config.temperature,
        "probs": [verdict.probs[name] for name in CLASSES],
    }


def square(x: "Tensor", config: "Config") -> Image.Image:
    """What the network was given, x (3, S, S), as a picture again: its normalisation undone."""
    pixels = x.permute(1, 2, 0).numpy() * config.std + config.mean  # (S, S, 3) in [0, 1]
    return Image.fromarray(np.rint(pixels * 255).clip(0, 255).astype(np.uint8))
