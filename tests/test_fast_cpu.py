"""The rearranged network against torchvision's own, on networks and sizes that it was not made for."""

import threading

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import densenet121

from detector.fast_cpu import Engine
from detector.model import DenseNet121


def hostile(seed: int) -> DenseNet121:
    """Random weights and batch norms: scales of both signs, and some that are zero, as pruning leaves them."""
    torch.manual_seed(seed)
    network = DenseNet121().eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, -1.5, 1.5)
            norm.weight.data[torch.rand(norm.num_features) < 0.1] = 0
            nn.init.normal_(norm.bias, 0, 0.5)
            nn.init.normal_(norm.running_mean, 0, 0.5)
            nn.init.uniform_(norm.running_var, 0.2, 2)
    return network.requires_grad_(False)


def torchvision_features(network: DenseNet121, x: torch.Tensor) -> torch.Tensor:
    reference = densenet121(num_classes=3).eval()
    reference.load_state_dict(network.state_dict())
    with torch.inference_mode():
        return reference.features(x)


@pytest.mark.parametrize("shape", [(2, 3, 224, 224), (1, 3, 96, 64), (3, 3, 77, 110)], ids=str)
def test_fp32_equals_torchvision(shape):
    network = hostile(sum(shape))
    x = torch.randn(shape)
    expected = torchvision_features(network, x)
    found = Engine(network).forward_features(x)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def extreme(part: str, value: float, share: float):
    def change(norm: nn.BatchNorm2d, drawn: torch.Tensor) -> None:
        getattr(norm, part)[drawn < share] = value

    return change


def like_imagenet(norm: nn.BatchNorm2d, drawn: torch.Tensor) -> None:
    """Scales as years of weight decay leave them: over eight decades, both signs, most of them small; denormals."""
    gain = 10 ** (-8 * torch.rand(norm.num_features)) * (torch.rand(norm.num_features) - 0.1).sign()
    norm.weight.copy_(torch.where(drawn < 0.05, 1e-41, gain))
    norm.bias.copy_(0.3 * torch.randn(norm.num_features) - 0.1)


EXTREMES = {
    "1 % at 1e-5": extreme("weight", 1e-5, 0.01),
    "1 % at -1e-5": extreme("weight", -1e-5, 0.01),
    "a third at 1e-3": extreme("weight", 1e-3, 0.3),
    "denormal scales": extreme("weight", 1e-40, 0.1),
    "no scale left": extreme("weight", 0.0, 1.1),
    "all near zero": extreme("weight", 1e-5, 1.1),
    "huge variance": extreme("running_var", 1e30, 0.05),
    "dead and tiny": lambda norm, drawn: (
        extreme("running_var", 0.0, 0.05)(norm, drawn), extreme("weight", 1e-7, 0.05)(norm, drawn)
    ),
    "far below zero": lambda norm, drawn: (
        extreme("bias", -50.0, 0.05)(norm, drawn), extreme("weight", 1e-4, 0.05)(norm, drawn)
    ),
    "like ImageNet's": like_imagenet,
}  # fmt: skip


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_norms(name):
    """Thresholds that explode, or never matter."""
    network, x = hostile(5), torch.randn(2, 3, 64, 64)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            EXTREMES[name](norm, torch.rand(norm.num_features))
    expected = torchvision_features(network, x)
    found = Engine(network).forward_features(x)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    rough = Engine(network, torch.bfloat16).forward_features(x)
    assert (rough - expected).square().mean().sqrt() < 0.008 * expected.square().mean().sqrt()  # 2^-7: its rounding


def test_dead_filters():
    """Filters of nothing but zeros, with the variance of 0 that every norm behind them then sees."""
    network, x = hostile(6), torch.randn(1, 3, 64, 64)
    network.features.conv0.weight[::4] = 0
    network.features.norm0.running_mean[::4] = network.features.norm0.running_var[::4] = 0
    readers = [*(layer.norm1 for layer in network.features.denseblock1.values()), network.features.transition1.norm]
    for norm in readers:
        norm.running_mean[:64:4] = network.features.norm0.bias[::4].relu()
        norm.running_var[:64:4] = 0
    expected = torchvision_features(network, x)
    assert (Engine(network).forward_features(x) - expected).abs().max() < 1e-4 * expected.abs().max()
    rough = Engine(network, torch.bfloat16).forward_features(x)
    assert (rough - expected).square().mean().sqrt() < 0.008 * expected.square().mean().sqrt()


def test_bf16_is_as_near_as_its_eight_bits_allow(bundled):
    """On noise, where nothing is like the training data; an own bf16 cast of the network is the yardstick."""
    x = torch.randn(4, 3, 224, 224)
    expected = torchvision_features(bundled.model, x)
    with torch.inference_mode():
        plain = DenseNet121().eval()
        plain.load_state_dict(bundled.model.state_dict())
        cast = plain.bfloat16().features(x.bfloat16()).float()
    found = Engine(bundled.model, torch.bfloat16).forward_features(x)
    assert found.dtype == torch.float32
    assert (found - expected).square().mean() < 0.5 * (cast - expected).square().mean()


def test_network_is_left_as_it_was():
    network = hostile(0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    engine, other = Engine(network, torch.bfloat16), Engine(network)
    engine.forward_features(torch.randn(1, 3, 64, 64))
    other.forward_features(torch.randn(1, 3, 64, 64))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_threads_share_it(bundled):
    x = [torch.randn(1, 3, 96, 96) for _ in range(8)]
    expected = [bundled.engine.forward_features(one) for one in x]
    wrong = []

    def work() -> None:
        for one, features in zip(x, expected, strict=True):
            if not np.allclose(bundled.engine.forward_features(one), features, atol=1e-5):
                wrong.append(one)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
