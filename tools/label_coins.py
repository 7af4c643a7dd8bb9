"""Make data/photos/coins.png and its label again (needs scikit-image, which `make setup` installs).

python tools/label_coins.py
"""

from pathlib import Path

import console  # noqa: F401  characters that the console cannot show
import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data, filters, morphology, segmentation

PHOTOS = Path(__file__).resolve().parent.parent / "data" / "photos"


def watershed_label(photo):
    """The stored label: 1 where a flood from sure coin (> 150) meets the edge before one from sure table (< 30)."""
    markers = np.where(photo > 150, 2, np.where(photo < 30, 1, 0))
    coins = ndimage.binary_fill_holes(segmentation.watershed(filters.sobel(photo), markers) == 2)
    return morphology.remove_small_objects(coins, max_size=20).astype(np.uint8)


def threshold_label(photo):
    """A second recipe, to see how far two methods agree: table brightness taken away, Otsu's threshold, clean-up."""
    table = morphology.opening(photo, morphology.disk(30))
    above = photo.astype(int) - table
    coins = ndimage.binary_fill_holes(above > filters.threshold_otsu(above))
    return morphology.opening(coins, morphology.disk(3)).astype(np.uint8)


if __name__ == "__main__":
    photo = data.coins()
    Image.fromarray(photo).save(PHOTOS / "coins.png", optimize=True)
    Image.fromarray(watershed_label(photo)).save(PHOTOS / "coins_label.png", optimize=True)
