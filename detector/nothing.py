"""Pictures that hold nothing to judge, told by simple statistics: the network would name a class with confidence.

Thresholds are from 9,871 real images, as they are and at half size and JPEG 40: 9 and 10 of them, 0.1 %, are refused
(benchmarks/nothing.py), where drawn plain, blurred, noisy and endlessly repeating pictures all are.
"""

import numpy as np
from PIL import Image

VIEW = 128  # pixels a side of the square that is looked at: what the network sees is not much finer
MAX_ASPECT = 10  # longer side over shorter; squashed to a square, nothing is left of what such a strip shows
EDGE = 6  # of 255: brightness steps between neighbouring pixels that count as an edge
FEW_EDGES = 0.01  # share of pixels; 3 of the real images have fewer, where a plain area and a gradient have none
FLAT_EDGES, FLAT_BITS = 0.05, 1.2  # share of edges, and entropy of 4,096 colours: below both lie one or two flat areas
GRID = 8  # cells a side
EVEN = 0.06  # share of the variance of brightness that is left in the means of GRID x GRID cells: under 0.05 for noise


def nothing_to_judge(image: Image.Image) -> str:
    """Why an RGB image holds nothing to judge ("it is one plain area"), or "" if it does."""
    if image.info.get("transparent"):
        return "it is transparent all over"
    if max(image.size) > MAX_ASPECT * min(image.size):
        return f"it is a strip, {image.width:,} x {image.height:,} pixels; cut out the part that matters"
    edges, bits, coarse = statistics(image)
    if edges < FEW_EDGES:
        return "it has no edges, like a plain area or a gradient"
    if edges < FLAT_EDGES and bits < FLAT_BITS:
        return "it has hardly more than one or two flat areas"
    if coarse < EVEN:
        return "it is the same all over, like noise or a repeated pattern"
    return ""


def statistics(image: Image.Image) -> tuple[float, float, float]:
    """Of an RGB image: share of pixels at an edge, entropy of its colours in bits, share of the variance of brightness
    that is left in a coarse grid (0 where there is none)."""
    pixels = np.asarray(image.resize((VIEW, VIEW), Image.BILINEAR, reducing_gap=1.5))  # (VIEW, VIEW, 3)
    grey = pixels.astype(np.float32) @ np.array((0.299, 0.587, 0.114), np.float32)
    steps = np.maximum(np.abs(np.diff(grey, axis=0))[:, :-1], np.abs(np.diff(grey, axis=1))[:-1])
    colours = (pixels >> 4).astype(np.int64) @ (256, 16, 1)
    shares = np.bincount(colours.ravel(), minlength=4096) / colours.size
    shares = shares[shares > 0]
    cells = grey.reshape(GRID, VIEW // GRID, GRID, VIEW // GRID).mean((1, 3))
    variance = float(grey.var())
    coarse = float(cells.var()) / variance if variance > 0 else 0.0
    return float((steps > EDGE).mean()), float(-(shares * np.log2(shares)).sum()), coarse
