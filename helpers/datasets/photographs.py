"""Photographs, all but one with a label map. Sources and licences: data/README.md."""

import torch

from helpers import DATA
from helpers.checks import whole_number
from helpers.datasets.files import read_image, read_label

PHOTOS = DATA / "photos"
PHOTOGRAPHS = ("astronaut", "camera", "cat", "coffee", "rocket")
PHOTOGRAPH_CLASSES = (
    "background", "person", "helmet", "cat", "cat's eye", "cup",
    "saucer", "spoon", "camera", "tripod", "rocket", "tower",
)  # fmt: skip


def coins():
    """The photograph *Greek coins from Pompeii* (303×384), 24 coins; classes 0 table, 1 coin."""
    return read_image(PHOTOS / "coins.png"), read_label(PHOTOS / "coins_label.png")


def cell():
    """A cell under a microscope (660×550), float32 `(3, H, W)`, three equal channels; without a label."""
    return read_image(PHOTOS / "cell.png")


def photograph(name):
    """One labelled photograph: image float32 `(3, H, W)` in [0, 1], label int64 `(H, W)`, 255 = void.

    A label is an index into `PHOTOGRAPH_CLASSES`. Void are one pixel on each side of every edge between two labels,
    and what the photograph itself leaves open. ValueError for an unknown name.
    """
    if name not in PHOTOGRAPHS:
        raise ValueError(f"photograph must be one of {', '.join(PHOTOGRAPHS)}, got {name!r}")
    return read_image(PHOTOS / f"{name}.png"), read_label(PHOTOS / f"{name}_label.png")


def random_crops(image, label, size=64, count=192, seed=0):
    """`count` square crops of `size` pixels, each mirrored at random: a list of (image, label).

    ValueError when image (3, H, W) and label (H, W) differ in height or width, or are smaller than `size`.
    """
    if label.ndim != 2 or image.shape[-2:] != label.shape:
        raise ValueError(f"image {tuple(image.shape)} and label {tuple(label.shape)} differ in height or width")
    height, width = label.shape
    size = whole_number("size", size, 1, min(height, width))
    count = whole_number("count", count)
    generator = torch.Generator().manual_seed(whole_number("seed", seed, 0))

    def draw(choices):
        return torch.randint(choices, (), generator=generator).item()

    crops = []
    for _ in range(count):
        top, left = draw(height - size + 1), draw(width - size + 1)
        flips = [axis for axis in (-2, -1) if draw(2)]
        window = (..., slice(top, top + size), slice(left, left + size))
        crops.append((image[window].flip(flips), label[window].flip(flips)))
    return crops
