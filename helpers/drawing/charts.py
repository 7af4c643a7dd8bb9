"""Lines and tables of counts."""

import itertools

from matplotlib import rc_context

from helpers.drawing.style import INK, LINES, STYLE, subplots


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
