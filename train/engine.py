"""The loop and the measure: everything that turns batches into weights and figures."""

import functools
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm


@functools.cache
def bf16_is_faster() -> bool:
    """Whether bfloat16 beats float32 on this processor, measured on one convolution of the network's kind.

    Processors without native bf16 emulate it, several times slower; no flag tells the two apart on every platform.
    """
    x, weight = torch.randn(8, 128, 28, 28), torch.randn(128, 128, 1, 1)
    medians = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (tensor.to(dtype, memory_format=torch.channels_last) for tensor in (x, weight))
        times = []
        with torch.inference_mode():
            for _ in range(12):
                start = time.perf_counter()
                F.conv2d(a, b)
                times.append(time.perf_counter() - start)
        medians.append(statistics.median(times[2:]))
    return medians[1] < 0.8 * medians[0]  # a gain too small to be sure of is not worth the lost digits


@dataclass(frozen=True)
class Precision:
    """Where and how precisely a network is run: device, and bf16 or fp32 arithmetic."""

    device: torch.device
    bf16: bool

    @classmethod
    def best(cls) -> "Precision":
        """A GPU if there is one; bf16 where it is the faster."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(device, torch.cuda.is_bf16_supported() if device.type == "cuda" else bf16_is_faster())

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def put(self, x: Tensor) -> Tensor:
        layout = torch.channels_last if x.ndim == 4 else torch.preserve_format
        return x.to(self.device, memory_format=layout, non_blocking=True)


def train_one_epoch(
    loss_of: Callable[[Tensor, Tensor], Tensor],
    loader: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    precision: Precision,
    title: str,
) -> float:
    """One pass over `loader`; `loss_of(x, target)` is the loss of a batch. Returns the mean loss."""
    total = n = 0
    start = time.perf_counter()
    bar = tqdm(loader, title, unit="batch", mininterval=1, disable=None)
    for x, target in bar:
        with precision.autocast():
            loss = loss_of(precision.put(x), target.to(precision.device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total, n = total + loss.item() * len(x), n + len(x)
        bar.set_postfix_str(f"loss {total / n:.3f}, {n / (time.perf_counter() - start):.0f} images/s", refresh=False)
    if not total < float("inf"):
        raise RuntimeError(f"The loss became {total}; nothing was learned from here on.")
    return total / n


@torch.inference_mode()
def predict_logits(model: nn.Module, loader: Iterable, precision: Precision, title: str) -> tuple[Tensor, Tensor]:
    """Logits (N, 3) and targets (N,) of a whole split, in fp32 on the CPU, in the loader's order."""
    model.eval()
    logits, targets = [], []
    for x, target in tqdm(loader, title, unit="batch", mininterval=1, leave=False, disable=None):
        with precision.autocast():
            logits.append(model(precision.put(x)).float().cpu())
        targets.append(target)
    return torch.cat(logits), torch.cat(targets)
