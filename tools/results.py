"""Train with five seeds and store the scores in data/results/ (some minutes).

python tools/results.py
"""

import json

import console  # noqa: F401  characters that the console cannot show
import torch

from helpers import DATA, datasets, scores
from helpers.datasets import scenes
from helpers.networks import UNet
from helpers.training import evaluate, fit, segment


def coins(seed):
    """Coin IoU on the right half of the photograph, after training on the left half, as 00_start_here does."""
    image, label = datasets.coins()
    image, label = image[:, :296], label[:296]
    crops = datasets.random_crops(image[..., :192], label[..., :192], size=64, count=192, seed=seed)
    torch.manual_seed(seed)
    net = UNet(in_channels=3, classes=2)
    fit(net, crops, epochs=3, seed=seed)
    matrix = scores.confusion_matrix(segment(net, image[..., 192:]), label[..., 192:], classes=2)
    return {"coin_iou": scores.iou(matrix)[1].item()}


def mosaics(seed):
    """Mean IoU of a U-Net on texture mosaics: trained on left halves of the photographs, tested on right halves."""
    torch.manual_seed(seed)
    net = UNet(in_channels=3, classes=3)
    fit(net, datasets.texture_mosaics(256, seed=seed, split="train"), epochs=4, seed=seed)
    return {"mean_iou": scores.mean_iou(evaluate(net, datasets.texture_mosaics(128, split="test")))}


def aerial(seed):
    """Mean IoU, and IoU per class, of a U-Net on 128 test scenes after 8 epochs over 256 training scenes."""
    torch.manual_seed(seed)
    net = UNet(in_channels=3, classes=len(scenes.CLASSES))
    fit(net, scenes.make(256, seed="train"), epochs=8, seed=seed)
    matrix = evaluate(net, scenes.make(128, seed="test"))
    return {"mean_iou": scores.mean_iou(matrix)} | dict(zip(scenes.CLASSES, scores.iou(matrix).tolist(), strict=True))


def store(name, run, seeds=range(5)):
    """Run once for each seed, and write {figure: [value for each seed]}."""
    runs = [run(seed) for seed in seeds]
    table = {figure: [round(result[figure], 4) for result in runs] for figure in runs[0]}
    (DATA / "results").mkdir(exist_ok=True)
    (DATA / "results" / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n")
    print(name, table)


if __name__ == "__main__":
    torch.set_num_threads(1)
    store("coins", coins)
    store("mosaics", mosaics)
    store("scenes", aerial)
