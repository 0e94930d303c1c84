"""DenseNet121, split at the place where its answer is explained.

After the last dense block the network is: norm -> ReLU -> mean over the h x w cells -> linear. So its
logits are an exact sum over cells, and every map in `explain.py` comes from `features` alone.
"""

import functools
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models import DenseNet


class DenseNet121(DenseNet):
    """DenseNet121 (Huang et al. 2017, arXiv:1608.06993) with torchvision's own parameter names."""

    def __init__(self, num_classes: int = 3):
        super().__init__(growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64, num_classes=num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised batch (N, 3, H, W) -> features after the last norm, before its ReLU (N, 1024, H/32, W/32)."""
        return self.features(x)

    def forward_head(self, features: Tensor) -> Tensor:
        """Features (N, 1024, h, w) -> logits (N, num_classes)."""
        # torchvision's forward uses an in-place ReLU here, which would overwrite `features` under the maps.
        return self.classifier(torch.relu(features).mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


@functools.cache
def bf16_is_faster() -> bool:
    """Whether bfloat16 beats float32 on this processor, measured on one convolution of the network's kind.

    Processors without native bf16 emulate it, several times slower; no flag tells the two apart on every platform.
    """
    x, weight = torch.randn(8, 128, 28, 28), torch.randn(128, 128, 1, 1)
    medians = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (tensor.to(dtype, memory_format=torch.channels_last) for tensor in (x, weight))
        times = []
        with torch.inference_mode():
            for _ in range(12):
                start = time.perf_counter()
                F.conv2d(a, b)
                times.append(time.perf_counter() - start)
        medians.append(statistics.median(times[2:]))
    return medians[1] < 0.8 * medians[0]  # a gain too small to be sure of is not worth the lost digits
