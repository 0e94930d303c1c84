"""Models of the Hub: a small one on loopback that can misbehave, move on, and hang."""

import io
import json
import pickle
import shutil
import time

import pytest
import torch

import detector
from detector.checkpoint import CheckpointError, Config, cache_folder, keep_figures, save_checkpoint
from detector.hub import PUBLISHED, PUBLISHED_FILE, load_checkpoint
from tests.conftest import EXAMPLES
from tests.hub import COMMIT
from tests.test_checkpoint import as_pth, same_weights

PUBLISHED_BYTES = 28_434_639  # of the published file


class Evil:
    """A pickle that would write a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_published_layout_loads_strictly(hub, published, published_file):
    assert abs(len(published_file) - PUBLISHED_BYTES) < 1024  # the published layout, but for the archive's own records
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    found = load_checkpoint("hub")
    assert same_weights(found.model, published)
    assert found.name == f"hub {PUBLISHED}@{COMMIT[:7]}"
    assert (found.config.temperature, found.config.input_size) == (None, 224)


@pytest.fixture
def other(published_file) -> bytes:
    """A second push of the published model: one number is another."""
    state_dict = torch.load(io.BytesIO(published_file))
    state_dict["classifier.bias"] = state_dict["classifier.bias"] + 1
    return as_pth(state_dict)


@pytest.mark.parametrize("mood", ["fine", "redirect"])
def test_auto_answers_with_the_bundled_model_and_hears_the_hub_s(hub, published, published_file, mood):
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    hub.mood = mood
    found = load_checkpoint("auto")
    assert found.name.startswith("bundled")
    assert found.note == ""
    assert same_weights(found.second.model, published)
    assert found.second.name == f"hub {PUBLISHED}@{COMMIT[:7]}"
    hub.mood = "error"
    assert load_checkpoint("auto").second.name == f"hub {PUBLISHED}@{COMMIT[:7]}"  # from the cache


def test_a_second_opinion_is_bare(hub, published, published_file):
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    model = detector.load("auto", "fp32")
    (verdict,) = model.predict([EXAMPLES / "rocket.jpg"])
    (alone,) = detector.load("hub", "fp32").predict([EXAMPLES / "rocket.jpg"])
    (bundled,) = detector.load("bundled", "fp32").predict([EXAMPLES / "rocket.jpg"])
    assert verdict.probs == pytest.approx(bundled.probs, abs=1e-5)
    assert verdict.second.probs == pytest.approx(alone.probs, abs=1e-5)
    assert (verdict.measured, verdict.second.measured, alone.measured) == (True, False, False)
    assert alone.band is None
    assert "nobody has measured" in alone.sentence


def test_auto_keeps_to_what_it_saw_first(hub, published, published_file, other, caplog):
    """A newer push is told, not taken; another file under the old name is refused."""
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    load_checkpoint("auto")
    newer = hub.push({(PUBLISHED, PUBLISHED_FILE): other})
    found = load_checkpoint("auto")
    assert same_weights(found.second.model, published)
    for _ in range(200):  # told on a thread of its own
        if f"--model {PUBLISHED}@{newer}" in caplog.text:
            break
        time.sleep(0.05)
    assert f"--model {PUBLISHED}@{newer}" in caplog.text
    path = next(cache_folder().parent.parent.rglob(PUBLISHED_FILE))
    path.resolve().write_bytes(other)
    assert "not the file that was seen first" in load_checkpoint("auto").note


def test_a_newer_push_is_seen_and_the_old_one_can_be_had(hub, published, published_file, other):
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    hub.tags["v1"] = COMMIT
    assert same_weights(load_checkpoint("hub").model, published)
    newer = hub.push({(PUBLISHED, PUBLISHED_FILE): other})
    hub.asked.clear()
    found = load_checkpoint("hub")
    assert not same_weights(found.model, published)
    assert found.name == f"hub {PUBLISHED}@{newer[:7]}"
    for revision in ("v1", COMMIT):
        assert same_weights(load_checkpoint(f"{PUBLISHED}@{revision}").model, published)
    hub.asked.clear()
    load_checkpoint(f"{PUBLISHED}@{COMMIT}")
    assert hub.asked == []  # a commit that is cached costs no request
    load_checkpoint("hub")
    assert [method for method, _ in hub.asked] == ["HEAD"]
    with pytest.raises(CheckpointError, match="no revision v2"):
        load_checkpoint(f"{PUBLISHED}@v2")


@pytest.mark.parametrize("mood", ["error", "silent", "truncated"])
def test_out_of_order_the_last_whole_copy_answers(hub, published, tmp_path, mood):
    """Config and weights of one commit, though the newer push came half way."""
    save_checkpoint(tmp_path / "mine", published, Config(version="1"), torch.float32)
    hub.files |= {("a/b", file.name): file.read_bytes() for file in (tmp_path / "mine").iterdir()}
    load_checkpoint("a/b")
    save_checkpoint(tmp_path / "mine", published, Config(version="2"), torch.float16)
    hub.push({("a/b", file.name): file.read_bytes() for file in (tmp_path / "mine").iterdir()})
    hub.mood = mood
    found = load_checkpoint("a/b")
    assert found.config.version == "1"
    assert found.name == f"hub a/b@{COMMIT[:7]}"
    assert "copy in the cache" in found.note
    hub.speak.set()
    hub.mood = "fine"
    assert load_checkpoint("a/b").config.version == "2"


def test_measured_once_it_has_words(hub, published_file, coloured, bundled, tmp_path, capsys):
    """`evaluate --keep` under the hash of the weights: from then on, also in another repository."""
    from train.__main__ import main

    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    assert load_checkpoint("hub").config.measured is False
    for path in coloured.glob("*/*/[01].png"):
        copy = tmp_path / "few" / path.relative_to(coloured)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    main(["evaluate", str(tmp_path / "few"), "--model", "hub", "--keep", "--json"])
    kept = json.loads(capsys.readouterr().out)
    assert kept["n"] == 6
    config = load_checkpoint("hub").config
    assert config.measured
    assert config.temperature > 0
    assert config.metrics["test"]["clean"]["confusion"] == kept["confusion"]
    assert detector.load("hub").predict([EXAMPLES / "rocket.jpg"])[0].band in ("leans", "likely", "very likely")
    (cache_folder() / f"{config.sha256}.json").write_text("{")
    assert load_checkpoint("hub").config.measured is False  # said in the log
    keep_figures(bundled.config)
    assert load_checkpoint("bundled").config == bundled.config


def test_renamed_repository(hub, published_file):
    hub.files["New/Name", PUBLISHED_FILE] = published_file
    hub.renamed[PUBLISHED] = "New/Name"
    assert load_checkpoint("hub").name.startswith("hub ")
    assert any("New/Name" in path for _, path in hub.asked)


def wrong_shape(state_dict, tmp_path):
    return as_pth(
        dict(state_dict, **{"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)})
    )


def lacking(state_dict, tmp_path):
    return as_pth({k: v for k, v in state_dict.items() if k != "features.norm5.bias"})


def one_too_many(state_dict, tmp_path):
    return as_pth(dict(state_dict, extra=torch.zeros(1)))


def not_numbers(state_dict, tmp_path):
    return as_pth(dict(state_dict, **{"classifier.bias": torch.full((3,), torch.nan)}))


def code(state_dict, tmp_path):
    return pickle.dumps(Evil(tmp_path / "ran"))


def code_in_torch_format(state_dict, tmp_path):
    return as_pth({"classifier.bias": Evil(tmp_path / "ran")})


def stop_code_alone(state_dict, tmp_path):
    return b"."


def integers(state_dict, tmp_path):
    return as_pth(dict(state_dict, **{"classifier.bias": torch.tensor([1, 2, 3])}))


def whole_model(state_dict, tmp_path):
    return as_pth([1, 2, 3])


def half(state_dict, tmp_path):
    data = as_pth(state_dict)
    return data[: len(data) // 2]


BROKEN = {
    wrong_shape: "classifier.weight is (1000, 1024) where (3, 1024) belongs",
    lacking: "lacks features.norm5.bias",
    one_too_many: "extra is one too many",
    not_numbers: "classifier.bias holds values that are not numbers",
    code: "refused",
    code_in_torch_format: "refused",
    stop_code_alone: "damaged",
    integers: "classifier.bias holds torch.int64",
    whole_model: "not a plain state dict",
    half: "damaged",
}


@pytest.mark.parametrize("breakage", BROKEN, ids=lambda breakage: breakage.__name__)
def test_broken_file_on_the_hub(hub, published, tmp_path, breakage):
    """`hub` says what is wrong and names the key; `auto` says the same and answers with the bundled model."""
    hub.files[PUBLISHED, PUBLISHED_FILE] = breakage(published.state_dict(), tmp_path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint("hub")
    assert BROKEN[breakage] in str(caught.value)
    found = load_checkpoint("auto")
    assert found.name.startswith("bundled")
    assert found.second is None
    assert BROKEN[breakage] in found.note
    assert not (tmp_path / "ran").exists()


def test_the_evil_pickle_is_really_evil(tmp_path):
    pickle.loads(pickle.dumps(Evil(tmp_path / "ran"))).close()
    assert (tmp_path / "ran").exists()


def test_missing_file_and_missing_repository(hub, published_file):
    with pytest.raises(CheckpointError, match="no repository"):
        load_checkpoint("hub")
    hub.files[PUBLISHED, "README.md"] = b"nothing else here"
    with pytest.raises(CheckpointError, match=f"no file {PUBLISHED_FILE}"):
        load_checkpoint("hub")
    assert f"no file {PUBLISHED_FILE}" in load_checkpoint("auto").note


@pytest.mark.parametrize("mood", ["error", "silent", "truncated"])
def test_hub_out_of_order(hub, published_file, mood):
    """An answer all the same, while the Hub still hangs, and the word for it."""
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    hub.mood = mood
    found = load_checkpoint("auto")
    assert not hub.speak.is_set()
    assert found.name.startswith("bundled")
    assert found.second is None
    assert "could not be reached" in found.note or "longer than" in found.note
    hub.speak.set()


def test_checkpoint_of_any_repository(hub, published, tmp_path):
    """What `save_checkpoint` wrote and somebody uploaded loads by its repository's name."""
    save_checkpoint(tmp_path / "mine", published, Config(temperature=1.5))
    for file in (tmp_path / "mine").iterdir():
        hub.files["someone/detector", file.name] = file.read_bytes()
        hub.files["someone/detector-v1.5", file.name] = file.read_bytes()
    for name in ("someone/detector", "someone/detector-v1.5"):
        found = detector.load(name)
        assert found.config.temperature == 1.5
        assert found.name == f"hub {name}@{COMMIT[:7]}"
