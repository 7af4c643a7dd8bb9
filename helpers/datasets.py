"""Labelled pictures that ship with the series. Sources and licences: data/README.md.

Every item is (image, label): float32 (3, H, W) in [0, 1] and int64 (H, W), 255 = void.
"""

import json

import numpy as np
import torch
from PIL import Image

from helpers import DATA
from helpers.folders import CamVid, Folder  # noqa: F401
from helpers.photographs import PHOTOGRAPH_CLASSES, PHOTOGRAPHS, photograph  # noqa: F401
from helpers.textures import TEXTURES, texture_mosaics  # noqa: F401

# The two pictures that go through the whole series.
HERO_PHOTOGRAPH = "cat"
HERO_SCENE = 5  # of scenes.make(…, seed="test")


def coins():
    """The photograph *Greek coins from Pompeii* (303×384), 24 coins; classes 0 table, 1 coin."""
    return _read_image(DATA / "photos" / "coins.png"), _read_label(DATA / "photos" / "coins_label.png")


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


def _read_image(path):
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _read_label(path):
    return torch.from_numpy(np.asarray(Image.open(path), dtype=np.int64))


def stored_results(name):
    """Results of five training runs, from data/results/NAME.json, which `make results` makes again."""
    path = DATA / "results" / f"{name}.json"
    if not path.exists():
        raise ValueError(f"there are no results {name!r} in {path.parent.name}/")
    return json.loads(path.read_text())
