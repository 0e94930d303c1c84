"""Everything that a killed run needs to go on, in one file that is never half written."""

import io
from pathlib import Path

import torch

from detector.checkpoint import write_whole

STATE_FILE = "state.pt"


class ResumeError(ValueError):
    """A run that cannot go on as asked. Its text is one sentence for people."""


def save_state(folder: Path, state: dict) -> None:
    """Write tensors, numbers and strings, nested in dicts and lists."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(folder, {STATE_FILE: buffer.getbuffer()})


def load_state(folder: Path, setup: dict) -> dict:
    """The state of the run in `folder`, which must have begun with the same `setup`. Raises ResumeError."""
    path = folder / STATE_FILE
    if not path.is_file():
        raise ResumeError(f"{folder} holds no interrupted run; leave --resume out to begin one.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        begun = state["setup"]
    except Exception as error:  # a damaged archive can raise anything; the cause is kept
        raise ResumeError(f"{path} is damaged; begin the run again under another --name.") from error
    for key in setup:
        if begun.get(key) != setup[key]:
            raise ResumeError(
                f"{folder} was begun with {key} {begun.get(key)} and not {setup[key]}; say what was said then, "
                "or begin another run with --name."
            )
    return state
