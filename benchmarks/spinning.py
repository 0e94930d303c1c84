"""How long OpenMP's threads should spin while they wait (detector.cpu.SPINNING): on an idle machine, and on a busy one.

Each setting in a process of its own, in turns; busy: beside as many endless loops as there are cores. One image with
its decoding, a batch of 8, a training step, and 8 people at once, served by `detector.serving` (`shared out`) and by
all cores for one batch after the other.
"""

import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from benchmarks.common import ROOT, jpeg, report, spread, table
from detector.cpu import SPINNING, cores

SETTINGS = {
    "as it comes": {},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    **{f"GOMP_SPINCOUNT={n}": {"GOMP_SPINCOUNT": str(n)} for n in (100, 1000, 10000)},
}
ROUNDS = 3
PEOPLE, ANSWERS = 8, 3  # of each
LIMIT = 90  # seconds for one process; what has not ended by then is missing, and counts fewer rounds


def measure() -> dict:
    found = {}
    for _ in range(ROUNDS):
        for load in ("idle", "busy"):
            for name, given in SETTINGS.items():
                with busy_loops(cores() if load == "busy" else 0):
                    for action, seconds in in_a_process(given).items():
                        print(f"{load}, {name}, {action}: {seconds * 1000:.0f} ms", flush=True)
                        found.setdefault(f"{action}, {load}", {}).setdefault(name, []).append(seconds)
    found = {title: {name: spread(seconds) for name, seconds in rows.items()} for title, rows in found.items()}
    for title, rows in found.items():
        table(title, rows)
    return {"seconds": found}


@contextmanager
def busy_loops(n: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def in_a_process(given: dict[str, str]) -> dict[str, float]:
    unset = (*SPINNING, "OMP_WAIT_POLICY")
    environment = {key: value for key, value in os.environ.items() if key not in unset} | given
    # torch comes first here: it sees these settings alone, not those that `detector` adds.
    command = [sys.executable, "-c", "import torch; from benchmarks.spinning import work; work()"]
    try:
        lines = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=LIMIT
        ).stdout
    except subprocess.TimeoutExpired as expired:
        lines = expired.stdout or b""
    return dict(json.loads(line) for line in lines.splitlines())


def work() -> None:
    """Median seconds for each kind of work, a line of JSON each, as they come."""
    import torch

    import detector
    from detector.model import DenseNet121
    from detector.serving import Service

    data, model = jpeg(1024), detector.load("bundled", "fp32", "cpu")
    batch, network, small = torch.randn(8, 3, 224, 224), DenseNet121(), torch.randn(8, 3, 128, 128)
    contestants = {
        "one image": lambda: model.predict([data]),
        "batch of 8": lambda: model.engine.forward_features(batch),
        "training step": lambda: network(small).sum().backward(),
    }
    for name, action in contestants.items():
        print(json.dumps((name, median_of(5, action))), flush=True)
    for name, answer in {"shared out": Service(model).answer, "all cores": OneAfterTheOther(model).answer}.items():
        crowd(answer, data)  # threads start
        seconds = crowd(answer, data) / (PEOPLE * ANSWERS)
        print(json.dumps((f"an answer of 8 people's, {name}", seconds)), flush=True)
    os._exit(0)  # the threads of OneAfterTheOther wait for ever


def median_of(n: int, action: Callable) -> float:
    times = []
    for _ in range(1 + n):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def crowd(answer: Callable[[bytes], object], data: bytes) -> float:
    people = [threading.Thread(target=lambda: [answer(data) for _ in range(ANSWERS)]) for _ in range(PEOPLE)]
    start = time.perf_counter()
    for person in people:
        person.start()
    for person in people:
        person.join()
    return time.perf_counter() - start


class OneAfterTheOther:
    """What `detector.serving` is compared with: one thread, all cores, whatever waits in one batch."""

    def __init__(self, model):
        self._model, self._waiting = model, queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def answer(self, data: bytes):
        found = Future()
        prepared = self._model.prepare(data)  # on the asker's own thread, as decoding needs no OpenMP
        self._waiting.put((prepared, found))
        return found.result()

    def _run(self) -> None:
        from detector.predict import BATCH_SIZE

        while True:
            taken = [self._waiting.get()]
            while len(taken) < BATCH_SIZE and not self._waiting.empty():
                taken.append(self._waiting.get())
            verdicts = self._model.classify([prepared for prepared, _ in taken])
            for (_, found), verdict in zip(taken, verdicts, strict=True):
                found.set_result(verdict)


if __name__ == "__main__":
    report(measure)
