"""Texture mosaics: one pixel says nothing, training and test never share a pixel."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import DATA
from helpers.datasets import textures as datasets


def test_items():
    data = datasets.texture_mosaics(4, 80)
    assert len(data) == 4
    for image, label in data:
        assert image.shape == (3, 80, 80) and image.dtype == torch.float32
        assert torch.equal(image[0], image[1]) and torch.equal(image[0], image[2])
        assert image.min() >= 0.1 and image.max() <= 0.9
        assert label.shape == (80, 80) and label.dtype == torch.int64


def test_the_same_for_the_same_seed_and_independent_of_n():
    few, more = datasets.texture_mosaics(2, 64, seed=4), datasets.texture_mosaics(5, 64, seed=4)
    for a, b in zip(few.tensors, more.tensors, strict=True):
        assert torch.equal(a, b[:2])
    for other in ({"seed": 5}, {"seed": 4, "split": "test"}):
        assert not torch.equal(few.tensors[1], datasets.texture_mosaics(2, 64, **other).tensors[1])


@pytest.mark.parametrize("size", [32, 96, 256])
def test_regions(size):
    labels = datasets.texture_mosaics(100, size, seed=1).tensors[1]
    assert all(2 <= len(label.unique()) <= 3 for label in labels)
    share = torch.bincount(labels.flatten(), minlength=3) / labels.numel()
    assert ((share - 1 / 3).abs() < 0.1).all(), share


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_pixel_says_nothing(split):
    """The histogram is the same for all textures, and so is the mean and the contrast of any larger piece."""
    halves = [datasets._texture(name, split) for name in datasets.TEXTURES]
    assert all(np.array_equal(np.sort(half.ravel()), np.sort(halves[0].ravel())) for half in halves)
    for half in halves:
        pieces = half.reshape(4, 128, 2, 128).swapaxes(1, 2).reshape(8, -1)
        assert abs(pieces.mean(1) - 0.5).max() < 0.03
        assert abs(pieces.std(1) / half.std() - 1).max() < 0.08


def test_the_best_pixelwise_rule_is_near_chance():
    """Class by grey level, learned on the mosaics themselves: the most that one pixel can give."""
    images, labels = datasets.texture_mosaics(150, 96).tensors
    level = (images[:, 0] * 32).long().flatten()
    counts = torch.zeros(32, 3).index_put_((level, labels.flatten()), torch.tensor(1.0), accumulate=True)
    images, labels = datasets.texture_mosaics(150, 96, split="test").tensors
    best = counts.argmax(1)[(images[:, 0] * 32).long()]
    assert (best == labels).float().mean() < 0.40


@pytest.mark.parametrize("split, other", [("train", "test"), ("test", "train")])
def test_every_region_is_cut_from_its_own_half(split, other, monkeypatch):
    """Mark halves by a code in the grey level, and find only codes of the right half and texture."""
    code = {"brick": 0, "grass": 10, "gravel": 20}
    side = {"train": 1, "test": 2}

    def texture(name, split):
        return np.full((512, 256), code[name] + side[split], np.float32)

    monkeypatch.setattr(datasets, "_texture", texture)
    images, labels = datasets.texture_mosaics(5, 64, split=split).tensors
    assert torch.equal(images[:, 0], (labels * 10 + side[split]).float())


@pytest.mark.parametrize("split", ["train", "test"])
def test_crops_are_pieces_of_their_own_half(split):
    images, classes = datasets.texture_crops(30, 40, seed=2, split=split).tensors
    assert images.shape == (30, 3, 40, 40) and images.dtype == torch.float32
    assert classes.dtype == torch.int64 and set(classes.tolist()) == {0, 1, 2}
    for image, texture in zip(images, classes.tolist(), strict=True):
        half = torch.from_numpy(datasets._texture(datasets.TEXTURES[texture], split))
        places = [(crop, place) for crop in (image[0], image[0].flip(-1)) for place in (half == crop[0, 0]).nonzero()]
        assert any(half[y : y + 40, x : x + 40].equal(crop) for crop, (y, x) in places)


def test_crops_reject_what_does_not_fit():
    for wrong in ({"size": 257}, {"size": 0}, {"n": 0}, {"split": "val"}):
        with pytest.raises(ValueError, match="must be"):
            datasets.texture_crops(**{"n": 1} | wrong)


def test_halves_do_not_overlap():
    for name in datasets.TEXTURES:
        with Image.open(DATA / "photos" / f"{name}.png") as photo:
            assert photo.mode == "L" and photo.size == (512, 512)
        train, test = (datasets._texture(name, split) for split in ("train", "test"))
        assert train.shape == test.shape == (512, 256) and abs(np.corrcoef(train.flat, test.flat)[0, 1]) < 0.5


def test_the_right_half_does_not_leak_into_training(monkeypatch):
    before = datasets._texture("grass", "train")
    whole = np.array(Image.open(DATA / "photos" / "grass.png"))
    whole[:, 256:] = 0
    monkeypatch.setattr(datasets, "open_picture", lambda path: Image.fromarray(whole))
    assert np.array_equal(before, datasets._texture("grass", "train"))


def test_local_mean_against_brute_force():
    values = np.random.default_rng(0).random((9, 7))
    padded = np.pad(values, 2, mode="symmetric")
    expected = [[padded[i : i + 5, j : j + 5].mean() for j in range(7)] for i in range(9)]
    np.testing.assert_allclose(datasets._local_mean(values, reach=2), expected, atol=1e-12)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n": 0}, "n must be a whole number ≥ 1, got 0"),
        ({"n": 1.5}, "n must be"),
        ({"n": 1, "size": 300}, "size must be a whole number 32…256, got 300"),
        ({"n": 1, "size": 8}, "size must be"),
        ({"n": 1, "seed": -2}, "seed must be a whole number ≥ 0, got -2"),
        ({"n": 1, "split": "val"}, "split must be 'train' or 'test', got 'val'"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.texture_mosaics(**arguments)
