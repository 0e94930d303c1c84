"""Images -> verdicts: the one way through the house."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from detector import CLASSES
from detector.checkpoint import Checkpoint
from detector.explain import explain
from detector.images import open_image
from detector.transforms import eval_transforms
from detector.verdict import Verdict

BATCH_SIZE = 8  # images in one forward pass; more gain nothing on a CPU and cost memory


class Detector:
    """A model with the transform that belongs to it. It keeps nothing between calls, so threads may share it."""

    def __init__(self, checkpoint: Checkpoint):
        self.model = checkpoint.model
        self.config = checkpoint.config
        self.name = checkpoint.name
        self.note = checkpoint.note  # why this model answers, where that needs saying
        self.transform = eval_transforms(self.config.input_size, self.config.mean, self.config.std)

    def predict(self, images: Sequence[str | Path | bytes | Image.Image]) -> list[Verdict]:
        """One forward pass for every BATCH_SIZE images; probabilities and the six maps of each come from it.

        Paths, bytes and PIL images are taken; what cannot be read raises `images.ImageError`.
        """
        if isinstance(images, str | Path | bytes | Image.Image):
            raise TypeError("predict takes a list of images; put the one image in [ ].")
        # Decoded one after the other: a batch of large photographs need never be in memory together.
        return self.classify([self.transform(open_image(image)) for image in images])

    def classify(self, x: Sequence[Tensor]) -> list[Verdict]:
        """The same for images that went through `transform`: N x (3, S, S)."""
        batches = (x[start : start + BATCH_SIZE] for start in range(0, len(x), BATCH_SIZE))
        return [verdict for batch in batches for verdict in self._classify(batch)]

    @torch.inference_mode()
    def _classify(self, x: Sequence[Tensor]) -> list[Verdict]:
        batch = torch.stack(list(x)).to(memory_format=torch.channels_last)  # (N, 3, S, S)
        features = self.model.forward_features(batch)  # (N, 1024, S/32, S/32)
        logits = self.model.forward_head(features)  # (N, 3)
        probs = torch.softmax(logits / (self.config.temperature or 1.0), 1)
        maps = explain(features, self.model.classifier)
        return [
            Verdict(dict(zip(CLASSES, p, strict=True)), tuple(z), m, self.name)
            for p, z, m in zip(probs.tolist(), logits.tolist(), maps, strict=True)
        ]
