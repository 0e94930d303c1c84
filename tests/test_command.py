"""python -m detector, as a user types it, on a machine without network."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.__main__ import main
from detector.checkpoint import Config, save_checkpoint
from tests.conftest import EXAMPLES
from tests.running import NO_HUB


def command(*arguments, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "detector", *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"HF_ENDPOINT": NO_HUB} | environment, cwd=EXAMPLES.parent,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Good and bad files, two of one name in different folders."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "sub").mkdir()
    shutil.copy(EXAMPLES / "chelsea.png", folder / "cat.png")
    Image.new("L", (90, 60), 99).save(folder / "sub" / "cat.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "zoë, grey.webp").write_bytes((EXAMPLES / "rocket.jpg").read_bytes())  # a suffix that lies, a comma
    (folder / "notes.txt").write_text("left alone")
    return folder


@pytest.fixture(scope="module")
def answered(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return command(
        folder, "missing.png", "--precision", "fp32", "--json", "--csv", out / "all.csv", "--maps", out / "maps"
    ), out


def test_one_object_a_line(answered, folder, bundled):
    done, _ = answered
    assert done.returncode == 1  # a file failed, the rest did not
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    names = ["broken.jpg", "cat.png", "sub/cat.png", "zoë, grey.webp"]
    assert [line["file"] for line in lines] == [str(folder / name) for name in names] + ["missing.png"]
    assert [set(line) for line in lines if "error" in line] == [{"file", "error"}] * 2
    good = [line for line in lines if "error" not in line]
    for line in good:
        assert list(line) == ["file", "label", "probs", "p_ai", "band", "model"]
        assert line["model"] == bundled.name
        (expected,) = bundled.predict([line["file"]])
        assert line["label"] == expected.label
        np.testing.assert_allclose(list(line["probs"].values()), list(expected.probs.values()), atol=1e-3)
    assert "could not be reached" in done.stderr  # auto says why the bundled model answers
    assert "\r" not in done.stderr  # no progress bar where nobody looks
    assert "Traceback" not in done.stderr


def test_csv(answered):
    done, out = answered
    rows = list(csv.DictReader((out / "all.csv").open(encoding="utf-8")))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["file"] for row in rows] == [line["file"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert row["error"] == line.get("error", "")
        if "probs" in line:
            assert [float(row[f"p_{name}"]) for name in line["probs"]] == list(line["probs"].values())


def test_maps(answered):
    _, out = answered
    found = sorted(str(path.relative_to(out / "maps")) for path in (out / "maps").rglob("*.png"))
    kinds = [f"{name}.{kind}.png" for name in ("dalle", "human", "other_ai") for kind in ("cam", "evidence")]
    assert found == sorted(f"{image}.{k}" for image in ("cat.png", "sub/cat.png", "zoë, grey.webp") for k in kinds)
    overlays = [Image.open(out / "maps" / f"cat.png.{k}") for k in kinds]
    assert {image.size for image in overlays} == {(451, 300)}
    assert len({image.tobytes() for image in overlays}) >= 4  # the maps differ


def test_table(capsys):
    """The readable table, in this process, with the names of the columns over their figures."""
    assert main([str(EXAMPLES / "rocket.jpg"), "--model", "bundled"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert "P(AI)" in head
    assert line.startswith(str(EXAMPLES / "rocket.jpg")) or line.startswith("…")
    assert head.index("DALL-E") + len("DALL-E") == line.index("%", line.index("%") + 1) + 1


@pytest.mark.parametrize(("arguments", "words"), [
    ([], "required"),
    (["x.png", "--model", "nonsense"], "auto, hub, bundled"),
    (["x.png", "--model", "hub"], "could not be reached"),
    (["x.png", "--model", "bundled", "--csv", "/nowhere/a.csv"], "cannot be written"),
])  # fmt: skip
def test_wrong_usage_is_2(arguments, words):
    done = command(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_model_by_path(published, tmp_path, capsys):
    save_checkpoint(tmp_path / "mine", published, Config(temperature=2.0))
    assert main([str(EXAMPLES / "rocket.jpg"), "--model", str(tmp_path / "mine"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == str(tmp_path / "mine")


def test_folder_without_images(tmp_path, capsys):
    assert main([str(tmp_path), "--model", "bundled", "--json"]) == 1
    assert "not a file" in json.loads(capsys.readouterr().out)["error"]


def test_names_that_are_no_text_and_names_too_long(tmp_path, capsys):
    """Neither stops the files after them."""
    odd = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(EXAMPLES / "rocket.jpg", odd)
    names = [os.fsdecode(odd), "a" * 300, str(EXAMPLES / "rocket.jpg")]
    done = command(*names, "--model", "bundled", "--json", "--csv", tmp_path / "all.csv")
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in line for line in lines] == [False, True, False]
    assert len((tmp_path / "all.csv").read_text("utf-8").splitlines()) == 4


def test_two_files_of_one_name_keep_their_maps(folder, tmp_path):
    assert (
        main([str(folder / "cat.png"), str(folder / "sub" / "cat.png"), "--model", "bundled", "--maps", str(tmp_path)])
        == 0
    )
    assert len(list(tmp_path.glob("cat.png.*.png"))) == 12


def test_wrong_model_leaves_an_old_csv_alone(tmp_path):
    (tmp_path / "old.csv").write_text("kept")
    with pytest.raises(SystemExit):
        main(["x.png", "--model", "nonsense", "--csv", str(tmp_path / "old.csv")])
    assert (tmp_path / "old.csv").read_text() == "kept"


def test_pipe_that_closes(folder):
    line = f"{sys.executable} -m detector {folder} {folder} --model bundled --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=EXAMPLES.parent)
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1
