"""Where a model comes from: a path, a small Hub on loopback that can misbehave, the bundled one."""

import io
import json
import pickle
import shutil
import time
from dataclasses import replace

import pytest
import torch

import detector
from detector.checkpoint import BUNDLED, CheckpointError, Config, save_checkpoint
from detector.hub import PUBLISHED, PUBLISHED_FILE, load_checkpoint
from tests.hub import COMMIT

PUBLISHED_BYTES = 28_434_639  # of the published file


def same_weights(ours: torch.nn.Module, theirs: torch.nn.Module, atol: float = 0.0) -> bool:
    ours, theirs = ours.state_dict(), theirs.state_dict()
    return ours.keys() == theirs.keys() and all(torch.allclose(ours[k], theirs[k], rtol=atol, atol=atol) for k in ours)


def as_pth(state_dict) -> bytes:
    buffer = io.BytesIO()
    torch.save(state_dict, buffer)
    return buffer.getvalue()


class Evil:
    """A pickle that would write a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


# The Hub


def test_published_layout_loads_strictly(hub, published, published_file):
    assert abs(len(published_file) - PUBLISHED_BYTES) < 1024  # the published layout, but for the archive's own records
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    found = load_checkpoint("hub")
    assert same_weights(found.model, published)
    assert found.name == f"hub {PUBLISHED}@{COMMIT[:7]}"
    assert (found.config.temperature, found.config.input_size) == (None, 224)


@pytest.mark.parametrize("mood", ["fine", "redirect"])
def test_auto_prefers_the_hub_and_then_its_cache(hub, published, published_file, mood):
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    hub.mood = mood
    assert same_weights(load_checkpoint("auto").model, published)
    hub.mood, hub.asked[:] = "error", []
    assert load_checkpoint("auto").name == f"hub {PUBLISHED}@{COMMIT[:7]}"
    assert hub.asked == []  # what is cached costs no request


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
    """An answer all the same, within five seconds and a margin for a busy machine, and the word for it."""
    load_checkpoint("bundled")  # imports and file cache, which the first call of a test run pays for
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    hub.mood = mood
    start = time.monotonic()
    found = load_checkpoint("auto")
    assert time.monotonic() - start < 8
    assert found.name.startswith("bundled")
    assert "could not be reached" in found.note or "longer than" in found.note


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


# Paths


def test_saved_checkpoint_comes_back(published, tmp_path):
    config = Config(temperature=1.25, version="7", recipe={"name": "robust"})
    save_checkpoint(tmp_path / "run", published, config, torch.float32)
    found = load_checkpoint(str(tmp_path / "run"))
    assert same_weights(found.model, published)
    assert replace(found.config, sha256="") == config
    save_checkpoint(tmp_path / "run", published, config)  # half precision
    assert same_weights(load_checkpoint(str(tmp_path / "run")).model, published, atol=1e-3)
    assert not list((tmp_path / "run").glob("*.partial"))


def test_lone_files(published, published_file, tmp_path):
    (tmp_path / "model.pth").write_bytes(published_file)
    assert same_weights(load_checkpoint(str(tmp_path / "model.pth")).model, published)
    save_checkpoint(tmp_path, published, Config(), torch.float32)
    assert same_weights(load_checkpoint(str(tmp_path / "model.safetensors")).model, published)


@pytest.mark.parametrize(("change", "words"), [
    ({"classes": ["human", "dalle", "other_ai"]}, "classes"),
    ({"input_size": 4}, "input_size"),
    ({"temperature": 0}, "temperature"),
    ({"std": [1, 1, 0]}, "std"),
    ({"metrics": []}, "config"),
    ({"metrics": {"test": {"clean": {"n": 3}}}}, "accuracy"),
    ({"sha256": "0" * 64}, "not the file its config was written for"),
])  # fmt: skip
def test_config_that_lies(tmp_path, change, words):
    folder = tmp_path / "copy"
    shutil.copytree(BUNDLED, folder)
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(str(folder))


def test_damaged_checkpoints(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(BUNDLED, folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="config"):
        load_checkpoint(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="holds no model"):
        load_checkpoint(str(folder))


@pytest.mark.parametrize("name", ["nowhere", "runs/none.pth", "../none/at/all", "-/-", ""])
def test_unknown_name_lists_the_choices(name):
    with pytest.raises(CheckpointError, match="auto, hub, bundled"):
        load_checkpoint(name)


def test_bundled_model_is_complete():
    found = load_checkpoint("bundled")
    assert found.config.temperature > 0
    assert found.config.sha256
    assert {"val", "test"} <= found.config.metrics.keys()
    assert (BUNDLED / "model.safetensors").stat().st_size < 15 * 2**20
