"""Picture files in, tensors out: the only reader of the series."""

import numpy as np
import torch
from PIL import Image, ImageOps


def open_picture(path):
    """The picture at `path`, upright as its EXIF data says. ValueError when it cannot be read."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read as a picture ({error})") from error


def open_image(path):
    """The photograph at `path`, upright. ValueError for more than 8 bits a channel, which would be cut off at 255."""
    picture = open_picture(path)
    if picture.mode[0] in "IF":
        raise ValueError(f"{path}: has more than 8 bits a pixel ({picture.mode}): scale it to 0…255 and save that")
    return picture


def image_tensor(picture):
    """A Pillow picture as float32 (3, H, W) in [0, 1]."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def label_tensor(picture):
    """A Pillow picture of one number a pixel as int64 (H, W)."""
    return torch.from_numpy(np.array(picture, dtype=np.int64))


def read_image(path):
    """The picture at `path` as float32 (3, H, W) in [0, 1]; grey becomes three equal channels."""
    return image_tensor(open_image(path))


def read_label(path):
    """The label map at `path` as int64 (H, W)."""
    return label_tensor(open_picture(path))
