"""What 00_start_here shows: its pictures, its explorer, its exercises."""

import itertools

import torch
import torch.nn.functional as F
from matplotlib import rc_context

from helpers import datasets, scores
from helpers.datasets import scenes
from helpers.drawing import colours, compare_masks, mark_errors, panels
from helpers.drawing.style import BLUE, CLASSES, INK, ORANGE, RED, SKY, STYLE, subplots
from helpers.drawing.svg import document, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

NAMES = ["table", "coin"]


def coins():
    """The coins, cut from 303 to 296 rows of bare table: a U-Net with three poolings wants multiples of 8."""
    return tuple(picture_[..., :296, :] for picture_ in datasets.coins())


def cut_out(image, label, kept, result):
    """A photograph, its label map, and what was made of both. `kept`: the mask (H, W) that made it."""
    present = sorted(set(label.unique().tolist()) - {scores.VOID})
    shown = torch.full_like(label, scores.VOID)
    for place, index in enumerate(present):
        shown[label == index] = place
    names = [datasets.PHOTOGRAPH_CLASSES[index] for index in present]
    figure = panels({"photograph": image, "label map": shown, "cut out": result}, names)
    return figure, f"The label map says which pixels to keep: here {kept.float().mean():.0%} of the photograph."


def _coarse(image):
    """In 32 steps of each colour: a figure of half the bytes that looks the same."""
    return (image * 31).round() / 31


def halves(image, label, half):
    """The coins and their label map, parted at column `half`."""
    figure = panels({"photograph": _coarse(image), "label map": label}, NAMES)
    for axis in figure.axes:
        axis.axvline(half - 0.5, color=RED, linestyle="--", linewidth=3)
    told = f"{label.shape[0]}×{label.shape[1]} pixels; the network learns from the {half} columns left of the line."
    return figure, told


def film(stages):
    """What the network says after some steps. `stages`: {step: (loss, label map)}."""
    figure = panels({f"step {step}": found for step, (_, found) in stages.items()}, NAMES)
    (first, (before, _)), (last, (after, _)) = min(stages.items()), max(stages.items())
    return figure, f"From step {first} to step {last} the loss goes from {before:.2f} to {after:.2f}."


def logit_maps(image, logits):
    """A picture (3, H, W), the logits (C, H, W) of its first two classes, and the map of the largest logit."""
    figure, axes = subplots(1, 4, height=4)
    with rc_context(STYLE):
        axes[0].imshow(_coarse(image).permute(1, 2, 0).numpy())
        for axis, values in zip(axes[1:3], logits, strict=False):
            shown = axis.imshow(values.numpy(), cmap="cividis", vmin=logits.min(), vmax=logits.max())
        axes[3].imshow(colours(logits.argmax(0), [*NAMES, "lake"]))
        for axis, title in zip(axes, ["photograph", "logit of table", "logit of coin", "the larger one"], strict=True):
            axis.set(title=title, xlabel="x (pixels)")
        axes[0].set_ylabel("y (pixels)")
        figure.colorbar(shown, ax=axes[1:3], location="bottom", label="logit", aspect=40)
    share = (logits.argmax(0) == 1).float().mean()
    return figure, f"Where the logit of coin is the larger one, the pixel becomes coin: here {share:.0%} of all pixels."


def found_on(image, found, score):
    """Another picture, and what the network finds there."""
    figure = panels({"picture": _coarse(image.clamp(0, 1)), "found": found}, NAMES)
    return figure, f"On this picture the coin IoU of the right half is {score:.2f}."


def otsu(grey):
    """The level of grey that parts the pixels into the two most separate groups (Otsu 1979, section II)."""

    def separation(level):
        bright = grey > level
        share = bright.float().mean()
        return share * (1 - share) * (grey[bright].mean() - grey[~bright].mean()) ** 2

    levels = torch.arange(1, 255) / 255
    return max(levels[(levels >= grey.min()) & (levels < grey.max())], key=separation).item()


def errors(image, label, maps):
    """The wrong pixels of some predictions, {title: label map}, each on the greyed image."""
    image = _coarse(image)
    views = {"photograph": image} if label.shape[0] > label.shape[1] else {}
    views |= {title: mark_errors(image, label, found) for title, found in maps.items()}
    wrong = "; ".join(f"{title}: {(found != label).sum().item():,}" for title, found in maps.items())
    return panels(views, errors=True), f"Wrong pixels – {wrong}."


def grids(maps):
    """Two small label maps, {title: rows of classes}, digit by digit; where they differ, the second is framed."""
    first, second = (torch.as_tensor(rows) for rows in maps.values())
    (height, width), cell, parts = first.shape, 34, []
    for left, title, rows in zip((0, (width + 2) * cell), maps, (first, second), strict=True):
        parts.append(text(left, 16, title, weight="bold"))
        for row, column in itertools.product(range(height), range(width)):
            x, y, value = left + column * cell, 28 + row * cell, rows[row, column].item()
            parts.append(rectangle(x, y, 32, 32, fill=[CLASSES["table"][0], ORANGE, SKY][min(value, 2)]))
            parts.append(text(x + 16, y + 22, value, anchor="middle"))
            if left and first[row, column] != value:
                parts.append(rectangle(x + 1, y + 1, 30, 30, stroke=RED, stroke_width=4, dash="6 3"))
    different = (first != second).sum().item()
    finding = f"{different} of {first.numel()} pixels differ" + (" (dashed frames)." if different else ".")
    return document(max((2 * width + 2) * cell, 880), height * cell + 30, parts, finding), finding


def nothing_found(image, target, accuracy, mean_iou):
    """A small object, all of it missed, beside the scores of finding nothing for every size of the object."""
    figure, (left, right) = subplots(1, 2, height=4)
    share = target.float().mean().item()
    shares = torch.logspace(-3, -0.3, 50)
    with rc_context(STYLE):
        left.imshow(mark_errors(image, target, torch.zeros_like(target)).permute(1, 2, 0).numpy())
        left.set(title="missed: all striped pixels", xlabel="x (pixels)", ylabel="y (pixels)")
        right.plot(shares, 1 - shares, color=BLUE, label="pixel accuracy")
        right.plot(shares, (1 - shares) / 2, color=RED, linestyle="--", label="mean IoU")
        right.plot([share], [accuracy], "o", [share], [mean_iou], "s", color=INK, markersize=9)
        right.set(
            xscale="log", ylim=(0, 1.05), xlabel="share of the object in the picture", ylabel="score of finding nothing"
        )
        right.set_xticks([0.001, 0.01, 0.1, 0.5], ["0.1 %", "1 %", "10 %", "50 %"])
        right.legend(loc="lower left")
        right.grid(alpha=0.25)
    return figure, f"Nothing is found: pixel accuracy {accuracy:.3f}, mean IoU {mean_iou:.3f}."


def two_waters(view):
    """`view` × `view` pixels around the middles of a lake (left) and of a reservoir (right) of one scene."""
    image, label = scenes.make(1, seed="test")[0]
    view, water_only = min(max(1, view), 96), True
    figure, axes = subplots(1, 2, height=3.6)
    for axis, name, water, middle in zip(axes, ("left", "right"), (1, 2), ((9, 49), (82, 65)), strict=True):
        top, left = (min(max(0, place - view // 2), 96 - view) for place in middle)
        window = (..., slice(top, top + view), slice(left, left + view))
        axis.imshow(image[window].permute(1, 2, 0).numpy())
        axis.set(title=f"{name}: {view}×{view} pixels", xticks=[], yticks=[])
        water_only &= (label[window] == water).all().item()
    told = (
        "nothing but water"
        if water_only
        else "a bank in sight – sand for a lake (left), concrete for a reservoir (right)"
    )
    return figure, f"A view of {view}×{view} pixels: {told}."


def judged(label, **fault):
    """Four scores, {name: value}, of the label map (H, W) spoilt by `scores.spoil`."""
    prediction = scores.spoil(label, **fault)
    matrix = scores.confusion_matrix(prediction, label, classes=2)
    return {
        "pixel accuracy": scores.pixel_accuracy(matrix),
        "mean accuracy": scores.mean_accuracy(matrix),
        "mean IoU": scores.mean_iou(matrix),
        "boundary F": scores.boundary_f_score(prediction, label, tolerance=2),
    }


def explore():
    """Spoil a perfect prediction (shift, grow, drop a class) and watch the scores part ways."""
    image, label = coins()

    def draw(shift, grow, drop):
        fault = {"shift": shift, "grow": grow, "drop": 1 if drop == "coin" else None}
        marked, values = mark_errors(image, label, scores.spoil(label, **fault)), judged(label, **fault)
        parts = [picture(marked, 0, 0, 480, 370, photo=True)]
        for x, kind in enumerate(["missed", "added"]):
            pattern = mark_errors(torch.zeros(3, 12, 12), torch.full((12, 12), 1 - x), torch.full((12, 12), x))
            parts += [picture(pattern, 130 * x, 380, 22, 22), text(130 * x + 30, 397, kind)]
        for row, (name, value) in enumerate(values.items()):
            y, fill = 26 + 82 * row, ORANGE if name == "boundary F" else BLUE
            parts += [text(510, y, name, size=18), text(870, y, f"{value:.2f}", size=20, anchor="end", weight="bold")]
            parts += [
                rectangle(510, y + 10, 360, 26, fill="#EEEEEE"),
                rectangle(510, y + 10, 360 * value, 26, fill=fill),
            ]
        told = ", ".join(f"{name} {value:.2f}" for name, value in values.items())
        return document(870, 404, parts, title=f"Errors on the picture; {told}")

    controls = [slider("shift", 0, 12, 4), slider("grow", -6, 6, 0), choice("drop", ["nothing", "coin"])]
    frame(draw, controls, "Moved by 4 pixels, the accuracy is 0.93, and the boundary score below one half.")


_FOUR = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def _outline(label, neighbours=_FOUR):
    """The obvious loop: True where one of the neighbours (steps down, steps right) has another class."""
    height, width = label.shape
    result = torch.zeros(height, width, dtype=torch.bool)
    for y, x, (down, right) in itertools.product(range(height), range(width), neighbours):
        if 0 <= y + down < height and 0 <= x + right < width:
            result[y, x] |= label[y + down, x + right] != label[y, x]
    return result


def _one_sided(label):
    result = torch.zeros(label.shape, dtype=torch.bool)
    result[:, :-1] |= label[:, :-1] != label[:, 1:]
    result[:-1] |= label[:-1] != label[1:]
    return result


def _disk_label():
    y, x = torch.meshgrid(torch.arange(10), torch.arange(14), indexing="ij")
    label = ((y - 4) ** 2 + (x - 5) ** 2 < 13).long()
    label[7:, 11:] = 2  # touches the frame
    return label


EXERCISES["shift"] = Exercise(
    right=8,
    mistakes={
        "This is the last shift that is still at 0.75 or above: go one further.": 7,
        "This is where the IoU of the coins alone falls below 0.75. Read the mean over both classes.": 6,
        "This is where the pixel accuracy falls below 0.75. Read the mean IoU.": 15,
    },
    hints=("change `shift` in the cell above and run it, until the number is below 0.75.", "it lies between 5 and 10."),
    insight="The IoU of the coins alone is below 0.75 two steps earlier: a mean over classes hides the weakest class.",
)
EXERCISES["coin-iou"] = Exercise(
    right=lambda m: scores.iou(m)[1].item(),
    cases=((torch.tensor([[50, 10], [5, 35]]),), (torch.tensor([[900, 40], [30, 30]]),)),
    mistakes={
        "This is recall: added pixels must cost something too.": lambda m: (m[1, 1] / m[1].sum()).item(),
        "This is precision: missed pixels must cost something too.": lambda m: (m[1, 1] / m[:, 1].sum()).item(),
        "This is the pixel accuracy: the many table pixels hide the coins.": lambda m: (m.trace() / m.sum()).item(),
        "The intersection is counted twice in the union: subtract it once.": (
            lambda m: (m[1, 1] / (m[1].sum() + m[:, 1].sum())).item()
        ),
        "This is Dice (F1): twice the intersection over the sum of both. Divide the intersection by the union.": (
            lambda m: (2 * m[1, 1] / (m[1].sum() + m[:, 1].sum())).item()
        ),
        "The union lacks the intersection: all pixels that are coin in at least one map belong to it.": (
            lambda m: (m[1, 1] / (m[0, 1] + m[1, 0])).item()
        ),
        "This is the IoU of the table. The coin is class 1.": lambda m: scores.iou(m)[0].item(),
        "This is the mean IoU. Return the IoU of the coin alone.": scores.mean_iou,
    },
    hints=(
        "the intersection is `matrix[1, 1]`; which sums hold all true and all predicted coin pixels?",
        "`matrix[1].sum()` counts the true coin pixels, `matrix[:, 1].sum()` the predicted ones; who is counted twice?",
    ),
    insight="Dice, which medicine prefers, is 2·IoU/(1 + IoU): larger, but it ranks predictions in the same order.",
)
EXERCISES["outline"] = Exercise(
    right=_outline,
    cases=((torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),), (_disk_label(),)),
    mistakes={
        "Only one side of each edge is marked: look at the left and upper neighbours too.": _one_sided,
        "`roll` wraps around: the frame of the picture is marked where an object touches it.": (
            lambda label: sum(label != label.roll(step, axis) for axis in (0, 1) for step in (1, -1)).bool()
        ),
        "Only inner pixels are marked; those just outside count too.": lambda label: _outline(label) & (label > 0),
        "Only outer pixels are marked; those just inside count too.": lambda label: _outline(label) & (label == 0),
        "Diagonal neighbours are counted too: look up, down, left and right only.": (
            lambda label: _outline(label, [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
        ),
        "The frame is counted as another class: a neighbour outside of the picture does not exist.": (
            lambda label: _outline(F.pad(label, (1, 1, 1, 1), value=-1))[1:-1, 1:-1]
        ),
        "These are the objects themselves, not their outlines.": lambda label: label > 0,
        "Inside and outside are exchanged: mark pixels with a different neighbour.": lambda label: ~_outline(label),
    },
    hints=(
        "compare the map with itself, shifted by one pixel: `label[:, 1:] != label[:, :-1]`.",
        "start with a map of False; each comparison marks two pixels in it, one on each side of the edge.",
    ),
    insight="A boundary score begins like this: two outlines, and how many pixels of each lie near the other.",
    draw=compare_masks,
)
