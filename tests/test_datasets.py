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


def test_the_cell_is_the_file_of_scikit_image():
    from skimage import data

    image = datasets.cell()
    assert image.shape == (3, 660, 550) and (image[0] == image[2]).all()
    assert ((image[0] * 255).round().byte().numpy() == data.cell()).all()


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


def faults_of_data(folder):
    """What is wrong with a data folder. Hidden files and folders (.ipynb_checkpoints, .DS_Store) do not count."""
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    size = sum((folder / path).stat().st_size for path in paths)
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("README.md"))
    faults = [
        f"{path.as_posix()} is not described in README.md" for path in paths if path.name not in text + "README.md"
    ]
    return faults + [f"{size / 1e6:.1f} MB, at most 6 MB may ship"] * (size >= 6_000_000)


def test_data_is_small_and_described():
    assert faults_of_data(ROOT / "data") == []


def test_faults_of_data_are_named(tmp_path):
    (tmp_path / "README.md").write_text("`good.png`")
    (tmp_path / "photos" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("good.png", ".ipynb_checkpoints/good-checkpoint.png", ".DS_Store"):
        (tmp_path / "photos" / name).write_bytes(b"")
    assert faults_of_data(tmp_path) == []
    (tmp_path / "photos" / "new.png").write_bytes(bytes(7_000_000))
    assert faults_of_data(tmp_path) == [
        "photos/new.png is not described in README.md",
        "7.0 MB, at most 6 MB may ship",
    ]
