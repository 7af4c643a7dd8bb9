"""What 09_deeplab shows: its pictures, its explorer, its exercises, and pretrained weights for those who have them."""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F

from helpers.drawing.style import BLUE, GREEN, INK, ORANGE, RED
from helpers.drawing.svg import cells, document, line, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

PALE, COUNTS = "#CFE6F5", (9, 6, 4, 2, 1)
POSITIONS = ("middle", "edge", "corner")


def readings(numbers, row, column, rates, sums):
    """SVG: the same map of numbers once for each branch that reads one unit, what it reads in colour.

    numbers: rows of digits. sums: what each branch gives: the 1×1, each rate, and the mean of the map.
    """
    titles = ["1×1", *(f"3×3, rate {rate}" for rate in rates), "the mean"]
    step = 900 / len(titles)
    size, side, parts = (step - 14) / len(numbers), len(numbers), []
    every = [(y, x) for y in range(side) for x in range(side)]
    for place, (title, value) in enumerate(zip(titles, sums, strict=True)):
        left = place * step
        reach = [0] if place == 0 else [-rates[place - 1], 0, rates[place - 1]] if place <= len(rates) else None
        read = every if reach is None else [(row + a, column + b) for a in reach for b in reach]
        read = [spot for spot in read if spot in every]
        parts.append(text(left, 14, title, weight="bold"))
        parts += [cells(every, left, 24, size, stroke="#BBBBBB"), cells(read, left, 24, size, fill=PALE, stroke=BLUE)]
        for y, x in every:
            look = {"weight": "bold", "fill": INK} if (y, x) in read else {"fill": "#888888"}
            spot = left + (x + 0.5) * size, 24 + (y + 0.72) * size
            parts.append(text(*spot, numbers[y][x], size=size * 0.62, anchor="middle", **look))
        parts.append(cells([(row, column)], left, 24, size, stroke=RED, width=2.5))
        gives = f"{len(read)} read, gives {value:.4g}" if reach else f"all read, gives {value:.3g}"
        parts.append(text(left, 44 + side * size, gives, size=14))
    return document(900, 56 + side * size, parts, f"{len(titles)} branches read the unit in row {row}, column {column}")


def diagram(in_channels, out_channels, rates):
    """SVG: the branches of ASPP side by side, between the one map that all read and the layer that joins them."""
    names = ["1×1", *(f"3×3, rate {rate}" for rate in rates), "mean, 1×1"]
    gap, top, parts = 250 / len(names), 10, []
    middle = top + 125
    parts += _box(0, middle - 30, 150, 60, ORANGE, "map", f"{in_channels} channels")
    for place, name in enumerate(names):
        y = top + (place + 0.5) * gap
        parts.append(line(150, middle, 235, y))
        parts += _box(235, y - gap / 2 + 4, 190, gap - 8, BLUE, name, f"{out_channels} channels" if gap > 45 else "")
        parts.append(line(425, y, 510, middle))
    parts += _box(510, middle - 30, 160, 60, GREEN, "concatenated", f"{len(names) * out_channels} channels")
    parts.append(line(670, middle, 730, middle))
    parts += _box(730, middle - 30, 160, 60, BLUE, "1×1", f"{out_channels} channels")
    return document(900, 270, parts, f"{len(names)} branches read the same map; their results are concatenated")


def _box(x, y, width, height, colour, name, below):
    yield rectangle(x, y, width, height, fill="white", stroke=colour, stroke_width=2.5)
    yield text(x + width / 2, y + height / 2 + (-3 if below else 5), name, anchor="middle", weight="bold", size=14)
    yield text(x + width / 2, y + height / 2 + 15, below, anchor="middle", size=13)


def taps(n, rate):
    """How many of the three taps of a dilated kernel meet a line of n units, int64 (n,): padded by `rate`."""
    place = torch.arange(n)
    return 1 + (place >= rate).long() + (place + rate < n).long()


def map_view(image, rate, side, position):
    """SVG: a map of side × side units, drawn as a photograph, under the nine taps of one unit; and what all units see.

    image: (3, H, W). position: one of `POSITIONS`.
    """
    row, column = {"middle": (side // 2, side // 2), "edge": (side // 2, 0), "corner": (0, 0)}[position]
    unit = 340 / (side + 2 * rate)
    start, width = rate * unit, side * unit
    small = F.interpolate(image[None], (side, side), mode="area")[0]
    parts = [rectangle(0, 0, 340, 340, fill="#F2F2F2"), picture(small, start, start, width, width)]
    parts.append(rectangle(start, start, width, width, stroke=INK, stroke_width=1.5))
    size, met = max(unit, 11), 0
    for y in (row - rate, row, row + rate):
        for x in (column - rate, column, column + rate):
            inside = 0 <= y < side and 0 <= x < side
            met += inside
            left, above = start + (x + 0.5) * unit - size / 2, start + (y + 0.5) * unit - size / 2
            look = {"fill": ORANGE, "stroke": INK} if inside else {"fill": "white", "stroke": RED, "dash": "3 2"}
            parts.append(rectangle(left, above, size, size, stroke_width=2, **look))
    table = taps(side, rate)[:, None] * taps(side, rate)
    shares = {count: (table == count).double().mean().item() for count in COUNTS}
    mean = table.double().mean().item()
    parts.append(text(390, 16, f"this unit: {met} of 9 taps meet the map", weight="bold", size=17))
    parts.append(text(390, 56, "share of all units whose kernel has", size=15))
    for place, (count, share) in enumerate(shares.items()):
        y = 70 + 40 * place
        parts.append(text(470, y + 18, f"{count} tap{'s' * (count > 1)}", anchor="end"))
        parts.append(rectangle(482, y, 300 * share, 24, fill=PALE, stroke=BLUE if share else "none", stroke_width=2))
        parts.append(text(492 + 300 * share, y + 18, f"{share:.1%}" if 0 < share < 1 else f"{share:.0%}"))
    if rate >= side:
        verdict, colour = "only the middle tap is left: a 1×1 convolution", RED
    elif not shares[9]:
        verdict, colour = "no unit uses all nine taps", RED
    else:
        verdict, colour = f"on average {mean:.2f} of 9 taps do something", INK
    parts.append(text(390, 300, verdict, weight="bold", size=18, fill=colour))
    parts.append(text(390, 328, f"kernel: {2 * rate + 1} units wide; map: {side}", size=15))
    return document(900, 342, parts, f"Rate {rate} on a {side}×{side} map: {met} of 9 taps meet it; {verdict}")


def explore(image):
    """Rate, size of the map and position: which taps still see the map, and what that leaves of the kernel."""
    square = image[:, 30:270, 100:340]
    controls = [slider("rate", 1, 72, 6), slider("map", 5, 65, 33), choice("position", POSITIONS)]
    finding = "Rate 6 on a 33×33 map: already fewer than half of the units use all nine taps."
    frame(lambda rate, map, position: map_view(square, rate, map, position), controls, finding)


HOW = (
    "No weights here, so nothing is segmented. To get some, set weights_path to one of these and run the cell again:\n"
    '- "download": torchvision fetches its smallest DeepLabV3, 42 MB, and keeps it;\n'
    "- the path of a file that you have: a state dict of torchvision's deeplabv3_resnet50, deeplabv3_resnet101 or\n"
    "  deeplabv3_mobilenet_v3_large. What torchvision has downloaded before is found without a path."
)


def pretrained(weights_path=""):
    """(a DeepLabV3 of torchvision's with pretrained weights, its classes), or None: then it prints how to get them.

    weights_path: a file with a state dict, "download", or nothing: then torchvision's cache is searched. A file is
    read by `torch.load(weights_only=True)`: no code that stands in it is run.
    """
    from torchvision.models import get_model_weights

    known = {name: get_model_weights(name).DEFAULT for name in _BUILDERS}
    if weights_path == "download":
        smallest = known["deeplabv3_mobilenet_v3_large"].url
        try:
            state = torch.hub.load_state_dict_from_url(smallest, progress=False, check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:
            print(f"The download failed ({error}). Get {smallest} on another way, and give its path.")
            return None
    else:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        cached = (folder / Path(entry.url).name for entry in known.values())
        path = Path(weights_path).expanduser() if weights_path else next(filter(Path.exists, cached), None)
        if path is None:
            print(HOW)
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
            print(f"{path.name} cannot be read as weights ({type(error).__name__}).\n{HOW}")
            return None
    name = _architecture(state)
    if name is None:
        print(f"These are no weights of {', '.join(_BUILDERS)}.\n{HOW}")
        return None
    try:
        return _loaded(name, state), known[name].meta["categories"]
    except RuntimeError:
        print(f"This looks like {name}, but not all of its weights fit.\n{HOW}")
        return None


# How the networks are told apart: a name that only this one has. The first that fits is taken.
_BUILDERS = {
    "deeplabv3_mobilenet_v3_large": "backbone.0.0.weight",
    "deeplabv3_resnet101": "backbone.layer3.22.conv1.weight",
    "deeplabv3_resnet50": "backbone.layer3.5.conv1.weight",
}


def _architecture(state):
    aspp, last = "classifier.0.convs.0.0.weight", "classifier.4.weight"
    if not isinstance(state, dict) or aspp not in state or last not in state or len(state[last]) != 21:
        return None
    return next((name for name, mark in _BUILDERS.items() if mark in state), None)


def _loaded(name, state):
    from torchvision.models import get_model

    auxiliary = any(key.startswith("aux_classifier") for key in state)
    model = get_model(name, weights=None, weights_backbone=None, aux_loss=auxiliary)
    model.load_state_dict(state)
    return model.eval()


def segment_photograph(model, image):
    """The class of each pixel, int64 (H, W), of a photograph (3, H, W) in [0, 1], normalised as torchvision does."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    scale = 520 / min(image.shape[-2:])
    larger = F.interpolate(image[None], scale_factor=scale, mode="bilinear", antialias=True)
    with torch.no_grad():
        scores = model((larger - mean[:, None, None]) / deviation[:, None, None])["out"]
    return F.interpolate(scores, image.shape[-2:], mode="bilinear")[0].argmax(dim=0)


EXERCISES["four-taps"] = Exercise(
    right={16, 17},
    mistakes={
        **{f"{rate} is right, but not alone. Type both, as a set: {{…, …}}.": rate for rate in (16, 17)},
        **{f"{rate} is right, but not alone: a neighbour has just as many.": {rate} for rate in (16, 17)},
        **{f"Of {a} and {b}, one is right. Compare their shares.": {a, b} for a, b in ((15, 16), (17, 18))},
        "From 33 on only the middle tap is left.": {33},
        "At 32 nearly every unit has one tap only. Go down.": {32},
        "11 is a third of the map: the share of nine taps is small there, but six is common.": {11},
        "18 is v3's largest rate. Near, but not the peak.": {18},
    },
    hints=(
        "change `rate_try` above and look at the share. It rises, and then it falls.",
        "four taps means two along each axis. At which rate has every unit of a line a partner on just one side?",
    ),
    insight="Half the map. v3's rate 18 lies just above: its kernel is a 2×2 at five units of six.",
)


def _rates(output_stride):
    return [rate * 16 // output_stride for rate in (6, 12, 18)]


EXERCISES["rates"] = Exercise(
    right=_rates,
    cases=((16,), (8,), (4,), (32,)),
    mistakes={
        "Right at 16 only: a finer map needs larger rates.": lambda output_stride: [6, 12, 18],
        "Right at 8 only: torchvision's MobileNet makes this mistake.": lambda output_stride: [12, 24, 36],
        "The wrong way round: at half the output stride a unit is half as wide, so the rate must double.": (
            lambda output_stride: [rate * output_stride / 16 for rate in (6, 12, 18)]
        ),
        "That is the reach in pixels. Divide by the output stride.": lambda output_stride: [96, 192, 288],
        "A rate that doubles is multiplied, not moved.": (
            lambda output_stride: [rate + 16 - output_stride for rate in (6, 12, 18)]
        ),
    },
    hints=(
        "how many pixels does rate 6 reach at output stride 16? Which rate reaches as far at 8?",
        "rate · output_stride must stay what it is at output stride 16. Rates are whole numbers.",
    ),
    insight="12, 24 and 36 at output stride 8: torchvision's rates – also in a model whose output stride is 16.",
)


def _random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def _pooling_branch(x):
    return x.mean(dim=(-2, -1), keepdim=True).expand_as(x)


EXERCISES["pooling-branch"] = Exercise(
    right=_pooling_branch,
    cases=((_random(2, 3, 4, 5),), (_random(1, 2, 3, 3),)),
    mistakes={
        "One number for each channel: right. Now give it to every unit of the map.": (
            lambda x: x.mean(dim=(-2, -1), keepdim=True)
        ),
        "The mean has lost its two last axes: keep them, then enlarge.": lambda x: x.mean(dim=(-2, -1)),
        "This is the mean over the channels. Take it over height and width.": (
            lambda x: x.mean(dim=1, keepdim=True).expand_as(x)
        ),
        "This is the mean over the whole batch too: one picture must not see another.": (
            lambda x: x.mean(dim=(0, 2, 3), keepdim=True).expand_as(x)
        ),
        "This is the largest value. The branch takes the mean.": (
            lambda x: x.amax(dim=(-2, -1), keepdim=True).expand_as(x)
        ),
        "The map came back as it was.": lambda x: x,
    },
    hints=(
        "take the mean over the two last axes, and keep them as axes of size 1.",
        "a (N, C, 1, 1) map becomes (N, C, H, W) by `expand`, or by bilinear enlarging: of one value, all the same.",
    ),
    insight="It is the one branch that reaches everywhere, and the one that knows nothing about where.",
)  # fmt: skip
