"""What a run leaves, the evaluate and push commands, and what the Hub makes of them."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors import safe_open

import detector
from detector import CLASSES
from detector.checkpoint import CheckpointError
from detector.images import open_image
from tests.conftest import EXAMPLES
from tests.hub import COMMIT
from train.__main__ import main
from train.recipes import ROBUST
from train.report.metrics import HUMAN, expected_calibration_error, figures, reliability_bins
from train.report.push import push
from train.report.write import DATASET_PICTURE, PLOTS, SAMPLES_PICTURE
from train.run import run


@pytest.fixture(scope="module")
def trained(coloured, small, tmp_path_factory):
    """A run of four epochs on data with an index.csv."""
    data = tmp_path_factory.mktemp("indexed") / "data"
    shutil.copytree(coloured, data)
    rows = ["split,class,file,source,generator"]
    for path in sorted(data.rglob("*.png")):
        split, name = path.relative_to(data).parts[:2]
        generator = "" if name == "human" else f"{name} {int(path.stem) % 2}"
        rows.append(f"{split},{name},{path.name},shop {name},{generator}")
    (data / "index.csv").write_text("\n".join(rows))
    out = tmp_path_factory.mktemp("runs") / "small"
    run(replace(ROBUST, sizes=(32, 32, 32, 48), batch_size=12, lr=2e-3), str(data), out, "scratch")
    return out, data


def test_robust_recipe_learns_and_its_run_loads(trained):
    out, data = trained
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    found = detector.load(out)
    assert found.config.metrics["test"]["clean"]["n"] == 12
    assert found.config.metrics["test"]["clean"]["balanced_accuracy"] == balanced_accuracy(found, data / "test")
    assert "balanced accuracy" in (out / "README.md").read_text()


def balanced_accuracy(model, root) -> float:
    """By hand, through the front door."""
    recalls = []
    for name in CLASSES:
        verdicts = model.predict(sorted((root / name).iterdir()))
        recalls.append(sum(v.label == name for v in verdicts) / len(verdicts))
    return round(sum(recalls) / 3, 4)


def test_everything_is_there_and_can_be_opened(trained):
    out, _ = trained
    for name in (*PLOTS, DATASET_PICTURE, SAMPLES_PICTURE):
        with Image.open(out / name) as image:
            assert min(image.size) > 250
            assert len(image.convert("RGB").getcolors(2**24)) > 20  # not an empty sheet
    assert not list(out.glob("*.partial"))


def test_report_holds_what_it_should(trained):
    out, _ = trained
    report = json.loads((out / "report.json").read_text())
    assert [line["epoch"] for line in report["epochs"]] == [1, 2, 3, 4]
    for line in report["epochs"]:
        assert 0 <= line["train_accuracy"] <= 1
        assert {"train_loss", "val_loss", "size", "val"} <= set(line)
    assert report["audit"]["images"] == {"train": 36, "val": 12, "test": 12}
    assert report["audit"]["balance"]["train"]["sources"] == {f"shop {name}": 12 for name in CLASSES}
    assert set(report["calibration"]["ece"]) == {"before", "after"}
    test = report["results"]["test"]
    assert set(test["variants"]) == {"clean", "web", "hard", "degraded"}
    assert {name: found["n"] for name, found in test["by_generator"].items()} == {
        "dalle 0": 2, "dalle 1": 2, "other_ai 0": 2, "other_ai 1": 2,
    }  # fmt: skip
    for i, name in enumerate(CLASSES):  # one source a class, so its accuracy is the recall
        assert test["by_source"][f"shop {name}"]["accuracy"] == test["recall"][name]
        assert test["confusion"][i][i] == round(test["recall"][name] * 4)


def test_figures_come_out_again_through_the_front_door(trained):
    """In fp32, as the page computes them, to the last image."""
    out, data = trained
    model = detector.load(out)
    recalls, called_ai = [], {}
    for name in CLASSES:
        verdicts = model.predict(sorted((data / "test" / name).iterdir()))
        recalls.append(sum(v.label == name for v in verdicts) / len(verdicts))
        called_ai[f"shop {name}"] = sum(v.p_ai >= 0.5 for v in verdicts) / len(verdicts)
    test = json.loads((out / "report.json").read_text())["results"]["test"]
    assert test["balanced_accuracy"] == round(sum(recalls) / 3, 4)
    assert {name: found["called_ai"] for name, found in test["by_source"].items()} == called_ai
    assert model.config.metrics["test"]["clean"] == test["variants"]["clean"]


def test_reliability_bins_add_up():
    probs = torch.softmax(torch.randn(400, 3, generator=torch.Generator().manual_seed(0)) * 2, 1)
    targets = torch.randint(0, 3, (400,), generator=torch.Generator().manual_seed(1))
    found = reliability_bins(probs, targets)
    assert sum(n for *_, n in found) == 400
    assert sum(n * accuracy for _, accuracy, n in found) == pytest.approx(float((probs.argmax(1) == targets).sum()))
    assert sum(n * sure for sure, _, n in found) == pytest.approx(float(probs.max(1).values.sum()), rel=1e-5)
    assert expected_calibration_error(torch.eye(3), torch.tensor([0, 1, 2])) == 0


def test_card_is_one_that_the_hub_understands(trained):
    out, _ = trained
    card = ModelCard.load(out / "README.md")
    assert card.data.license == "mit"
    assert card.data.pipeline_tag == "image-classification"
    config = detector.load(out).config
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results["balanced_accuracy"] == config.metrics["test"]["clean"]["balanced_accuracy"]
    assert all(name in card.text for name in ("Zero-pixel null", "shop human", "dalle 1", "very likely"))
    assert set(re.findall(r"\]\((\w+\.png)\)", card.text)) == set(PLOTS)


# evaluate


def evaluated(capsys, *arguments) -> dict:
    main(["evaluate", *map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


def test_evaluate_gives_the_figures_of_the_card(trained, capsys):
    out, data = trained
    found = evaluated(capsys, data, "--model", out)
    assert set(found["variants"]) == {"clean", "web", "hard"}
    expected = detector.load(out).config.metrics["test"]
    assert found["variants"] == {name: expected[name] for name in ("clean", "web", "hard")}
    keys = ("n", "accuracy", "balanced_accuracy", "recall", "confusion", "ai_vs_human", "ece")
    assert {key: found[key] for key in keys} == {key: expected["clean"][key] for key in keys}
    assert set(found["ai_vs_human"]["answers"]) == {"human", "ai"}
    assert set(found["by_source"]) == {f"shop {name}" for name in CLASSES}


def some_photographs(folder: Path) -> None:
    folder.mkdir()
    for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "honey_bee.jpg", "lemurs.webp"):
        shutil.copy(EXAMPLES / name, folder)


def test_evaluate_a_folder_of_one_class(trained, tmp_path, capsys):
    """Any labelled folder: here real photographs alone, one of them broken."""
    out, _ = trained
    some_photographs(tmp_path / "real")
    (tmp_path / "real" / "broken.png").write_bytes(b"broken")
    found = evaluated(capsys, tmp_path, "--model", out)
    assert found["n"] == 6
    assert found["recall"]["dalle"] is None
    assert found["ai_vs_human"]["auroc"] is None
    assert len(found["unreadable"]) == 1
    main(["evaluate", str(tmp_path), "--model", str(out)])
    printed = capsys.readouterr().out
    assert "1 images cannot be read" in printed
    assert re.search(r"^clean +\d\.\d{3} +- ", printed, re.M)


def test_evaluate_originals_as_they_are_and_made_small(trained, tmp_path, capsys):
    out, _ = trained
    some_photographs(tmp_path / "real")
    found = evaluated(capsys, tmp_path, "--model", out, "--full-size")["variants"]
    assert list(found) == ["original", "clean", "web", "hard"]
    model, paths = detector.load(out), sorted((tmp_path / "real").iterdir())
    small = []
    for path in paths:
        image, made = open_image(path), tmp_path / "small.jpg"
        scale = 256 / min(image.size)
        image.resize([round(length * scale) for length in image.size], Image.BICUBIC).save(made, quality=88)
        small.append(open_image(made))
    for name, images in (("original", paths), ("clean", small)):
        probs = torch.tensor([list(verdict.probs.values()) for verdict in model.predict(images)])
        expected = figures(probs.log(), torch.full((6,), HUMAN))
        assert found[name]["confusion"] == expected["confusion"]
        assert found[name]["ece"] == pytest.approx(expected["ece"], abs=3e-4)  # another batch, another order of sums
    assert abs(found["original"]["ece"] - found["clean"]["ece"]) > 3e-4


@pytest.mark.parametrize(("arguments", "words"), [
    (["/nowhere"], "There is no folder"), (["detector"], "not named like one"),
])  # fmt: skip
def test_evaluate_wrong_usage_is_one_sentence(arguments, words):
    with pytest.raises(SystemExit, match=words):
        main(["evaluate", *arguments])


# push


def test_push_and_load_again(trained, hub, monkeypatch):
    out, data = trained
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    main(["push", str(out), "somebody/detector"])
    pushed = {file for repo, file in hub.files if repo == "somebody/detector"}
    assert pushed == {"model.safetensors", "config.json", "README.md", *PLOTS}  # and no image of the data
    found = detector.load("somebody/detector")
    assert found.name == f"hub somebody/detector@{COMMIT[:7]}"
    with safe_open(out / "model.safetensors", "pt") as file:
        weight = file.get_tensor("classifier.weight")
    assert torch.equal(found.model.classifier.weight, weight.float())
    path = next((data / "test" / "human").iterdir())
    assert found.predict([path])[0].probs == detector.load(out).predict([path])[0].probs


def test_push_without_leave(trained, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(CheckpointError, match="log in with `hf auth login`"):
        push(trained[0], "somebody/detector")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(CheckpointError, match="log in with `hf auth login`"):
        push(trained[0], "somebody/detector")
    assert hub.files == {}


def test_push_what_is_no_run(trained, hub, tmp_path):
    with pytest.raises(CheckpointError, match="holds no model"):
        push(tmp_path, "somebody/detector")
    shutil.copytree(trained[0], tmp_path / "half", ignore=shutil.ignore_patterns("README.md"))
    with pytest.raises(CheckpointError, match="training did not end"):
        push(tmp_path / "half", "somebody/detector")
    with pytest.raises(CheckpointError, match="OWNER/NAME"):
        push(trained[0], "no name/of/one")
    assert hub.asked == []
