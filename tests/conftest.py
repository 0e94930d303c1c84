"""What the tests share: a small Hub on loopback, a model of the published layout, the real images."""

import os
import signal
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

# A shell that runs the tests in the background has them ignore Ctrl+C, and all programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Read when the libraries are imported, hence before everything else: no test may reach the real Hub or a user's cache.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="hub-")
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"  # uploads by plain HTTP, which a small Hub can speak
for name in ("SPACE_ID", "SYSTEM", "HF_TOKEN", "HF_HUB_OFFLINE"):
    os.environ.pop(name, None)

import detector  # before torch, which reads OpenMP's settings once
from detector.cpu import cores

# pytest-xdist's processes share the cores: one thread each instead of threads that wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))))
from tests.hub import Hub

HUB = Hub()
os.environ["HF_ENDPOINT"] = HUB.url

import numpy as np
import pytest
import torch
from PIL import Image

from detector.images import open_image
from detector.model import DenseNet121
from detector.provenance import signed
from tests.browser import chromium, visitor
from tests.running import NO_HUB, running_app
from ui.gallery import bundled_examples

EXAMPLES = Path(__file__).parents[1] / "examples"
SHARED = Path(__file__).parents[2] / "shared"


# Minutes and minutes: begun last, one of them would leave the other processes with nothing to do.
LONGEST = ("test_resume.py", "test_real_images.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The Hub, serving as it should, with an empty cache on our side."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    HUB.reset()
    return HUB


@pytest.fixture(scope="session")
def published() -> DenseNet121:
    """A random model with the layout of the published one."""
    torch.manual_seed(7)
    model = DenseNet121(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training, so that every number of the file counts
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="session")
def published_file(published, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("published") / "densenet_finetuned_dense.pth"
    torch.save(published.state_dict(), path)
    return path.read_bytes()


@pytest.fixture(scope="session")
def bundled() -> "detector.Detector":
    return detector.load("bundled", "fp32")  # the same digits on every machine


@pytest.fixture(scope="session")
def gallery(bundled) -> dict[Path, "detector.Verdict"]:
    """What the library answers for each picture of the gallery."""
    paths = [example.path for example in bundled_examples()]
    return dict(zip(paths, bundled.predict(paths), strict=True))


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real images; CI has it."""
    path = SHARED / "data"
    if not path.is_dir():
        pytest.skip("needs the real images in ../shared/data")
    return path


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """The six examples, the last under a camera's noise."""
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "starry_night.jpg", "grace_hopper.jpg")
    found = [open_image(EXAMPLES / name) for name in names]
    noise = np.random.default_rng(3).normal(0, 25, np.asarray(found[-1]).shape)
    return [*found[:-1], Image.fromarray((np.asarray(found[-1]) + noise).clip(0, 255).astype(np.uint8))]


@pytest.fixture(scope="session")
def coloured(tmp_path_factory) -> Path:
    """Three classes told apart by their colour, in coarse patterns: 12 training images each, 4 for val and test."""
    root, random = tmp_path_factory.mktemp("coloured"), np.random.default_rng(0)
    colours = {"dalle": (200, 60, 60), "human": (60, 200, 60), "other_ai": (60, 60, 200)}
    for split, n in (("train", 12), ("val", 4), ("test", 4)):
        for name, colour in colours.items():
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                coarse = random.normal(colour, 60, (6, 8, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(coarse).resize((96, 72), Image.BICUBIC).save(root / split / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def small():
    """Runs are measured on small images, as they train on small ones here."""
    from train import run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "Config", partial(run.Config, input_size=64))
        yield


@pytest.fixture(scope="session")
def log(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("app") / "log.txt"


@pytest.fixture(scope="session")
def url(log):
    """The page on a machine without network."""
    with running_app(log.parent, NO_HUB, "--precision", "fp32") as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def context(browser):
    """Its pages find the page's scripts in its cache."""
    with closing(browser.new_context(viewport={"width": 1280, "height": 1000})) as found:
        yield found


@pytest.fixture
def page(context, url):
    """A fresh visitor."""
    with visitor(context, url) as found:
        yield found


@pytest.fixture(scope="module")
def maker():
    """Somebody who signs pictures."""
    from tests.signing import Signer

    return Signer("Example Maker")


@pytest.fixture
def trusting(monkeypatch, tmp_path):
    """Puts signers on the trust list."""

    def trust(*signers) -> None:
        path = tmp_path / "list.pem"
        path.write_text("".join(signer.root for signer in signers))
        monkeypatch.setattr(signed, "TRUST_LIST", path)
        signed._context.cache_clear()

    yield trust
    monkeypatch.undo()
    signed._context.cache_clear()
