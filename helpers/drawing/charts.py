"""Lines and bars."""

from matplotlib import rc_context

from helpers.drawing.style import BLUE, INK, RED, STYLE, line_look, subplots


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
