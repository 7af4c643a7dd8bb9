"""The exercises of 00_start_here."""

import torch

from helpers import scores
from helpers.exercises import EXERCISES, Exercise
from helpers.figures.masks import compare_masks


def _iou(matrix):
    return scores.iou(matrix)[1].item()


def _outline(label):
    """The obvious loop: a pixel is on the outline when one of its four neighbours has another class."""
    height, width = label.shape
    result = torch.zeros(height, width, dtype=torch.bool)
    for y in range(height):
        for x in range(width):
            for near_y, near_x in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= near_y < height and 0 <= near_x < width and label[near_y, near_x] != label[y, x]:
                    result[y, x] = True
    return result


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
