"""One process, or many under torchrun: who writes, who sees which images, and how results come together.

torchrun --nproc-per-node=2 -m train DATA          # gloo between CPU processes, nccl between GPUs
"""

import ctypes
import math
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from detector.cpu import cores

T = TypeVar("T")


@contextmanager
def process_group() -> Iterator[None]:
    """Joins the processes that torchrun started; does nothing in a process that stands alone."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    alone = torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"])  # nccl wants a GPU for each process
    # All wait for the first, which may be downloading or auditing for hours.
    dist.init_process_group("nccl" if torch.cuda.is_available() and alone else "gloo", timeout=timedelta(hours=12))
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def worker_count() -> int:
    """Loader workers for this process, so that all processes of a machine together have one a core."""
    return max(1, min(8, cores() // _neighbours()))


def shared_memory() -> float:
    """Bytes of it that this process may fill. A container has 64 MB; only Linux has a limit."""
    place = Path("/dev/shm")
    return shutil.disk_usage(place).free // _neighbours() if place.is_dir() else math.inf


def _neighbours() -> int:
    """Processes of the same training on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def say(text: str) -> None:
    """Print once, not once a process."""
    if rank() == 0:
        print(text, flush=True)


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns in the first process, for all of them; an exception there is raised in all of them."""
    if world_size() == 1:
        return make()
    box: list = [None, None]
    if rank() == 0:
        try:
            box[0] = make()
        except Exception as error:  # noqa: BLE001 - the others wait, and must fail with the same words
            box[1] = error
    dist.broadcast_object_list(box)
    if box[1] is not None:
        raise box[1]
    return box[0]


def gather(mine: T) -> list[T]:
    """Everybody's `mine`, in the order of ranks."""
    everybody: list = [None] * world_size()
    if world_size() == 1:
        return [mine]
    dist.all_gather_object(everybody, mine)
    return everybody


def share_buffers(module: nn.Module) -> None:
    """Give all processes the first one's running statistics, which are those that are saved."""
    if world_size() > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)


def wrap(module: nn.Module) -> nn.Module:
    """`module` with gradients averaged over all processes; on GPUs batch norm sees the whole batch too."""
    if world_size() == 1:
        return module
    if torch.cuda.is_available():
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    return DistributedDataParallel(module)


# malloc.h; see man mallopt. Large tensors come from the heap, and the heap is never handed back.
_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 64 * 2**20)}


def keep_memory() -> str:
    """Let freed memory be used again instead of handed back; a sentence that says what was done.

    As it comes, glibc gives every large tensor back to the kernel, and each 4 KB of the next one is a page fault.
    """
    if platform.libc_ver()[0] != "glibc":
        return "The allocator is not glibc's and is left as it is."
    libc = ctypes.CDLL(None)
    refused = [name for name, (number, value) in _SETTINGS.items() if not libc.mallopt(number, value)]
    if refused:
        return f"glibc's allocator refused {', '.join(refused)}; training may be slower."
    return "glibc's allocator keeps freed memory."
