"""Features + head -> maps: where the score came from.

After the last norm the network is ReLU -> mean over the h x w cells -> linear, so both maps have a closed form and
cost one small matrix product, with no gradient and no hook on a shared model:

- evidence (HiResCAM, Draelos & Carin 2020, arXiv:2011.08891): e_c[cell] = w_c . relu(f[cell]) / (h w), signed;
  logit_c = sum over cells of e_c + b_c, exactly.
- Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) on the features f, `grad-cam`'s choice of layer for DenseNet:
  d logit_c / d f_k[cell] = w_ck [f_k[cell] > 0] / (h w), hence alpha_ck = w_ck * (share of cells with f_k > 0) / (h w)
  and cam_c = relu(sum over k of alpha_ck f_k).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # the page draws overlays, and is up before torch is
    from torch import Tensor, nn

KINDS = ("cam", "evidence")
VIEW_SIDE = 768  # pixels of the longer side of an image that is shown or written under a map, at most
LEVELS = 1000  # of strength, that are told apart in an overlay
# Grad-CAM, weak to strong: violet to yellow (from matplotlib's inferno), ordered in grey and for colour-blind eyes.
_HEAT = np.array(((87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)), np.float32)
# Evidence: away from the class, towards it (the ends of ColorBrewer's RdBu).
_BLUE, _RED = np.array((33, 102, 172), np.float32), np.array((178, 24, 43), np.float32)


@dataclass(frozen=True)
class Maps:
    """The maps of one image, unscaled, in units of the logit; index 0 runs over `detector.CLASSES`."""

    cam: np.ndarray  # (3, h, w), >= 0
    evidence: np.ndarray  # (3, h, w), signed; sums to the logit less the bias


def explain(features: "Tensor", classifier: "nn.Linear") -> list[Maps]:
    """Features (N, 1024, h, w) after the last norm, before its ReLU -> the maps of each image."""
    import torch

    features, weight = features.float(), classifier.weight.float()  # weight (C, 1024)
    cells = features.shape[2] * features.shape[3]
    active = torch.relu(features)
    evidence = torch.einsum("ck,nkhw->nchw", weight, active) / cells
    alpha = weight * (features > 0).float().mean((2, 3))[:, None] / cells  # (N, C, 1024)
    cam = torch.relu(torch.einsum("nck,nkhw->nchw", alpha, features))
    return [Maps(c, e) for c, e in zip(cam.numpy(), evidence.numpy(), strict=True)]


def overlay(image: Image.Image, maps: Maps, class_index: int, kind: str = "cam", opacity: float = 0.7) -> Image.Image:
    """`image` under the map of one class; kind "cam" or "evidence", opacity in [0, 1].

    The map is stretched over the whole image, as the network saw it. Where it is zero the image shows unchanged, where
    it is strongest `opacity` of it is covered. All classes share one scale, so that weak evidence looks weak.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no map {kind!r}; give 'cam' or 'evidence'.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"The opacity is {opacity}; give 0 to 1.")
    stack = getattr(maps, kind)
    peak = max(float(np.abs(stack).max()), 1e-12)  # a map of nothing but zeros stays zero
    # Not bicubic, which would undershoot beside a hot cell and paint evidence against that is not there.
    smooth = np.asarray(Image.fromarray(stack[class_index] / peak).resize(image.size, Image.BILINEAR))  # (H, W)
    levels = np.rint((smooth + 1) * LEVELS).astype(np.intp)
    paint = Image.fromarray(_palette(kind, opacity)[levels].view(np.uint8).reshape(*levels.shape, 4))
    painted = image.copy()
    painted.paste(paint, mask=paint)
    return painted


def _palette(kind: str, opacity: float) -> np.ndarray:
    """RGBA of the strengths -1 to 1, each packed in one number (2 LEVELS + 1,); alpha is how much the map covers."""
    signed = np.linspace(-1, 1, 2 * LEVELS + 1)
    strength = np.abs(signed)
    if kind == "cam":
        steps = np.linspace(0, 1, len(_HEAT))
        colour = np.stack([np.interp(strength, steps, channel) for channel in _HEAT.T], -1)
    else:
        colour = np.where(signed[:, None] > 0, _RED, _BLUE)
    alpha = 255 * opacity * np.sqrt(strength)  # linear in strength hides all but the peak on a busy image
    return np.column_stack([colour, alpha]).round().astype(np.uint8).view(np.uint32)[:, 0]
