"""A Detector for many people at once."""

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import TypeVar

import torch
from PIL import Image

from detector.predict import BATCH_SIZE, Detector, Prepared
from detector.threads import keep_to_one_core
from detector.verdict import Verdict

T = TypeVar("T")
MAX_WORKERS = 8  # each may hold one large photograph, 150 MB, until it is resized


@dataclass(frozen=True)
class Answer:
    verdict: Verdict
    image: Image.Image | None  # the picture, if it was asked for


@dataclass(frozen=True)
class _Request:
    source: str | Path | bytes | Image.Image
    longest: int | None
    answer: "Future[Answer]"


class Service:
    """Answers one image a call, to any number of threads.

    An image that comes alone has all cores. Those that come together are shared out to workers of one core each, who
    decode them and run them as one batch: faster than all cores on one batch after the other. Only one thread ever
    computes on many cores: with more, OpenMP's threads would outnumber the cores and sleep between any two steps.
    """

    def __init__(self, detector: Detector):
        self.detector = detector
        self._lock = Condition()  # notified whenever somebody has been answered
        self._unanswered = 0
        self._urgent = 0  # of them: those that are not of a pile
        self._waiting: deque[_Request] = deque()
        self._idle = min(torch.get_num_threads(), MAX_WORKERS)  # workers of one core
        self._on_one_core = ThreadPoolExecutor(self._idle, initializer=keep_to_one_core)
        self._on_all_cores = ThreadPoolExecutor(1)

    def answer(
        self, image: str | Path | bytes | Image.Image, longest: int | None = None, of_a_pile: bool = False
    ) -> Answer:
        """The verdict, and with `longest` the picture, no side longer than that. Raises ImageError."""
        request = _Request(image, longest, Future())
        with self._lock:
            # Submitted before it is counted: where that raises, as while the program ends, nothing is left behind.
            if self._unanswered == 0:
                self._on_all_cores.submit(self._answer, [request])
            else:
                self._on_one_core.submit(self._answer_waiting)
                self._waiting.append(request)  # the worker waits for the lock
            self._count(1, of_a_pile)
        return self._wait_for(request.answer, of_a_pile)

    def aside(self, work: Callable[[], T], of_a_pile: bool = False, patience: float = 0) -> T | None:
        """What `work` returns, computed on all cores; None if for `patience` seconds somebody waits for an answer, who
        goes first. Those of a pile do not: a pile may take an hour, and would have all others wait for it."""
        with self._lock:
            if not self._lock.wait_for(lambda: not (self._unanswered if of_a_pile else self._urgent), patience):
                return None
            done = self._on_all_cores.submit(work)
            self._count(1, of_a_pile)  # who comes meanwhile has a core of their own
        return self._wait_for(done, of_a_pile)

    def _wait_for(self, done: "Future[T]", of_a_pile: bool) -> T:
        try:
            return done.result()
        finally:
            with self._lock:
                self._count(-1, of_a_pile)

    def _count(self, change: int, of_a_pile: bool) -> None:
        self._unanswered += change
        self._urgent += 0 if of_a_pile else change
        self._lock.notify_all()

    def _answer_waiting(self) -> None:
        with self._lock:
            share = math.ceil(len(self._waiting) / self._idle)
            batch = [self._waiting.popleft() for _ in range(min(share, BATCH_SIZE))]
            self._idle -= 1
        self._answer(batch)
        with self._lock:
            self._idle += 1

    def _answer(self, batch: list[_Request]) -> None:
        opened: list[tuple[_Request, Prepared]] = []
        for request in batch:
            try:
                prepared = self.detector.prepare(request.source, request.longest)
            except Exception as error:  # noqa: BLE001 - raised to the one whose image it is
                request.answer.set_exception(error)
            else:
                opened.append((request, prepared))
        if not opened:  # or another worker took along what this one was called for
            return
        try:
            verdicts = self.detector.classify([prepared for _, prepared in opened])
        except Exception as error:  # noqa: BLE001 - raised to everyone whose image it was
            for request, _ in opened:
                request.answer.set_exception(error)
        else:
            for (request, prepared), verdict in zip(opened, verdicts, strict=True):
                request.answer.set_result(Answer(verdict, prepared.image))
