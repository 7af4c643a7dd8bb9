"""Five photographs with objects, outlined for these notebooks. Sources and licences: data/README.md."""

import json

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from helpers import DATA

PHOTOS = DATA / "photos"
PHOTOGRAPHS = ("astronaut", "camera", "cat", "coffee", "rocket")
PHOTOGRAPH_CLASSES = (
    "background", "person", "helmet", "cat", "cat's eye", "cup",
    "saucer", "spoon", "camera", "tripod", "rocket", "tower",
)  # fmt: skip
VOID = 255
BORDER = 1  # void pixels on each side of an edge: at least what two outlines differ by (data/README.md)


def photograph(name, folder=PHOTOS):
    """One labelled photograph: image float32 `(3, H, W)` in [0, 1], label int64 `(H, W)`, 255 = void.

    A label is an index into `PHOTOGRAPH_CLASSES`. Void are `BORDER` pixels on each side of every edge between
    two labels, and what the photograph itself leaves open (outlined as "void").
    ValueError for an unknown name, and for an outline file with a mistake: it names the file and the object.
    """
    if name not in PHOTOGRAPHS:
        raise ValueError(f"photograph must be one of {', '.join(PHOTOGRAPHS)}, got {name!r}")
    outlines = read_outlines(folder / f"{name}.json")
    path = folder / outlines["photo"]
    if not path.is_file():
        raise ValueError(f"{name}.json: there is no photo {outlines['photo']}")
    pixels = np.array(Image.open(path).convert("RGB"))
    if outlines["size"] != [*pixels.shape[:2]]:
        raise ValueError(f"{name}.json: size is {outlines['size']}, {path.name} has {[*pixels.shape[:2]]}")
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    return image, with_void_border(draw_outlines(outlines), BORDER)


def read_outlines(path):
    """The checked content of an outline file: {"photo", "size": [H, W], "classes", "objects"}."""
    try:
        outlines = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read as JSON: {error}") from None
    kinds = {"photo": str, "size": list, "classes": list, "objects": list}
    for key, kind in kinds.items():
        if not isinstance(outlines, dict) or not isinstance(outlines.get(key), kind):
            raise ValueError(f"{path.name}: {key!r} is missing or not a {kind.__name__}")
    if len(outlines["size"]) != 2 or any(type(side) is not int or side < 1 for side in outlines["size"]):
        raise ValueError(f"{path.name}: size must be [height, width] in pixels, got {outlines['size']}")
    if outlines["classes"] != [*PHOTOGRAPH_CLASSES]:
        raise ValueError(f"{path.name}: classes must be {[*PHOTOGRAPH_CLASSES]}, got {outlines['classes']}")
    for index, item in enumerate(outlines["objects"]):
        if mistake := _mistake(item, *outlines["size"]):
            raise ValueError(f"{path.name}, objects[{index}]: {mistake}")
    return outlines


def _mistake(item, height, width):
    """What is wrong with one outlined object, or None."""
    if not isinstance(item, dict) or not {"class", "polygon"} <= item.keys():
        return "class or polygon is missing"
    if item["class"] not in (*PHOTOGRAPH_CLASSES, "void"):
        return f"unknown class {item['class']!r}"
    try:
        points = np.array(item["polygon"])
    except ValueError:  # points of unequal length
        points = np.array(None)
    if points.ndim != 2 or points.shape[1] != 2 or points.dtype.kind not in "if":
        return f"the polygon of {item['class']!r} must be a list of points [x, y]"
    if len(points) < 3:
        return f"the polygon of {item['class']!r} must have ≥ 3 points, got {len(points)}"
    for x, y in points.tolist():
        if not (0 <= x <= width and 0 <= y <= height):
            return f"point [{x}, {y}] of {item['class']!r} is outside the picture of {height}×{width}"


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
