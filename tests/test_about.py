"""The tab "How it works": the steps are the model's own, the figures its files', and nothing is told too early."""

import base64
import io
import threading
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import densenet121

from detector.checkpoint import BUNDLED, Config
from detector.hub import PUBLISHED
from detector.images import ImageError
from detector.serving import Service
from detector.verdict import NAMES
from tests.client import Page as Client
from tests.client import Refused
from tests.conftest import EXAMPLES
from ui.about import about_steps, fooling, once
from ui.about.figures import UNMEASURED, about_model, generators, of_100, parts
from ui.gallery import Example
from ui.shared import GONE, NO_QUESTION

CAT, COFFEE = EXAMPLES / "chelsea.png", EXAMPLES / "coffee.png"
EVIL = "<img src=x onerror=alert(1)>"


def done(value) -> Future:
    future = Future()
    future.set_result(value)
    return future


@pytest.fixture
def model(bundled) -> Future:
    return done(Service(bundled))


@pytest.mark.parametrize("by", ["example", "path"])
def test_the_steps_add_up_to_what_plain_torchvision_computes(bundled, model, tmp_path, by):
    (tmp_path / "cat.png").write_bytes(CAT.read_bytes())
    asked = {"example": 0} if by == "example" else {"path": str(tmp_path / "cat.png")}
    told = about_steps(model, done([Example(CAT, "human", "a cat")]), str(tmp_path), asked)
    net = densenet121(num_classes=3).eval()
    net.load_state_dict(bundled.model.state_dict())
    seen = np.asarray(Image.open(CAT).convert("RGB").resize((224, 224), Image.BILINEAR))
    x = (seen / 255 - bundled.config.mean) / bundled.config.std
    with torch.inference_mode():
        logits = net(torch.tensor(x, dtype=torch.float32).permute(2, 0, 1)[None])[0].numpy()
    terms = np.array(told["terms"])
    assert terms.shape == (3, 7, 7)
    np.testing.assert_allclose(terms.sum((1, 2)) + told["bias"], logits, atol=1e-3)
    np.testing.assert_allclose(told["logits"], logits, atol=1e-3)
    share = np.exp(logits / told["temperature"])
    np.testing.assert_allclose(told["probs"], share / share.sum(), atol=1e-3)
    (verdict,) = bundled.predict([CAT])
    assert told["probs"] == pytest.approx(list(verdict.probs.values()), abs=1e-6)
    assert list(NAMES)[told["label"]] == verdict.label
    square = Image.open(io.BytesIO(base64.b64decode(told["square"].partition(",")[2])))
    assert np.abs(np.asarray(square, float) - seen).mean() < 3  # a JPEG of it


def test_a_comment_in_a_file_does_not_tell_whose_it_is(model, tmp_path):
    Image.open(CAT).convert("RGB").save(tmp_path / "cat.jpg", comment=b"by Stefan")
    told = about_steps(model, done([Example(tmp_path / "cat.jpg", "human", "")]), "", {"example": 0})
    assert b"Stefan" not in base64.b64decode(told["picture"].partition(",")[2])


def test_nothing_to_judge_and_no_gallery_are_sentences(model, tmp_path):
    Image.new("RGB", (300, 200), (9, 90, 200)).save(tmp_path / "plain.png")
    told = about_steps(model, done([]), str(tmp_path), {"path": str(tmp_path / "plain.png")})
    assert told["nothing"].startswith("There is nothing to judge: ")
    assert "Check" in about_steps(model, done([]), "", {"example": 0})["nothing"]


@pytest.mark.parametrize(("question", "sentence"), [
    ({"example": -1}, NO_QUESTION), ({"example": 999}, NO_QUESTION), ({"example": "0"}, NO_QUESTION),
    ({"example": None}, NO_QUESTION), ({"example": 1.0}, NO_QUESTION), ({}, NO_QUESTION), ([], NO_QUESTION),
    ({"path": 5}, NO_QUESTION), ({"path": "a\0b"}, NO_QUESTION), ({"path": None}, GONE),
    ({"path": "/etc/hostname"}, GONE), ({"path": str(CAT)}, GONE), ({"path": "http://127.0.0.1/a.png"}, "not fetched"),
])  # fmt: skip
def test_hostile_questions_get_a_sentence_and_no_file(url, question, sentence):
    client = Client(int(url.rpartition(":")[2]))
    with pytest.raises(Refused) as refused:
        client.door("about_steps", question)
    assert sentence in str(refused.value)


def test_the_figures_are_those_of_the_models_own_files(bundled):
    told = about_model(bundled)
    metrics = bundled.config.metrics
    assert told["confusion"] == metrics["test"]["clean"]["confusion"]
    for table, split in zip(told["figures"], ("test", "val"), strict=True):
        found = [metrics[split][name] for name in ("clean", "web", "hard", "degraded")]
        assert [row[1:] for row in table["rows"][1:]] == [
            [f"{100 * one['balanced_accuracy']:.1f}", f"{100 * one['ai_vs_human']['auroc']:.1f}"] for one in found
        ]
    known = {"reliability", "loss_over_epochs", "accuracy_over_epochs", "sample_dataset", "model_output_samples"}
    assert len(told["pictures"]) == sum((BUNDLED / f"{name}.png").is_file() for name in known)
    lines = (BUNDLED / "README.md").read_text("utf-8").splitlines()
    tables = [block["rows"] for part in told["card"] for block in part["blocks"] if "rows" in block]
    rows = [row for table in tables for row in table]
    assert all(f"| {' | '.join(row)} |" in lines for row in rows)
    assert [table[0][0] for table in tables] == ["test images by source", "test images by generator"]
    audit = next(part for part in told["card"] if part["title"] == "Audit of the data")["blocks"][0]["items"]
    assert len(audit) == sum(line.startswith("- ") for line in "\n".join(lines).partition("## Audit")[2].splitlines())


def test_generators_are_sorted_and_none_is_lost(bundled):
    told = generators(bundled.name)
    rows = told["rows"][1:]
    assert [row[3] == "Human" for row in rows] == [i < told["missed"] for i in range(len(rows))]
    assert rows[: told["missed"]] == sorted(rows[: told["missed"]], key=lambda row: float(row[2]))
    lines = (EXAMPLES.parent / "docs" / "generators.md").read_text("utf-8").splitlines()
    assert len(rows) == sum(line.startswith("| ") for line in lines) - 1
    assert generators("bundled 1999-01-01")["notes"]


def test_a_published_model_is_not_praised_with_its_makers_figure_alone():
    told = about_model(SimpleNamespace(name=f"hub {PUBLISHED}@0123456", config=Config()))
    assert "95 %" in told["notes"][0]
    assert told["notes"][1:] == [UNMEASURED]
    assert (told["figures"], told["confusion"], told["generators"]) == ([], [], None)


def test_a_figure_that_has_no_value_is_unknown():
    assert [of_100(None), of_100(0.5)] == ["unknown", "50.0"]


def test_a_card_becomes_text():
    top = "---\na: |\n# b\n---\n# Title\n\nSee [here](http://x), **now**.\n\n```sh\nrm\n```\n\n"
    rest = "## Odd\n![a](b.png)\n\n| x | y |\n|---|---|\n| `1` | <b>2</b> |\n\n- one\n  more\n- two\n"
    assert parts(top + rest) == [
        {"title": "What it was trained on", "blocks": [{"text": "See here, now."}]},
        {"title": "Odd", "blocks": [{"items": ["one more", "two"]}]},
        {"title": "X", "blocks": [{"rows": [["x", "y"], ["1", "<b>2</b>"]]}]},
    ]


def test_those_who_ask_together_wait_for_one_computation_and_a_failure_is_tried_again():
    go, ran, error = threading.Event(), [], ImageError("It is gone.")

    def work() -> dict:
        ran.append(1)
        go.wait()
        if len(ran) == 1:
            raise error
        return {"n": len(ran)}

    def until_done() -> dict:
        while (told := ask()) == {"busy": True}:
            pass
        return told

    ask = once(work)
    assert [ask(), ask()] == [{"busy": True}] * 2
    go.set()
    with pytest.raises(ImageError):
        until_done()
    assert [until_done(), until_done()] == [{"n": 2}] * 2


def test_the_pictures_that_fool_it_are_the_most_wrong_ones(bundled):
    paths: list[Path] = [CAT, COFFEE, EXAMPLES / "astronaut.png"]
    labels = ("human", "human", "dalle")
    examples = [Example(path, label, path.stem, b"jpeg") for path, label in zip(paths, labels, strict=True)]
    told = fooling(Service(bundled), examples)
    p_ai = [verdict.p_ai for verdict in bundled.predict(paths)]
    assert [one["p_ai"] for one in told["human"]] == pytest.approx(sorted(p_ai[:2], reverse=True), abs=1e-5)
    assert [one["told"] for one in told["ai"]] == [examples[2].told]
    assert told["n"] == 3
