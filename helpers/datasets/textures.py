"""Mosaics of photographed textures: a task that a single pixel cannot solve."""

import numpy as np
import torch

from helpers import DATA
from helpers.checks import whole_number
from helpers.datasets.files import open_picture

TEXTURES = ("brick", "grass", "gravel")


def texture_mosaics(n, size=96, seed=0, split="train"):
    """`n` mosaics of photographed textures as a `TensorDataset` of `(image, label)`.

    image float32 (3, size, size) in [0, 1], grey; label int64 (size, size), an index into `TEXTURES`. Two to
    five regions with wobbly borders, of at least two textures. Training mosaics are cut from the left half of
    each photograph, test mosaics from the right half. Each half has the same histogram, and the same mean and
    contrast everywhere: a single pixel says nothing. Mosaic i depends on size, seed, split and i, not on n.
    """
    n, size, seed = whole_number("n", n), whole_number("size", size, 32, 256), whole_number("seed", seed, 0)
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    halves = [_texture(name, split) for name in TEXTURES]
    rngs = [np.random.default_rng([seed, split == "test", i]) for i in range(n)]
    images, labels = zip(*(_mosaic(rng, halves, size) for rng in rngs), strict=True)
    images = torch.from_numpy(np.stack(images))[:, None].expand(-1, 3, -1, -1).contiguous()
    return torch.utils.data.TensorDataset(images, torch.from_numpy(np.stack(labels)))


def texture_crops(n, size=40, seed=0, split="train"):
    """`n` square crops of one texture each, mirrored at random, as a `TensorDataset` of `(image, class)`.

    image float32 (3, size, size), class int64 (), an index into `TEXTURES`. The same halves as in `texture_mosaics`.
    """
    n, size, seed = whole_number("n", n), whole_number("size", size, 1, 256), whole_number("seed", seed, 0)
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    halves = [_texture(name, split) for name in TEXTURES]
    rng = np.random.default_rng([seed, split == "test"])
    classes, images = rng.integers(0, len(TEXTURES), n), np.empty((n, size, size), np.float32)
    for image, texture in zip(images, classes, strict=True):
        row, column = (rng.integers(0, length - size + 1) for length in halves[texture].shape)
        image[:] = halves[texture][row : row + size, column : column + size][:, :: rng.choice([-1, 1])]
    images = torch.from_numpy(images)[:, None].expand(-1, 3, -1, -1).contiguous()
    return torch.utils.data.TensorDataset(images, torch.from_numpy(classes))


def _texture(name, split):
    """One half of a photograph, (512, 256): local mean and contrast made equal, then the histogram flat."""
    grey = np.asarray(open_picture(DATA / "photos" / f"{name}.png"), float)
    half = grey[:, :256] if split == "train" else grey[:, 256:]
    mean = _local_mean(half)
    half = (half - mean) / np.sqrt(_local_mean((half - mean) ** 2))
    ranks = half.ravel().argsort(kind="stable").argsort(kind="stable").reshape(half.shape)
    return (0.1 + 0.8 * ranks / half.size).astype(np.float32)


def _local_mean(values, reach=20):
    """Mean over the (2 · reach + 1)² pixels around each one, the border mirrored."""
    for _ in range(2):  # down the columns, then along the rows
        sums = np.pad(values, ((reach + 1, reach), (0, 0)), mode="symmetric").cumsum(0)
        values = ((sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)).T
    return values


def _mosaic(rng, halves, size):
    """Cells around random points, in coordinates that wobble; each cell is cut from its texture anew."""
    wobble = torch.from_numpy(rng.uniform(-1, 1, (1, 2, 7, 7)) * size / 10)
    wobble = torch.nn.functional.interpolate(wobble, size=(size, size), mode="bicubic")[0].numpy()
    y, x = np.mgrid[:size, :size] + wobble
    points = rng.uniform(0, size, (2, rng.integers(2, 6), 1, 1))
    cell = np.hypot(y - points[0], x - points[1]).argmin(0)
    textures = np.append(rng.permutation(3), rng.integers(0, 3, 2))
    image = np.empty((size, size), np.float32)
    for number in np.unique(cell):
        half = halves[textures[number]][:, :: rng.choice([-1, 1])]
        row, column = (rng.integers(0, length - size + 1) for length in half.shape)
        image[cell == number] = half[row : row + size, column : column + size][cell == number]
    return image, textures[cell]
