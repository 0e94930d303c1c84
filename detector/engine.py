"""What runs the network: chosen by device and processor, and checked before anybody gets an answer from it."""

import copy
import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from detector.arguments import DEVICES, PRECISIONS
from detector.checkpoint import Checkpoint, CheckpointError
from detector.fast_cpu import Engine, bf16_is_faster
from detector.model import DenseNet121

log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TOLERANCE = 0.01  # of a probability, against plain PyTorch in fp32
CHECKED = 3, 112  # pictures and their side in pixels: less work than one picture of 224


class Plain:
    """`forward_features` as torchvision has it, on any device; takes and returns tensors of the CPU, in float32."""

    def __init__(self, model: DenseNet121, device: torch.device, dtype: torch.dtype = torch.float32):
        self.device, self.dtype = device, dtype
        self.features = copy.deepcopy(model.features).to(device, memory_format=torch.channels_last)
        if device.type == "cuda" and dtype == torch.float32:
            torch.backends.cudnn.allow_tf32 = False  # as it comes, what a GPU calls fp32 has 10 bits

    @torch.inference_mode()
    def forward_features(self, x: Tensor) -> Tensor:
        """As DenseNet121.forward_features."""
        x = x.to(self.device, memory_format=torch.channels_last)
        whole = self.dtype == torch.float32
        with nullcontext() if whole else torch.autocast(self.device.type, self.dtype):
            return self.features(x).float().cpu()


@dataclass(frozen=True)
class Chosen:
    engine: Engine | Plain
    precision: str  # what it computes in, and where if not on the CPU
    note: str = ""  # why it is not what was asked for


def choose(checkpoint: Checkpoint, precision: str = "auto", device: str = "auto") -> Chosen:
    """The engine for `precision` and `device`; plain fp32 where that engine's answers are off, which is logged.

    Raises CheckpointError if the device is not there.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"There is no precision {precision!r}; give {', '.join(PRECISIONS)}.")
    place = _device(device)
    if precision == "auto":
        precision = "bf16" if _bf16_pays(place) else "fp32"
    dtype = DTYPES[precision]
    engine = Engine(checkpoint.model, dtype) if place.type == "cpu" else Plain(checkpoint.model, place, dtype)
    runs = precision if place.type == "cpu" else f"{precision} on {place.type}"
    off = _difference(engine, checkpoint)
    if off <= TOLERANCE:
        return Chosen(engine, runs)
    fault = f"off by {off:.2f}" if off <= 1 else "not numbers"
    note = f"In {runs} this model's probabilities are {fault}, so PyTorch's plain fp32 answers, which is slower."
    log.warning("%s", note)
    return Chosen(Plain(checkpoint.model, torch.device("cpu")), "fp32", note)


def _device(name: str) -> torch.device:
    if name not in DEVICES:
        raise ValueError(f"There is no device {name!r}; give {', '.join(DEVICES)}.")
    there = {"cuda": torch.cuda.is_available() and not _lent(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_there in there.items() if is_there)
    if not there[name]:
        raise CheckpointError(f"PyTorch finds no device {name!r} on this machine; give --device auto or cpu.")
    return torch.device(name)


def _lent() -> bool:
    """Whether this is a Space on ZeroGPU: torch says there that it has a GPU, but that is lent to decorated functions
    alone, in processes of their own, and everything else that asks for it fails."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def _bf16_pays(device: torch.device) -> bool:
    if device.type == "cpu":
        return bf16_is_faster()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


@torch.inference_mode()
def _difference(engine: Engine | Plain, checkpoint: Checkpoint) -> float:
    """The largest difference of a probability to plain PyTorch in fp32, on drawn pictures; infinite if one is none.

    Also of a picture on the fence: a model that is sure of the drawn ones would hide that its features are wrong.
    """
    x = _pictures()
    expected, found = (
        checkpoint.model.forward_head(features) / (checkpoint.config.temperature or 1.0)
        for features in (checkpoint.model.forward_features(x), engine.forward_features(x))
    )
    pairs = (expected, found), (torch.zeros_like(found), found - expected)
    differences = torch.stack([(a.softmax(1) - b.softmax(1)).abs() for a, b in pairs])
    return torch.nan_to_num(differences, nan=torch.inf).max().item()


def _pictures() -> Tensor:
    """Drawn pictures, always the same, normalised (N, 3, S, S).

    Like photographs in what matters here: neighbours are alike (amplitudes fall as 1 / frequency), and so are colours.
    """
    n, side = CHECKED
    draw = torch.Generator().manual_seed(0)
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]).clamp(min=1 / side)
    grey, colour = torch.randn(n, 1, side, side, generator=draw), torch.randn(n, 3, side, side, generator=draw)
    x = torch.fft.irfft2(torch.fft.rfft2(grey + 0.4 * colour) / frequency, s=(side, side))
    return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)
