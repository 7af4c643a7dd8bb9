"""Copy the five photographs out of scikit-image, draw their label maps from the outlines, measure how far two outlines
agree, draw the overlays.

python tools/label_photographs.py
"""

import console  # noqa: F401  characters that the console cannot show
import numpy as np
import torch
from outlines import BORDER, OUTLINES, draw_outlines, read_outlines, with_void_border
from PIL import Image, ImageDraw, ImageFont
from torch.nn import functional

from helpers import DATA
from helpers.datasets import PHOTOGRAPH_CLASSES, PHOTOGRAPHS, photograph
from helpers.datasets.photographs import PHOTOS
from helpers.scores import VOID

SCALE = 4  # labels are compared on a grid of a quarter of a pixel
COLOURS = {
    "person": "#0072B2", "helmet": "#E69F00", "cat": "#0072B2", "cat's eye": "#E69F00", "cup": "#0072B2",
    "saucer": "#E69F00", "spoon": "#009E73", "camera": "#E69F00", "tripod": "#009E73", "rocket": "#D55E00",
    "tower": "#56B4E9",
}  # fmt: skip


def copy_photographs():
    """Store scikit-image's pictures, at most 512 pixels long."""
    from skimage import data

    for name in PHOTOGRAPHS:
        photo = Image.fromarray(getattr(data, name)())
        photo.thumbnail((512, 512), Image.Resampling.LANCZOS)
        photo.save(PHOTOS / f"{name}.png", optimize=True)


def label_map(name):
    """The label int64 (H, W) that ships: the outlines of tools/outlines/NAME.json, with void on every edge."""
    return with_void_border(draw_outlines(read_outlines(OUTLINES / f"{name}.json")), BORDER)


def store_labels():
    for name in PHOTOGRAPHS:
        label = Image.fromarray(label_map(name).numpy().astype(np.uint8))
        label.save(PHOTOS / f"{name}_label.png", optimize=True)


def agreement(name):
    """{class: (IoU, median edge distance, its 95 % quantile)} of the two outlines; distances in pixels.

    Distances run from each edge point of one outline to the nearest of the other, both ways. Pixels that
    either outline leaves open (void) do not count, nor does the picture's own rim.
    """
    first, second = (
        draw_outlines(read_outlines(folder / f"{name}.json"), SCALE) for folder in (OUTLINES, OUTLINES / "second")
    )
    known = (first != VOID) & (second != VOID)
    figures = {}
    for index in first[known & (first > 0)].unique().tolist():
        masks = [(label == index) & known for label in (first, second)]
        edges = [_edge(mask, known) for mask in masks]
        far = torch.cat([_nearest(edges[0], edges[1]), _nearest(edges[1], edges[0])]) / SCALE
        iou = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        figures[PHOTOGRAPH_CLASSES[index]] = iou.item(), far.median().item(), far.quantile(0.95).item()
    return figures


def _edge(mask, known):
    """Where a mask `(H, W)` touches another known label: points `(P, 2)`."""
    other = (~mask & known)[None].float()
    touched = functional.max_pool2d(other, kernel_size=3, stride=1, padding=1)[0] > 0
    return (mask & touched).nonzero().float()


def _nearest(points, targets):
    """The distance of each of `points` `(P, 2)` to the nearest of `targets` `(Q, 2)`."""
    return torch.cat([torch.cdist(part, targets).amin(1) for part in points.split(1000)])


def table(name):
    """The agreement as Markdown."""
    head = ["| class | IoU | median edge distance (px) | 95 % of edges within (px) |", "|---|---|---|---|"]
    rows = [f"| {kind} | {i:.3f} | {m:.2f} | {q:.2f} |" for kind, (i, m, q) in agreement(name).items()]
    return "\n".join(head + rows)


def overlay(name, zoom=1):
    """The photograph with its label: coloured, outlined and named; void in white."""
    image, label = photograph(name)
    pixels = image.permute(1, 2, 0).numpy()
    for index, kind in enumerate(PHOTOGRAPH_CLASSES[1:], 1):
        colour = np.array([int(COLOURS[kind][i : i + 2], 16) / 255 for i in (1, 3, 5)])
        here = (label == index).numpy()
        pixels[here] = 0.45 * pixels[here] + 0.55 * colour
    pixels[(label == VOID).numpy()] = 1
    sheet = Image.fromarray((255 * pixels).round().astype(np.uint8))
    sheet = sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(sheet.height // 16)
    for index in label[(label > 0) & (label != VOID)].unique().tolist():
        rows, columns = (label == index).nonzero().T
        y = rows.float().quantile(0.75).item()  # low in the object, where it is broad
        x = columns[rows == round(y)].float().median().item()
        style = {"fill": "white", "stroke_fill": "black", "stroke_width": sheet.height // 200}
        pen.text((x * zoom, y * zoom), PHOTOGRAPH_CLASSES[index], font=font, anchor="mm", **style)
    return sheet


def contact_sheet(height):
    """Every photograph above its overlay, all `height` pixels high."""
    columns = []
    for name in PHOTOGRAPHS:
        pair = [Image.open(PHOTOS / f"{name}.png").convert("RGB"), overlay(name, zoom=2)]
        width = round(pair[0].width * height / pair[0].height)
        columns.append([picture.resize((width, height), Image.Resampling.LANCZOS) for picture in pair])
    sheet = Image.new("RGB", (sum(c[0].width + 8 for c in columns) - 8, 2 * height + 8), "white")
    left = 0
    for column in columns:
        for row, picture in enumerate(column):
            sheet.paste(picture, (left, row * (height + 8)))
        left += column[0].width + 8
    return sheet


if __name__ == "__main__":
    copy_photographs()
    store_labels()
    for name in PHOTOGRAPHS:
        print(name, table(name), sep="\n")
    contact_sheet(240).save(DATA / "overlays.jpg", quality=85)
