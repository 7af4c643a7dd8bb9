"""Widgets to play with: each binds its controls to one drawing function, and holds no drawing of its own."""

import ipywidgets as widgets
import torch
import torch.nn.functional as F
from IPython.display import HTML, display

from helpers import scores as score
from helpers.figures import fields, output_sizes, start_here

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
    _explore(draw, controls, "Moved by 4 pixels, the accuracy is 0.93, and the boundary score below one half.")


def convolution():
    """Any convolution, forward or transposed, one output or input cell after the other."""
    case = [("input", 3, 12, 6), ("kernel", 1, 5, 3), ("stride", 1, 4, 2), ("padding", 0, 4, 1), ("dilation", 1, 4)]
    step, play = _slider("step", 1, 9, 5), widgets.Play(min=1, max=9, value=5, interval=600, layout={"margin": "2px"})
    widgets.jslink((play, "value"), (step, "value"))
    controls = [*(_slider(*bounds) for bounds in case), _choice("kind", ["convolution", "transposed"]), step]

    def draw(step, **case):
        output, message = _measured(**case)
        cells = max(1, output if case["kind"] == "convolution" else case["input"]) ** 2
        controls[-1].max = play.max = cells
        return output_sizes.arithmetic(**case, output=output, message=message, step=min(step, cells))

    finding = "One output cell (blue) reads nine cells (dots); the hatched row and column are never read."
    _explore(draw, controls, finding, play)


def _measured(input, kernel, stride, padding, dilation, kind):
    """(output size, "") as torch finds it for shapes without numbers, or (0, torch's message)."""
    operator = F.conv2d if kind == "convolution" else F.conv_transpose2d
    x, weight = (torch.empty(1, 1, size, size, device="meta") for size in (input, kernel))
    try:
        return operator(x, weight, stride=stride, padding=padding, dilation=dilation).shape[-1], ""
    except RuntimeError as error:
        return 0, str(error)


def stack(image, recurrence, profile):
    """Build a stack of layers; its receptive field and its weights on the photograph.

    recurrence(layers) -> (size, stride, padding) and profile(layers) -> weights along one axis are the notebook's own;
    layers: [(kernel, stride, padding, dilation)].
    """

    def draw(depth, kernel, strides, dilations):
        twos = {"none": (), "early": range(2), "late": range(depth - 2, depth), "every": range(depth)}[strides]
        layers = [(kernel, 2 if n in twos else 1, 0, 2**n if dilations == "doubling" else 1) for n in range(depth)]
        grown = [recurrence(layers[:n]) for n in range(depth + 1)]
        return fields.stack_view(image, [size for size, *_ in grown], [jump for _, jump, _ in grown], profile(layers))

    strides = _choice("strides", ["none", "early", "late", "every"])
    controls = [
        _slider("depth", 3, 6, 5),
        _slider("kernel", 2, 7, 3),
        strides,
        _choice("dilations", ["none", "doubling"]),
    ]
    strides.value = "early"
    _explore(draw, controls, "Five 3×3 layers, two early strides: a field of 31 px, and most weight in its middle.")


def _slider(name, low, high, value=None, step=1):
    value = low if value is None else value
    return widgets.IntSlider(value, low, high, step, description=name, layout=_LAYOUT, style=_STYLE)


def _choice(name, options):
    return widgets.Dropdown(options=options, description=name, layout=_LAYOUT, style=_STYLE)


def _explore(draw, controls, finding, *extra):
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
    live = box._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]
    still = {"image/svg+xml": view.value, "text/plain": finding}
    display(
        {**still, "application/vnd.jupyter.widget-view+json": live},
        raw=True,
        metadata={"image/svg+xml": {"alt": finding}},
    )
    ranges = "; ".join(f"<b>{control.description}</b> {_range(control)}" for control in controls)
    display(HTML(f"<p>At the start: <em>{finding}</em> Controls: {ranges}.</p>"))


def _range(control):
    if hasattr(control, "options"):
        return " / ".join(map(str, control.options))
    return f"{control.min} … {control.max}"
