"""Photographs with a label map. Sources and licences: data/README.md."""

import torch

from helpers import DATA
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


def photograph(name):
    """One labelled photograph: image float32 `(3, H, W)` in [0, 1], label int64 `(H, W)`, 255 = void.

    A label is an index into `PHOTOGRAPH_CLASSES`. Void are one pixel on each side of every edge between two labels,
    and what the photograph itself leaves open. ValueError for an unknown name.
    """
    if name not in PHOTOGRAPHS:
        raise ValueError(f"photograph must be one of {', '.join(PHOTOGRAPHS)}, got {name!r}")
    return read_image(PHOTOS / f"{name}.png"), read_label(PHOTOS / f"{name}_label.png")


def random_crops(image, label, size=64, count=192, seed=0):
    """`count` square crops of `size` pixels, each mirrored at random: a list of (image, label)."""
    height, width = label.shape
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size must be 1…{min(height, width)} for a picture of {height}×{width}, got {size}")
    generator = torch.Generator().manual_seed(seed)

    def draw(choices):
        return torch.randint(choices, (), generator=generator).item()

    crops = []
    for _ in range(count):
        top, left = draw(height - size + 1), draw(width - size + 1)
        flips = [axis for axis in (-2, -1) if draw(2)]
        window = (..., slice(top, top + size), slice(left, left + size))
        crops.append((image[window].flip(flips), label[window].flip(flips)))
    return crops
