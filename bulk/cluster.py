"""Ray: a cluster, or one on this machine; and the parts that go through it."""

import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bulk import BulkError
from bulk.places import in_short
from bulk.score import Scorer

OBJECTS = 100 * 2**20  # bytes of memory that processes share on this machine: numbers of parts, and no picture
TRIES = 4  # of a part whose process dies
BLOCKS = 10_000  # Ray's units of work; each has one part, or more where there are more parts


class Workers(NamedTuple):
    """Models that work at a time."""

    number: int
    cores: int  # of each
    gpus: int  # of each


@contextmanager
def cluster(address: str | None, cores_here: int, cores: int | None, device: str) -> Iterator[Workers]:
    """Raises BulkError."""
    # Ray reads this when it is imported. What it says to itself of processes' beginnings is for its own log.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    if not address and "RAY_AUTH_MODE" not in os.environ:
        # Its ports are open to the network: who knocks has to know this run's token, which is nowhere on the disk.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what ends a run is told once, in a sentence
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address:
            ray.init(address, **quiet)
        else:
            ray.init("local", num_cpus=cores_here, object_store_memory=OBJECTS, include_dashboard=False, **quiet)
    except (OSError, ray.exceptions.RayError, ValueError, RuntimeError) as error:
        raise BulkError(f"Ray cannot be reached at {address or 'this machine'}: {in_short(error)}.") from error
    try:
        yield workers_on([node["Resources"] for node in ray.nodes() if node["Alive"]], cores, device)
    finally:
        ray.shutdown()


def workers_on(machines: list[dict], cores: int | None, device: str) -> Workers:
    """One for each GPU; where there is none, one for as many cores as the smallest machine has."""
    machines = [machine for machine in machines if machine.get("CPU", 0) >= 1]
    gpus = [machine for machine in machines if machine.get("GPU", 0) >= 1] if device in ("auto", "cuda") else []
    if gpus:
        each = cores or max(1, int(min(machine["CPU"] // machine["GPU"] for machine in gpus)))
        number = sum(min(machine["GPU"], machine["CPU"] // each) for machine in gpus)
    else:
        each = cores or int(min((machine["CPU"] for machine in machines), default=1))
        number = sum(machine["CPU"] // each for machine in machines)
    if not number:
        raise BulkError(f"No machine has {each} cores; give --cores less, or wait until the machines are there.")
    return Workers(int(number), each, bool(gpus))


def judge(scorer: tuple, parts: list[int], workers: Workers) -> Iterator[dict]:
    """What Scorer tells of each part, as each is done, within `cluster`. Raises BulkError."""
    import ray.data
    from ray.util.annotations import RayDeprecationWarning

    rows = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=min(len(parts), BLOCKS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RayDeprecationWarning)  # of max_task_retries; Ray would try for ever
        told = rows.map_batches(
            Scorer, fn_constructor_args=scorer, batch_size=1, num_cpus=workers.cores, num_gpus=workers.gpus,
            compute=ray.data.ActorPoolStrategy(size=min(workers.number, len(parts))), max_task_retries=TRIES - 1,
        )  # fmt: skip
    try:
        yield from told.iter_rows()
    except ray.exceptions.RayError as error:
        cause = str(error).strip().splitlines()[-1].rstrip(".")  # before it, where in Ray it was raised
        if isinstance(error, ray.exceptions.ActorUnavailableError):  # else it is the model that could not be loaded
            cause = f"its process died {TRIES} times, as it does without memory ({cause})"
        raise BulkError(
            f"A part could not be judged: {cause}. What is done is kept; the same command goes on from here."
        ) from error
