"""Train every experiment of the series with several seeds, and store what it scores in data/results/NAME.json.

python tools/results.py                     all that is missing (about half an hour on one core)
python tools/results.py fcn_8s unet         these, what is missing of them
python tools/results.py --again gridding    these, from the start

One torch thread. Every seed is written when it is done: interrupt it, and the next call goes on from there. A change
of an experiment's settings starts it anew.
"""

import argparse
import json
import platform
import time
from dataclasses import dataclass
from functools import cache, partial

import console  # noqa: F401  characters that the console cannot show
import targets
import torch
from tqdm import tqdm

from helpers import DATA, datasets, scores, trace
from helpers.datasets import scenes, tasks
from helpers.networks import FCN, DeepLab, UNet, dilated_stack
from helpers.training import evaluate, fit, segment

FOLDER = DATA / "results"
DISTANCES = ((0, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14), (14, 99))  # from the bank, in pixels


@dataclass
class Experiment:
    """`run(network, seed, **settings)` trains a new network and returns {figure: number}."""

    about: str
    network: partial  # makes the network
    run: object
    settings: dict
    seeds: int = 5

    def described(self):
        """All that decides the result but the seed, and the network's size."""
        arguments = [*map(repr, self.network.args), *(f"{k}={v!r}" for k, v in self.network.keywords.items())]
        with torch.device("meta"):
            total = trace(self.network(), (3, self.settings["size"], self.settings["size"])).total
        return {
            "about": self.about,
            "network": f"{self.network.func.__name__}({', '.join(arguments)})",
            "settings": self.settings,
            "parameters": total.parameters,
            "multiply_adds": total.macs,
        }


def trained(network, pictures, seed, epochs):
    """(the network, seconds of training): the recipe is that of `fit`, for all."""
    torch.manual_seed(seed)
    net = network()
    start = time.process_time()
    fit(net, pictures, epochs=epochs, seed=seed)
    return net, time.process_time() - start


def milliseconds(net, picture, batch=8, repeats=8):
    """The shortest of some forward passes, for one picture of a batch."""
    images, times = picture.expand(batch, *picture.shape).contiguous(memory_format=torch.channels_last), []
    with torch.no_grad():
        for _ in range(repeats + 1):  # the first sets things up
            start = time.process_time()
            net(images)
            times.append(time.process_time() - start)
    return 1000 * min(times) / batch


def scored(net, pictures, classes):
    """Mean IoU, IoU of each class, boundary score (within 1 px) and the confusion matrix."""
    matrix = evaluate(net, pictures)
    return {
        "mean_iou": scores.mean_iou(matrix),
        "boundary_f": boundary(net, pictures),
        "milliseconds": milliseconds(net, pictures[0][0]),
        "iou": dict(zip(classes, scores.iou(matrix).tolist(), strict=True)),
        "confusion": matrix.tolist(),
    }


def boundary(net, pictures):
    return sum(scores.boundary_f_score(segment(net, image), label, 1) for image, label in pictures) / len(pictures)


made = cache(scenes.make)


def on_scenes(network, seed, train, test, size, epochs):
    """The scoreboard's task."""
    net, seconds = trained(network, made(train, size, "train"), seed, epochs)
    return {"seconds": seconds} | scored(net, made(test, size, "test"), scenes.CLASSES)


def on_odd_sizes(network, seed, train, test, size, epochs):
    """One network, trained on one size, tested beside it with every remedy. Border: 4 pixels at the lower right."""
    net, seconds = trained(network, made(train, size, "train"), seed, epochs)
    result = {"seconds": seconds, "mean_iou": scores.mean_iou(evaluate(net, made(test, size, "test")))}
    for side in (size, size - 1, size + 1):
        pictures = made(test, side, "test")
        for remedy in UNet.ODD_SIZES[1:]:
            net.odd_sizes = remedy
            predictions = [segment(net, image) for image, _ in pictures]
            answered = len(predictions[0])  # "crop" gives less: the label is cut too
            labels = pictures.labels[:, :answered, :answered]
            matrix = scores.confusion_matrix(torch.stack(predictions), labels, len(scenes.CLASSES))
            right = torch.stack(predictions) == labels
            border = torch.cat([right[:, -4:].flatten(), right[:, :-4, -4:].flatten()])
            result[f"{side} {remedy}"] = {
                "mean_iou": scores.mean_iou(matrix),
                "border_accuracy": border.double().mean().item(),
                "milliseconds": milliseconds(net, pictures[0][0]),
                "share_of_pixels": labels[0].numel() / side**2,
            }
    return result


def on_water(network, seed, train, test, size, epochs):
    """Lake or reservoir: accuracy on water, by distance from the bank, which alone tells."""
    net, seconds = trained(network, made(train, size, "train", water_only=True), seed, epochs)
    pictures = made(test, size, "test", water_only=True)
    distance = torch.stack([pictures.bank_distance(i) for i in range(len(pictures))])
    right = torch.stack([segment(net, image) for image, _ in pictures]) == pictures.labels
    accuracy = {}
    for low, high in DISTANCES:
        accuracy[f"{low}–{high}"] = right[(distance >= low) & (distance < high)].double().mean().item()
    return {
        "seconds": seconds,
        "mean_iou": scores.mean_iou(evaluate(net, pictures)),
        "water_accuracy": right[distance >= 0].double().mean().item(),
        "beyond_8": right[distance > 8].double().mean().item(),
        "accuracy": accuracy,
        "milliseconds": milliseconds(net, pictures[0][0]),
    }


def on_task(network, seed, task, train, test, size, epochs):
    """One of `tasks`: training pictures of seed 1, test pictures of seed 2."""
    net, seconds = trained(network, task_of(task, train, size, 1), seed, epochs)
    matrix = evaluate(net, task_of(task, test, size, 2))
    return {
        "seconds": seconds,
        "mean_iou": scores.mean_iou(matrix),
        "accuracy": scores.pixel_accuracy(matrix),
        "iou": {str(index): value for index, value in enumerate(scores.iou(matrix).tolist())},
    }


@cache
def task_of(task, n, size, seed):
    return getattr(tasks, task)(n, size, seed)


def on_coins(network, seed, size, train, epochs):
    """Left half of the photograph to the right half, as 00_start_here does."""
    image, label = datasets.coins()
    image, label = image[:, :296], label[:296]
    crops = datasets.random_crops(image[..., :192], label[..., :192], size=size, count=train, seed=seed)
    net, seconds = trained(network, crops, seed, epochs)
    matrix = scores.confusion_matrix(segment(net, image[..., 192:]), label[..., 192:], classes=2)
    return {"seconds": seconds, "coin_iou": scores.iou(matrix)[1].item()}


def on_mosaics(network, seed, size, train, test, epochs):
    """Left halves of the photographs to the right halves."""
    pictures = datasets.texture_mosaics(train, size, seed=seed, split="train")
    net, seconds = trained(network, pictures, seed, epochs)
    matrix = evaluate(net, datasets.texture_mosaics(test, size, split="test"))
    return {"seconds": seconds, "mean_iou": scores.mean_iou(matrix)}


SCENES = {"train": 256, "test": 128, "size": 96, "epochs": 8}
SMALL = SCENES | {"size": 64}
PAIRS = {"task": "neighbours", "train": 128, "test": 64, "size": 64, "epochs": 2}
POND = {"task": "evidence_anywhere", "train": 256, "test": 128, "size": 64, "epochs": 8}
MOSAICS = {"size": 96, "train": 256, "test": 128, "epochs": 4}
fcn, unet, deeplab = partial(FCN, 3, 7), partial(UNet, 3, 7), partial(DeepLab, 3, 7)
shallow = partial(DeepLab, 3, 3, output_stride=4, widths=(16, 24), decoder=False)
stack = partial(dilated_stack, 3)

# Most needed first. The scoreboard's entries (`helpers.scoreboard.ENTRIES`) all run `on_scenes` with SCENES.
EXPERIMENTS = {
    "gridding_222": Experiment("pairs of pixels, dilations 2, 2, 2", partial(stack, 2, [2, 2, 2]), on_task, PAIRS),
    "gridding_123": Experiment("pairs of pixels, dilations 1, 2, 3", partial(stack, 2, [1, 2, 3]), on_task, PAIRS),
    "gridding_111": Experiment("pairs of pixels, no dilation", partial(stack, 2, [1, 1, 1]), on_task, PAIRS),
    "fcn_32s": Experiment("FCN-32s", partial(fcn, prediction_stride=32), on_scenes, SCENES),
    "fcn_16s": Experiment("FCN-16s", partial(fcn, prediction_stride=16), on_scenes, SCENES),
    "fcn_8s": Experiment("FCN-8s", partial(fcn, prediction_stride=8), on_scenes, SCENES),
    "unet": Experiment("U-Net", unet, on_scenes, SCENES),
    "unet_no_skips": Experiment("U-Net without skips", partial(unet, skips=False), on_scenes, SCENES),
    "unet_sum": Experiment("U-Net, skips added", partial(unet, skips="sum"), on_scenes, SCENES),
    "deeplab_8": Experiment("DeepLab, stride 8", partial(deeplab, output_stride=8), on_scenes, SCENES),
    "deeplab_16": Experiment("DeepLab, stride 16", partial(deeplab, output_stride=16), on_scenes, SCENES),
    "deeplab_8_no_decoder": Experiment(
        "DeepLab, stride 8, no decoder", partial(deeplab, output_stride=8, decoder=False), on_scenes, SCENES
    ),
    "deeplab_16_no_decoder": Experiment(
        "DeepLab, stride 16, no decoder", partial(deeplab, output_stride=16, decoder=False), on_scenes, SCENES
    ),
    "water_small_view": Experiment("water, 7 layers, no dilation", partial(stack, 3, [1] * 7), on_water, SMALL),
    "water_large_view": Experiment(
        "water, 7 layers, dilations 1, 1, 2, 4, 8, 16, 1", partial(stack, 3, [1, 1, 2, 4, 8, 16, 1]), on_water, SMALL
    ),
    "odd_sizes": Experiment("U-Net on sizes that it was not made for", unet, on_odd_sizes, SMALL),
    "separable_standard": Experiment("U-Net, 64 px", unet, on_scenes, SMALL, 10),
    "separable_equal_width": Experiment(
        "U-Net, separable, equal width", partial(unet, separable=True), on_scenes, SMALL, 10
    ),
    "separable_equal_parameters": Experiment(
        "U-Net, separable, as many parameters", partial(unet, separable=True, width=18), on_scenes, SMALL, 10
    ),
    "bank_1x1": Experiment(
        "water, shallow backbone, 1×1 head", partial(shallow, aspp=False, image_pooling=False), on_water, SMALL
    ),
    "bank_aspp_111": Experiment(
        "water, shallow backbone, rates 1, 1, 1",
        partial(shallow, rates=(1, 1, 1), image_pooling=False),
        on_water,
        SMALL,
    ),
    "bank_aspp_136": Experiment(
        "water, shallow backbone, rates 1, 3, 6",
        partial(shallow, rates=(1, 3, 6), image_pooling=False),
        on_water,
        SMALL,
    ),
    "mark_aspp_111": Experiment(
        "a mark anywhere, rates 1, 1, 1", partial(shallow, rates=(1, 1, 1), image_pooling=False), on_task, POND
    ),
    "mark_aspp_136": Experiment(
        "a mark anywhere, rates 1, 3, 6", partial(shallow, rates=(1, 3, 6), image_pooling=False), on_task, POND
    ),
    "mark_pooling": Experiment("a mark anywhere, image pooling alone", partial(shallow, aspp=False), on_task, POND),
    "mark_aspp_pooling": Experiment(
        "a mark anywhere, rates 1, 3, 6 and image pooling", partial(shallow, rates=(1, 3, 6)), on_task, POND
    ),
    "deeplab_8_no_aspp": Experiment(
        "DeepLab, stride 8, no ASPP", partial(deeplab, output_stride=8, aspp=False), on_scenes, SCENES, 3
    ),
    "deeplab_8_no_pooling": Experiment(
        "DeepLab, stride 8, no image pooling",
        partial(deeplab, output_stride=8, image_pooling=False),
        on_scenes,
        SCENES,
        3,
    ),
    "deeplab_32": Experiment("DeepLab, stride 32", partial(deeplab, output_stride=32), on_scenes, SCENES, 3),
    "deeplab_8_separable": Experiment(
        "DeepLab, stride 8, separable", partial(deeplab, output_stride=8, separable=True), on_scenes, SCENES, 3
    ),
    "coins": Experiment("U-Net, coins", partial(UNet, 3, 2), on_coins, {"size": 64, "train": 192, "epochs": 3}),
    "mosaics": Experiment("U-Net, texture mosaics", partial(UNet, 3, 3), on_mosaics, MOSAICS),
    "mosaics_fcn_8s": Experiment("FCN-8s, texture mosaics", partial(FCN, 3, 3), on_mosaics, MOSAICS),
}


def run(name, again=False, seeds=None, step=lambda: None):
    """Train what is missing of one experiment, and write it seed by seed. Returns what is stored."""
    experiment = EXPERIMENTS[name]
    described, path = experiment.described(), FOLDER / f"{name}.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() and not again else {}
    if any(stored.get(key) != value for key, value in described.items()):
        stored = described | {"versions": versions(), "seeds": []}
    for seed in range(experiment.seeds if seeds is None else seeds):
        if seed not in stored["seeds"]:
            append(stored, {"seeds": seed} | experiment.run(experiment.network, seed, **experiment.settings))
            write(path, stored)
        step()
    return stored


def versions():
    return {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]}


def append(stored, result):
    """Each number to the list of its name."""
    for name, value in result.items():
        if isinstance(value, dict):
            append(stored.setdefault(name, {}), value)
        else:
            stored.setdefault(name, []).append(round(value, 4) if isinstance(value, float) else value)


def write(path, stored):
    """JSON with one line for each entry."""
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in stored.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--again", action="store_true", help="from the start")
    parser.add_argument("--seeds", type=int, help="so many seeds instead of the experiment's own number")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in EXPERIMENTS:
            parser.error(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    torch.set_num_threads(1)
    names = arguments.names or list(EXPERIMENTS)
    with tqdm(total=sum(arguments.seeds or EXPERIMENTS[name].seeds for name in names), unit="run") as bar:
        for name in names:
            bar.set_description(name)
            result = run(name, arguments.again, arguments.seeds, bar.update)
            for figure in ("coin_iou", "mean_iou", "beyond_8"):
                if figure in result:
                    bar.write(f"{name}: {figure} {' '.join(f'{value:.3f}' for value in result[figure])}")
    if all((FOLDER / f"{name}.json").exists() for name in EXPERIMENTS):
        targets.write(EXPERIMENTS)
