"""What Ray's processes import for the tests: little, and quickly."""

import os

import numpy as np


class Deadly:
    """A scorer that dies over part 1, as a process that has no memory left would."""

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if batch["part"][0] == 1:
            os._exit(1)
        return {"part": batch["part"], "error": np.array([""])}
