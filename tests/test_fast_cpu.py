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
