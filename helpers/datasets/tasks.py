"""Small made-up tasks, each of which only one property of a network can solve."""

import numpy as np
import torch

from helpers.checks import whole_number


def neighbours(n, size=64, seed=0):
    """`n` pictures of two textures that differ only in how a pixel goes with the one beside it: a `TensorDataset`.

    image float32 (3, size, size) in [0, 1], grey; label int64 (size, size). The pixels of a row form pairs: in class
    0 both have one random value, in class 1 the second has the opposite value (1 − x). A network that reads only every
    second column sees one pixel of each pair, that is, the same noise in both classes. Half of the picture, cut along
    a random line, is of class 1. Picture i depends on size, seed and i, not on n.
    """
    size = whole_number("size", size, 8)
    return _dataset(n, seed, lambda rng: _pairs(rng, size))


def evidence_anywhere(n, size=64, seed=0):
    """`n` pictures whose pond is told by a mark that may be far away: a `TensorDataset` of `(image, label)`.

    image float32 (3, size, size) in [0, 1]; label int64 (size, size): 0 ground and mark, 1 pond beside an orange mark,
    2 pond beside a white one. The pond is a disc of radius size/8 … size/5, the mark 6 × 6 pixels, anywhere outside of
    it. Picture i depends on size, seed and i, not on n.
    """
    size = whole_number("size", size, 32)
    return _dataset(n, seed, lambda rng: _pond(rng, size))


def _pairs(rng, size):
    y, x = np.mgrid[:size, :size] - size // 2
    angle = rng.uniform(0, 2 * np.pi)
    label = (x * np.cos(angle) + y * np.sin(angle) > 0).astype(np.int64)
    value = rng.uniform(0, 1, (size, size))
    start = rng.integers(2)
    first = value[:, start : size - 1 : 2]
    second = label[:, start + 1 :: 2] == 1
    value[:, start + 1 :: 2] = np.where(second, 1 - first, first)
    return np.broadcast_to(value, (3, size, size)), label


def _pond(rng, size):
    y, x = np.mgrid[:size, :size]
    radius = rng.uniform(size / 8, size / 5)
    middle = rng.uniform(radius, size - radius, 2)
    pond = np.hypot(y - middle[0], x - middle[1]) < radius
    while True:
        row, column = rng.integers(0, size - 6, 2)
        if not pond[row : row + 6, column : column + 6].any():
            break
    kind = rng.integers(2)
    image = np.empty((3, size, size))
    image[:] = np.reshape((0.42, 0.54, 0.28), (3, 1, 1))
    image[:, pond] = np.reshape((0.17, 0.36, 0.46), (3, 1))
    image[:, row : row + 6, column : column + 6] = np.reshape([(0.9, 0.6, 0.1), (0.95, 0.95, 0.95)][kind], (3, 1, 1))
    image += 0.04 * rng.standard_normal(image.shape)
    return image.clip(0, 1), np.where(pond, 1 + kind, 0)


def _dataset(n, seed, draw):
    n, seed = whole_number("n", n), whole_number("seed", seed, 0)
    images, labels = zip(*(draw(np.random.default_rng([seed, i])) for i in range(n)), strict=True)
    images = torch.from_numpy(np.stack(images).astype(np.float32))
    return torch.utils.data.TensorDataset(images, torch.from_numpy(np.stack(labels)))
