"""Pictures and label maps side by side, and what is wrong in a prediction."""

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.patches import Patch

from helpers.drawing.style import BLUE, ERRORS, INK, RED, STYLE, WIDTH, looks, rgb, subplots
from helpers.drawing.svg import document, rectangle, text
from helpers.scores import VOID


def panels(items, names=(), errors=False, maps=()):
    """Pictures side by side. `items`: {title: image (3, H, W) or label map (H, W)}; `names`: classes of the maps, of
    the series or your own; `errors`: explain the marks of `mark_errors` too; `maps`: titles of feature maps, whose
    axes count units."""
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
        look, shown = looks(names), list(names)
        if names and any(item.ndim == 2 and (np.asarray(item) == VOID).any() for item in items.values()):
            shown.append("void")
        handles = [Patch(facecolor=look[n][0], hatch=look[n][1], edgecolor=INK, label=n) for n in shown]
        if errors:
            kinds = (("missed", "///"), ("added", "xxx"))
            handles += [Patch(facecolor=ERRORS[k][0], hatch=h, edgecolor=ERRORS[k][1], label=k) for k, h in kinds]
        if handles:
            columns = _columns([handle.get_label() for handle in handles])
            figure.set_figheight(figure.get_figheight() + 0.3 * (-(-len(handles) // columns) - 1))
            figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def _columns(names):
    """As many columns of a legend as fit: about 100 letters in a row, of which a patch and its gaps take 10."""
    for columns in range(len(names), 1, -1):
        lengths = [max(map(len, part)) + 10 for part in np.array_split(names, columns)]
        if sum(lengths) <= 100:
            return columns
    return 1


def gallery(items):
    """Labelled pictures in a row, each above its label map. `items`: {title: (image, label, names of its classes)}."""
    figure, axes = subplots(2, len(items), height=2 * WIDTH / len(items), squeeze=False)
    with rc_context(STYLE):
        for (above, below), (title, (image, label, names)) in zip(axes.T, items.items(), strict=True):
            above.imshow(image.permute(1, 2, 0).numpy())
            above.set_title(title)
            _draw_map(below, np.asarray(label), names)
            look = looks(names)
            for index in set(label.unique().tolist()) & {i for i, name in enumerate(names) if look[name][1]}:
                y, x = _deep_inside(label == index)
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
                below.text(x, y, names[index], size=10, ha="center", va="center", bbox=box)
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
    table, look = np.zeros((256, 3)), looks(names)
    for index, name in [*enumerate(names), (VOID, "void")]:
        table[index] = rgb(look[name][0])
    return table[np.asarray(label)]


def _draw_map(axis, label, names):
    axis.imshow(colours(label, names))
    look = looks(names)
    for index, name in [*enumerate(names), (VOID, "void")]:
        hatch = look[name][1]
        if hatch and (label == index).any():
            mask = np.where(label == index, 1.0, 0.0)
            axis.contourf(mask, levels=[0.5, 1.5], colors="none", hatches=[hatch])


def mark_errors(image, label, prediction):
    """The image (3, H, W), greyed, with every wrong pixel painted: missed (blue stripes), added (red checks), swapped
    between two objects (pink). Class 0 is the background; void pixels are right whatever is predicted."""
    marked = (0.35 + 0.65 * image.mean(0, keepdim=True)).expand(3, -1, -1)
    y, x = torch.meshgrid(*map(torch.arange, label.shape), indexing="ij")
    wrong = (label != prediction) & (label != VOID)
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


def compare_masks(target, yours=None, cell=16):
    """(SVG, what it shows): the wanted mask (H, W) and, where there is one, `yours`, its wrong pixels crossed."""
    height, width = target.shape
    parts = [text(0, 14, "wanted"), *_grid(target, None, 0, cell)]
    finding = "Wanted: the dark pixels are True."
    if yours is not None:
        left = (width + 3) * cell
        wrong = (yours != target).sum().item()
        parts += [
            text(left, 14, f"yours: {wrong} of {target.numel()} pixels differ"),
            *_grid(yours, target, left, cell),
        ]
        finding = f"The wanted mask and yours: {wrong} of {target.numel()} pixels differ."
    return document(max((2 * width + 3) * cell, 600), height * cell + 24, parts, finding), finding


def _grid(mask, target, left, cell):
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            fill = BLUE if mask[y, x] else "#F2F2F2"
            yield rectangle(left + x * cell, 24 + y * cell, cell - 1, cell - 1, fill=fill)
            if target is not None and mask[y, x] != target[y, x]:
                yield text(
                    left + (x + 0.5) * cell,
                    24 + (y + 0.8) * cell,
                    "×",
                    anchor="middle",
                    weight="bold",
                    fill=RED,
                )
