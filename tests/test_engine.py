"""What runs the network: on which device, in which precision, and what happens where its answers are off."""

import copy
from dataclasses import replace

import pytest
import torch

import detector
from detector.checkpoint import BUNDLED, CheckpointError, read_checkpoint
from detector.engine import Plain, choose
from detector.fast_cpu import Engine
from detector.predict import Detector

THERE = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
DEVICES = [name for name, is_there in THERE.items() if is_there]


@pytest.fixture(scope="module")
def checkpoint():
    return read_checkpoint(BUNDLED)


@pytest.fixture(scope="module")
def too_fine(checkpoint):
    """A model whose answer hangs on differences that bf16 cannot hold: bottlenecks far from 0, undone behind them."""
    model = copy.deepcopy(checkpoint.model)
    for block in (model.features.denseblock2, model.features.denseblock3):
        for layer in block.values():
            layer.norm2.bias += 1000
            layer.conv2.weight -= layer.conv2.weight.mean(1, keepdim=True)
    return replace(checkpoint, model=model)


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_answers_as_the_cpu_does(bundled, checkpoint, pictures, device):
    found = Detector(checkpoint, "fp32", device)
    assert found.precision == ("fp32" if device == "cpu" else f"fp32 on {device}")
    assert found.note == checkpoint.note
    for one, other in zip(found.predict(pictures), bundled.predict(pictures), strict=True):
        assert one.probs == pytest.approx(other.probs, abs=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_plain_is_the_network_itself(checkpoint, device):
    x = torch.randn(2, 3, 96, 64)
    with torch.inference_mode():
        expected = checkpoint.model.features(x)
    exact = Plain(checkpoint.model, torch.device(device)).forward_features(x)
    rough = Plain(checkpoint.model, torch.device(device), torch.bfloat16).forward_features(x)
    assert (exact - expected).abs().max() < 1e-4 * expected.abs().max()
    assert 0 < (rough - expected).square().mean().sqrt() < 0.02 * expected.square().mean().sqrt()
    assert exact.dtype == rough.dtype == torch.float32
    assert exact.device.type == rough.device.type == "cpu"
    assert next(checkpoint.model.parameters()).device.type == "cpu"


def test_what_bf16_cannot_hold_is_answered_by_plain_fp32(too_fine, pictures, caplog):
    found = Detector(too_fine, "bf16", "cpu")
    assert isinstance(found.engine, Plain)
    assert found.precision == "fp32"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages == [found.note]
    assert "bf16" in found.note
    (verdict,) = found.predict(pictures[:1])
    with torch.inference_mode():
        logits = too_fine.model(found.prepare(pictures[0]).x[None])[0]
    assert verdict.logits == pytest.approx(logits.tolist(), rel=1e-4)
    assert isinstance(choose(too_fine, "fp32", "cpu").engine, Engine)  # which holds them


def test_answers_that_are_no_numbers_are_seen(checkpoint, monkeypatch, caplog):
    run = Engine.forward_features
    monkeypatch.setattr(Engine, "forward_features", lambda engine, x: run(engine, x) * torch.nan)
    assert isinstance(choose(checkpoint, "fp32", "cpu").engine, Plain)
    assert "not numbers" in caplog.text


def test_a_device_that_is_not_there():
    absent = THERE.keys() - DEVICES
    assert absent  # no machine has both
    for device in absent:
        with pytest.raises(CheckpointError, match=f"no device '{device}' on this machine; give --device"):
            detector.load("bundled", "fp32", device)
    with pytest.raises(ValueError, match="There is no device 'tpu'; give auto, cpu"):
        detector.load("bundled", "fp32", "tpu")
    with pytest.raises(ValueError, match="There is no precision 'fp8'"):
        detector.load("bundled", "fp8")
