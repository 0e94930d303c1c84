"""Training on pictures made here, small enough for a test, against references and known answers."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import DenseNet121_Weights, densenet121

import detector
from detector import CLASSES
from detector.checkpoint import CheckpointError, Config, save_checkpoint
from detector.transforms import VARIANTS, Web, card_transforms, eval_transforms, hard, recompress, train_transforms
from train.__main__ import main
from train.data.folders import Sample, read_splits
from train.data.loader import Batches, Images
from train.fitting import history, loop
from train.fitting.plans import Objective, Plan
from train.fitting.start import initial_model
from train.fitting.steps import Precision, targets_of
from train.recipes import CARD
from train.report.metrics import (
    HUMAN,
    expected_calibration_error,
    figures,
    fit_temperature,
    intervals,
    side_weights,
    source_weights,
)
from train.run import run


def test_card_recipe_equals_the_plain_loop(coloured, tmp_path, published, small):
    """Cached features against the forward pass of the frozen network in every epoch, without augmentation."""
    save_checkpoint(tmp_path / "start", published, Config(), torch.float32)
    recipe = replace(CARD, sizes=(64,) * 3, views=2, transforms=eval_transforms, lr=1e-2, batch_size=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Precision, "best", lambda: Precision(torch.device("cpu"), bf16=False))
        run(recipe, str(coloured), tmp_path / "run", str(tmp_path / "start"))

    data = Images(read_splits(coloured)["train"], eval_transforms(64))
    x, target = torch.stack([data[i][0] for i in range(len(data))]), targets_of(data.samples)
    model, _ = initial_model(str(tmp_path / "start"))
    model.requires_grad_(False).eval()
    model.classifier.requires_grad_(True)
    optimizer = torch.optim.Adam(model.classifier.parameters(), 1e-2)
    weights = []
    for epoch in (1, 2, 3):
        for batch in Batches(len(data), 9, epoch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), target[batch]).backward()
            optimizer.step()
        weights.append(model.classifier.weight.detach().clone())
    found = detector.load(tmp_path / "run").model
    gaps = [(found.classifier.weight - weight).abs().max().item() for weight in weights]  # one epoch was the best
    assert min(gaps) < 2e-3  # half precision and the order of sums
    assert torch.allclose(found.features.conv0.weight, published.features.conv0.weight, atol=1e-3)


def test_imagenet_weights_start_the_features(tmp_path, monkeypatch):
    """A file of torchvision's layout in its cache is taken, all but the classifier of 1,000 classes."""
    torch.manual_seed(1)
    network = densenet121()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(network.state_dict(), tmp_path / "checkpoints" / DenseNet121_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[1])
    model, words = initial_model("imagenet")
    assert "ImageNet" in words
    assert torch.equal(model.features.conv0.weight, network.features.conv0.weight)
    assert model.classifier.weight.shape == (3, 1024)


def test_imagenet_weights_out_of_reach(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    _, words = initial_model("imagenet")
    assert words == "scratch, ImageNet weights unreachable"
    assert "cannot be fetched" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["/nowhere"], ["/nowhere", "--init", "/none"]])
def test_wrong_folder_is_one_sentence(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert str(caught.value).endswith(".")


def test_frozen_features_must_have_learned_something(coloured, tmp_path):
    with pytest.raises(CheckpointError, match="frozen"):
        run(CARD, str(coloured), tmp_path, "scratch")
    with pytest.raises(CheckpointError, match="labels alone"):
        run(CARD, str(coloured), tmp_path, "scratch", tmp_path / "teacher.safetensors")


# Figures


def test_figures_of_a_case_worked_by_hand():
    probs = torch.tensor([  # targets: dalle, dalle, human, human, other_ai, other_ai
        [0.92, 0.04, 0.04], [0.30, 0.60, 0.10], [0.01, 0.98, 0.01],
        [0.50, 0.25, 0.25], [0.10, 0.10, 0.80], [0.30, 0.36, 0.34],  # the last: human is likeliest, and AI is said
    ])  # fmt: skip
    found = figures(probs.log(), torch.tensor([0, 0, 1, 1, 2, 2]))
    assert found["n"] == 6
    assert found["confusion"] == [[1, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert found["recall"] == {"dalle": 0.5, "human": 0.5, "other_ai": 1.0}
    assert found["accuracy"] == found["balanced_accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    ai = found["ai_vs_human"]
    # P(AI) of AI images: .96, .40, .90, .64; of human ones: .02, .75. Pairs in the right order: 2 + 4 of 8.
    assert ai["auroc"] == pytest.approx(6 / 8)
    assert ai["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    nothing = {"very likely": 0, "likely": 0, "leans": 0}
    assert ai["answers"] == {
        "human": {"ai": nothing | {"likely": 1}, "human": nothing | {"very likely": 1}},
        "ai": {"ai": {"very likely": 2, "likely": 0, "leans": 1}, "human": nothing | {"leans": 1}},
    }
    # In 15 bins .98 and .96 share one, and so do .60 and .64; by hand:
    bins = [((0.96 + 0.98) / 2, 1, 2), (0.90, 1, 1), (0.75, 0, 1), ((0.60 + 0.64) / 2, 0.5, 2)]
    assert ai["ece"] == pytest.approx(sum(n * abs(sure - right) for sure, right, n in bins) / 6, abs=1e-3)


def test_figures_without_a_class():
    probs = torch.tensor([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1]])
    found = figures(probs.log(), torch.tensor([1, 1]))
    assert found["recall"] == {"dalle": None, "human": 0.5, "other_ai": None}
    assert found["balanced_accuracy"] == 0.5
    assert found["ai_vs_human"]["auroc"] is None
    assert found["ai_vs_human"]["balanced_accuracy"] == 0.5
    only_ai = figures(probs.log(), torch.tensor([0, 0]))["ai_vs_human"]
    assert sum(sum(bands.values()) for bands in only_ai["answers"]["human"].values()) == 0
    assert only_ai["balanced_accuracy"] == 0.5


def test_calibration_error_against_a_loop():
    probs = torch.softmax(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * 2, 1)
    targets = torch.randint(0, 3, (500,), generator=torch.Generator().manual_seed(1))
    expected = 0.0
    for low in range(15):
        inside = [i for i in range(500) if low / 15 <= probs[i].max() < (low + 1) / 15]
        if inside:
            right = sum(int(probs[i].argmax() == targets[i]) for i in inside) / len(inside)
            sure = sum(float(probs[i].max()) for i in inside) / len(inside)
            expected += len(inside) / 500 * abs(right - sure)
    assert expected_calibration_error(probs, targets) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(true):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 3, generator=generator) * 2
    targets = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    assert fit_temperature(logits * true, targets) == pytest.approx(true, rel=0.05)


def test_sources_count_alike():
    targets, sources = torch.tensor([0, 0, 0, 1, 1]), ["a", "a", "b", "c", "c"]
    weights = source_weights(targets, sources)
    assert weights.tolist() == [1 / 8, 1 / 8, 1 / 4, 1 / 4, 1 / 4]
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(3))
    as_often = torch.tensor([0, 1, 2, 2, 3, 3, 4, 4])  # the same with images that are there several times
    assert fit_temperature(logits, targets, weights) == fit_temperature(logits[as_often], targets[as_often])
    assert fit_temperature(logits, targets, weights) != fit_temperature(logits, targets)


def test_ai_and_human_count_alike():
    """Else a model that knows nothing, and says so, would be taken to know that two of three pictures are AI-made."""
    targets = torch.tensor([0] * 7 + [HUMAN] * 2 + [2])
    sources = ["a"] * 6 + ["b", "c", "d", "e"]
    weights = side_weights(targets, sources)
    assert weights[targets == HUMAN].sum().item() == pytest.approx(1 / 2)
    assert [weights[targets == i].sum().item() for i in (0, 2)] == pytest.approx([1 / 4, 1 / 4])
    assert [weights[:6].sum().item(), weights[6].item()] == pytest.approx([1 / 8, 1 / 8])


def test_best_epoch_is_the_one_that_most_sources_like(tmp_path, monkeypatch):
    """Epoch 1 knows one large source of human-made images, epoch 2 two small ones instead."""
    val = [Sample(Path(), HUMAN, source=source) for source in ("large",) * 8 + ("b", "c")]
    answers = iter((["human"] * 8 + ["dalle"] * 2, ["dalle"] * 8 + ["human"] * 2))
    classifier = torch.nn.Linear(2, 3)
    optimizer = torch.optim.SGD(classifier.parameters(), 0.1)
    batch = (torch.ones(4, 2), torch.arange(4))
    plan = Plan(
        classifier, Objective(classifier, torch.tensor([0, 1, 2, 0]), 0.0),
        optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer),
        lambda epoch, start: Batches(4, 4, epoch, start), lambda epoch, left: [batch],
        lambda: torch.eye(3)[[CLASSES.index(name) for name in next(answers)]],
    )  # fmt: skip
    kept = []
    monkeypatch.setattr(history, "save_checkpoint", lambda *_: kept.append(classifier.weight.detach().clone()))
    exact = Precision(torch.device("cpu"), bf16=False)
    lines = loop.fit(plan, (8, 8), val, tmp_path, Config(), exact, {}, None)
    assert [line["val"]["accuracy"] for line in lines] == [0.8, 0.2]
    assert [line["val"]["source_balanced_accuracy"] for line in lines] == [0.3333, 0.6667]
    assert len(kept) == 2
    assert torch.equal(kept[-1], classifier.weight)


def test_intervals_against_drawing_by_hand():
    draw = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], 40)
    sources = np.tile(np.repeat(list("abcdefgh"), 5), 3)  # of 5 images, that go right or wrong together
    shift = draw.normal(size=(3, 8))[targets, np.tile(np.repeat(np.arange(8), 5), 3)]
    logits = draw.normal(size=(120, 3)) * 0.5 + 1.2 * np.eye(3)[targets] * (1 + shift)[:, None]
    probs = torch.tensor(logits).softmax(1)
    p_ai = 1 - probs[:, HUMAN].numpy()
    named = np.where(p_ai > 0.5, np.where(probs[:, 0] > probs[:, 2], 0, 2), HUMAN)
    expected = {"balanced_accuracy": [], "auroc": []}
    for _ in range(400):
        chosen = [
            i
            for target in range(3)
            for source in draw.choice(list("abcdefgh"), 8)
            for i in np.flatnonzero((targets == target) & (sources == source))
        ]
        truth = targets[chosen]
        expected["balanced_accuracy"].append(np.mean([(named[chosen] == c)[truth == c].mean() for c in range(3)]))
        ai, human = p_ai[chosen][truth != HUMAN, None], p_ai[chosen][truth == HUMAN]
        expected["auroc"].append(((ai > human) + (ai == human) / 2).mean())
    found = intervals(probs, torch.tensor(targets), sources.tolist())
    for name, values in expected.items():
        assert found[name] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.02)
    assert found["balanced_accuracy"][1] - found["balanced_accuracy"][0] > 0.1
    assert intervals(probs, torch.tensor(targets), ["one"] * 120) == {}


# Transforms


def test_degradations_degrade(pictures):
    picture = pictures[1]
    clean = np.asarray(picture, float)
    mild, strong = (np.abs(np.asarray(recompress(picture, q), float) - clean).mean() for q in (90, 40))
    assert 0 < mild < strong
    assert hard(picture).size == (picture.width // 2, picture.height // 2)
    assert {Web(1.0)(picture).mode for _ in range(20)} == {"RGB"}
    assert Web(0.0)(picture) is picture


def test_transforms_can_be_sent_to_workers():
    """As macOS and Windows do, which spawn them."""
    for transform in (*VARIANTS.values(), eval_transforms(), train_transforms(64), card_transforms(64)):
        assert callable(pickle.loads(pickle.dumps(transform)))


@pytest.mark.parametrize("make", [eval_transforms, train_transforms, card_transforms])
def test_transforms_end_in_a_normalised_square(make, pictures):
    x = make(96)(pictures[0])
    assert x.shape == (3, 96, 96)
    assert x.dtype == torch.float32
    assert -2.2 < x.min() < x.max() < 2.7  # what ImageNet's mean and std make of [0, 1]
