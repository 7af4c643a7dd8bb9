"""Lines, bars and heat maps."""

from matplotlib import rc_context
from matplotlib.patches import Rectangle

from helpers.drawing.style import INK, LINES, RED, STYLE, WIDTH, subplots


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
