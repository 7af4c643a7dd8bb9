"""Lines and bars."""

from matplotlib import rc_context

from helpers.drawing.style import STYLE, line_look, subplots


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
