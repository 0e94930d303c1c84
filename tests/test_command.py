"""python -m detector, as a user types it, on a machine without network."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.__main__ import main
from detector.checkpoint import Config, save_checkpoint
from detector.output.as_csv import CSV_FIELDS
from tests import forked
from tests.conftest import EXAMPLES
from tests.running import NO_HUB

command = partial(forked.run, "detector", HF_ENDPOINT=NO_HUB)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Good and bad files, two of one name in different folders."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "sub").mkdir()
    shutil.copy(EXAMPLES / "chelsea.png", folder / "cat.png")
    Image.open(EXAMPLES / "coffee.png").convert("L").resize((90, 60)).save(folder / "sub" / "cat.png")
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
        assert list(line) == ["file", "label", "probs", "p_ai", "band", "model", "provenance"]
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
    (["x.png", "--model", "bundled", "--csv", "/dev/full"], "/dev/full cannot be written: No space left"),
    (["x.png", "--csv", ""], "the name is empty"),
    (["x.png", "--maps", ""], "the name is empty"),
    (["x.png", "--maps", EXAMPLES / "rocket.jpg"], "rocket.jpg cannot be written: File exists"),
    (["x.png", "--map-method", "layercam"], "give --maps DIR too"),
    (["x.png", "--maps", "m", "--map-layer", "norm5"], "give that too"),
    (["x.png", "-\x1b[31mx.jpg"], r'\x1b[31mx.jpg (files whose names begin with "-" go last, after "--")'),
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
    assert "holds no images (0 overlays and 0 other files)" in json.loads(capsys.readouterr().out)["error"]


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


def lines_of(capsys, *arguments) -> tuple[int, list[dict]]:
    code = main([*map(str, arguments), "--model", "bundled", "--precision", "fp32", "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refusal(capsys, *arguments) -> str:
    with pytest.raises(SystemExit, match="2"):
        main([*map(str, arguments), "--model", "bundled"])
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()[-1]


@pytest.fixture
def photos(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(EXAMPLES / "rocket.jpg", tmp_path / "photos" / name)
    return tmp_path / "photos"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_csv_over_a_picture_is_refused_whatever_is_said(photos, capsys, more):
    """`--csv photos/*.jpg`, a picture by another name, and a picture that is called like a CSV file."""
    shutil.copy(photos / "a.jpg", photos / "IMG_1")
    (photos / "link.csv").symlink_to("b.jpg")
    os.link(photos / "b.jpg", photos / "hard.csv")
    before = snapshot(photos)
    assert "has an image's name" in refusal(capsys, "--csv", *sorted(photos.glob("*.jpg")), *more)
    for name in ("link.csv", "hard.csv"):
        assert "one of the files to judge" in refusal(capsys, "--csv", photos / name, photos, *more)
    assert "one of the files to judge" in refusal(capsys, "--csv", photos / "IMG_1", photos / "IMG_1", *more)
    assert snapshot(photos) == before


def test_csv_over_anything_but_ours_needs_overwrite(photos, tmp_path, capsys):
    path, part = tmp_path / "all.csv", tmp_path / "all.csv.part"
    path.write_text("file,label\nmine.jpg,human\n")
    assert "--overwrite" in refusal(capsys, photos, "--csv", path)
    assert path.read_text() == "file,label\nmine.jpg,human\n"
    assert lines_of(capsys, photos, "--csv", path, "--overwrite")[0] == 0
    written = path.read_text("utf-8")
    assert len(list(csv.DictReader(written.splitlines()))) == 2
    assert lines_of(capsys, photos / "a.jpg", "--csv", path)[0] == 0  # ours: replaced without a word
    assert len(list(csv.DictReader(path.open(encoding="utf-8")))) == 1
    part.write_text("somebody's")  # where the rows would be kept until the end
    assert "all.csv.part exists" in refusal(capsys, photos, "--csv", path)
    assert part.read_text() == "somebody's"


def test_maps_in_the_searched_folder_do_not_feed_on_themselves(photos, capsys, caplog):
    for _ in range(2):
        code, lines = lines_of(capsys, photos, "--maps", photos)
        assert code == 0
        assert [Path(line["file"]).name for line in lines] == ["a.jpg", "b.jpg"]
        assert len(list(photos.iterdir())) == 2 + 12
    assert "12 overlays" in caplog.text
    code, (line,) = lines_of(capsys, photos / "a.jpg.human.cam.png")
    assert code == 1
    assert "is an overlay" in line["error"]


def test_maps_replace_nothing_but_overlays(photos, capsys):
    mine = photos / "a.jpg.human.cam.png"
    Image.new("RGB", (64, 64), "teal").save(mine)
    before = mine.read_bytes()
    code, lines = lines_of(capsys, photos / "a.jpg", photos / "b.jpg", "--maps", photos)
    assert code == 1
    assert "a.jpg.human.cam.png: it exists and is no overlay" in lines[0]["error"]
    assert lines[0]["label"] == lines[1]["label"]  # the answer stands
    assert mine.read_bytes() == before
    assert not list(photos.glob("*.part"))


def test_nothing_in_a_folder_is_left_out_in_silence(photos, capsys):
    """Links that lead nowhere, round in a circle or elsewhere, what is hidden, a pipe called like a picture."""
    (photos / "gone.jpg").symlink_to("nowhere.jpg")
    (photos / "lost album").symlink_to("/nowhere")
    (photos / "itself.jpg").symlink_to("itself.jpg")
    (photos / "circle").symlink_to(".")
    os.mkfifo(photos / "pipe.jpg")
    shutil.copy(photos / "a.jpg", photos / ".hidden.jpg")
    (photos / ".cache" / "deep").mkdir(parents=True)
    shutil.copy(photos / "a.jpg", photos / ".cache" / "deep" / "c.jpg")
    (photos.parent / "elsewhere").mkdir()
    shutil.copy(photos / "a.jpg", photos.parent / "elsewhere" / "-d.jpg")
    (photos / "elsewhere").symlink_to("../elsewhere")
    (photos / "notes.txt").write_text("left alone")
    code, lines = lines_of(capsys, photos)
    assert code == 1
    found = {str(Path(line["file"]).relative_to(photos)): line.get("error", "") for line in lines}
    assert [name for name, error in found.items() if not error] == ["a.jpg", "b.jpg", "elsewhere/-d.jpg"]
    words = {
        "gone.jpg": "leads nowhere", "lost album": "leads nowhere", "itself.jpg": "leads nowhere",
        "circle": "searched already", "pipe.jpg": "not a file", ".hidden.jpg": "is hidden", ".cache": "with 1 images",
    }  # fmt: skip
    assert {name: word in found.pop(name) for name, word in words.items()} == dict.fromkeys(words, True)
    assert len(found) == 3


def test_empty_name_is_not_this_folder(photos, capsys, monkeypatch):
    monkeypatch.chdir(photos)
    code, lines = lines_of(capsys, "", "a.jpg")
    assert code == 1
    assert [(line["file"], "error" in line) for line in lines] == [("", True), ("a.jpg", False)]


HOSTILE = [
    "=1+1.jpg",
    "-x.jpg",
    "'@.jpg",
    "\ttab.jpg",
    "line\nend.jpg",
    "\x1b[2Jred.jpg",
    "\u202egpj.exe.jpg",
    "\x9b.jpg",
]


def test_names_that_command_terminals_and_spreadsheets(photos, tmp_path):
    """They come out exact from JSON and CSV; nothing that a terminal obeys is printed."""
    for name in HOSTILE:
        (photos / name).write_bytes(b"no picture")
    names = sorted(path.name for path in photos.iterdir())
    for form in ([], ["--json"]):
        done = command("--model", "bundled", *form, "--csv", tmp_path / "all.csv", "--", *names, cwd=photos)
        assert done.returncode == 1
        printed = (done.stdout + done.stderr).replace("\n", "")
        assert printed.isprintable()
        assert len(done.stdout.splitlines()) == len(HOSTILE) + 2 + (not form)
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == names
    cells = [row["file"] for row in csv.DictReader((tmp_path / "all.csv").open(encoding="utf-8", newline=""))]
    assert [cell.removeprefix("'") for cell in cells] == names
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]


@pytest.mark.parametrize(("encoding", "options"), [("cp1252", ["-OO"]), ("ascii", []), ("utf-16", [])])
def test_json_is_utf_8_everywhere(tmp_path, encoding, options):
    """Without docstrings and asserts (-OO) too."""
    name = os.fsdecode("zoë 🎨 ".encode() + b"\xff.jpg")
    shutil.copy(EXAMPLES / "rocket.jpg", tmp_path / name)
    done = subprocess.run(
        [sys.executable, *options, "-m", "detector", tmp_path, "--model", "bundled", "--json"], capture_output=True,
        cwd=EXAMPLES.parent, env=os.environ | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout.decode("utf-8"))["file"] == str(tmp_path / name)
    assert "zoë 🎨".encode() in done.stdout


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_full_disk_under_the_output(form, tmp_path):
    arguments, err = (EXAMPLES / "rocket.jpg", "--model", "bundled", *form), tmp_path / "err.txt"
    done = forked.Forked("detector", *arguments, cwd=tmp_path, out=Path("/dev/full"), err=err)
    done.wait()
    assert done.returncode == 1
    assert err.read_text().splitlines() == ["The output cannot be written: No space left on device."]


@pytest.mark.parametrize("old", [False, True])
def test_ctrl_c_keeps_what_was_done(tmp_path, old):
    """130, one line, the rows: under the file's name, or, where an older file has that, beside it."""
    path = tmp_path / "all.csv"
    header = ",".join(CSV_FIELDS) + "\n"
    if old:
        path.write_text(header)
    out, images = tmp_path / "out.txt", [EXAMPLES / "coffee.png"] * 400
    arguments = *images, "--model", "bundled", "--csv", path
    run = forked.Forked("detector", *arguments, cwd=tmp_path, out=out, err=tmp_path / "err.txt")
    while not out.exists() or len(out.read_text().splitlines()) < 3:  # the head, two answers
        assert run.poll() is None
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGINT)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in complaint
    assert "Interrupted" in complaint
    kept = tmp_path / "all.csv.part" if old else path
    assert 1 <= len(list(csv.DictReader(kept.open(encoding="utf-8")))) < 400
    if old:
        assert path.read_text() == header
        assert "all.csv.part" in complaint


def test_maps_by_another_method(photos, tmp_path, capsys):
    for method, layer in (("layercam", "denseblock3"), ("hirescam", None)):
        arguments = ["--maps", tmp_path / "maps", "--map-method", method, *(["--map-layer", layer] if layer else [])]
        assert lines_of(capsys, photos / "a.jpg", *arguments)[0] == 0
    found = {path.name: Image.open(path).tobytes() for path in (tmp_path / "maps").iterdir()}
    ends = ("layercam.denseblock3", "hirescam.norm5")
    assert set(found) == {f"a.jpg.{name}.{end}.png" for name in ("dalle", "human", "other_ai") for end in ends}
    assert len(set(found.values())) == 6
    code, _ = lines_of(capsys, photos / "a.jpg", "--maps", tmp_path / "six")
    assert code == 0
    closed_form = Image.open(tmp_path / "six" / "a.jpg.dalle.evidence.png")
    difference = np.subtract(closed_form, Image.open(tmp_path / "maps" / "a.jpg.dalle.hirescam.norm5.png"), dtype=int)
    assert np.abs(difference).max() <= 3


def test_without_the_library_a_sentence_says_what_to_install(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)  # as Python itself marks what cannot be imported
    words = refusal(capsys, photos, "--maps", tmp_path / "maps", "--map-method", "layercam")
    assert "pip install grad-cam" in words
