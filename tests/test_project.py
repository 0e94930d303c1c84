"""What the project says of itself is true: front matter, requirements, what it imports, sources of the examples."""

import ast
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import tomlkit
import yaml
from packaging.requirements import Requirement
from PIL import Image

from detector import CLASSES
from detector.checkpoint import BUNDLED
from detector.nearest import FREE
from detector.provenance.signed import TRUST_LIST
from tests.conftest import EXAMPLES
from ui.gallery import bundled_examples, folder_examples, with_thumbnails
from ui.gallery import listed as listed_in

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomlkit.parse((ROOT / "pyproject.toml").read_text("utf-8"))["project"].unwrap()


def test_front_matter_of_a_space():
    front = yaml.safe_load(README.split("---")[1])
    assert front["sdk"] == "gradio"
    assert f"gradio=={front['sdk_version']}\n" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / front["app_file"]).is_file()
    assert front["license"] == "mit"
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert len(front["short_description"]) <= 60
    assert front["python_version"] in ("3.10", "3.11", "3.12", "3.13")
    assert front["colorFrom"] in ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
    assert front["models"] == ["VilaVision/AIgeneratedimagedetection"]


def requirements() -> set[str]:
    return {line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")}


def test_requirements_of_the_page_hold_those_of_the_package_and_none_of_training():
    assert set(PROJECT["dependencies"]) <= requirements()
    assert not set(PROJECT["optional-dependencies"]["train"]) & requirements()


@pytest.mark.parametrize(
    ("rooms", "extras"),
    [(["detector"], ["heif"]), (["train"], ["train"]), (["bulk"], ["bulk"]), (["ui", "app.py"], [])],
    ids=["detector", "train", "bulk", "page"],
)  # fmt: skip
def test_what_is_imported_is_declared(rooms, extras):
    declared = set(PROJECT["dependencies"]) if rooms[0] != "ui" else requirements()
    declared |= {line for extra in extras for line in PROJECT["optional-dependencies"][extra]}
    names = {re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in declared}
    # Which need not be installed: for HEIC, on Spaces alone, for agents.
    optional = {"pillow_heif": ["pillow-heif"], "spaces": ["gradio"], "mcp": ["gradio"]}
    made_with = {name: ["gradio"] for name in ("anyio", "fastapi", "pydantic", "starlette")}
    homes = packages_distributions() | optional | made_with
    files = [path for room in rooms for path in ((ROOT / room).rglob("*.py") if "." not in room else [ROOT / room])]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            ours = {"bulk", "detector", "train", "ui"}
            for module in {name.split(".")[0] for name in modules} - sys.stdlib_module_names - ours:
                assert {home.lower().replace("_", "-") for home in homes[module]} & names, f"{path} imports {module}"


def test_the_lock_file_has_a_version_of_everything_that_fits():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {}
    for line in lines:
        name, _, rest = line.partition("==")
        locked.setdefault(name.partition("[")[0], []).append(rest.split()[0])
    extras = PROJECT["optional-dependencies"]
    for line in requirements() | {
        *PROJECT["dependencies"],
        *(line for extra in ("bulk", "train", "dev") for line in extras[extra]),
    }:
        wanted = Requirement(line)
        versions = locked[wanted.name.lower().replace("_", "-")]
        assert all(wanted.specifier.contains(version, prereleases=True) for version in versions), line


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Where `pip install .` has put the package, without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    copy = shutil.copytree(ROOT, folder / "project", ignore=shutil.ignore_patterns(".*", "runs", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, folder / "site", copy], check=True)
    shutil.rmtree(copy)  # nothing of it may be needed
    return folder / "site"


def test_installed_package_holds_what_it_needs_and_no_more(installed):
    assert {path.name for path in installed.iterdir()} - {"bin"} == {
        "bulk", "detector", "train", f"detector-{PROJECT['version']}.dist-info",
    }  # fmt: skip
    rooms = ("bulk", "detector", "train")
    needed = [*(path for room in rooms for path in (ROOT / room).rglob("*.py")), *BUNDLED.iterdir(), TRUST_LIST]
    needed += FREE.rglob("*.*")
    assert [path for path in needed if not (installed / path.relative_to(ROOT)).is_file()] == []


def test_installed_commands_run_from_anywhere(installed, tmp_path):
    inside = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(installed)}, "capture_output": True, "text": True}
    command = [installed / "bin" / "detector", EXAMPLES / "rocket.jpg", "--model", "bundled", "--json"]
    done = subprocess.run(command, **inside)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"].startswith("bundled")
    helped = subprocess.run([sys.executable, "-m", "train", "--help"], **inside)
    assert helped.stdout.startswith("usage: python -m train"), helped.stderr


COLUMNS = ["file", "label", "title", "author", "year", "licence", "source"]


@pytest.mark.parametrize(("folder", "columns"), [(EXAMPLES, [*COLUMNS, "changed"]), (FREE, COLUMNS)])
def test_every_picture_that_is_shown_has_its_source(folder, columns):
    table = (folder / "SOURCES.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")
    ]
    assert rows[0] == columns
    in_gallery = folder == EXAMPLES
    listed = {row[0]: row for row in rows[1:]}
    files = [path for path in folder.rglob("*.*") if path.name != "SOURCES.md"]
    assert set(listed) == {path.relative_to(folder).as_posix() for path in files}
    free = re.compile(r"CC0|public domain|CC-BY(-SA)?-\d\.0|L?GPL-\d(\+|\.0)")
    for name, label, title, author, year, licence, source, *changed in listed.values():
        assert label in CLASSES
        assert in_gallery or name.startswith(f"{label}/")
        assert changed in ((["no"], ["made smaller"]) if in_gallery else ([],))
        assert all((author, source))
        assert title or not in_gallery
        if label == "human":
            assert title
            assert free.fullmatch(licence)
            if in_gallery or year:  # not every photographer says when
                assert int(re.search(r"\d{4}", year).group()) <= 2021
        else:
            assert licence == "MIT"
    assert [example.path for example in listed_in(folder)] == [folder / name for name in listed]
    counts = [sum(row[1] == label for row in listed.values()) for label in CLASSES]
    assert counts[0] == (2 if in_gallery else 0)
    assert counts[1] >= counts[0] + counts[2] >= 12
    assert sum(path.stat().st_size for path in files) < 4e6


def test_the_ai_made_examples_are_those_of_their_packages():
    with (ROOT / "benchmarks" / "breadth.csv").open(newline="", encoding="utf-8") as file:
        known = {row["sha256"]: row for row in csv.DictReader(file)}
    for example in bundled_examples():
        if example.label != "human":
            row = known[hashlib.sha256(example.path.read_bytes()).hexdigest()]
            assert row["class"] == example.label
            assert example.title.split(", ")[1].split(" ")[0].lower() in row["generator"].lower()


def test_example_is_what_its_package_holds():
    """Byte for byte; Matplotlib is the one of the packages that comes with the tests (through grad-cam)."""
    import matplotlib

    ours, theirs = EXAMPLES / "grace_hopper.jpg", Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    assert ours.read_bytes() == theirs.read_bytes()


def test_gallery_of_any_folder(tmp_path):
    for name in ("human/a.png", "human/b.png", "dalle/c.png", "elsewhere/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    assert [(e.path.name, e.label) for e in folder_examples(tmp_path)] == [
        ("c.png", "dalle"), ("a.png", "human"), ("b.png", "human"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="holds no images"):
        folder_examples(tmp_path / "elsewhere")


def test_published_samples_join_the_gallery(hub):
    from app import our_examples
    from detector.hub import PUBLISHED

    hub.files |= {
        (PUBLISHED, name): b"sample " + name.encode() for name in ("DallE_4.jpg", "HG_22.jpg", "OtherAI_5.jpg")
    }
    found = our_examples()[len(bundled_examples()) :]
    assert [(e.path.read_bytes(), e.label) for e in found] == [
        (b"sample DallE_4.jpg", "dalle"), (b"sample HG_22.jpg", "human"), (b"sample OtherAI_5.jpg", "other_ai"),
    ]  # fmt: skip


def test_without_the_hub_the_gallery_is_ours(hub):
    from app import our_examples

    assert our_examples() == bundled_examples()


def test_thumbnails_are_small_copies_and_bad_files_are_left_out(tmp_path, caplog):
    (tmp_path / "human").mkdir()
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "human" / "a.png")
    (tmp_path / "human" / "b.png").write_bytes(b"broken")
    (found,) = with_thumbnails(folder_examples(tmp_path))
    assert Image.open(io.BytesIO(found.thumbnail)).size == (256, 128)
    assert "b.png is not an image" in caplog.text


def test_no_module_knows_what_it_must_not():
    """detector knows nothing of the page or of training; nobody imports a sibling's private name."""
    for path in (ROOT / "detector").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) (gradio|ui|train|app)\b", path.read_text("utf-8"), re.M), path
    for path in [p for room in ("detector", "train", "ui") for p in (ROOT / room).rglob("*.py")]:
        assert not re.search(r"from (detector|train|ui)\S* import .*\b_\w+", path.read_text("utf-8")), path
        assert len(path.read_text("utf-8").splitlines()) <= 250, path
