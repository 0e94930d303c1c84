"""DenseNet121 as it is run: the same function, rearranged for a CPU.

- Within a block every layer writes its channels into one tensor; torchvision joins all of them anew for each layer.
- A norm that follows a convolution is folded into it. One that stands before a 1 x 1 convolution cannot be, for the
  ReLU between them, but relu(s x + h) = s clamp(x, min=t) + h with t = -h / s (max=t where s < 0): one clamp is left,
  and s and h go into the convolution behind it.
- A transition averages 2 x 2 pixels before its 1 x 1 convolution instead of after: equal, for a quarter of the work.

That is exact. bfloat16, where it is the faster, is not: its numbers have 8 bits. What the first convolution sees stays
in float32, since the answer hangs on faint differences between pixels. Channels are stored less the median of the
thresholds t of the layers that read them, each counted by its scale, as numbers are finest around 0, and each bias
makes up for what the rounding of its weights does to the mean, by batch norm's own statistics (Nagel et al. 2019,
arXiv:1906.04721).

Where s is near 0, as in every network trained with weight decay, t explodes. A threshold that no input comes near is
left out: what is always above it passes, what is always below it is the constant relu(h) = 0.
"""

import functools
import math
import statistics
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detector.model import DenseNet121

# Deviations from batch norm's mean. By Chebyshev's inequality not one value in 10^12 is out there, or batch norm's
# variance would be larger; nearer thresholds stay, since statistics of other pictures may be off by a lot.
NEVER = 2.0**20
NEAR = 4.0  # deviations from the mean within which channels are centred, as nothing to speak of is stored beyond


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


class Engine:
    """`forward_features` of a network in evaluation mode, which is left as it is. Threads may share it."""

    def __init__(self, model: DenseNet121, dtype: torch.dtype = torch.float32):
        self.dtype = dtype
        blocks = [list(getattr(model.features, f"denseblock{i}").values()) for i in (1, 2, 3, 4)]
        transitions = [getattr(model.features, f"transition{i}") for i in (1, 2, 3)]
        ends = [*(transition.norm for transition in transitions), model.features.norm5]
        centres = [_centre([*(layer.norm1 for layer in block), end]) for block, end in zip(blocks, ends, strict=True)]
        weight, bias = _fold(model.features.conv0, model.features.norm0)
        self.stem = weight.float(), bias.float()
        self.stem_centre = centres[0][: len(bias), None, None].float()
        self.blocks = [
            [_Layer.of(layer, centre, dtype) for layer in block] for block, centre in zip(blocks, centres, strict=True)
        ]
        self.transitions = [
            _Clamped.of(norm, conv.weight.double(), -after[: conv.out_channels], centre, dtype)
            for (norm, conv), centre, after in zip(
                [(transition.norm, transition.conv) for transition in transitions], centres, centres[1:], strict=False
            )
        ]
        scale, shift = _scale_and_shift(ends[-1])
        self.last = (shift + scale * centres[-1])[:, None, None].float(), scale[:, None, None].float()

    @torch.inference_mode()
    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised batch (N, 3, H, W) -> features after the last norm, before its ReLU (N, 1024, H/32, W/32)."""
        x = F.conv2d(x.contiguous(memory_format=torch.channels_last), *self.stem, stride=2, padding=3).relu_()
        x = F.max_pool2d(x, 3, stride=2, padding=1).sub_(self.stem_centre).to(self.dtype)
        for layers, transition in zip(self.blocks, [*self.transitions, None], strict=True):
            n, taken, h, w = x.shape
            shape = n, taken + sum(len(layer.growth_bias) for layer in layers), h, w
            block = torch.empty(shape, dtype=self.dtype, memory_format=torch.channels_last)
            block[:, :taken] = x
            for layer in layers:
                clamped = layer.bottleneck
                y = F.conv2d(clamped(block[:, :taken]), clamped.weight, clamped.bias).relu_()
                y = F.conv2d(y, layer.growth, layer.growth_bias, padding=1)
                block[:, taken : taken + y.shape[1]] = y
                taken += y.shape[1]
            if transition:
                x = F.conv2d(F.avg_pool2d(transition(block), 2), transition.weight, transition.bias)
        return torch.addcmul(self.last[0], block.float(), self.last[1])


@dataclass(frozen=True)
class _Clamped:
    """norm -> ReLU -> 1 x 1 convolution as clamp -> 1 x 1 convolution, of C input and D output channels."""

    low: Tensor  # (C, 1, 1)
    high: Tensor  # (C, 1, 1)
    weight: Tensor  # (D, C, 1, 1)
    bias: Tensor  # (D,)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.low, self.high)

    @classmethod
    def of(cls, norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor, centre: Tensor, dtype: torch.dtype) -> "_Clamped":
        """For an input stored less `centre` (C,); `weight` (D, C, 1, 1), `bias` (D,): of the convolution, float64."""
        scale, _ = _scale_and_shift(norm)
        mean, deviation = norm.running_mean.double() - centre, (norm.running_var.double() + norm.eps).sqrt()
        offset, gain = norm.bias.double(), norm.weight.double().abs()
        never = offset.abs() >= NEVER * gain  # clamps; a scale of 0 is among them
        scale = torch.where(never & (offset <= 0), 0.0, scale)
        sign = scale.sign()
        threshold = torch.where(never, 0.0, mean - sign * deviation * offset / gain).to(dtype)
        low = torch.where(never | (scale < 0), -math.inf, threshold)
        high = torch.where(never | (scale > 0), math.inf, threshold)
        rounded = (weight * scale[:, None, None]).to(dtype)
        # Batch norm says how its input is spread: mean and variance. From that, the mean of what the weights meet.
        threshold = threshold.double()
        met = torch.where(never, mean, threshold + sign * _mean_of_relu(sign * (mean - threshold), deviation))
        wanted = _mean_of_relu(offset, gain)
        bias = bias + weight[:, :, 0, 0] @ wanted - rounded[:, :, 0, 0].double() @ met
        layout = {"memory_format": torch.channels_last}
        return cls(low[:, None, None], high[:, None, None], rounded.contiguous(**layout), bias.to(dtype))


@dataclass(frozen=True)
class _Layer:
    """One layer of a dense block: what it makes of the channels so far, and the channels that it adds."""

    bottleneck: _Clamped
    growth: Tensor  # (32, 128, 3, 3)
    growth_bias: Tensor  # (32,)

    @classmethod
    def of(cls, layer: nn.Module, centre: Tensor, dtype: torch.dtype) -> "_Layer":
        taken, added = layer.norm1.num_features, layer.conv2.out_channels
        weight, bias = _fold(layer.conv1, layer.norm2)
        growth = layer.conv2.weight.to(dtype, memory_format=torch.channels_last)
        added_bias = -centre[taken : taken + added].to(dtype)
        return cls(_Clamped.of(layer.norm1, weight, bias, centre[:taken], dtype), growth, added_bias)


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What batch norm does in evaluation: norm(x) = scale x + shift, both (C,), float64."""
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight (D, C, k, k) and bias (D,) of the one convolution that equals conv -> norm, float64."""
    scale, shift = _scale_and_shift(norm)
    return conv.weight.double() * scale[:, None, None, None], shift


def _centre(readers: list[nn.BatchNorm2d]) -> Tensor:
    """The median threshold, for each channel, of the norms that read it (C,); the last norm reads all of them.

    Each counts by its scale, which is how much of an error in the channel it hands on.
    """
    thresholds, weights = torch.zeros(2, len(readers), readers[-1].num_features, dtype=torch.float64)
    for threshold, weight, norm in zip(thresholds, weights, readers, strict=True):
        scale, _ = _scale_and_shift(norm)
        away = torch.nan_to_num(-norm.bias.double() / norm.weight.double()).clamp(-NEAR, NEAR)  # in deviations
        deviation = (norm.running_var.double() + norm.eps).sqrt()
        threshold[: norm.num_features] = norm.running_mean.double() + away * deviation
        weight[: norm.num_features] = scale.abs()
    thresholds, order = thresholds.sort(0)
    below = weights.gather(0, order).cumsum(0)
    middle = (below < below[-1] / 2).sum(0, keepdim=True)
    return thresholds.gather(0, middle)[0].bfloat16().double()  # the same for both dtypes, and exact in them


def _mean_of_relu(mean: Tensor, deviation: Tensor) -> Tensor:
    """E[max(z, 0)] of normally distributed z."""
    z = mean / deviation.clamp(min=1e-30)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    return deviation * density + mean * torch.special.ndtr(z)
