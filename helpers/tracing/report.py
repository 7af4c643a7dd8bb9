"""One table for any 2-D network: output shapes, receptive fields, parameters and multiply-adds by layer."""

import difflib
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import NamedTuple

import numpy as np
import torch

from helpers.tracing.fields import Field
from helpers.tracing.meta import tensors_in
from helpers.tracing.reach import NoRule
from helpers.tracing.tracer import Unknown, run


class UnsupportedOperation(NotImplementedError):
    """The receptive field is not known exactly, because of `operation` in `layer`."""

    def __init__(self, unknown):
        self.operation, self.layer, detail = unknown
        where = f"layer {self.layer!r}" if self.layer else "the model's own forward"
        detail = f" ({detail})" if detail else ""
        super().__init__(f"receptive field unknown, because of {self.operation} in {where}{detail}")


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of a layer depend on: pairs (height, width), in pixels of the picture.

    Unit i depends on pixels from stride·i − padding to stride·i − padding + size − 1, as if the picture had no border:
    the effective stride and padding of Araujo, Norris and Sim ("Computing receptive fields of convolutional neural
    networks", Distill 2019). It is a box around the pixels of all channels; with dilation it has holes. Unit (i, j) is
    row i and column j, wherever the tensor holds them: (N, C, H, W), (N, H, W, C), or tokens (N, H·W, C).

    Behind upsampling the units differ: `stride` can be a Fraction, `size` is the largest over one period, unit 0 begins
    at −padding, and only `span` is exact. Where branches of different strides meet, stride and padding are None, and
    `size` is the largest in this map. `whole` is True along an axis that every unit sees from end to end by
    construction; what strides leave unread is not seen. The scores of an attention, before their softmax, count as
    seeing all that they are compared with.
    """

    size: tuple
    stride: tuple
    padding: tuple
    whole: tuple = (False, False)
    _reaches: tuple = field(default=None, repr=False, compare=False)

    def span(self, i, j=None):
        """((first row, last row), (first column, last column)) of unit (i, j), not clipped; without j, of (i, i).

        None instead of a pair where the unit depends on no pixel: a transposed convolution whose stride is
        larger than its kernel leaves such holes.
        """
        return self._span(0, i), self._span(1, i if j is None else j)

    def _span(self, axis, index):
        if self._reaches is None or self.whole[axis]:
            first = self.stride[axis] * index - self.padding[axis]
            return first, first + self.size[axis] - 1
        first, last = map(int, np.ravel(_bounds(self._reaches[axis], np.array([index]))))
        return (first, last) if first <= last else None

    def __str__(self):
        if all(self.whole):
            return "whole picture"
        return "×".join("whole" if w else str(size) for size, w in zip(self.size, self.whole, strict=True))


def _bounds(reaches, index):
    """First and last pixel of each unit."""
    first, last = np.min([reach.at(index) for reach in reaches], 0).T
    return first, -last


@lru_cache(4096)
def _describe(reaches, pixels, units):
    """(size, stride, padding, whole) along one axis."""
    if any(reach.shift == 0 and (reach.ends <= [0, 1 - pixels]).all() for reach in reaches):
        return pixels, 0, 0, True
    first, last = _bounds(reaches, np.arange(units if len(reaches) > 1 else reaches[0].period))
    size = max(int((last - first).max()) + 1, 0)
    if len(reaches) > 1:
        return size, None, None, False
    stride, unit = reaches[0].slope, int(np.argmax(last >= first))  # unit: the first that depends on a pixel
    padding = stride * unit - int(first[unit])
    return size, *(int(x) if x.denominator == 1 else x for x in (stride, padding)), False


def _receptive_field(dependence, picture, layer):
    if not isinstance(dependence, Field):
        return dependence
    try:
        dependence = dependence.in_order()
    except NoRule as reason:
        return Unknown("the order of its units", layer, str(reason))
    units = {axis: size for dim in dependence.dims for size, axis in dim}
    axes = [_describe(dependence.reaches[axis], picture[axis], units.get(axis, 1)) for axis in (0, 1)]
    return ReceptiveField(*zip(*axes, strict=True), dependence.reaches)


class Total(NamedTuple):
    """Parameters of the model, shared ones once, unused ones too; multiply-adds per sample."""

    parameters: int
    macs: int


class Trace(list):
    """The `Row`s of `trace` in order of execution, and their `total`."""

    def __init__(self, rows, total):
        super().__init__(rows)
        self.total = total

    def _cells(self):
        yield "layer", "kind", "output", "receptive field", "stride", "parameters", "multiply-adds"
        for row in self:
            stride = getattr(row.receptive_field, "stride", ("", ""))
            stride = "×".join("mixed" if s is None else str(s) for s in stride[: 1 + (stride[0] != stride[1])])
            shape, seen = "×".join(map(str, row.output_shape)), str(row.receptive_field or "–")
            yield row.name, row.kind, shape, seen, stride, f"{row.parameters:,}", f"{row.macs:,}"
        yield "total", "", "", "", "", f"{self.total.parameters:,}", f"{self.total.macs:,}"

    def _unknown(self):
        """One sentence for each reason."""
        unknown = [row.receptive_field for row in self if isinstance(row.receptive_field, Unknown)]
        return list(dict.fromkeys(str(UnsupportedOperation(reason)) for reason in unknown))

    def __str__(self):
        rows = list(self._cells())
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        form = "  ".join(f"{{:{'<' if i < 2 else '>'}{width}}}" for i, width in enumerate(widths))
        header, *lines, total = (form.format(*row) for row in rows)
        rule = "─" * len(header)
        return "\n".join([header, rule, *lines, rule, total, *self._unknown()])

    __repr__ = __str__

    def _repr_html_(self):
        """Colours on every row: JupyterLab's dark theme has its own for every second one."""
        lines = []
        for number, row in enumerate(self._cells()):
            weight = "bold" if number in (0, len(self) + 1) else "normal"
            aligned = zip(("left",) * 2 + ("right",) * 5, row, strict=True)
            cells = "".join(f'<td style="text-align:{side}">{escape(cell)}</td>' for side, cell in aligned)
            lines.append(f'<tr style="background:#fff;color:#111;font-weight:{weight}">{cells}</tr>')
        unknown = "".join(f"<p>{escape(sentence)}</p>" for sentence in self._unknown())
        return f'<table style="border-collapse:collapse">{"".join(lines)}</table>{unknown}'


def trace(model, input_shape):
    """Follow one picture through `model`, as in eval mode, without computing a value.

    input_shape: (C, H, W), or (N, C, H, W). Returns a `Trace`, which prints as a table: one `Row` for each call of a
    layer (a module that calls no other) and of a function outside of layers, and a `total`.

    Multiply-adds are those of convolutions, transposed convolutions and matrix products, per sample, without bias: the
    convention of torchvision's metadata and of the MobileNet and DeepLab papers. A receptive field without exact rule
    is an `Unknown` that says why. Padding of any mode counts as more of the picture. Not the model itself is run but a
    copy without data and without its hooks; a `forward` that asks for values raises torch's own error.
    """
    tracer, _ = run(model, input_shape)
    picture = tuple(input_shape)[-2:]
    rows = [r._replace(receptive_field=_receptive_field(r.receptive_field, picture, r.name)) for r in tracer.rows]
    return Trace(rows, Total(sum(p.numel() for p in model.parameters()), sum(row.macs for row in rows)))


def receptive_field(model, input_shape, layer=None, output=None):
    """The `ReceptiveField` of the units of the model's output, or of that of `layer`.

    layer: a dotted name, as in "backbone.layer4"; of several calls the last one counts.
    output: the key or position of one tensor, where there are several, as in "out".
    Raises UnsupportedOperation if it is not known exactly, ValueError if there is no such layer or output.
    """
    tracer, result = run(model, input_shape)
    if layer is not None and layer not in tracer.outputs:
        close = difflib.get_close_matches(layer, tracer.outputs, n=3)
        raise ValueError(f"no layer {layer!r} was called" + f"; did you mean {close}?" * bool(close))
    dependence = tracer.field_of(_one_tensor(result if layer is None else tracer.outputs[layer], output))
    found = _receptive_field(dependence, tuple(input_shape)[-2:], layer or "")
    if found is None:
        raise ValueError("this output does not depend on the picture")
    if isinstance(found, Unknown):
        raise UnsupportedOperation(found)
    return found


def _one_tensor(result, output):
    names = list(result) if isinstance(result, dict) else list(range(len(list(tensors_in(result)))))
    if output is not None and (isinstance(result, torch.Tensor) or output not in names):
        raise ValueError(f"no output {output!r}; there is {names}")
    tensors = list(tensors_in(result if output is None else result[output]))
    if len(tensors) != 1:
        raise ValueError(f"{len(tensors)} tensors: choose one by output=, of {names}")
    return tensors[0]
