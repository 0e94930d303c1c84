"""Work on a thread that does not hold up the end of the program, as a pool's threads would."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def in_background(function: Callable, *arguments: Any) -> Future:
    """The future of `function(*arguments)`; whatever that raises is raised to whoever asks for the result."""
    future = Future()

    def work() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # noqa: BLE001 - handed on, see above
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
