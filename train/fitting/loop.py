"""The loop over epochs: what is kept, what is written down, and how a killed run goes on."""

import io
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from detector.checkpoint import Config, write_whole
from train.data.folders import Sample
from train.fitting.history import History
from train.fitting.plans import Plan
from train.fitting.steps import Precision, Running, train_one_epoch
from train.machine import from_first, rank, say, share_buffers, wrap
from train.recipes import SAVE_EVERY

STATE_FILE = "state.pt"


def fit(
    plan: Plan, sizes: tuple[int, ...], val: Sequence[Sample], out: Path, config: Config, precision: Precision,
    setup: dict, state: dict | None,
) -> list[dict]:  # fmt: skip
    """Train for len(sizes) epochs, from `state` if given. `out` keeps the checkpoint of the epoch that is best on the
    sources of `val`, each counting alike, and a line of figures for each epoch, which are returned too."""
    history, first, step, running = History(val), 1, 0, None
    if state:
        _restore(plan, state)
        history, first, step, running = History(val, state["history"]), state["epoch"], state["step"], Running()
        if rank() == 0:  # whose sums they are; with several processes the others' part of that epoch is not counted
            running = Running(**state["running"])
        say(f"Going on in epoch {first} after {step} steps.")
    objective = wrap(plan.objective)
    saved = time.monotonic()
    clock = _Clock(sizes, first)

    def save(epoch: int, step: int, running: Running) -> None:
        nonlocal saved
        saved = time.monotonic()
        place = {"setup": setup, "bf16": precision.bf16, "history": history.lines, "epoch": epoch, "step": step}
        save_state(out, place | {"running": asdict(running)} | _state_of(plan))

    def keep(epoch: int, best: bool) -> None:
        history.keep(out, plan.model, config, best)
        save(epoch + 1, 0, Running())

    def after_step(epoch: int, running: Running) -> None:
        nonlocal step
        step += 1
        if rank() == 0 and time.monotonic() - saved > SAVE_EVERY:
            save(epoch, step, running)

    if not state:
        from_first(lambda: save(1, 0, Running()))  # before any weights, so that there is never a run without a state
    for epoch in range(first, len(sizes) + 1):
        left = plan.batches(epoch, step)
        plan.objective.train()
        title = f"epoch {epoch}/{len(sizes)}, {sizes[epoch - 1]} px"
        sums = train_one_epoch(
            objective, plan.loader(epoch, left), plan.optimizer, plan.scheduler, precision, title, running,
            partial(after_step, epoch),
        )  # fmt: skip
        share_buffers(plan.model)
        line = {"epoch": epoch, "size": sizes[epoch - 1]}
        line |= {"train_loss": sums.loss / sums.n, "train_accuracy": sums.right / sums.n}
        best = history.add(line, plan.validate())
        step, running = 0, None
        from_first(partial(keep, epoch, best))
        say(f"epoch {epoch}/{len(sizes)}: {history.words(best)}; {clock.left(epoch)}")
    return history.lines


def _state_of(plan: Plan) -> dict:
    return {name: getattr(plan, name).state_dict() for name in ("objective", "optimizer", "scheduler")}


def _restore(plan: Plan, state: dict) -> None:
    for name in ("objective", "optimizer", "scheduler"):
        getattr(plan, name).load_state_dict(state[name])


class _Clock:
    """Time left, from the pixels that are done and those to come."""

    def __init__(self, sizes: tuple[int, ...], first: int):
        self.sizes, self.first, self.start = sizes, first, time.monotonic()

    def left(self, epoch: int) -> str:
        done = sum(size**2 for size in self.sizes[self.first - 1 : epoch])
        to_come = sum(size**2 for size in self.sizes[epoch:])
        minutes = (time.monotonic() - self.start) / done * to_come / 60
        return f"about {minutes:.0f} minutes left" if to_come else "trained"


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
