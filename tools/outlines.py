"""Outlines of objects, drawn by hand as polygons, and the label maps that they give."""

import json
from pathlib import Path

import torch
from torch.nn import functional

from helpers.datasets import PHOTOGRAPH_CLASSES
from helpers.scores import VOID

OUTLINES = Path(__file__).resolve().parent / "outlines"
BORDER = 1  # void pixels on each side of an edge: at least what two outlines differ by (data/README.md)


def read_outlines(path):
    """The content of an outline file: {"photo", "size": [H, W], "classes", "objects"}."""
    outlines = json.loads(path.read_text(encoding="utf-8"))
    if outlines["classes"] != [*PHOTOGRAPH_CLASSES]:
        raise ValueError(f"{path.name}: classes must be {[*PHOTOGRAPH_CLASSES]}, got {outlines['classes']}")
    return outlines


def draw_outlines(outlines, scale=1):
    """The label int64 `(scale·H, scale·W)` without void border; later objects cover earlier ones.

    The pixel in row 0, column 0 covers x and y from 0 to 1. A pixel is inside a polygon when its centre is,
    by the even-odd rule: a line from the centre to the left crosses the polygon an odd number of times.
    """
    height, width = (scale * side for side in outlines["size"])
    x, y = (torch.arange(side, dtype=torch.float64) + 0.5 for side in (width, height))
    label = torch.zeros(height, width, dtype=torch.int64)
    for item in outlines["objects"]:
        inside = torch.zeros(height, width, dtype=torch.bool)
        points = [(scale * px, scale * py) for px, py in item["polygon"]]
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            rows = (min(y0, y1) < y) & (y <= max(y0, y1))
            if rows.any():
                inside[rows] ^= x > (x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0))[:, None]
        label[inside] = VOID if item["class"] == "void" else PHOTOGRAPH_CLASSES.index(item["class"])
    return label


def with_void_border(label, border):
    """The label `(H, W)` with `border` void pixels on each side of every edge (its rim is no edge)."""
    window = {"kernel_size": 2 * border + 1, "stride": 1, "padding": border}  # it pads with −∞: never wins
    highest = functional.max_pool2d(label[None].float(), **window)[0]
    lowest = -functional.max_pool2d(-label[None].float(), **window)[0]
    return label.where(highest == lowest, VOID)
