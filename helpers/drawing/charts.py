"""Lines, dots, heat maps and tables of counts."""

import itertools

from matplotlib import rc_context
from matplotlib.patches import Rectangle

from helpers.drawing.style import BLUE, INK, RED, STYLE, WIDTH, line_look, subplots


def curves(x, lines, *, xlabel, ylabel, title="", height=3.6, logx=False, steps=False):
    """Lines (or `steps`) over one axis, each with its own colour, marker and dash. `lines`: {name: values}."""
    figure, axis = subplots(height=height)
    with rc_context(STYLE):
        for index, (name, values) in enumerate(lines.items()):
            colour, marker, dash = line_look(index)
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
        if len(lines) <= 6:
            axis.legend()
        else:
            figure.legend(loc="outside right upper", ncols=-(-len(lines) // 10))
    return figure


def dots(rows, *, xlabel, marks=None, mark_label=""):
    """One line of dots for each of `rows` ({name: values}), from below; `marks` ({name: value}) as diamonds on top."""
    figure, axis = subplots(height=0.42 * len(rows) + 1.3)
    with rc_context(STYLE):
        for place, (name, values) in enumerate(rows.items()):
            axis.plot(values, [place] * len(values), "o", color=BLUE, alpha=0.6, clip_on=False)
            axis.plot([min(values), max(values)], [place] * 2, color=BLUE, linewidth=1)
            mean = sum(values) / len(values)
            axis.annotate(
                f"{mean:.3f}", (max(values), place), (10, 0), textcoords="offset points", va="center", color=INK
            )
            if name in (marks or {}):
                axis.plot(marks[name], place, "D", color=RED, markeredgecolor=INK, clip_on=False, label=mark_label)
                mark_label = "_"  # once in the legend
        axis.set_yticks(range(len(rows)), rows)
        axis.set(xlabel=xlabel, ylim=(-0.6, len(rows) - 0.4))
        axis.grid(axis="x", alpha=0.25)
        if marks:
            axis.legend(loc="lower right")
    return figure


def heat(maps, *, unit="pixels", corner=(0, 0), box=None, numbers=False):
    """A `Figure` of maps (H, W) ≥ 0 side by side, each from 0 (white) to its largest value (dark blue).

    corner: (row, column) of the first value. box: (first, last) edge of a dashed square, in rows and in columns.
    numbers: write each value into its square.
    """
    tall = max(values.shape[0] / values.shape[1] for values in maps.values())
    figure, axes = subplots(1, len(maps), height=(WIDTH / len(maps) - 0.6) * tall + 0.9, squeeze=False)
    with rc_context(STYLE):
        for axis, (title, values) in zip(axes[0], maps.items(), strict=True):
            (rows, columns), (top, left) = values.shape, corner
            most = max(values.max().item(), 1e-9)
            edges = (left - 0.5, left + columns - 0.5, top + rows - 0.5, top - 0.5)
            axis.imshow(values.numpy(), cmap="Blues", vmin=0, vmax=most, extent=edges)
            for y, x in values.nonzero().tolist() if numbers else ():
                ink = "white" if values[y, x] > 0.6 * most else INK
                axis.text(left + x, top + y, f"{values[y, x]:g}", ha="center", va="center", size=10, color=ink)
            if box:
                corners, side = (box[0] - 0.5, box[0] - 0.5), box[1] - box[0]
                axis.add_patch(Rectangle(corners, side, side, fill=False, edgecolor=RED, linewidth=2.5, linestyle="--"))
            axis.set(title=title, xlabel=f"x ({unit})", ylabel=f"y ({unit})" if axis is axes[0][0] else "")
            axis.locator_params(integer=True, nbins=6)
    return figure


def confusion(matrix, names):
    """A confusion matrix of counts as a table: row = true class, column = predicted class, the diagonal in bold."""
    size = len(matrix)
    names = [*names, *(f"class {index}" for index in range(len(names), size))][:size]
    figure, axis = subplots(height=0.6 * size + 1.6)
    share = matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    with rc_context(STYLE):
        axis.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
        for row, column in itertools.product(range(size), range(size)):
            weight = "bold" if row == column else "normal"
            axis.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", color=INK, weight=weight)
        axis.set_xticks(range(size), names)
        axis.set_yticks(range(size), names)
        axis.set(xlabel="predicted class", ylabel="true class", title="pixels; the bold diagonal is right")
    return figure


def bars(values, *, xlabel, height=None):
    """A lying bar for each of `values` ({name: number}), its number behind it."""
    figure, axis = subplots(height=height or 0.5 * len(values) + 1.0)
    with rc_context(STYLE):
        drawn = axis.barh(list(values), list(values.values()), color=BLUE)
        axis.bar_label(drawn, [f" {value:,}" for value in values.values()])
        axis.set(xlabel=xlabel, xlim=(0, 1.2 * max(values.values())))
        axis.invert_yaxis()
        axis.locator_params(axis="x", nbins=4)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure
