"""What 00_start_here shows: its pictures, its explorer, its exercises."""

import itertools
import math

import torch
import torch.nn.functional as F
from matplotlib import rc_context

from helpers import scores
from helpers.drawing import compare_masks, mark_errors
from helpers.drawing.style import BLUE, INK, ORANGE, STYLE, subplots
from helpers.drawing.svg import document, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise


def confusion(matrix, names):
    """A confusion matrix of counts as a table: row = true class, column = predicted class, diagonal framed."""
    size = len(names)
    figure, axis = subplots(height=0.75 * size + 1.7)
    share = matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    with rc_context(STYLE):
        axis.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
        for row in range(size):
            for column in range(size):
                weight = "bold" if row == column else "normal"
                axis.text(
                    column,
                    row,
                    f"{matrix[row, column]:,}",
                    ha="center",
                    va="center",
                    color=INK,
                    weight=weight,
                )
        axis.set_xticks(range(size), names)
        axis.set_yticks(range(size), names)
        axis.set(xlabel="predicted class", ylabel="true class", title="pixels; the bold diagonal is right")
    return figure


def score_view(image, label, prediction, scores, swaps=True):
    """SVG of a prediction's errors on the greyed image, beside one bar for each score ({name: 0…1})."""
    height, width = label.shape
    shown = 540 * height / width
    named = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
    parts = [picture(mark_errors(image, label, prediction), 0, 0, 540, shown, photo=True)]
    for place, kind in enumerate(["missed", "added", "swapped"][: 3 if swaps else 2]):
        parts += [_swatch(kind, 130 * place, shown + 10), text(130 * place + 30, shown + 27, kind)]
    for place, (name, value) in enumerate(scores.items()):
        y = 30 + 78 * place
        parts.append(text(570, y, name, size=17))
        parts.append(rectangle(570, y + 10, 330, 24, fill="#EEEEEE"))
        parts.append(rectangle(570, y + 10, 330 * value, 24, fill=ORANGE if name == "boundary F" else BLUE))
        parts.append(text(900, y, f"{value:.2f}", size=19, anchor="end", weight="bold"))
    return document(900, max(shown + 34, 40 + 78 * len(scores)), parts, title=f"Errors on the picture; {named}")


def _swatch(kind, x, y):
    """The pattern of one kind of error, as `mark_errors` paints it."""
    label, prediction = (torch.full((12, 12), int(kind != other)) for other in ("added", "missed"))
    return picture(mark_errors(torch.zeros(3, 12, 12), label, prediction + (kind == "swapped")), x, y, 22, 22)


def stages(shapes):
    """The blocks of a network as boxes: height is the map's height, width is the number of channels, both in log scale.

    `shapes`: (C, H, W) of each block, in order; dashed lines join the first with the last, and so on: the skips.
    """
    parts, x, tops = [], 10, []
    for channels, height, width in shapes:
        box_height, box_width = 34 * math.log2(height) - 90, 14 * math.log2(channels)
        top = 118 - box_height / 2
        parts.append(rectangle(x, top, box_width, box_height, fill="#D6E8F5", stroke=BLUE, stroke_width=2))
        parts.append(text(x + box_width / 2, 240, f"{channels} ch", anchor="middle", weight="bold"))
        parts.append(text(x + box_width / 2, 262, f"{height}×{width}", anchor="middle", size=14))
        tops.append((x + box_width / 2, top))
        x += box_width + 70
    for (left, height), (right, _) in zip(tops[: len(tops) // 2], reversed(tops), strict=False):
        path = f"M{left},{height} C{left},{height - 34} {right},{height - 34} {right},{height - 2}"
        parts.append(f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="1.5" stroke-dasharray="5 4"/>')
    return document(x, 266, parts, title="The maps inside the network, block by block")


def explore(image, label, names, tolerance=2):
    """Spoil a perfect prediction (shift, grow, drop a class) and watch the scores part ways."""

    def draw(shift, grow, drop):
        prediction = scores.spoil(label, shift, grow, names.index(drop) if drop in names else None)
        matrix = scores.confusion_matrix(prediction, label, len(names))
        values = {
            "pixel accuracy": scores.pixel_accuracy(matrix),
            "mean accuracy": scores.mean_accuracy(matrix),
            "mean IoU": scores.mean_iou(matrix),
            "boundary F": scores.boundary_f_score(prediction, label, tolerance),
        }
        return score_view(image, label, prediction, values, swaps=len(names) > 2)

    controls = [slider("shift", 0, 12, 4), slider("grow", -6, 6, 0), choice("drop", ["nothing", *names[1:]])]
    frame(draw, controls, "Moved by 4 pixels, the accuracy is 0.93, and the boundary score below one half.")


def _iou(matrix):
    return scores.iou(matrix)[1].item()


_FOUR = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def _near_other(label, neighbours):
    """The obvious loop: True where one of the neighbours (steps down, steps right) has another class."""
    height, width = label.shape
    result = torch.zeros(height, width, dtype=torch.bool)
    for y, x, (down, right) in itertools.product(range(height), range(width), neighbours):
        if 0 <= y + down < height and 0 <= x + right < width:
            result[y, x] |= label[y + down, x + right] != label[y, x]
    return result


def _outline(label):
    return _near_other(label, _FOUR)


def _one_sided(label):
    result = torch.zeros(label.shape, dtype=torch.bool)
    result[:, :-1] |= label[:, :-1] != label[:, 1:]
    result[:-1] |= label[:-1] != label[1:]
    return result


def _rolled(label):
    return sum(label != label.roll(step, axis) for axis in (0, 1) for step in (1, -1)).bool()


def _disk_label():
    y, x = torch.meshgrid(torch.arange(14), torch.arange(20), indexing="ij")
    label = ((y - 6) ** 2 + (x - 7) ** 2 < 22).long()
    label[9:, 14:] = 2  # touches the frame
    return label


EXERCISES["shift"] = Exercise(
    right=8,
    mistakes={
        "This is the last shift that is still at 0.75 or above: go one further.": 7,
        "This is where the IoU of the coins alone falls below 0.75. Read the mean over both classes.": 6,
        "This is where the pixel accuracy falls below 0.75. Read the mean IoU.": 15,
    },
    hints=("change `shift` in the cell above and run it, until the number is below 0.75.", "it lies between 5 and 10."),
)
EXERCISES["coin-iou"] = Exercise(
    right=_iou,
    cases=((torch.tensor([[50, 10], [5, 35]]),), (torch.tensor([[900, 40], [30, 30]]),)),
    mistakes={
        "This is the share of the true coin pixels that were found (recall). IoU also pays for added pixels.": (
            lambda m: (m[1, 1] / m[1].sum()).item()
        ),
        "This is the share of the predicted coin pixels that are right (precision). IoU also pays for missed ones.": (
            lambda m: (m[1, 1] / m[:, 1].sum()).item()
        ),
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
        "union = `matrix[1].sum() + matrix[:, 1].sum() - matrix[1, 1]`.",
    ),
)
EXERCISES["outline"] = Exercise(
    right=_outline,
    cases=((torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),), (_disk_label(),)),
    mistakes={
        "Only one side of each edge is marked: look at the left and upper neighbours too.": _one_sided,
        "`roll` wraps around: the frame of the picture is marked where an object touches it.": _rolled,
        "Only the object's side is marked: the pixels next to it, outside, have another neighbour too.": (
            lambda label: _outline(label) & (label > 0)
        ),
        "Only the outer side is marked: the object's own edge pixels have another neighbour too.": (
            lambda label: _outline(label) & (label == 0)
        ),
        "Diagonal neighbours are counted too: look up, down, left and right only.": (
            lambda label: _near_other(label, [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
        ),
        "The frame is counted as another class: a neighbour outside of the picture does not exist.": (
            lambda label: _near_other(F.pad(label, (1, 1, 1, 1), value=-1), _FOUR)[1:-1, 1:-1]
        ),
        "These are the objects themselves, not their outlines.": lambda label: label > 0,
        "Inside and outside are exchanged: mark the pixels that do have a different neighbour.": (
            lambda label: ~_outline(label)
        ),
    },
    hints=(
        "compare the map with itself, shifted by one pixel: `label[:, 1:] != label[:, :-1]`.",
        "each comparison marks two pixels, one on each side: `result[:, 1:] |= …` and `result[:, :-1] |= …`.",
    ),
    draw=compare_masks,
)
