"""The recipe `head` against a minimiser of its loss that knows nothing of scikit-learn, and what it refuses."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import densenet121

import detector
from detector import CLASSES
from detector.checkpoint import Config, save_checkpoint
from detector.transforms import eval_transforms
from train.__main__ import main
from train.data.folders import read_splits
from train.data.loader import Images
from train.fitting.steps import Precision, targets_of
from train.recipes import HEAD
from train.report import plots
from train.run import run


@pytest.fixture(scope="module")
def of_sources(coloured) -> Path:
    """The same images, in each class of training ten of one source and two of another."""
    with (coloured / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["split", "class", "file", "source"])
        for split, n in (("train", 12), ("val", 4), ("test", 4)):
            for name in CLASSES:
                rows.writerows([split, name, f"{i}.png", f"{split} {'few' if i < 2 else 'many'}"] for i in range(n))
    yield coloured
    (coloured / "index.csv").unlink()


@pytest.fixture(scope="module")
def fitted(of_sources, published, tmp_path_factory, small) -> Path:
    out = tmp_path_factory.mktemp("head")
    save_checkpoint(out / "start", published, Config(), torch.float32)
    recipe = replace(HEAD, sizes=(64,), views=2, transforms=eval_transforms, penalties=(3e3, 100.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Precision, "best", lambda: Precision(torch.device("cpu"), bf16=False))
        run(recipe, str(of_sources), out / "run", str(out / "start"))
    return out / "run"


def least(x: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, penalty: float) -> nn.Linear:
    """The layer with the least weighted cross-entropy and penalty * |weight|^2 / 2, its bias free."""
    layer = nn.Linear(x.shape[1], len(CLASSES), dtype=torch.float64)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=2000, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        errors = nn.functional.cross_entropy(layer(x), targets, reduction="none")
        found = (errors * counts).sum() + penalty * layer.weight.square().sum() / 2
        found.backward()
        return found

    optimizer.step(loss)
    return layer


def test_head_is_the_least_of_its_loss(fitted, of_sources, published):
    splits = read_splits(of_sources)
    network = densenet121(num_classes=3).eval()
    network.load_state_dict(published.state_dict())
    network.classifier = nn.Identity()
    with torch.no_grad():
        x, val = (
            network(torch.stack([image for image, _ in Images(splits[split], eval_transforms(64))])).double()
            for split in ("train", "val")
        )
    lines = [json.loads(line) for line in (fitted / "metrics.jsonl").read_text().splitlines()]
    assert [line["penalty"] for line in lines] == [3e3, 100.0]
    scores = [line["val"]["source_balanced_accuracy"] for line in lines]
    best = lines[scores.index(max(scores))]["penalty"]
    counts = torch.tensor([36 / 6 / (2 if "few" in sample.source else 10) for sample in splits["train"]])
    assert counts.sum() == pytest.approx(36)
    layer = least(x, targets_of(splits["train"]), counts.double(), best)
    with torch.no_grad():
        expected = layer(val).softmax(1).float()
        found = detector.load(fitted).model.classifier(val.float()).softmax(1)
        unweighted = least(x, targets_of(splits["train"]), torch.ones(36).double(), best)
        apart = (unweighted(val).softmax(1).float() - expected).abs().max()
    gap = (found - expected).abs().max()
    assert gap < 0.005  # half precision
    assert apart > 3 * gap  # else sources would not be seen to count


def test_layers_below_stay_as_they_were(fitted, published):
    found = detector.load(fitted).model
    for name, value in published.features.state_dict().items():
        assert torch.allclose(found.features.state_dict()[name].float(), value.float(), atol=2e-3, rtol=1e-3), name


def test_card_and_curves_are_of_penalties(fitted):
    assert "with the recipe `head`" in (fitted / "README.md").read_text()
    assert not (fitted / "state.pt").exists()
    history = [json.loads(line) for line in (fitted / "metrics.jsonl").read_text().splitlines()]
    (axes,) = plots.over_epochs(history, "Loss", [2, 1], [3, 2], "training").axes
    assert (axes.get_xlabel(), axes.get_xscale(), axes.get_title()) == ("penalty", "log", "Loss over penalties")
    assert axes.lines[0].get_xdata().tolist() == [3e3, 100.0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--resume"], "keeps nothing on its way; begin it anew under another --name"),
        (["--teacher", "clip.safetensors"], "trains on labels alone; leave --teacher out"),
        (["--epochs", "3"], "has neither epochs nor steps"),
        (["--init", "scratch"], "keeps the features frozen; give --init"),
    ],
)
def test_what_it_does_not_do(coloured, tmp_path, monkeypatch, capsys, options, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as refused:
        main([str(coloured), "--recipe", "head", *options])
    assert sentence in f"{refused.value}{capsys.readouterr().err}"
