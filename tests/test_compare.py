"""Two models on the same pictures, against each model alone and SciPy's binomial test."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

import detector
from detector.__main__ import main
from detector.checkpoint import save_checkpoint
from detector.compare import mcnemar
from detector.hub import load_checkpoint
from detector.verdict import NAMES
from tests.conftest import EXAMPLES

TRUTHS = {"human": ("chelsea.png", "rocket.jpg", "starry_night.jpg"), "dalle": ("dalle_2.webp", "dalle_3.webp")}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The bundled model but for its head, which swaps DALL-E and other AI and leans to human."""
    checkpoint = load_checkpoint("bundled")
    head = checkpoint.model.classifier
    head.weight.data, head.bias.data = head.weight.data[[2, 1, 0]], head.bias.data[[2, 1, 0]]
    head.bias.data += torch.tensor([0.0, 1.0, 0.0])
    folder = tmp_path_factory.mktemp("other")
    save_checkpoint(folder, checkpoint.model, replace(checkpoint.config, version="swapped"))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Known pictures, one that nobody said anything of, one with nothing to judge, and one that is broken."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, files in TRUTHS.items():
        (folder / name).mkdir()
        for file in files:
            shutil.copy(EXAMPLES / file, folder / name / file)
    shutil.copy(EXAMPLES / "coffee.png", folder / "unknown.png")
    Image.new("RGB", (300, 300), "red").save(folder / "human" / "plain.png")
    (folder / "dalle" / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_the_exact_test_is_that_of_the_binomial_distribution():
    for a in range(12):
        for b in range(12):
            expected = binomtest(a, a + b).pvalue if a + b else 1.0
            assert mcnemar(a, b) == pytest.approx(expected, abs=1e-12)


def test_it_counts_what_either_model_says_alone(folder, other, capsys):
    assert main(["compare", "bundled", str(other), str(folder), "--json", "--precision", "fp32"]) == 1  # two left out
    printed = capsys.readouterr()
    assert "broken.jpg" in printed.err
    assert "plain.png" in printed.err
    found = json.loads(printed.out)
    assert list(found) == ["n", "agree", "a", "b", "mcnemar_p", "differ"]

    truths = {folder / name / file: name for name, files in TRUTHS.items() for file in files}
    paths = [*truths, folder / "unknown.png"]
    alone = [detector.load(str(model), "fp32").predict(paths) for model in ("bundled", other)]
    labels = [[verdict.label for verdict in verdicts] for verdicts in alone]
    right = [sum(label == truths.get(path) for path, label in zip(paths, told, strict=True)) for told in labels]
    differ = {str(path): (a, b) for path, a, b in zip(paths, *labels, strict=True) if a != b}
    assert found["n"] == len(paths)
    assert found["agree"] == len(paths) - len(differ)
    assert [found[key]["right"] for key in "ab"] == right
    assert {one["file"]: (one["a"]["label"], one["b"]["label"]) for one in found["differ"]} == differ
    assert {"dalle", "other_ai"} in [{a, b} for a, b in differ.values()]  # what was swapped
    only = [
        sum(a == truths.get(p) != b for p, a, b in zip(paths, *pair, strict=True)) for pair in (labels, labels[::-1])
    ]
    assert found["mcnemar_p"] == pytest.approx(binomtest(only[0], sum(only)).pvalue if sum(only) else 1)


def test_the_lines_say_the_same(folder, other, capsys):
    assert main(["compare", str(other), "bundled", str(folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert main(["compare", str(other), "bundled", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"They agree on {found['agree']} of 6 pictures." in lines
    right = [found[key]["right"] for key in "ab"]
    assert f"Of 5 whose truth is known {right[0]} by a and {right[1]} by b are named rightly (exact McN" in lines[3]
    shown = lines[5:]
    assert len(shown) == len(found["differ"]) > 0
    for line, one in zip(shown, found["differ"], strict=True):
        assert f"{NAMES[one['a']['label']]:8}  {one['a']['p_ai']:>5.0%}  {NAMES[one['b']['label']]}" in line


def test_without_truths_nobody_is_right(tmp_path, other, capsys):
    shutil.copy(EXAMPLES / "chelsea.png", tmp_path)
    assert main(["compare", "bundled", str(other), str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["a"]["right"], found["mcnemar_p"]) == (1, None, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bundled", "bundled", "nowhere"], "nowhere is not a folder"),
        (["bundled", "nothing/here\0", "{examples}"], "nothing/here"),
        (["bundled"], "required"),
    ],
)
def test_wrong_usage_is_a_sentence(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compare", *(text.format(examples=EXAMPLES) for text in arguments)])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err
