"""Labelled pictures: those that ship with the series, and folders of your own. Sources and licences: data/README.md.

Every item is (image, label): float32 (3, H, W) in [0, 1] and int64 (H, W), 255 = void.
"""

from helpers.datasets import scenes, tasks
from helpers.datasets.files import read_image
from helpers.datasets.folders import CamVid, Folder
from helpers.datasets.photographs import PHOTOGRAPH_CLASSES, PHOTOGRAPHS, cell, coins, photograph, random_crops
from helpers.datasets.textures import TEXTURES, texture_crops, texture_mosaics

__all__ = [
    "HERO_PHOTOGRAPH", "HERO_SCENE", "PHOTOGRAPHS", "PHOTOGRAPH_CLASSES", "TEXTURES", "CamVid", "Folder", "cell",
    "coins", "photograph", "random_crops", "read_image", "scenes", "stored_results", "tasks", "texture_crops",
    "texture_mosaics",
]  # fmt: skip

# The two pictures that go through the whole series.
HERO_PHOTOGRAPH = "cat"
HERO_SCENE = 5  # of scenes.make(…, seed="test")


def stored_results(name):
    """As `helpers.scoreboard.stored`; "scenes" are the mean IoU and the class IoUs of the U-Net."""
    from helpers.scoreboard import stored  # it draws, and so stands to the right of the data

    return stored(name) if name != "scenes" else {"mean_iou": stored("unet")["mean_iou"]} | stored("unet")["iou"]
