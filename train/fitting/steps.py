"""The loop and the measure: everything that turns batches into weights and figures."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from detector.fast_cpu import bf16_is_faster
from train.data.folders import Sample
from train.data.loader import Images, image_loader
from train.machine import from_first, gather, rank, world_size
from train.recipes import EVAL_BATCH_SIZE


class Diverged(RuntimeError):
    """Training that went wrong for good. Its text is one sentence for people."""


@dataclass(frozen=True)
class Precision:
    """Where and how precisely a network is run: device, and bf16 or fp32 arithmetic."""

    device: torch.device
    bf16: bool

    @classmethod
    def best(cls) -> "Precision":
        """A GPU if there is one; bf16 where it is the faster."""
        if torch.cuda.is_available():
            return cls(torch.device("cuda", torch.cuda.current_device()), torch.cuda.is_bf16_supported(False))
        return cls(torch.device("cpu"), from_first(bf16_is_faster))

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def put(self, x: Tensor) -> Tensor:
        layout = torch.channels_last if x.ndim == 4 else torch.preserve_format
        return x.to(self.device, memory_format=layout, non_blocking=True)


@dataclass
class Running:
    """Sums over the images of an epoch so far."""

    loss: float = 0.0
    right: int = 0
    n: int = 0

    def add(self, loss: Tensor, right: Tensor) -> None:
        self.loss += loss.item() * len(right)
        self.right += int(right.sum())
        self.n += len(right)

    def over_all(self) -> "Running":
        """The sums of all processes together."""
        parts = gather(self)
        return Running(sum(p.loss for p in parts), sum(p.right for p in parts), sum(p.n for p in parts))


def train_one_epoch(
    objective: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    loader: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    precision: Precision,
    title: str,
    running: Running | None = None,
    after_step: Callable[[Running], None] = lambda running: None,
) -> Running:
    """One pass over `loader`; `objective(x, index)` gives the loss of a batch, and which of its images are named
    rightly (N,). An epoch that was interrupted goes on from its `running` sums."""
    running = running or Running()
    before, start = running.n, time.perf_counter()
    bar = tqdm(loader, title, unit="batch", mininterval=1, disable=None if rank() == 0 else True)
    for x, index in bar:
        with precision.autocast():
            loss, right = objective(precision.put(x), index)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        running.add(loss.detach(), right)
        if not math.isfinite(running.loss):
            raise Diverged("The loss is no number any more; start again with a lower --lr.")
        speed = (running.n - before) * world_size() / (time.perf_counter() - start)
        bar.set_postfix_str(f"loss {running.loss / running.n:.3f}, {speed:.0f} images/s", refresh=False)
        after_step(running)
    return running.over_all()


@torch.inference_mode()
def predict_logits(
    model: nn.Module, samples: Sequence[Sample], transform: Callable, precision: Precision, title: str, epoch: int = 0
) -> Tensor:
    """The model's output (N, C) for all samples, in their order, in fp32 on the CPU; all processes share the work."""
    model.eval()
    mine = torch.arange(rank(), len(samples), world_size()).split(EVAL_BATCH_SIZE)
    loader = image_loader(Images(samples, transform, epoch), [batch.tolist() for batch in mine], precision.device)
    outputs = []
    bar = tqdm(loader, title, unit="batch", mininterval=1, leave=False, disable=None if rank() == 0 else True)
    for x, _ in bar:
        with precision.autocast():
            outputs.append(model(precision.put(x)).float().cpu())
    parts = gather(torch.cat(outputs) if outputs else torch.empty(0))
    whole = torch.empty(len(samples), *parts[0].shape[1:])
    for share, part in enumerate(parts):
        if len(part):
            whole[share :: world_size()] = part
    return whole


def targets_of(samples: Sequence[Sample]) -> Tensor:
    """The true classes (N,)."""
    return torch.tensor([sample.target for sample in samples])
