"""The loop and the measure: everything that turns batches into weights and figures."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from detector.model import bf16_is_faster


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
        raise RuntimeError(f"The loss became {total}; lower --lr and start again.")
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
