"""Images -> verdicts: the one way through the house."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from detector import CLASSES
from detector.checkpoint import Checkpoint
from detector.explain import explain
from detector.fast_cpu import Engine, bf16_is_faster
from detector.images import open_image
from detector.threads import over_cores
from detector.transforms import eval_transforms
from detector.verdict import Verdict

BATCH_SIZE = 8  # images in one forward pass; more gain nothing on a CPU and cost memory
DRAFT = 4  # times the input: a JPEG that stays as large may be decoded smaller; twice moves some answers by over 0.01
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Detector:
    """A model with the transform that belongs to it. It keeps nothing between calls, so threads may share it.

    `precision`: "fp32", "bf16", or "auto", which takes bf16 where this processor is faster at it. Probabilities then
    differ by less than 0.01 from those in fp32, which are the same on every machine.
    """

    def __init__(self, checkpoint: Checkpoint, precision: str = "auto"):
        if precision == "auto":
            precision = "bf16" if bf16_is_faster() else "fp32"
        if precision not in DTYPES:
            raise ValueError(f"There is no precision {precision!r}; give auto, {' or '.join(DTYPES)}.")
        self.model = checkpoint.model
        self.engine = Engine(checkpoint.model, DTYPES[precision])
        self.precision = precision
        self.config = checkpoint.config
        self.name = checkpoint.name
        self.note = checkpoint.note  # why this model answers, where that needs saying
        self.transform = eval_transforms(self.config.input_size, self.config.mean, self.config.std)

    def open(self, image: str | Path | bytes | Image.Image) -> Image.Image:
        """`images.open_image`, at no more than the size that this model needs. Raises ImageError."""
        return open_image(image, enough=DRAFT * self.config.input_size)

    def predict(self, images: Sequence[str | Path | bytes | Image.Image]) -> list[Verdict]:
        """One forward pass for every BATCH_SIZE images; probabilities and the six maps of each come from it.

        Paths, bytes and PIL images are taken; what cannot be read raises ImageError.
        """
        if isinstance(images, str | Path | bytes | Image.Image):
            raise TypeError("predict takes a list of images; put the one image in [ ].")
        if len(images) == 1:  # all cores work on it
            return self._predict(images)
        return list(over_cores(self._predict, images, BATCH_SIZE))

    def _predict(self, images: Sequence[str | Path | bytes | Image.Image]) -> list[Verdict]:
        # Decoded one after the other: a batch of large photographs need never be in memory together.
        return self.classify([self.transform(self.open(image)) for image in images])

    def classify(self, x: Sequence[Tensor]) -> list[Verdict]:
        """The same for images that went through `transform`: N x (3, S, S)."""
        batches = (x[start : start + BATCH_SIZE] for start in range(0, len(x), BATCH_SIZE))
        return [verdict for batch in batches for verdict in self._classify(batch)]

    @torch.inference_mode()
    def _classify(self, x: Sequence[Tensor]) -> list[Verdict]:
        features = self.engine.forward_features(torch.stack(list(x)))  # (N, 1024, S/32, S/32)
        logits = self.model.forward_head(features)  # (N, 3)
        probs = torch.softmax(logits / (self.config.temperature or 1.0), 1)
        maps = explain(features, self.model.classifier)
        return [
            Verdict(dict(zip(CLASSES, p, strict=True)), tuple(z), m, self.name)
            for p, z, m in zip(probs.tolist(), logits.tolist(), maps, strict=True)
        ]
