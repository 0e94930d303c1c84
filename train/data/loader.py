"""Samples -> batches: what a run sees, in an order and with draws that its epoch alone decides."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from detector.images import ImageError, open_image
from detector.transforms import in_two
from train.data.folders import SEED, DataError, Sample
from train.machine import rank, worker_count, world_size
from train.recipes import FEW, PREFETCH


class Images(Dataset):
    """Samples -> (x, target). What is drawn at random for a sample depends on `epoch` and its index alone: not
    on the worker, the process, or where a run was interrupted."""

    def __init__(self, samples: Sequence[Sample], transform: Callable, epoch: int = 0):
        self.samples, self.transform, self.epoch = samples, transform, epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | DataError:
        return self.drawn(index, self.transform)

    def drawn(self, index: int, transform: Callable) -> tuple[Tensor, int] | DataError:
        """A sample by another transform, with the same draws."""
        sample = self.samples[index]
        draw = random.Random(f"{SEED}/{self.epoch}/{index}").getrandbits(63)
        random.seed(draw)
        torch.manual_seed(draw)
        try:
            return transform(open_image(sample.path)), sample.target
        except ImageError as error:  # it could be read when the run began
            return DataError(f"The data changed while it was in use: {error}")


class _Bytes(Dataset):
    """Images as uint8, as workers ship them."""

    def __init__(self, images: Images, to_bytes: Callable):
        self.images, self.to_bytes = images, to_bytes

    def __getitem__(self, index: int) -> tuple[Tensor, int] | DataError:
        return self.images.drawn(index, self.to_bytes)


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


class _Loader(DataLoader):
    """Makes x of the workers' bytes, and raises a DataError in its own words, where a DataLoader would wrap a worker's
    traceback in it."""

    normalise: Callable

    def __iter__(self) -> Iterator:
        for batch in super().__iter__():
            if isinstance(batch, DataError):
                raise batch
            pixels, targets = batch
            yield self.normalise(pixels), targets


def _collate(items: list) -> tuple[Tensor, Tensor] | DataError:
    return next((item for item in items if isinstance(item, DataError)), None) or default_collate(items)


def image_loader(dataset: Images, batches: Iterable[list[int]]) -> DataLoader:
    """Loads `batches` of `dataset`."""
    to_bytes, normalise = in_two(dataset.transform)
    loader = _Loader(
        _Bytes(dataset, to_bytes),
        batch_sampler=batches,
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
        **workers(len(dataset)),
    )
    loader.normalise = normalise
    return loader


def workers(n: int) -> dict:
    """A DataLoader's arguments for `n` images: processes of their own where those pay."""
    return {} if n < FEW else {"num_workers": worker_count(), "prefetch_factor": PREFETCH}
