"""Pictures that look alike to the model: against torchvision's own network, and as page and command tell them."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import expect
from torchvision.models import densenet121

from detector import CLASSES
from detector.__main__ import main
from detector.nearest import FREE, Index, Known, digest, kept, known_in
from detector.verdict import NAMES
from tests.browser import WAIT, answered, give
from tests.conftest import EXAMPLES
from ui.gallery import bundled_examples, listed, shuffled

CAT = EXAMPLES / "chelsea.png"


@pytest.fixture(scope="module")
def known() -> list[Known]:
    return [Known(example.path, example.label) for example in shuffled(bundled_examples())]


@pytest.fixture(scope="module")
def index(bundled, known) -> Index:
    return Index(bundled, known)


def test_cosines_are_those_of_torchvisions_network(bundled, index, known):
    plain = densenet121(num_classes=3).eval()
    plain.load_state_dict(bundled.model.state_dict())
    with torch.inference_mode():
        x = torch.stack([bundled.prepare(one.path).x for one in known])
        pooled = F.normalize(F.adaptive_avg_pool2d(F.relu(plain.features(x)), 1).flatten(1))
        cat = F.normalize(F.adaptive_avg_pool2d(F.relu(plain.features(bundled.prepare(CAT).x[None])), 1).flatten(1))
    cosines = (pooled @ cat[0]).numpy()
    itself = next(i for i, one in enumerate(known) if one.path == CAT)
    expected = [i for i in np.argsort(-cosines) if i != itself][:4]
    found = index.nearest(bundled.prepare(CAT).x)
    assert [near.index for near in found] == expected
    assert [near.known for near in found] == [known[i] for i in expected]
    assert [near.similarity for near in found] == pytest.approx(cosines[expected], abs=1e-3)


def test_what_comes_with_the_model_is_what_it_sees(bundled, known):
    shown = [*known, *known_in(FREE)]
    features = kept(bundled.config.sha256)
    assert set(features) == {digest(one.path) for one in shown}
    for one in random.Random(0).sample(known_in(FREE), 12):
        assert features[digest(one.path)] == pytest.approx(bundled.embed([bundled.prepare(one.path).x])[0], abs=4e-3)
    assert kept("those of other weights") == {}


def test_what_cannot_be_read_is_left_out_and_places_stay(bundled, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"none")
    mixed = [Known(tmp_path / "broken.png", "human"), Known(EXAMPLES / "coffee.png", "human")]
    (near,) = Index(bundled, mixed).nearest(bundled.prepare(CAT).x)
    assert (near.index, near.known) == (1, mixed[1])
    assert Index(bundled, mixed[:1]).nearest(bundled.prepare(CAT).x) == []


def test_command_names_the_nearest(tmp_path, capsys, bundled, index):
    for example in bundled_examples():
        (tmp_path / example.label).mkdir(exist_ok=True)
        shutil.copy(example.path, tmp_path / example.label)
    assert len(known_in(tmp_path)) == len(bundled_examples())
    arguments = [str(CAT), "--model", "bundled", "--precision", "fp32", "--nearest"]
    assert main([*arguments, str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["nearest"]
    expected = index.nearest(bundled.prepare(CAT).x)
    assert [(one["file"].rpartition("/")[2], one["label"]) for one in told] == [
        (near.known.path.name, near.known.label) for near in expected
    ]
    assert main([*arguments, "bundled", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["nearest"]
    assert {Path(one["file"]).parents[1] for one in told} == {FREE}
    assert all(one["label"] == Path(one["file"]).parent.name for one in told)
    with pytest.raises(SystemExit):
        main([*arguments, str(tmp_path / "human")])
    assert "holds no images in folders named dalle, human, other_ai" in capsys.readouterr().err


def test_page_tells_them_when_asked_and_not_before(page, bundled, known):
    index = Index(bundled, [*known, *(Known(one.path, one.label) for one in listed(FREE))])
    give(page, CAT)
    answered(page, bundled.predict([CAT])[0], "chelsea.png")
    alike = page.locator("#answer .alike")
    expect(page.locator("#answer .holds summary")).to_contain_text("Holds", timeout=WAIT)
    expected = index.nearest(bundled.prepare(CAT).x)
    titles = {example.path: example.title for folder in (EXAMPLES, FREE) for example in listed(folder)}
    for near in expected:  # a label that nobody has guessed yet is not in the page
        assert titles[near.known.path] not in page.content()
    alike.locator("summary").click()
    expect(alike.locator("figure")).to_have_count(4, timeout=WAIT)
    for i, near in enumerate(expected):
        expect(alike.locator("figure").nth(i)).to_contain_text(NAMES[near.known.label])
        expect(alike.locator("figure").nth(i)).to_contain_text(titles[near.known.path])
        if near.index < 12:  # of those shown at first
            picture = page.locator("#examples .picture").nth(near.index)
            assert near.known.label in picture.get_attribute("class")
    assert set(CLASSES) >= {near.known.label for near in expected}
