"""What training costs beside the arithmetic that it cannot do without.

card: 15 epochs on cached features, against one forward pass of the frozen network over the augmented views, and
against the plain loop that runs the network in every epoch, with the accuracy that each comes to. robust: a training
step fed by the loader, against the same step on a batch that lies in memory. What is compared takes turns in one run;
medians in seconds, and ratios of medians. The images are crops of the examples, two of them a class.
"""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from benchmarks.common import report
from detector import CLASSES
from detector.files import find_images
from detector.hub import load_checkpoint
from detector.images import open_image
from detector.transforms import eval_transforms
from train.data.folders import Sample
from train.data.loader import Images, image_loader
from train.fitting.plans import Plan, classifier_only, whole_network
from train.fitting.steps import Precision, predict_logits, targets_of, train_one_epoch
from train.machine import keep_memory
from train.recipes import CARD, ROBUST

SIDE = 240  # pixels, of a crop
IMAGES, VAL = 64, 60  # for card
STEPS = 12  # of an epoch, for robust
ROUNDS = 2


def crops(folder: Path, n: int) -> list[Sample]:
    """`n` JPEGs, in turns of the three classes."""
    draw, found = random.Random(0), []
    sources = [open_image(path) for path in find_images(Path(__file__).parents[1] / "examples")]
    for i in range(n):
        image = sources[i % len(sources)]
        left, top = draw.randint(0, image.width - SIDE), draw.randint(0, image.height - SIDE)
        path = folder / f"{i}.jpg"
        image.crop((left, top, left + SIDE, top + SIDE)).save(path, quality=85)
        found.append(Sample(path, i % len(sources) % len(CLASSES)))
    return found


def seconds(action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def frozen_model():
    return load_checkpoint("bundled").model


def fit(plan: Plan, epochs: int, precision: Precision) -> None:
    for epoch in range(1, epochs + 1):
        plan.objective.train()
        left = plan.batches(epoch, 0)
        train_one_epoch(
            plan.objective, plan.loader(epoch, left), plan.optimizer, plan.scheduler, precision, f"epoch {epoch}"
        )


def card(samples: list[Sample], val: list[Sample], rounds: int, precision: Precision) -> dict:
    splits, epochs = {"train": samples, "val": val}, len(CARD.sizes)
    times = {"one pass over the views": [], "cached, 15 epochs": [], "plain loop, 15 epochs": []}
    accuracy = {}

    def one_pass() -> None:
        network = frozen_model().to(precision.device)
        for view in range(1, CARD.views + 1):
            predict_logits(network, samples, CARD.transforms(CARD.sizes[0]), precision, f"view {view}", view)

    def cached() -> None:
        torch.manual_seed(0)
        plan = classifier_only(recipe, splits, fresh(), None, precision)
        fit(plan, epochs, precision)
        accuracy["cached"] = right(plan.validate(), val)

    def plain() -> None:
        torch.manual_seed(0)
        network = fresh().to(precision.device)
        network.classifier.requires_grad_(True)
        targets = targets_of(samples)
        optimizer = torch.optim.Adam(network.classifier.parameters(), recipe.lr)
        for epoch in range(1, epochs + 1):
            data = Images(samples, CARD.transforms(CARD.sizes[0]), epoch)
            order = torch.randperm(len(samples)).split(CARD.batch_size)
            for x, index in image_loader(data, [batch.tolist() for batch in order], precision.device):
                with precision.autocast(), torch.no_grad():
                    features = torch.relu(network.features(precision.put(x))).mean((2, 3))
                optimizer.zero_grad()
                logits = network.classifier(features.float())
                nn.functional.cross_entropy(logits, targets[index].to(precision.device)).backward()
                optimizer.step()
        logits = predict_logits(network, val, eval_transforms(CARD.sizes[0]), precision, "validation")
        accuracy["plain loop"] = right(logits, val)

    recipe = replace(CARD, lr=1e-3)  # few images make few steps; the cost is the same
    for _ in range(rounds):
        for (_, found), action in zip(times.items(), (one_pass, cached, plain), strict=True):
            found.append(seconds(action))
    medians = {name: statistics.median(found) for name, found in times.items()}
    base, mine, naive = medians.values()
    return {"seconds": medians, "cached / one pass": mine / base, "plain / cached": naive / mine, "accuracy": accuracy}


def fresh():
    """Trained features, a classifier that knows nothing yet."""
    network = frozen_model()
    nn.init.zeros_(network.classifier.weight)
    nn.init.zeros_(network.classifier.bias)
    return network


def right(logits: torch.Tensor, samples: list[Sample]) -> float:
    return (logits.argmax(1) == targets_of(samples)).double().mean().item()


def robust(samples: list[Sample], rounds: int, precision: Precision) -> dict:
    """At the smallest size of the recipe, where a step is shortest and the loader has the least time."""
    size = min(ROBUST.sizes)
    recipe = replace(ROBUST, sizes=(size,) * (2 * rounds + 2))
    plan = whole_network(recipe, {"train": samples}, frozen_model().requires_grad_(True), None, precision)
    batch = next(iter(plan.loader(1, plan.batches(1, 0))))
    per_step = {"bare": [], "loader": []}
    for epoch in range(1, rounds + 2):
        left = plan.batches(epoch, 0)
        for name, batches in (("bare", [batch] * len(left)), ("loader", plan.loader(epoch, left))):
            times = []
            plan.objective.train()
            title = f"{size} px, {name}"
            train_one_epoch(plan.objective, stamped(batches, times), plan.optimizer, plan.scheduler, precision, title)
            if epoch > 1:  # the first is warm-up
                # While the workers start, the first step has the machine to itself.
                per_step[name] += [b - a for a, b in pairwise(times)][1:]
    medians = {name: statistics.median(times) for name, times in per_step.items()}
    return {"size": size, "seconds a step": medians, "loader / bare": medians["loader"] / medians["bare"]}


def stamped(batches, times: list[float]):
    """`batches`, noting when each was asked for."""
    for batch in batches:
        times.append(time.perf_counter())
        yield batch
    times.append(time.perf_counter())


def allocator() -> dict:
    """Seconds of a step of 32 images at 128 pixels, with glibc's allocator as it comes and told to keep its memory."""
    code = """
import sys, time, torch
from detector.model import DenseNet121
from train.machine import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
model, x = DenseNet121(), torch.randn(32, 3, 128, 128).contiguous(memory_format=torch.channels_last)
for i in range(8):
    start = time.perf_counter()
    model(x).sum().backward()
    print(time.perf_counter() - start)
"""
    times = {"as it comes": [], "kept": []}
    for _ in range(2):
        for how, found in times.items():
            done = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True)
            found += [float(line) for line in done.stdout.splitlines()[2:]]
    medians = {how: statistics.median(found) for how, found in times.items()}
    return {"seconds a step": medians, "as it comes / kept": medians["as it comes"] / medians["kept"]}


def measure() -> dict:
    compared = allocator()
    keep_memory()  # as python -m train does
    precision = Precision.best()
    with tempfile.TemporaryDirectory() as folder:
        samples = crops(Path(folder), max(IMAGES + VAL, STEPS * ROBUST.batch_size))
        found = {
            "allocator": compared,
            "robust": robust(samples[: STEPS * ROBUST.batch_size], ROUNDS, precision),
            "card": card(samples[:IMAGES], samples[IMAGES : IMAGES + VAL], ROUNDS, precision),
        }
    for name in found:
        print(f"{name}: {found[name]}")
    return found


if __name__ == "__main__":
    report(measure)
