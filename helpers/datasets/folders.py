"""Readers for folders of pictures and masks that the user has."""

import copy
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from helpers.checks import whole_number
from helpers.datasets.files import image_tensor, label_tensor, open_image, open_picture
from helpers.scores import VOID

CAMVID = {  # class: its usual colour
    "sky": (128, 128, 128), "building": (128, 0, 0), "pole": (192, 192, 128), "road": (128, 64, 128),
    "pavement": (60, 40, 222), "tree": (128, 128, 0), "sign": (192, 128, 128), "fence": (64, 64, 128),
    "car": (64, 0, 128), "pedestrian": (64, 64, 0), "bicyclist": (0, 128, 192),
}  # fmt: skip


class Folder(torch.utils.data.Dataset):
    """Your own pictures and masks, read when asked for: items `(image, label)`.

    image float32 (3, H, W) in [0, 1]; label int64 (H, W), an index into `classes`, 255 = void. A mask holds
    one class number per pixel (as PNG: JPEG would change the numbers) and is called like its picture, plus
    `mask_suffix`: `a.jpg` and `a_mask.png` with `mask_suffix="_mask"`. Mask values in `void`, a number or
    several, become 255. `size=(H, W)` resizes: the picture bilinearly, the label to its nearest pixel.
    Pictures are turned upright as their EXIF data says. `data[:8]` is a `Folder` of the first eight pairs.

    Raises `FileNotFoundError` for a missing folder or half of a pair, `ValueError` for everything else.
    """

    SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
    MASK_MODES = ("L", "P", "1", "I", "I;16")  # Pillow's names for one whole number per pixel

    def __init__(self, images, masks, classes, void=(), size=None, mask_suffix=""):
        self.classes, self.size = tuple(classes), size
        self.void = [whole_number("void", value, 0) for value in (void if np.ndim(void) else [void])]
        if size is not None:
            if np.shape(size) != (2,):
                raise ValueError(f"size must be None or (height, width) in pixels, got {size!r}")
            self.size = tuple(whole_number("height and width in size", side) for side in size)
        if not 1 <= len(self.classes) <= VOID:
            raise ValueError(f"classes must hold 1 to {VOID} names, got {len(self.classes)}")
        images, masks = self._files(images, ""), self._files(masks, mask_suffix)
        for path in masks.values():
            if path.suffix.lower() in (".jpg", ".jpeg"):
                raise ValueError(f"{path}: JPEG changes class numbers: make the masks again as PNG")
        for have, lack, what in ((images, masks, "mask"), (masks, images, "picture")):
            alone = sorted(have.keys() - lack.keys())
            if alone:
                more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
                other = next(iter(lack.values())).name
                rule = f"a mask is called like its picture plus `mask_suffix`, here {mask_suffix!r}"
                raise FileNotFoundError(f"{have[alone[0]]}: has no {what}{more}; {rule}. The other folder has {other}")
        self.files = [(images[stem], masks[stem]) for stem in sorted(images)]

    def _files(self, folder, suffix):
        folder, files = Path(folder), {}
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder")
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in self.SUFFIXES and path.stem.endswith(suffix) and path.name[0] != ".":
                stem = path.stem.removesuffix(suffix)
                if stem in files:
                    raise ValueError(f"{path}: same name as {files[stem].name}, which of them is meant?")
                files[stem] = path
        if not files:
            ending = f" whose name ends in {suffix!r}" if suffix else ""
            raise FileNotFoundError(f"{folder}: holds no pictures ({', '.join(self.SUFFIXES)}){ending}")
        return files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        if isinstance(index, slice):
            part = copy.copy(self)
            part.files = self.files[index]
            return part
        image_file, mask_file = self.files[index]
        picture, mask = open_image(image_file), open_picture(mask_file)
        if mask.mode not in self.MASK_MODES:
            raise ValueError(
                f"{mask_file}: a mask holds one class number per pixel, but this is {mask.mode}: save it as grey PNG"
            )
        if mask.size != picture.size:
            sizes = ["{}×{}".format(*item.size) for item in (mask, picture)]
            raise ValueError(f"{mask_file}: is {sizes[0]} pixels, but its picture, upright, is {sizes[1]}")
        picture, label = picture.convert("RGB"), self._label(mask, mask_file)
        if self.size:
            picture = picture.resize(self.size[::-1], Image.Resampling.BILINEAR)
            label = label.resize(self.size[::-1], Image.Resampling.NEAREST)
        return image_tensor(picture), label_tensor(label)

    def _label(self, mask, file):
        """The mask as a picture with void = 255, its values checked."""
        label, last = np.array(mask, np.int64), len(self.classes) - 1
        if last and set(np.unique(label)) in ({0, VOID}, {VOID}):
            raise ValueError(
                f"{file}: holds only 0 and {VOID}, and {VOID} is void. If {VOID} means {self.classes[1]!r}, save 1 "
                "in its place; if it does mean void, leave this picture out"
            )
        label[np.isin(label, self.void)] = VOID
        wrong = label[(label != VOID) & ((label < 0) | (label > last))]
        if wrong.size:
            void = ", ".join(map(str, [*self.void, VOID]))
            raise ValueError(f"{file}: holds the value {wrong[0]}; classes are 0 to {last}, void is {void} (`void=`)")
        return Image.fromarray(label.astype(np.uint8))


class CamVid(Folder):
    """Street scenes in the usual folder layout: `root/train`, `root/trainannot`, and so on for val and test.

    Items and errors as in `Folder`; label 0–10 in the order of `CAMVID`, 11 (unlabelled) becomes 255.
    Source: Brostow, Fauqueur and Cipolla 2009, in the 11 classes of Badrinarayanan et al. 2017 (SegNet).
    """

    def __init__(self, root, split, size=None):
        if split not in ("train", "val", "test"):
            raise ValueError(f"split must be 'train', 'val' or 'test', got {split!r}")
        root = Path(root)
        super().__init__(root / split, root / f"{split}annot", CAMVID, void=len(CAMVID), size=size)
