"""Images -> verdicts: the one way through the house."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from detector import CLASSES
from detector.checkpoint import Checkpoint
from detector.engine import choose
from detector.explain import explain, explain_with
from detector.images import open_image
from detector.nothing import nothing_to_judge
from detector.threads import over_cores
from detector.transforms import eval_transforms
from detector.verdict import Verdict

BATCH_SIZE = 8  # images in one forward pass; more gain nothing on a CPU and cost memory
DRAFT = 4  # times the input: a JPEG that stays as large may be decoded smaller; twice moves some answers by over 0.01


@dataclass(frozen=True)
class Prepared:
    """One image on its way to the network."""

    x: Tensor | None  # (3, S, S); None if there is nothing to judge
    second: Tensor | None  # the same for the second opinion's network, if there is one
    abstained: str  # why there is nothing to judge, or ""
    image: Image.Image | None  # the picture, small, if it was asked for


class Detector:
    """A model with the transform that belongs to it. It keeps nothing between calls, so threads may share it.

    `precision`: "fp32", "bf16", or "auto", which takes bf16 where the device is faster at it. Probabilities then differ
    by less than 0.01 from those in fp32, which are the same on every machine. `device`: cpu, cuda, mps, or "auto",
    which takes a GPU if there is one.
    """

    def __init__(self, checkpoint: Checkpoint, precision: str = "auto", device: str = "auto"):
        chosen = choose(checkpoint, precision, device)
        self.model = checkpoint.model
        self.engine = chosen.engine
        self.precision = chosen.precision  # what it computes in, and where: "fp32", "bf16", "bf16 on cuda"
        self.config = checkpoint.config
        self.name = checkpoint.name
        # Why this model answers, or answers in this way, where that needs saying.
        self.note = " ".join(filter(None, (checkpoint.note, chosen.note)))
        self.second = Detector(checkpoint.second, precision, device) if checkpoint.second else None
        self.transform = eval_transforms(self.config.input_size, self.config.mean, self.config.std)

    def prepare(
        self, image: str | Path | bytes | Image.Image, longest: int | None = None, name: str | None = None
    ) -> Prepared:
        """An image ready for the network; with `longest` the picture too, no side longer than that many pixels.

        Nothing larger is kept: a large photograph does not stay in memory. Raises ImageError, which calls it `name`.
        """
        sizes = [judge.config.input_size for judge in (self, self.second) if judge]
        picture = open_image(image, name, DRAFT * max(sizes))
        abstained = nothing_to_judge(picture)
        x = None if abstained else self.transform(picture)
        second = self.second.transform(picture) if self.second and not abstained else None
        if longest:
            picture.thumbnail((longest, longest), Image.HAMMING)
        return Prepared(x, second, abstained, picture if longest else None)

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
        return self.classify([self.prepare(image) for image in images])

    def classify(self, images: Sequence[Prepared]) -> list[Verdict]:
        """The same for images that went through `prepare`."""
        judged = [image for image in images if not image.abstained]
        verdicts = self._in_batches([image.x for image in judged])
        if self.second:
            seconds = self.second._in_batches([image.second for image in judged])
            verdicts = (replace(v, second=w) for v, w in zip(verdicts, seconds, strict=True))
        return [
            Verdict({}, (), None, self.name, abstained=image.abstained) if image.abstained else next(verdicts)
            for image in images
        ]

    def classify_opened(self, images: Sequence[Prepared | str]) -> list[Verdict | str]:
        """The same where some images could not be opened: the sentence that says why stays in its place."""
        verdicts = iter(self.classify([image for image in images if not isinstance(image, str)]))
        return [image if isinstance(image, str) else next(verdicts) for image in images]

    def judge(self, images: Sequence[Image.Image]) -> list[Verdict]:
        """Verdicts of RGB images just as they are, by this model alone, whether there is anything to judge or not."""
        return list(self._in_batches([self.transform(image) for image in images]))

    @torch.inference_mode()
    def probabilities(self, x: Tensor) -> Tensor:
        """Normalised batch (N, 3, S, S) -> probabilities (N, 3), after temperature, on the CPU."""
        return self._probs(self.model.forward_head(self.engine.forward_features(x)))

    @torch.inference_mode()
    def embed(self, x: Sequence[Tensor]) -> np.ndarray:
        """What the last layer is given of some images x (3, S, S): (N, 1024), the means over the cells."""
        return torch.relu(self.engine.forward_features(torch.stack(list(x))).float()).mean((2, 3)).numpy()

    def _probs(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits / (self.config.temperature or 1.0), 1)

    def explain_with(self, image: Prepared, method: str, layer: str = "norm5") -> np.ndarray:
        """The maps (3, h, w) of an image that went through `prepare`, by another method: explain.explain_with."""
        if image.abstained:
            raise ValueError(f"There is nothing to judge: {image.abstained}.")
        return explain_with(self.model, image.x[None], method, layer)[0]

    def _in_batches(self, x: Sequence[Tensor]) -> Iterator[Verdict]:
        for start in range(0, len(x), BATCH_SIZE):
            yield from self._classify(x[start : start + BATCH_SIZE])

    @torch.inference_mode()
    def _classify(self, x: Sequence[Tensor]) -> list[Verdict]:
        features = self.engine.forward_features(torch.stack(list(x)))  # (N, 1024, S/32, S/32)
        logits = self.model.forward_head(features)  # (N, 3)
        probs = self._probs(logits)
        maps = explain(features, self.model.classifier)
        return [
            Verdict(dict(zip(CLASSES, p, strict=True)), tuple(z), m, self.name, self.config.measured)
            for p, z, m in zip(probs.tolist(), logits.tolist(), maps, strict=True)
        ]
