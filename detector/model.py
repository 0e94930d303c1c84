"""DenseNet121, split at the place where its answer is explained.

After the last dense block the network is: norm -> ReLU -> mean over the h x w cells -> linear. So its
logits are an exact sum over cells, and every map in `explain.py` comes from `features` alone.
"""

import torch
from torch import Tensor

from detector.vision import DenseNet


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
