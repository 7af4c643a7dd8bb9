"""Drawing: numbers in, a matplotlib `Figure` or an SVG out, in one style. Nothing here computes about networks.

This file holds what all notebooks share; the pictures of one notebook are in a file of its own.
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import HTML, display
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

# Okabe and Ito's palette: told apart with every common kind of colour blindness.
INK, BLUE, ORANGE, GREEN, RED, SKY, PINK = ["#222222", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"]
LINES = [
    (BLUE, "o", "-"),
    (RED, "s", "--"),
    (GREEN, "^", "-."),
    (INK, "D", ":"),
    (PINK, "v", "-"),
    (ORANGE, "P", "--"),
]

# One class, one look, in the whole series: colour and hatch.
CLASSES = {
    "table": ("#EDEDED", ""), "coin": (ORANGE, "////"),
    "ground": ("#E8DFC8", ""), "lake": (SKY, "---"), "reservoir": (BLUE, "xxx"), "house": ("#F2A48B", "///"),
    "hall": ("#B5434F", "\\\\\\"), "tree": (GREEN, "..."), "road": ("#555555", "|||"),
    "brick": ("#D98A6A", "---"), "grass": ("#8CC08C", "///"), "gravel": ("#A9A9C9", "ooo"),
    "background": ("#EDEDED", ""), "person": (SKY, "///"), "helmet": (ORANGE, "..."), "cat": (SKY, "///"),
    "cat's eye": (ORANGE, "..."), "cup": (SKY, "///"), "saucer": (ORANGE, "..."), "spoon": (GREEN, "xxx"),
    "camera": (ORANGE, "..."), "tripod": (GREEN, "xxx"), "rocket": (RED, "---"), "tower": (PINK, "|||"),
    "void": ("#222222", ""),
}  # fmt: skip

# How a wrong pixel is painted: the two shades of its pattern.
ERRORS = {"missed": (BLUE, "#003A5C"), "added": (RED, "#F6C3A0"), "swapped": (PINK, "#F0D3E4")}

STYLE = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
    "image.interpolation": "nearest",
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "legend.frameon": False,
    "svg.hashsalt": "segmentation-notebooks",
}
WIDTH = 9.0  # inches; at 100 dots an inch this fills the column of a 1280-pixel projector


def show(picture, finding):
    """Display a `Figure` (as PNG) or an SVG text; `finding`, one sentence, is its alt text and stands below it."""
    if isinstance(picture, Figure):
        display({"image/png": png(picture)}, raw=True, metadata={"image/png": {"alt": finding}})
    else:
        display(
            {"image/svg+xml": picture, "text/plain": finding},
            raw=True,
            metadata={"image/svg+xml": {"alt": finding}},
        )
    display(HTML(f"<p><em>{finding}</em></p>"))


def png(figure):
    """The PNG bytes of a figure, the same on every run; at most 256 colours keep a notebook small."""
    drawn, small = io.BytesIO(), io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(drawn, format="png", dpi=100)
    image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def subplots(*shape, height=4.0, **options):
    """A `Figure` in the series' style, `height` inches high, and its axes."""
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        return figure, figure.subplots(*shape, **options)


def panels(items, names=(), errors=False, maps=()):
    """Pictures side by side. `items`: {title: image (3, H, W) or label map (H, W)}; `names`: classes of the maps;
    `errors`: explain the marks of `mark_errors` too; `maps`: titles of feature maps, whose axes count units."""
    tallest = max(item.shape[-2] / item.shape[-1] for item in items.values())
    height = (WIDTH / len(items) - 0.6) * tallest + (1.6 if names or errors else 1.2)
    figure, axes = subplots(1, len(items), height=min(height, 5), squeeze=False)
    with rc_context(STYLE):
        for axis, (title, item) in zip(axes[0], items.items(), strict=True):
            if item.ndim == 3:
                axis.imshow(item.permute(1, 2, 0).numpy().clip(0, 1))
            else:
                _draw_map(axis, np.asarray(item), names)
            unit = "units" if title in maps else "pixels"
            axis.set(title=title, xlabel=f"x ({unit})", ylabel=f"y ({unit})" if axis is axes[0][0] else "")
            axis.locator_params(nbins=5)
        looks = [(name, *CLASSES[name]) for name in names]
        if names and any(item.ndim == 2 and (np.asarray(item) == 255).any() for item in items.values()):
            looks.append(("void", *CLASSES["void"]))
        handles = [Patch(facecolor=c, hatch=h, edgecolor=INK, label=name) for name, c, h in looks]
        if errors:
            kinds = (("missed", "///"), ("added", "xxx"))
            handles += [Patch(facecolor=ERRORS[k][0], hatch=h, edgecolor=ERRORS[k][1], label=k) for k, h in kinds]
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def gallery(items):
    """Labelled pictures in a row, each above its label map. `items`: {title: (image, label, names of its classes)}."""
    figure, axes = subplots(2, len(items), height=2 * WIDTH / len(items), squeeze=False)
    with rc_context(STYLE):
        for (above, below), (title, (image, label, names)) in zip(axes.T, items.items(), strict=True):
            above.imshow(image.permute(1, 2, 0).numpy())
            above.set_title(title)
            _draw_map(below, np.asarray(label), names)
            for index in set(label.unique().tolist()) & {i for i, name in enumerate(names) if CLASSES[name][1]}:
                y, x = _deep_inside(label == index)
                look = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
                below.text(x, y, names[index], size=10, ha="center", va="center", bbox=look)
            for axis in (above, below):
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
            below.set_xlabel(f"{label.shape[0]}×{label.shape[1]} pixels", size=11)
    return figure


def _deep_inside(mask):
    """A pixel (row, column) of a mask that is far from its edge: what is left last when the edge is eaten away."""
    left = mask[None].float()
    while left.any():
        last, left = left, 1 - F.max_pool2d(1 - F.pad(left, (1, 1, 1, 1)), 3, 1)
    return last[0].nonzero()[0].tolist()


def colours(label, names):
    """The class colours of a label map (H, W), as a float array (H, W, 3)."""
    table = np.zeros((256, 3))
    for index, name in [*enumerate(names), (255, "void")]:
        table[index] = rgb(CLASSES[name][0])
    return table[np.asarray(label)]


def _draw_map(axis, label, names):
    axis.imshow(colours(label, names))
    for index, name in [*enumerate(names), (255, "void")]:
        hatch = CLASSES[name][1]
        if hatch and (label == index).any():
            mask = np.where(label == index, 1.0, 0.0)
            axis.contourf(mask, levels=[0.5, 1.5], colors="none", hatches=[hatch])


def mark_errors(image, label, prediction):
    """The image (3, H, W), greyed, with every wrong pixel painted: missed (blue stripes), added (red checks), swapped
    between two objects (pink). Class 0 is the background; void pixels are right whatever is predicted."""
    marked = (0.35 + 0.65 * image.mean(0, keepdim=True)).expand(3, -1, -1)
    y, x = torch.meshgrid(*map(torch.arange, label.shape), indexing="ij")
    wrong = (label != prediction) & (label != 255)
    stripes, checks = (x + y) % 6 < 3, (x // 3 + y // 3) % 2 == 0
    for (dark, light), where, pattern in (
        (ERRORS["missed"], wrong & (prediction == 0), stripes),
        (ERRORS["added"], wrong & (label == 0), checks),
        (ERRORS["swapped"], wrong & (label != 0) & (prediction != 0), checks),
    ):
        if where.any():
            painted = torch.where(pattern, rgb(dark)[:, None, None], rgb(light)[:, None, None])
            marked = torch.where(where, painted, marked)
    return marked


def rgb(colour):
    """ "#RRGGBB" as three floats in [0, 1]."""
    return torch.tensor([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def curves(x, lines, *, xlabel, ylabel, title="", height=3.6, logx=False, steps=False):
    """Lines (or `steps`) over one axis, each with its own colour, marker and dash. `lines`: {name: values}."""
    figure, axis = subplots(height=height)
    with rc_context(STYLE):
        for (name, values), (colour, marker, dash) in zip(lines.items(), LINES, strict=False):
            axis.plot(
                x,
                values,
                color=colour,
                marker=marker,
                linestyle=dash,
                label=name,
                drawstyle="steps-mid" if steps else "default",
                markevery=max(1, len(x) // 12),
            )
        if steps:
            axis.yaxis.get_major_locator().set_params(integer=True)
        if logx:
            axis.set_xscale("log")
        axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
        axis.grid(alpha=0.25)
        axis.legend()
    return figure
