"""One run: recipe + data -> runs/NAME with checkpoint, figures, pictures and card."""

import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from detector.checkpoint import WEIGHTS_FILE, CheckpointError, Config, save_checkpoint
from detector.hub import load_checkpoint
from detector.model import DenseNet121
from train.data import prepare
from train.fitting.head import fit_head
from train.fitting.loop import STATE_FILE, ResumeError, fit, load_state
from train.fitting.plans import classifier_only, whole_network
from train.fitting.start import initial_model
from train.fitting.steps import Precision
from train.fitting.teacher import find_teacher
from train.machine import from_first, rank, say, world_size
from train.recipes import Recipe
from train.report.evaluate import measure
from train.report.write import write_report


def run(
    recipe: Recipe, data: str, out: Path, init: str, teacher: str | None = None, resume: bool = False,
    drop_leaks: bool = False,
) -> Config:  # fmt: skip
    """Audit, train, keep the best epoch by validation, calibrate it on degraded validation images, measure, report.

    Raises DataError, CheckpointError, ResumeError or Diverged, each with a sentence for people, and OSError.
    """
    if recipe.views and teacher:
        raise CheckpointError(f"The recipe {recipe.name} trains on labels alone; leave --teacher out.")
    if recipe.penalties and resume:
        raise ResumeError(f"The recipe {recipe.name} keeps nothing on its way; begin it anew under another --name.")
    weights = from_first(lambda: find_teacher(teacher)) if teacher else None
    settings = {k: v for k, v in asdict(recipe).items() if k != "transforms"}
    setup = {
        **{key: value for key, value in settings.items() if key != "name"},
        "recipe": recipe.name,
        "sizes": list(recipe.sizes),  # a tuple comes back as a list
        "DATA": data,
        "--init": init,
        "--teacher": str(teacher),
        "processes": world_size(),
    }
    state = from_first(lambda: _begin(out, setup, resume))
    found = from_first(lambda: prepare.prepare(data, drop_leaks))
    say(prepare.words(found.audit))
    torch.manual_seed(0)
    model, start = (DenseNet121(), state["setup"]["start"]) if state and not recipe.views else initial_model(init)
    if recipe.views and start.startswith("scratch"):
        raise CheckpointError(
            f"The recipe {recipe.name} keeps the features frozen; give --init a path to trained ones."
        )
    say(f"Recipe {recipe.name}, starting from {start}.")
    setup["images"] = found.audit["images"]
    if state and state["setup"]["images"] != setup["images"]:
        raise ResumeError(f"{data} had other images when {out} was begun; begin another run with --name.")
    config = Config(
        version=time.strftime("%Y-%m-%d"),
        recipe=settings | {"init": start, "teacher": bool(teacher)},
        data={"name": found.name, "images": found.audit["images"]},
    )
    precision = Precision.best() if state is None else replace(Precision.best(), bf16=state["bf16"])
    out.mkdir(parents=True, exist_ok=True)
    if recipe.penalties:
        history = fit_head(recipe, found.splits, model, out, config, precision)
    else:
        plan = (classifier_only if recipe.views else whole_network)(recipe, found.splits, model, weights, precision)
        setup |= {"start": start}
        history = fit(plan, recipe.sizes, found.splits["val"], out, config, precision, setup, state)

    best = from_first(lambda: load_checkpoint(str(out)).model).to(precision.device)
    config, logits, results = measure(best, config, found.splits, precision)
    if rank() == 0:
        save_checkpoint(out, best, config)
        write_report(out, found, history, logits, results)
        (out / STATE_FILE).unlink(missing_ok=True)
    return config


def _begin(out: Path, setup: dict, resume: bool) -> dict | None:
    """The state to go on from, or None for a new run, which must not overwrite another. Raises ResumeError."""
    if resume:
        return load_state(out, setup)
    if any((out / name).exists() for name in (STATE_FILE, WEIGHTS_FILE)):
        raise ResumeError(f"{out} holds a run already; give another --name, or --resume if it was interrupted.")
    return None
