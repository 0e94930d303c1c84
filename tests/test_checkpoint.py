"""A model on disk: what is saved comes back, what is damaged or lies is refused. The Hub: test_hub.py."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from detector.checkpoint import BUNDLED, CheckpointError, Config, save_checkpoint
from detector.hub import load_checkpoint


def same_weights(ours: torch.nn.Module, theirs: torch.nn.Module, atol: float = 0.0) -> bool:
    ours, theirs = ours.state_dict(), theirs.state_dict()
    return ours.keys() == theirs.keys() and all(torch.allclose(ours[k], theirs[k], rtol=atol, atol=atol) for k in ours)


def as_pth(state_dict) -> bytes:
    buffer = io.BytesIO()
    torch.save(state_dict, buffer)
    return buffer.getvalue()


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


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_a_weights_file_is_not_kept_mapped(published, tmp_path, name):
    """On Windows a mapped file can be neither replaced nor deleted."""
    if name.endswith(".pth"):
        torch.save(published.state_dict(), tmp_path / name)
    else:
        save_checkpoint(tmp_path, published, Config(), torch.float32)
    found = load_checkpoint(str(tmp_path / name))
    assert str(tmp_path / name) not in Path("/proc/self/maps").read_text()
    (tmp_path / name).write_bytes(b"another")
    assert same_weights(found.model, published)


def test_a_mistyped_run_is_not_looked_for_on_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(CheckpointError, match="There is no model 'runs/robus'"):
        load_checkpoint("runs/robus")
    assert hub.asked == []


def test_figures_of_an_older_version_are_left_out(tmp_path):
    shutil.copytree(BUNDLED, tmp_path / "old")
    config = json.loads((tmp_path / "old" / "config.json").read_text())
    for variants in config["metrics"].values():
        for found in variants.values():
            found["ai_vs_human"]["fpr_at_band"] = found["ai_vs_human"].pop("answers")
    (tmp_path / "old" / "config.json").write_text(json.dumps(config))
    assert load_checkpoint(str(tmp_path / "old")).config.measured is False
