"""The readers for folders of pictures and masks: right items, and an error that names the file."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.datasets import read_image
from helpers.datasets.folders import CAMVID, CamVid, Folder

ROOT = Path(os.environ.get("CAMVID_ROOT", "nowhere"))
real = pytest.mark.skipif(not (ROOT / "train").is_dir(), reason=f"no CamVid at {ROOT}: set CAMVID_ROOT")


@pytest.fixture
def root(tmp_path):
    """Three pairs in the layout of CamVid, 20 × 30 pixels; label k in picture k, a void corner."""
    root = tmp_path / "own pictures (1+1)"  # as people name folders: not a regular expression
    for split in ("train", "val"):
        (root / split).mkdir(parents=True)
        (root / f"{split}annot").mkdir()
        for k in range(3):
            colour = np.full((20, 30, 3), (k * 40, 100, 200), np.uint8)
            label = np.full((20, 30), k, np.uint8)
            label[:10, :5] = 11
            Image.fromarray(colour).save(root / split / f"frame_{k}.png")
            Image.fromarray(label).save(root / f"{split}annot" / f"frame_{k}.png")
    return root


def replace(root, array, name="trainannot/frame_1.png"):
    Image.fromarray(array).save(root / name)
    return root / name


def test_items(root):
    data = CamVid(root, "train")
    assert len(data) == 3 and data.classes == tuple(CAMVID)
    assert " ".join(CAMVID) == "sky building pole road pavement tree sign fence car pedestrian bicyclist"
    for k, (image, label) in enumerate(data):
        assert image.dtype == torch.float32 and label.dtype == torch.int64
        assert image.shape == (3, 20, 30) and label.shape == (20, 30)
        torch.testing.assert_close(image[:, 7, 9], torch.tensor([k * 40, 100, 200]) / 255)
        assert (label[:10, :5] == 255).all() and (label[10:] == k).all()


def test_read_only_when_asked_for(root):
    data = CamVid(root, "val")
    broken = root / "val" / "frame_2.png"
    broken.write_bytes(broken.read_bytes()[:60])
    assert data[0] is not None
    with pytest.raises(ValueError, match=r"frame_2\.png: cannot be read as a picture"):
        data[2]


def test_resizing_is_bilinear_for_the_picture_and_nearest_for_the_label(root):
    picture, label = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8)
    picture[:, 15:], label[:, 15:] = 255, 10
    replace(root, picture, "train/frame_1.png")
    replace(root, label)
    image, label = CamVid(root, "train", size=(40, 90))[1]
    assert image.shape == (3, 40, 90) and label.shape == (40, 90)
    assert set(label.unique().tolist()) == {0, 10}
    assert len(image.unique()) > 2  # blended where black meets white
    assert (label[:, :45] == 0).all() and (label[:, 45:] == 10).all()
    small, label = CamVid(root, "train", size=(10, 15))[0]
    assert small.shape == (3, 10, 15) and (label[:5, :2] == 255).all()


def test_a_loader_makes_batches(root):
    data = CamVid(root, "train", size=(16, 16))
    images, labels = next(iter(torch.utils.data.DataLoader(data, batch_size=3)))
    assert images.shape == (3, 3, 16, 16) and labels.shape == (3, 16, 16)


@pytest.mark.parametrize("lost, left", [("trainannot", "train"), ("train", "trainannot")])
def test_a_missing_pair(root, lost, left):
    (root / lost / "frame_2.png").unlink()
    what = {"trainannot": "mask", "train": "picture"}[lost]
    with pytest.raises(FileNotFoundError, match=rf"{left}\W+frame_2\.png: has no {what}; "):
        CamVid(root, "train")
    (root / lost / "frame_0.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"frame_0\.png: .* \(and 1 more\); .* has frame_1\.png"):
        CamVid(root, "train")


def test_a_mask_in_colour(root):
    file = replace(root, np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(ValueError, match=re.escape(str(file)) + r": a mask holds one class number .* this is RGB"):
        CamVid(root, "train")[1]


def test_sizes_that_differ(root):
    file = replace(root, np.zeros((20, 31), np.uint8))
    with pytest.raises(
        ValueError, match=re.escape(str(file)) + ": is 31×20 pixels, but its picture, upright, is 30×20"
    ):
        CamVid(root, "train")[1]


@pytest.mark.parametrize("value", [12, 254])
def test_a_value_out_of_range(root, value):
    label = np.zeros((20, 30), np.uint8)
    label[3, 4] = value
    file = replace(root, label)
    with pytest.raises(
        ValueError, match=re.escape(str(file)) + rf": holds the value {value}; .* 0 to 10, void is 11, 255"
    ):
        CamVid(root, "train")[1]


def test_missing_folders_and_wrong_splits(root):
    with pytest.raises(FileNotFoundError, match=r"nowhere\W+train: no such folder"):
        CamVid(root / "nowhere", "train")
    with pytest.raises(FileNotFoundError, match="test: no such folder"):
        CamVid(root, "test")
    with pytest.raises(ValueError, match="split must be 'train', 'val' or 'test', got 'training'"):
        CamVid(root, "training")
    (root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: holds no pictures"):
        Folder(root / "empty", root / "trainannot", ["a"])


@pytest.mark.parametrize("size", [(0, 4), (4,), 64, (4.0, 4), "ab"])
def test_bad_sizes(root, size):
    with pytest.raises(ValueError, match=r"(size must be None or|height and width in size must be)"):
        CamVid(root, "train", size=size)


@pytest.fixture
def own(tmp_path):
    """A user's own folder: JPEG pictures, masks with a suffix and a palette, other files beside them."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "masks").mkdir()
    for name in ("b", "a"):
        Image.fromarray(np.full((8, 9, 3), 90, np.uint8)).save(tmp_path / "pictures" / f"{name}.JPG")
        mask = Image.fromarray(np.array([[0, 1, 7] * 3] * 8, np.uint8))
        mask.putpalette([0, 0, 0, 255, 0, 0] * 4)
        mask.save(tmp_path / "masks" / f"{name}_mask.png")
    (tmp_path / "pictures" / "notes.txt").write_text("not a picture")
    (tmp_path / "pictures" / ".hidden.png").write_text("not a picture either")
    return tmp_path


def test_your_own_folder(own):
    data = Folder(own / "pictures", str(own / "masks"), ["none", "cell"], void=[7, 8], mask_suffix="_mask")
    assert [picture.name for picture, _ in data.files] == ["a.JPG", "b.JPG"]
    image, label = data[0]
    assert image.shape == (3, 8, 9) and label[0].tolist() == [0, 1, 255] * 3


def test_without_void_the_value_is_refused(own):
    with pytest.raises(ValueError, match=r"a_mask\.png: holds the value 7; classes are 0 to 1, void is 255"):
        Folder(own / "pictures", own / "masks", ["none", "cell"], mask_suffix="_mask")[0]
    with pytest.raises(ValueError, match=r"holds the value 7; classes are 0 to 6"):
        Folder(own / "pictures", own / "masks", list("abcdefg"), mask_suffix="_mask")[0]
    assert Folder(own / "pictures", own / "masks", list("abcdefgh"), mask_suffix="_mask")[0][1].max() == 7


def test_wrong_suffix_and_doubled_names(own):
    with pytest.raises(FileNotFoundError, match=r"a\.JPG: has no mask \(and 1 more\); .*, here ''\. .* a_mask\.png"):
        Folder(own / "pictures", own / "masks", ["none", "cell"])
    Image.new("RGB", (9, 8)).save(own / "pictures" / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: same name as a\.JPG"):
        Folder(own / "pictures", own / "masks", ["none", "cell"], mask_suffix="_mask")


def test_classes_are_needed(own):
    with pytest.raises(ValueError, match="classes must hold 1 to 255 names, got 0"):
        Folder(own / "pictures", own / "masks", [], mask_suffix="_mask")


def test_masks_in_one_and_sixteen_bits(root):
    replace(root, np.eye(20, 30, dtype=bool))
    assert CamVid(root, "train")[1][1].sum() == 20
    replace(root, np.full((20, 30), 300, np.uint16))
    with pytest.raises(ValueError, match="holds the value 300"):
        CamVid(root, "train")[1]


def test_a_picture_is_read_upright(own):
    """Its EXIF data says: turn by 90°. The mask was drawn on the upright picture."""
    upright = np.zeros((9, 8, 3), np.uint8)
    upright[:2, :3] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.rot90(upright).copy())
    stored.save(own / "pictures" / "a.png", exif=exif)
    (own / "pictures" / "a.JPG").unlink()
    Image.fromarray(upright[..., 0] // 255).save(own / "masks" / "a_mask.png")
    image, label = Folder(own / "pictures", own / "masks", ["none", "cell"], mask_suffix="_mask")[0]
    assert label.sum() == 6 and (image == label).all()


def test_a_jpeg_mask_is_refused(own):
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(own / "masks" / "b_mask.jpg")
    (own / "masks" / "b_mask.png").unlink()
    with pytest.raises(ValueError, match=r"b_mask\.jpg: JPEG changes class numbers: .* as PNG"):
        Folder(own / "pictures", own / "masks", ["none", "cell"], mask_suffix="_mask")


def test_a_picture_of_sixteen_bits_is_refused(root):
    file = replace(root, np.full((20, 30), 3000, np.uint16), "train/frame_1.png")
    for read in (lambda: CamVid(root, "train")[1], lambda: read_image(file)):
        with pytest.raises(ValueError, match=re.escape(str(file)) + r": has more than 8 bits .* 0…255"):
            read()


@pytest.mark.parametrize("values", [(0, 255), (255, 255)])
@pytest.mark.parametrize("void", [(), 255])
def test_a_mask_of_0_and_255_is_refused(own, values, void):
    Image.fromarray(np.resize(np.array(values, np.uint8), (8, 9))).save(own / "masks" / "a_mask.png")
    data = Folder(own / "pictures", own / "masks", ["none", "cell"], void=void, mask_suffix="_mask")
    with pytest.raises(ValueError, match=r"a_mask\.png: holds only 0 and 255, .* means 'cell', save 1 in its place"):
        data[0]
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(own / "masks" / "a_mask.png")
    assert data[0][1].sum() == 0  # background alone is a picture without objects


@pytest.mark.parametrize("void", [1.7, [255, -1], "255", None])
def test_void_is_a_whole_number(own, void):
    with pytest.raises(ValueError, match="void must be a whole number ≥ 0"):
        Folder(own / "pictures", own / "masks", ["none", "cell"], void=void, mask_suffix="_mask")


def test_slices_are_folders(root):
    data = CamVid(root, "train", size=(8, 8))
    part = data[1:]
    assert isinstance(part, Folder) and part.classes == data.classes and len(part) == 2 and len(data) == 3
    assert all(part[0][i].equal(data[1][i]) for i in (0, 1)) and part[-1:][0][0].equal(data[2][0])
    assert len(data[::2]) == 2 and len(data[5:]) == 0


def test_a_suffix_that_no_mask_has(own):
    with pytest.raises(FileNotFoundError, match=r"holds no pictures \(.*\) whose name ends in '_label'"):
        Folder(own / "pictures", own / "masks", ["none", "cell"], mask_suffix="_label")


@real
@pytest.mark.parametrize("split", ["train", "val"])
def test_the_real_files(split):
    data = CamVid(ROOT, split)
    seen = torch.zeros(256, dtype=torch.int64)
    for index in range(0, len(data), 5):
        image, label = data[index]
        assert image.shape[1:] == label.shape == (360, 480)
        seen += torch.bincount(label.flatten(), minlength=256)
    assert seen[:11].all() and not seen[11:255].any() and seen[255]
    sky, road = list(CAMVID).index("sky"), list(CAMVID).index("road")
    image, label = data[0]
    rows = torch.arange(360.0)[:, None].expand(360, 480)
    assert rows[label == sky].mean() < 180 < rows[label == road].mean()
    assert image[:, label == sky].mean() > image[:, label == road].mean()
