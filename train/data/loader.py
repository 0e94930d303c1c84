"""Samples -> batches: what a run sees, in an order and with draws that its epoch alone decides."""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from detector.images import ImageError, open_image
from detector.transforms import in_two
from train.data.folders import SEED, DataError, Sample
from train.machine import rank, say, shared_memory, worker_count, world_size
from train.recipes import FEW, PREFETCH


class Images(Dataset):
    """Samples -> (x, index). What is drawn at random for a sample depends on `epoch` and its index alone: not
    on the worker, the process, or where a run was interrupted."""

    def __init__(self, samples: Sequence[Sample], transform: Callable, epoch: int = 0):
        self.samples, self.transform, self.epoch = samples, transform, epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | DataError:
        sample = self.samples[index]
        draw = random.Random(f"{SEED}/{self.epoch}/{index}").getrandbits(63)
        random.seed(draw)
        torch.manual_seed(draw)
        try:
            return self.transform(open_image(sample.path)), index
        except ImageError as error:  # it could be read when the run began
            return DataError(f"The data changed while it was in use: {error}")


class Batches(Sampler[list[int]]):
    """This process's share of every batch of an epoch: from `start`, in an order that the epoch alone decides."""

    def __init__(self, n: int, batch_size: int, epoch: int, start: int = 0):
        if batch_size % world_size() or n < world_size():
            raise DataError(
                f"{n} images in batches of {batch_size} cannot be shared by {world_size()} processes; "
                f"give --batch-size a multiple of {world_size()}."
            )
        generator = torch.Generator().manual_seed(SEED * 10_000 + epoch)
        order = torch.randperm(n, generator=generator)
        # The last, small batch is left out: its batch statistics would be noise. Processes get equal shares.
        size = min(batch_size, n - n % world_size())
        whole = [batch for batch in order.split(size) if len(batch) == size]
        self.n_steps = len(whole)
        self.batches = [batch[rank() :: world_size()].tolist() for batch in whole[start:]]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Loader:
    """Batches (x, index) of a loader that ships bytes."""

    def __init__(self, loader: DataLoader, to_x: Callable[[Tensor], Tensor], device: torch.device):
        self.loader, self.to_x, self.device = loader, to_x, device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.loader:
            if isinstance(batch, DataError):  # raised in a worker it would be wrapped in a traceback
                raise batch
            pixels, index = batch
            yield self.to_x(pixels.to(self.device, non_blocking=True)), index


def image_loader(
    images: Images, batches: Batches | Sequence[list[int]], device: torch.device
) -> Iterable[tuple[Tensor, Tensor]]:
    """(x, index (N,) on the CPU) for each of `batches`. Workers ship uint8, which becomes x on `device`."""
    to_pixels, to_x = in_two(images.transform)
    batch_bytes = to_pixels(Image.new("RGB", (64, 64))).nbytes * max(map(len, batches), default=0)
    loader = DataLoader(
        Images(images.samples, to_pixels, images.epoch),
        batch_sampler=batches,
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
        **workers(len(images), batch_bytes),
    )
    return _Loader(loader, to_x, device)


def _collate(items: list) -> tuple[Tensor, Tensor] | DataError:
    return next((item for item in items if isinstance(item, DataError)), None) or default_collate(items)


def workers(n: int, batch_bytes: int = 0) -> dict:
    """A DataLoader's arguments for `n` images: processes of their own where those pay, and no more of them than there
    is room for in shared memory, where their batches wait."""
    if n < FEW:
        return {}
    room = shared_memory() // ((PREFETCH + 1) * batch_bytes) if batch_bytes else math.inf  # + 1: one is in use
    if count := min(worker_count(), room):
        return {"num_workers": count, "prefetch_factor": PREFETCH}
    say("Shared memory is too small for loader processes, so training waits for its images; see docker run --shm-size.")
    return {}
