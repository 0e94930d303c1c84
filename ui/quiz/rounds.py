"""Which pictures are played, and what the people of a class guessed of them."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Timer

from detector import CLASSES
from ui.gallery import below

ROUNDS = 10
KEEP_SECONDS = 3600  # after its last vote a class is forgotten: a lesson
MAX_CLASSES = 200
MAX_VISITORS = 300  # of a class; with the limit above 60,000, whose votes take about 50 MB


def code_of(text: str) -> str:
    """A class's code, in capitals. Raises ValueError, or TypeError, for what is none."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,20}", text):
        raise ValueError(text)
    return text.upper()


def visitor_of(text: str) -> str:
    """A visitor's random token, 128 bits. Raises ValueError, or TypeError, for what is none."""
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise ValueError(text)
    return text


def class_pictures(code: str, n: int) -> list[int]:
    """Up to ten of `n` pictures, the same in the same order for all of a class."""
    return random.Random(code).sample(range(n), min(ROUNDS, n))


def new_pictures(seen: list[int], n: int) -> list[int]:
    """Up to ten of `n` pictures by chance, not those that were `seen` while there are others. Raises ValueError."""
    if len(seen) > n:
        raise ValueError(len(seen))
    old = {below(number, n) for number in seen}
    order = random.sample(range(n), n)
    return sorted(order, key=old.__contains__)[:ROUNDS]


@dataclass
class _Class:
    voted: float = 0.0  # when, for the last time
    guesses: dict[str, dict[int, int]] = field(default_factory=dict)  # visitor -> picture -> class


class Votes:
    """The guesses of each class, in memory alone. Any number of threads may vote and count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = Lock()
        self._classes: dict[str, _Class] = {}  # in the order of their last votes
        self._timer: Timer | None = None

    def vote(self, code: str, visitor: str, picture: int, guess: int) -> None:
        """Count a visitor's first guess of a picture; not one visitor more than MAX_VISITORS, nor a class than
        MAX_CLASSES."""
        with self._lock:
            self._forget()
            if code not in self._classes and len(self._classes) >= MAX_CLASSES:
                return  # a class that plays is not pushed out by codes that somebody invents
            found = self._classes.pop(code, None) or _Class()
            self._classes[code] = found
            found.voted = self._clock()
            if visitor in found.guesses or len(found.guesses) < MAX_VISITORS:
                found.guesses.setdefault(visitor, {}).setdefault(picture, guess)
            if self._timer is None:
                self._wait()

    def count(self, code: str, pictures: list[int]) -> tuple[int, list[list[int]]]:
        """How many people of the class have guessed, and for each of `pictures` how many guessed each of CLASSES."""
        with self._lock:
            self._forget()
            guesses = self._classes.get(code, _Class()).guesses
            told = [[found.get(picture) for found in guesses.values()] for picture in pictures]
        return len(guesses), [[column.count(i) for i in range(len(CLASSES))] for column in told]

    def _forget(self) -> None:
        oldest = self._clock() - KEEP_SECONDS
        for code in [code for code, found in self._classes.items() if found.voted <= oldest]:
            del self._classes[code]

    def _wait(self) -> None:
        """Forget in time even if nobody asks any more."""
        self._timer = None
        if self._classes:
            first = next(iter(self._classes.values())).voted
            self._timer = Timer(max(0.05, first + KEEP_SECONDS - self._clock()), self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        with self._lock:
            self._forget()
            self._wait()
