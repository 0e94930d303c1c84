"""What would be pushed to a Hugging Face Space: whole, as its builder wants it, answering from that folder alone."""

import json
import sys

import pytest

from deploy import space
from tests.conftest import EXAMPLES
from tests.running import NO_HUB


@pytest.fixture
def folder(tmp_path):
    space.lay_out(tmp_path / "space")
    return tmp_path / "space"


def test_the_folder_is_whole_and_holds_nothing_else(folder):
    assert space.faults(folder) == []
    parts = {path.name for path in folder.iterdir()}
    assert parts == {*space.PARTS, ".gitattributes"}
    assert not [path for path in folder.rglob("*") if path.suffix in (".pyc", ".pyi")]
    assert (folder / "detector/weights/model.safetensors").stat().st_size > 10e6
    with pytest.raises(FileExistsError, match="not empty"):
        space.lay_out(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        (
            "README.md",
            "sdk_version: 6.",
            "sdk_version: 5.",
            "requirements.txt has gradio==6.31.0, and the front matter 5",
        ),
        ("README.md", "short_description: ", f"short_description: {'x' * 60}", "more than 60 characters"),
        ("README.md", "colorTo: green", "colorTo: teal", "The colours are not among"),
        ("README.md", 'python_version: "3.12"', 'python_version: "3.13"', "ZeroGPU has no Python 3.13"),
        ("README.md", "license: mit", "licence: mit", "keys that no Space knows: licence"),
        ("README.md", "app_file: app.py", "app_file: main.py", "names no Gradio app"),
        (
            "requirements.txt",
            "numpy",
            "pydantic>=2.13\nnumpy",
            "pydantic>=2.13, which gradio's mcp extra does not take",
        ),
    ],
)
def test_faults_are_told(folder, name, old, new, sentence):
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")
    (found,) = space.faults(folder)
    assert sentence in found


def test_what_is_too_large_is_told(folder):
    for i in range(3):
        (folder / f"large{i}.bin").write_bytes(bytes(space.LARGEST + 1))
    found = space.faults(folder)
    assert len(found) == 4
    assert "more than 40" in found[0]
    assert found[1].endswith("is larger than 10 MiB and no LFS file.")


@pytest.mark.parametrize("zero_gpu", [False, True])
def test_it_answers_from_there_on_either_hardware(folder, bundled, zero_gpu):
    """On ZeroGPU with the package `spaces` itself, which has torch say that there is a GPU and refuses its use."""
    found = space.answer(folder, sys.executable, zero_gpu, HF_ENDPOINT=NO_HUB)
    (expected,) = bundled.predict([EXAMPLES / "rocket.jpg"])
    assert found["probs"] == pytest.approx(expected.probs, abs=0.01)  # it may compute in bf16
    json.dumps(found)


def test_one_that_does_not_start_shows_its_log(folder):
    (folder / "app.py").write_text("raise SystemExit('no such thing')")
    with pytest.raises(RuntimeError, match=r"does not answer \(it ended\)(.|\n)*no such thing"):
        space.answer(folder, sys.executable, False)
