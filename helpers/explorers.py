"""Widgets to play with: each binds its controls to one drawing function, and holds no drawing of its own."""

import ipywidgets as widgets
from IPython.display import HTML, display

from helpers import scores as score
from helpers.figures import start_here

_LAYOUT = {"width": "255px", "margin": "2px 10px 2px 2px"}  # three in a row at 1280 pixels
_STYLE = {"description_width": "initial"}


def scores(image, label, names, tolerance=2):
    """Spoil a perfect prediction (shift, grow, drop a class) and watch the scores part ways."""

    def draw(shift, grow, drop):
        prediction = score.spoil(label, shift, grow, names.index(drop) if drop in names else None)
        matrix = score.confusion_matrix(prediction, label, len(names))
        values = {
            "pixel accuracy": score.pixel_accuracy(matrix),
            "mean accuracy": score.mean_accuracy(matrix),
            "mean IoU": score.mean_iou(matrix),
            "boundary F": score.boundary_f_score(prediction, label, tolerance),
        }
        return start_here.score_view(image, label, prediction, values, swaps=len(names) > 2)

    controls = [_slider("shift", 0, 12, 4), _slider("grow", -6, 6, 0), _choice("drop", ["nothing", *names[1:]])]
    _explore(
        draw, controls, "At the start, moved by 4 pixels: the accuracy is 0.93, the boundary score below one half."
    )


def _slider(name, low, high, value=None, step=1):
    value = low if value is None else value
    return widgets.IntSlider(value, low, high, step, description=name, layout=_LAYOUT, style=_STYLE)


def _choice(name, options):
    return widgets.Dropdown(options=options, description=name, layout=_LAYOUT, style=_STYLE)


def _explore(draw, controls, finding):
    """Show `controls` above the SVG that `draw(**values)` returns, and redraw on every move.

    A page without a kernel shows the first state as a still picture, with the range of each control.
    """
    view = widgets.HTML()

    def redraw(_=None):
        view.value = draw(**{control.description: control.value for control in controls})

    for control in controls:
        control.observe(redraw, "value")
    redraw()
    box = widgets.VBox([widgets.HBox(controls, layout=widgets.Layout(flex_flow="row wrap")), view])
    live = box._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]
    still = {"image/svg+xml": view.value, "text/plain": finding}
    display(
        {**still, "application/vnd.jupyter.widget-view+json": live},
        raw=True,
        metadata={"image/svg+xml": {"alt": finding}},
    )
    ranges = "; ".join(f"<b>{control.description}</b> {_range(control)}" for control in controls)
    display(HTML(f"<p><em>{finding}</em> Controls: {ranges}.</p>"))


def _range(control):
    if hasattr(control, "options"):
        return " / ".join(map(str, control.options))
    return f"{control.min} … {control.max}"
