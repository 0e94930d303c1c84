"""What the project says of itself is true: front matter, requirements, options, sources of the examples."""

import ast
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
from PIL import Image

from detector import CLASSES
from tests.conftest import EXAMPLES
from ui.gallery import bundled_examples, folder_examples, with_thumbnails

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


def test_requirements_are_those_of_the_package_and_gradio():
    wanted = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")}
    page = {line for line in wanted if line.startswith("gradio==")}
    assert len(page) == 1
    assert wanted - page == set(PROJECT["dependencies"])


@pytest.mark.parametrize(
    ("rooms", "extras"), [(["detector"], ["heif"]), (["train"], ["heif", "train"])], ids=["detector", "train"]
)
def test_what_is_imported_is_declared(rooms, extras):
    declared = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    names = {re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in declared}
    homes = packages_distributions() | {"pillow_heif": ["pillow-heif"]}  # which need not be installed
    for path in [path for room in rooms for path in (ROOT / room).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            for module in {name.split(".")[0] for name in modules} - sys.stdlib_module_names - {"detector", "train"}:
                assert {home.lower().replace("_", "-") for home in homes[module]} & names, f"{path} imports {module}"


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
        "detector", "train", f"detector-{PROJECT['version']}.dist-info",
    }  # fmt: skip
    for room in ("detector", "train"):
        tracked = {path.relative_to(ROOT) for path in (ROOT / room).rglob("*") if path.suffix != ".pyc"}
        assert {path for path in tracked if not (installed / path).exists() and path.name != "__pycache__"} == set()


def test_installed_commands_run_from_anywhere(installed, tmp_path):
    inside = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(installed)}, "capture_output": True, "text": True}
    command = [installed / "bin" / "detector", EXAMPLES / "rocket.jpg", "--model", "bundled", "--json"]
    done = subprocess.run(command, **inside)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"].startswith("bundled")
    helped = subprocess.run([sys.executable, "-m", "train", "--help"], **inside)
    assert helped.stdout.startswith("usage: python -m train"), helped.stderr


def test_every_image_of_the_readme_is_there():
    found = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert found
    assert all((ROOT / path).is_file() for path in found)


@pytest.mark.parametrize(
    "command",
    [
        ["app.py"],
        ["-m", "detector"],
        ["-m", "train"],
        ["-m", "train", "evaluate"],
        ["-m", "train", "push"],
        ["-m", "experiments.bundled.distill"],
        ["-m", "experiments.bundled.collect"],
    ],
    ids=" ".join,
)
def test_every_option_is_in_the_readme(command):
    done = subprocess.run([sys.executable, *command, "--help"], capture_output=True, text=True, cwd=ROOT, check=True)
    options = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help"}
    assert options or command[-1] in ("push", "experiments.bundled.collect")  # these two take no options
    assert sorted(option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", README)) == []


def test_readme_quotes_the_benchmarks():
    """Every ratio that the README boasts of is the one that benchmarks/results.json holds."""
    found = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    speed = README.split("## How fast")[1].split("\n## ")[0]
    share = "share of the bare forward's rate"
    latency, throughput, start, memory = (found[name] for name in ("latency", "throughput", "start", "memory"))
    quoted = [
        f"grad-cam for each class: {latency['what people write / ours']:.1f} x",
        f"Ours is {latency['ours / bare fp32']:.2f} x",
        f"{throughput['images/s']:.1f} images/s | {throughput[share]:.2f} of",
        f"`transformers`: {throughput['transformers / ours']:.1f} x",
        f"{start['page / imports']:.2f} x; {start['answer / imports']:.2f} x the import",
        f"{memory['page, MB'][1]:,} MB; {memory['page, MB'][-1]:,} MB",
    ]
    for engine, row in found["engines"]["answers"].items():
        quoted.append(f"{row['largest difference']:.3f} | {row['flips']:.1%} |")
        assert f"| {engine} |" in speed
    assert [figure for figure in quoted if figure not in speed] == []


def test_every_example_has_its_source():
    table = (EXAMPLES / "SOURCES.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")
    ]
    assert rows[0] == ["file", "label", "title", "author", "licence", "source"]
    listed = {row[0]: row for row in rows[1:]}
    assert set(listed) == {path.name for path in EXAMPLES.iterdir()} - {"SOURCES.md"}
    for _, label, title, author, licence, source in listed.values():
        assert label in CLASSES
        assert licence in ("CC0", "public domain")
        assert all((title, author, source))
    assert [example.path.name for example in bundled_examples()] == list(listed)


def test_example_is_what_its_package_holds():
    """Byte for byte; Matplotlib is the one of the packages that comes with the tests (through grad-cam)."""
    import matplotlib

    ours, theirs = EXAMPLES / "grace_hopper.jpg", Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    assert ours.read_bytes() == theirs.read_bytes()


def test_gallery_of_any_folder_takes_turns(tmp_path):
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
    assert Image.open(found.thumbnail).size == (256, 128)
    assert tmp_path not in found.thumbnail.parents
    assert "b.png is not an image" in caplog.text


def test_no_module_knows_what_it_must_not():
    """detector knows nothing of the page or of training; nobody imports a sibling's private name."""
    for path in (ROOT / "detector").glob("*.py"):
        assert not re.search(r"^\s*(from|import) (gradio|ui|train|app)\b", path.read_text("utf-8"), re.M), path
    for path in [p for room in ("detector", "train", "ui") for p in (ROOT / room).glob("*.py")]:
        assert not re.search(r"from (detector|train|ui)\S* import .*\b_\w+", path.read_text("utf-8")), path
        assert len(path.read_text("utf-8").splitlines()) <= 250, path
