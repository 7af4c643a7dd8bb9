"""The exercises of 00_start_here."""

import itertools

import torch
import torch.nn.functional as F

from helpers import scores
from helpers.exercises import EXERCISES, Exercise
from helpers.figures.masks import compare_masks


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
