"""What 10_side_by_side shows: its pictures, its explorer, its exercises; all from the stored results."""

import itertools

import torch
from matplotlib import rc_context

from helpers import scores
from helpers.datasets import scenes
from helpers.drawing.style import BLUE, GREEN, INK, ORANGE, RED, STYLE, subplots
from helpers.drawing.svg import document, line, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise
from helpers.scoreboard import ENTRIES, band, stored
from helpers.training import evaluate, fit

# The stride of the finest map of the encoder that a network's answer is made from.
FINEST = {
    "fcn_32s": 32, "fcn_16s": 16, "fcn_8s": 8, "deeplab_16_no_decoder": 16, "deeplab_8_no_decoder": 8,
    "deeplab_16": 2, "deeplab_8": 2, "unet_no_skips": 8, "unet": 1,
}  # fmt: skip
FAMILIES = {"fcn": ("FCN", BLUE, "o"), "deeplab": ("DeepLab", ORANGE, "s"), "unet": ("U-Net", GREEN, "^")}
ASKS = dict(zip(scenes.CLASSES, ("", "context", "context", "scale", "scale", "outline", "resolution"), strict=True))
COSTS = {"weights": "parameters", "multiply-adds": "multiply_adds", "milliseconds": "milliseconds"}
NEEDS = ("mean", *scenes.CLASSES, "outlines")
GREY = "#8A8A8A"


def about(name):
    return stored(name)["about"]


def class_iou(name):
    """{class: IoU, the mean over the stored seeds}."""
    return {key: sum(values) / len(values) for key, values in stored(name)["iou"].items()}


def gaps(first, second, labels):
    """SVG: a row for each class, two dots in it: the {class: IoU} of two networks; and its part of the gap."""
    left, wide, parts = 150, 530, []
    rows = [*first, "mean"]
    means = [sum(values.values()) / len(values) for values in (first, second)]
    for value in (0, 0.25, 0.5, 0.75, 1):
        x = left + wide * value
        parts += [line(x, 40, x, 46 + 34 * len(rows), stroke="#DDDDDD"), text(x, 34, value, size=13, anchor="middle")]
    for place, name in enumerate(rows):
        y, last = 62 + 34 * place, name == "mean"
        a, b = means if last else (first[name], second[name])
        weight = "bold" if last else "normal"
        part = b - a if last else (b - a) / len(first)
        x1, x2 = left + wide * a, left + wide * b
        parts += [text(0, y + 5, name, weight=weight), line(x1, y, x2, y, stroke=INK, width=3)]
        parts.append(f'<circle cx="{x1:.5g}" cy="{y}" r="7" fill="{BLUE}"/>')
        parts.append(rectangle(x2 - 6, y - 6, 12, 12, fill=GREEN, stroke=INK))
        words = f"{part:+.3f}" + ("" if last else f" = {b - a:+.2f} / {len(first)}")
        parts.append(text(left + wide + 30, y + 5, words, weight=weight))
    parts.append(f'<circle cx="8" cy="9" r="7" fill="{BLUE}"/>')
    parts += [text(22, 14, labels[0]), rectangle(150, 3, 12, 12, fill=GREEN, stroke=INK), text(170, 14, labels[1])]
    parts.append(text(left + wide + 30, 34, "part of the gap", size=13))
    return document(900, 56 + 34 * len(rows), parts, f"IoU by class: {labels[0]} and {labels[1]}")


def class_table(names=ENTRIES):
    """SVG: a row for each network, from the lowest mean IoU up, a column for each class; darker is better."""
    rows = sorted(names, key=lambda name: band(name)[1])
    left, top, width, height, parts = 330, 52, 78, 32, []
    for column, name in enumerate(scenes.CLASSES):
        x = left + width * (column + 0.5)
        parts += [text(x, 16, name, anchor="middle", weight="bold")]
        parts += [text(x, 38, ASKS[name], size=13, anchor="middle", fill="#444444")]
    parts += [text(0, 38, "network", size=13), text(left - 14, 38, "finest encoder map", size=13, anchor="end")]
    for row, name in enumerate(rows):
        y = top + height * row
        parts += [text(0, y + 21, about(name)), text(left - 14, y + 21, f"1/{FINEST[name]}", anchor="end")]
        for column, value in enumerate(class_iou(name).values()):
            shade = round(255 - 150 * max(value, 0))
            x, blue = left + width * column, f"rgb({shade},{min(shade + 25, 255)},255)"
            parts.append(rectangle(x, y, width, height, fill=blue, stroke="#FFFFFF", stroke_width=2))
            parts.append(text(x + width / 2, y + 21, f"{value:.2f}", anchor="middle"))
    return document(900, top + height * len(rows), parts, "IoU of each class for each network")


def finest_maps(names=ENTRIES):
    """`Figure`: mean IoU over the stride of the finest map that the answer is made from, a mark for each network."""
    figure, axis = subplots(height=4.2)
    with rc_context(STYLE):
        for key, (family, colour, marker) in FAMILIES.items():
            mine = [name for name in names if name.startswith(key)]
            x, y = [FINEST[name] for name in mine], [band(name)[1] for name in mine]
            axis.plot(x, y, marker, color=colour, ms=17 if key == "fcn" else 10, mec=INK, ls="none", label=family)
            for name in mine:
                down = -18 if name in ("deeplab_16", "fcn_16s", "fcn_8s") else 5
                right, side = (-10, "right") if FINEST[name] == 2 else (10, "left")
                place = FINEST[name], band(name)[1]
                axis.annotate(about(name), place, (right, down), textcoords="offset points", ha=side)
        axis.set_xscale("log", base=2)
        axis.set(xlim=(48, 0.45), ylim=(0.2, 1), ylabel="mean IoU")
        axis.set_xlabel("stride of the finest encoder map in the answer (pixels)")
        axis.set_xticks([32, 16, 8, 4, 2, 1], ["32", "16", "8", "4", "2", "1"])
        axis.grid(alpha=0.25)
        axis.legend(loc="lower right")
    return figure


def scores_of(name, need):
    """What is needed, for each stored seed: "mean" (mean IoU), a class (its IoU) or "outlines" (boundary score)."""
    entry = stored(name)
    return entry["iou"][need] if need in scenes.CLASSES else entry[{"mean": "mean_iou", "outlines": "boundary_f"}[need]]


def score_of(name, need):
    """Their mean."""
    values = scores_of(name, need)
    return sum(values) / len(values)


def cost_of(name, cost):
    """Weights, multiply-adds of one picture, or the shortest stored milliseconds for one picture."""
    value = stored(name)[COSTS[cost]]
    return min(value) if isinstance(value, list) else value


def affordable(cost, budget):
    """The networks that cost at most `budget` percent of the dearest."""
    most = budget / 100 * max(cost_of(name, cost) for name in ENTRIES)
    return [name for name in ENTRIES if cost_of(name, cost) <= most]


def choose(need, cost, budget):
    """The one of them with the best mean score; None where there is none."""
    return max(affordable(cost, budget), key=lambda name: score_of(name, need), default=None)


def level(chosen, need, cost, budget):
    """Others of them with a seed that is as good as the worst seed of the one that was chosen."""
    worst = min(scores_of(chosen, need))
    return [name for name in affordable(cost, budget) if name != chosen and max(scores_of(name, need)) >= worst]


def front(need, cost):
    """Networks, from the cheapest up, that nothing as cheap beats: the Pareto front."""
    ordered = sorted(ENTRIES, key=lambda name: (cost_of(name, cost), -score_of(name, need)))
    kept = []
    for name in ordered:
        if not kept or score_of(name, need) > score_of(kept[-1], need):
            kept.append(name)
    return kept


def choice_view(need, cost, budget):
    """SVG: score over cost for each stored network, the budget as a line; beside it the ranking, the choice marked."""
    dearest = max(cost_of(name, cost) for name in ENTRIES)
    chosen, best = choose(need, cost, budget), front(need, cost)
    left, top, wide, high, parts = 46, 26, 470, 290, []

    def place(name):
        return left + wide * cost_of(name, cost) / dearest, top + high * (1 - score_of(name, need))

    for value in (0, 0.25, 0.5, 0.75, 1):
        y = top + high * (1 - value)
        parts += [line(left, y, left + wide, y, stroke="#DDDDDD"), text(left - 8, y + 5, value, size=13, anchor="end")]
    limit = left + wide * budget / 100
    parts += [rectangle(limit, top, left + wide - limit + 12, high, fill="#EEEEEE")]
    parts += [line(limit, top, limit, top + high, stroke=RED, width=2.5, dash="7 4")]
    told = {"mean": "mean IoU", "outlines": "outlines (boundary F)"}.get(need, f"IoU of {need}")
    parts += [text(0, 12, f"{told} over {cost}", weight="bold"), text(left, top + high + 20, "0", size=13)]
    end = f"{dearest:.1f}" if cost == "milliseconds" else f"{dearest:,}"
    parts.append(text(left + wide, top + high + 20, end, size=13, anchor="end"))
    for before, after in itertools.pairwise(best):
        (x1, y1), (x2, y2) = place(before), place(after)
        parts += [line(x1, y1, x2, y1, stroke=BLUE), line(x2, y1, x2, y2, stroke=BLUE)]
    ranked = sorted(ENTRIES, key=lambda name: -score_of(name, need))
    for rank, name in enumerate(ranked):
        (x, y), letter = place(name), "ABCDEFGHIJ"[rank]
        inside = name in affordable(cost, budget)
        fill = ORANGE if name == chosen else "#CFE6F5" if inside else "#FFFFFF"
        ink, weight = INK if inside else GREY, "bold" if name == chosen else "normal"
        parts.append(f'<circle cx="{x:.5g}" cy="{y:.5g}" r="9" fill="{fill}" stroke="{ink}" stroke-width="2"/>')
        parts.append(text(x, y + 5, letter, size=13, anchor="middle", weight="bold", fill=ink))
        row = 40 + 27 * rank
        if name == chosen:
            parts.append(rectangle(560, row - 18, 340, 26, fill="#FBE7BF", stroke=INK))
        parts.append(text(570, row, f"{letter}  {about(name)}", fill=ink, weight=weight))
        parts.append(text(890, row, f"{score_of(name, need):.2f}", fill=ink, anchor="end", weight=weight))
    parts.append(text(570, 12, f"the best first; grey, right of the line: over {budget} %", size=13))
    answer = f"Take {about(chosen)}." if chosen else "Nothing is as cheap as that."
    parts.append(text(570, 304, answer, size=20, weight="bold", fill=INK if chosen else RED))
    equals = ["ABCDEFGHIJ"[ranked.index(name)] for name in level(chosen, need, cost, budget)] if chosen else []
    if equals:
        parts.append(text(570, 328, f"Its seeds overlap with {', '.join(sorted(equals))}: level.", size=13))
    return document(900, 342, parts, f"{told}, {cost} at most {budget} %: {answer}")


def explore():
    """What is needed, and what it may cost: which of the stored networks?"""
    controls = [choice("need", NEEDS), choice("cost", list(COSTS)), slider("budget", 10, 100, 100, 10)]
    frame(choice_view, controls, f"Without a limit take {about(choose('mean', 'weights', 100))}.")


def judge(build, train, test, epochs=8):
    """Train the network that `build()` makes, as all others were, and print its row: a verdict for `check`."""
    torch.manual_seed(0)
    net = build()
    if net is ...:
        return ...
    if not isinstance(net, torch.nn.Module):
        return "no network"
    size = sum(weight.numel() for weight in net.parameters())
    if size > stored("unet")["parameters"]:
        print(f"{size:,} weights; U-Net has {stored('unet')['parameters']:,}")
        return "too large"
    try:
        with torch.no_grad():
            logits = net.eval()(test[0][0][None])
    except (RuntimeError, ValueError, TypeError) as error:
        print(f"{type(error).__name__}: {error}")
        return "stopped"
    if getattr(logits, "shape", None) != (1, len(scenes.CLASSES), *test[0][1].shape):
        return "wrong shape"
    fit(net, train, epochs=epochs)
    value = scores.mean_iou(evaluate(net, test))
    print(f"yours: {size:,} weights, {epochs} epochs, mean IoU {value:.3f}")
    for name in ("fcn_8s", "unet"):
        print(f"{about(name)}: {stored(name)['parameters']:,} weights, mean IoU {band(name)[1]:.3f}")
    return "ahead" if value > band("fcn_8s")[2] else "behind"


EXERCISES["road-budget"] = Exercise(
    right=69,
    mistakes={
        "U-Net needs so many, but a cheaper network passes 0.8 too.": 84,
        "That is rounded down: the network costs a little more than that.": 68,
        "DeepLab at stride 8 needs so many; the same network at another stride is cheaper.": 87,
        "U-Net without skips costs nearly that. Look at its roads.": 67,
        "That buys FCN-8s: the best mean for the money, but it hardly finds a road.": 28,
    },
    hints=(
        "change `most` above until a network with more than 0.8 is printed.",
        "look for the cheapest network whose finest map has stride 2 or 1, and round up.",
    ),
    insight="FCN-8s costs 28 million: for roads you pay more than twice that, for lakes you need not.",
)


_first = torch.tensor([0.9, 0.8, 0.2, 0.5], dtype=torch.double)
_second = torch.tensor([0.9, 0.9, 0.8, 0.6], dtype=torch.double)
EXERCISES["class-part"] = Exercise(
    right=lambda first, second: (second - first) / len(first),
    cases=((_first, _second), (_second, _first), (_first[:3], _second[1:])),
    mistakes={
        "This is the gap of the means, one number. Each class has its own part of it.": lambda a, b: (b - a).mean(),
        "These are the gaps of the classes. Their parts of the mean are smaller.": lambda a, b: b - a,
        "The sign is wrong: positive means that the second network is ahead.": lambda a, b: (a - b) / len(a),
        "These are shares that add up to 1; parts add up to the gap.": lambda a, b: (b - a) / (b - a).sum(),
        "A class may also lose: keep the sign.": lambda a, b: (b - a).abs() / len(a),
    },
    hints=(
        "the mean adds the classes and divides by how many there are. What does it do to one of them?",
        "leave out the sum, keep the division.",
    ),
    insight="A mean is a sum: so a gap of means always has owners. Ask for them before you believe a ranking.",
)

EXERCISES["contender"] = Exercise(
    right="ahead",
    mistakes={
        "It runs, but FCN-8s is better. From which stride does your finest map come?": "behind",
        "It has more weights than U-Net, and that was the budget.": "too large",
        "The scores must be a tensor (N, 7, H, W), as large as the picture: is a step up missing?": "wrong shape",
        "It stopped at the first picture; the message stands above.": "stopped",
        "`my_network` should return a network (an `nn.Module`), not its class or its scores.": "no network",
    },
    hints=(
        "which map does FCN-8s lack, so that it misses the roads?",
        "add or concatenate a map of stride 1 or 2 at the end, and keep a deep one for the context.",
    ),
    insight="You know what the scenes ask for, so you can beat a famous network with one of your own.",
)
