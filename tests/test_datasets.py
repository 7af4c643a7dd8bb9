"""The pictures that ship."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from play import ROOT

from helpers import datasets

sys.path.insert(0, str(ROOT / "tools"))


def test_coins():
    image, label = datasets.coins()
    assert image.dtype == torch.float32 and image.shape == (3, 303, 384) and 0 <= image.min() < image.max() <= 1
    assert label.dtype == torch.int64 and label.shape == (303, 384) and set(label.unique().tolist()) == {0, 1}


def test_coins_label_is_what_the_readme_says():
    import label_coins
    from scipy import ndimage
    from skimage import data

    photo = np.asarray(Image.open(ROOT / "data/photos/coins.png"))
    stored = np.asarray(Image.open(ROOT / "data/photos/coins_label.png"))
    assert (photo == data.coins()).all()
    assert (label_coins.watershed_label(photo) == stored).all()
    assert ndimage.label(stored)[1] == 24
    second = label_coins.threshold_label(photo)
    agreement = (second & stored).sum() / (second | stored).sum()
    assert f"of {agreement:.3f}." in (ROOT / "data/README.md").read_text(encoding="utf-8")


def test_random_crops():
    image, label = datasets.coins()
    crops = datasets.random_crops(image, label, size=32, count=20, seed=3)
    assert len(crops) == 20 and len({crop.sum().item() for crop, _ in crops}) == 20
    again = datasets.random_crops(image, label, size=32, count=5, seed=3)
    assert all(a.equal(b) for (a, _), (b, _) in zip(again, crops, strict=False))
    for crop, classes in crops:
        assert crop.shape == (3, 32, 32) and classes.shape == (32, 32)
    # picture and label are cut and mirrored together
    for crop, classes in datasets.random_crops(label[None].float(), label, size=64, count=10):
        assert crop[0].equal(classes.float())
    for size in (0, 304):
        with pytest.raises(ValueError, match="size must be a whole number 1…303"):
            datasets.random_crops(image, label, size=size)
    for option in ({"size": 8.5}, {"count": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(option))} must be a whole number"):
            datasets.random_crops(image, label, **option)
    with pytest.raises(ValueError, match=r"image \(3, 40, 384\) and label \(303, 384\) differ in height or width"):
        datasets.random_crops(image[:, :40], label, size=64)


def test_stored_results():
    with pytest.raises(ValueError, match="there are no results 'nothing'"):
        datasets.stored_results("nothing")


def test_data_is_small_and_described():
    files = [path for path in (ROOT / "data").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6_000_000
    text = "".join((ROOT / path).read_text(encoding="utf-8") for path in ("data/README.md", "data/results/README.md"))
    assert all(path.name in text for path in files if path.name != "README.md")
