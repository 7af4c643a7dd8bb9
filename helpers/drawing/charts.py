"""Lines and bars."""

from matplotlib import rc_context

from helpers.drawing.style import BLUE, LINES, STYLE, subplots


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
