"""Work on other threads."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any


def in_background(function: Callable, *arguments: Any) -> Future:
    """The future of `function(*arguments)`; whatever that raises is raised to whoever asks for the result.

    On a thread that does not hold up the end of the program, as a pool's threads would.
    """
    future = Future()

    def work() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # noqa: BLE001 - handed on, see above
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def over_cores(function: Callable[[Sequence], Iterable], items: Sequence, batch_size: int) -> Iterator:
    """`function(batch)` for batches of at most `batch_size` items, in order, one result after the other."""
    import torch

    size = max(1, min(batch_size, math.ceil(len(items) / torch.get_num_threads())))
    yield from batches_over_cores(function, (items[start : start + size] for start in range(0, len(items), size)))


def batches_over_cores(function: Callable[[Sequence], Iterable], batches: Iterator[Sequence]) -> Iterator:
    """The same for batches that are made as they are needed.

    A thread for each core, whose own arithmetic keeps to that core. That is faster than all cores on one batch at a
    time, since decoding pictures leaves all but one of them idle.
    """
    import torch

    workers = torch.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=keep_to_one_core) as pool:
        running: deque[Future] = deque()
        try:
            running.extend(pool.submit(function, batch) for batch in islice(batches, 2 * workers))
            while running:
                yield from running.popleft().result()
                running.extend(pool.submit(function, batch) for batch in islice(batches, 1))
        finally:  # an error, or nobody wants the rest
            for future in running:
                future.cancel()


def keep_to_one_core() -> None:
    """Let what this thread computes with OpenMP, as torch does, have one core."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.get_num_threads()  # torch gives a new thread all cores when it first uses it, so let it do that now
    threadpool_limits(1, user_api="openmp")  # OpenMP counts threads for each thread that starts some: only this one
