"""Features + head -> maps: where the score came from.

After the last norm the network is ReLU -> mean over the h x w cells -> linear, so both maps have a closed form and
cost one small matrix product, with no gradient and no hook on a shared model:

- evidence (HiResCAM, Draelos & Carin 2020, arXiv:2011.08891): e_c[cell] = w_c . relu(f[cell]) / (h w), signed;
  logit_c = sum over cells of e_c + b_c, exactly.
- Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) on the features f, `grad-cam`'s choice of layer for DenseNet:
  d logit_c / d f_k[cell] = w_ck [f_k[cell] > 0] / (h w), hence alpha_ck = w_ck * (share of cells with f_k > 0) / (h w)
  and cam_c = relu(sum over k of alpha_ck f_k).

Other methods, and the finer maps of earlier layers, come from the library `grad-cam` (`explain_with`).
"""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # the page draws overlays, and is up before torch is
    from torch import Tensor, nn

    from detector.model import DenseNet121

KINDS = ("cam", "evidence")
# Methods of `explain_with` -> the library's class. FinerCAM is Grad-CAM of another target, in the library too.
METHODS = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "xgradcam": "XGradCAM",
    "eigencam": "EigenCAM",
    "finercam": "GradCAM",
}
LAYERS = ("norm5", "denseblock3", "denseblock2")  # 7 x 7, 14 x 14, 28 x 28 cells of 224 x 224 pixels
VIEW_SIDE = 768  # pixels of the longer side of an image that is shown or written under a map, at most
LEVELS = 1000  # of strength, that are told apart in an overlay
# Grad-CAM, weak to strong: violet to yellow (from matplotlib's inferno), ordered in grey and for colour-blind eyes.
HEAT = np.array(((87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)), np.float32)
# Evidence: away from the class, towards it (the ends of ColorBrewer's RdBu).
AWAY, TOWARDS = np.array((33, 102, 172), np.float32), np.array((178, 24, 43), np.float32)


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


def explain_with(model: "DenseNet121", x: "Tensor", method: str, layer: str = "norm5") -> np.ndarray:
    """Normalised batch (N, 3, S, S) -> its maps by one of METHODS on one of LAYERS (N, 3, h, w), by `grad-cam`.

    Before the library's scaling of each map by itself, so that the classes compare. No map has negative values but
    HiResCAM's, which is signed, as its paper has it. FinerCAM sets a class against both others. EigenCAM knows no
    class: its three maps are one. Raises ValueError for an unknown name, ImportError without the library.
    """
    import torch

    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}; give {', '.join(METHODS)}.")
    if layer not in LAYERS:
        raise ValueError(f"There is no layer {layer!r}; give {', '.join(LAYERS)}.")
    library = import_library()
    others = {c: [k for k in range(3) if k != c] for c in range(3)}
    classes = (0,) if method == "eigencam" else tuple(others)
    target = library.utils.model_targets
    targets = [
        target.FinerWeightedTarget(c, others[c], 1) if method == "finercam" else target.ClassifierOutputTarget(c)
        for c in classes
    ] * len(x)
    with torch.inference_mode(False), torch.enable_grad():
        model = _twin(model)
        place = model.features.get_submodule(layer)
        batch = x.detach().float().repeat_interleave(len(classes), 0).to(model.classifier.weight.device)
        with getattr(library, METHODS[method])(model, [place]) as cam:
            store = cam.activations_and_grads
            logits = store(batch.requires_grad_())  # no parameter does
            if cam.uses_gradients:
                sum(of(z) for of, z in zip(targets, logits, strict=True)).backward()
            gradients = store.gradients[0].numpy() if cam.uses_gradients else None
            found = cam.get_cam_image(batch, place, targets, store.activations[0].numpy(), gradients, False)
    if method != "hirescam":
        found = np.maximum(found, 0)
    found = found.reshape(len(x), len(classes), *found.shape[1:]).astype(np.float32)
    return found.repeat(3 // len(classes), 1)


def import_library():
    """The library `grad-cam`. Takes seconds, hence only when it is asked for."""
    try:
        import pytorch_grad_cam
    except ImportError as error:
        raise ImportError(
            "Other methods need the package grad-cam; install it with: python -m pip install grad-cam"
        ) from error
    return pytorch_grad_cam


def _twin(model: "DenseNet121") -> "DenseNet121":
    """A network of the same weights, in the same memory, whose hooks, flags and gradients are its own.

    The library hangs hooks on the network's layers and gradients on its weights. On a network that threads share they
    took each other's, and that of whoever just asks for an answer; so each call has its own.
    """
    from torch import nn

    same = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
    same |= {id(buffer): buffer for buffer in model.buffers()}
    return copy.deepcopy(model, same).eval()


def overlay(
    image: Image.Image, maps: Maps | np.ndarray, class_index: int, kind: str = "cam", opacity: float = 0.7
) -> Image.Image:
    """`image` under the map of one class; kind "cam" or "evidence", opacity in [0, 1].

    `maps` may be an array (3, h, w) of `explain_with`; `kind` then says which colours: "evidence" for signed ones. The
    map is stretched over the whole image, as the network saw it, and the image turns grey, so that every colour is the
    map's. Where the map is zero the grey shows unchanged, where it is strongest `opacity` of it is covered. All classes
    share one scale, so that weak evidence looks weak. The page paints the same (ui/viewer/paint.js).
    """
    if kind not in KINDS:
        raise ValueError(f"There is no map {kind!r}; give 'cam' or 'evidence'.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"The opacity is {opacity}; give 0 to 1.")
    stack = maps if isinstance(maps, np.ndarray) else getattr(maps, kind)
    peak = max(float(np.abs(stack).max()), 1e-12)  # a map of nothing but zeros stays zero
    # Not bicubic, which would undershoot beside a hot cell and paint evidence against that is not there.
    smooth = np.asarray(Image.fromarray(stack[class_index] / peak).resize(image.size, Image.BILINEAR))  # (H, W)
    levels = np.rint((smooth + 1) * LEVELS).astype(np.intp)
    paint = Image.fromarray(_palette(kind, opacity)[levels].view(np.uint8).reshape(*levels.shape, 4))
    painted = image.convert("L").convert("RGB") if opacity else image.copy()
    painted.paste(paint, mask=paint)
    return painted


def _palette(kind: str, opacity: float) -> np.ndarray:
    """RGBA of the strengths -1 to 1, each packed in one number (2 LEVELS + 1,); alpha is how much the map covers."""
    signed = np.linspace(-1, 1, 2 * LEVELS + 1)
    strength = np.abs(signed)
    if kind == "cam":
        steps = np.linspace(0, 1, len(HEAT))
        colour = np.stack([np.interp(strength, steps, channel) for channel in HEAT.T], -1)
    else:
        colour = np.where(signed[:, None] > 0, TOWARDS, AWAY)
    alpha = 255 * opacity * np.sqrt(strength)  # linear in strength hides all but the peak on a busy image
    return np.column_stack([colour, alpha]).round().astype(np.uint8).view(np.uint32)[:, 0]
