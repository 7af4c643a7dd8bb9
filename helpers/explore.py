"""The frame of every explorer: controls above one picture, a still picture for pages without a kernel."""

import ipywidgets as widgets
from IPython.display import HTML, display

# JupyterLab gives its sliders no name that a screen reader could say: take the label's.
_NAMES = (
    "<script>(tries => { const name = () => { document.querySelectorAll('.widget-inline-hbox').forEach(box => {"
    "const label = box.querySelector('.widget-label'); if (label) box.querySelectorAll('.noUi-handle').forEach("
    "handle => handle.setAttribute('aria-label', label.textContent)); }); if (tries--) setTimeout(name, 700); };"
    " name(); })(4)</script>"
)
# The same for the buttons of a `Play`.
_BUTTONS = (
    "<script>setTimeout(() => document.querySelectorAll('.widget-play button').forEach((button, place) => {"
    "button.title = ['play or pause', 'stop', 'repeat'][place % 3]; "
    "button.setAttribute('aria-label', button.title); }), 1500)</script>"
)
_LAYOUT = {"width": "255px", "margin": "2px 10px 2px 2px"}  # three in a row at 1280 pixels
_STYLE = {"description_width": "initial"}


def slider(name, low, high, value=None, step=1):
    value = low if value is None else value
    return widgets.IntSlider(value, low, high, step, description=name, layout=_LAYOUT, style=_STYLE)


def choice(name, options):
    return widgets.Dropdown(options=options, description=name, layout=_LAYOUT, style=_STYLE)


def live(widget):
    """The entry of a display bundle that shows the widget itself, for ipywidgets 7 (Colab) and 8."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}


def frame(draw, controls, finding, *extra):
    """Show `controls` (and `extra` widgets) above the SVG that `draw(**values)` returns; redraw on every move.

    A page without a kernel shows the first state as a still picture, with the range of each control.
    """
    view = widgets.HTML()

    def redraw(_=None):
        view.value = draw(**{control.description: control.value for control in controls})

    for control in controls:
        control.observe(redraw, "value")
    redraw()
    box = widgets.VBox([widgets.HBox([*controls, *extra], layout=widgets.Layout(flex_flow="row wrap")), view])
    still = {"image/svg+xml": view.value, "text/plain": finding}
    display(
        {**still, **live(box)},
        raw=True,
        metadata={"image/svg+xml": {"alt": finding}},
    )
    ranges = "; ".join(f"<b>{control.description}</b> {_range(control)}" for control in controls)
    display(HTML(f"<p>At the start: <em>{finding}</em> Controls: {ranges}.</p>{_NAMES}{_BUTTONS if extra else ''}"))


def _range(control):
    if hasattr(control, "options"):
        return " / ".join(map(str, control.options))
    return f"{control.min} … {control.max}"
