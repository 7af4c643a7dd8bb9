"""Train with five seeds and store the scores in data/results/ (some minutes).

python tools/results.py
"""

import json

import torch

from helpers import DATA, datasets, scores
from helpers.networks import UNet
from helpers.training import fit, segment


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
