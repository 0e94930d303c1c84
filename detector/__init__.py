"""Tells whether an image was made by DALL-E, by a human, or by another AI, and shows where the score came from.

    import detector
    model = detector.load()                       # auto: the Hub's model if it can be had at once, else the bundled one
    verdict, = model.predict(["picture.jpg"])
    print(verdict.sentence, verdict.probs)

One direction, nothing flows back:

    file -> images.open_image -> RGB image -> transforms.eval_transforms -> x (N, 3, 224, 224)
         -> fast_cpu.forward_features -> features (N, 1024, 7, 7) -> model.forward_head -> logits (N, 3) -> probs
            features + head -> explain -> maps (N, 3, 7, 7) -> overlay
         -> Verdict -> the page, the JSON, the CSV, the report

Importing this loads nothing; torch comes with the first use.
"""

from typing import TYPE_CHECKING

from detector.cpu import set_up_openmp

if TYPE_CHECKING:
    from detector.checkpoint import CheckpointError
    from detector.images import ImageError
    from detector.predict import Detector
    from detector.verdict import Verdict

CLASSES = ("dalle", "human", "other_ai")  # the order of the model's outputs, everywhere

set_up_openmp()  # OpenMP reads its settings when torch is imported, and this is imported before

_HOMES = {"Detector": "predict", "Verdict": "verdict", "ImageError": "images", "CheckpointError": "checkpoint"}
__all__ = ["CLASSES", "CheckpointError", "Detector", "ImageError", "Verdict", "load"]


def load(model: str = "auto", precision: str = "auto", device: str = "auto") -> "Detector":
    """The detector that `model` names: auto, hub, bundled, a checkpoint's path, or a repository of the Hub.

    `auto` takes the model published on the Hub if it is cached or can be had within a few seconds, else the bundled
    one; `Detector.name` and `.note` say which and why. `precision` and `device`: see Detector. Raises CheckpointError.
    """
    from detector.hub import load_checkpoint
    from detector.predict import Detector

    return Detector(load_checkpoint(str(model)), precision, device)


def __getattr__(name: str):
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"detector.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'detector' has no attribute {name!r}")
