"""Pictures of 00_start_here."""

import math

import torch

from helpers.figures import BLUE, INK, ORANGE, STYLE, mark_errors, rc_context, subplots
from helpers.figures.svg import document, picture, rectangle, text


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
