"""The exercises of 02_receptive_fields."""

import math

import torch

from helpers.exercises import EXERCISES, Exercise
from helpers.figures.masks import compare_masks

NETS = (([(3, 1), (2, 2), (3, 1)],), ([(7, 2), (3, 2), (3, 1), (3, 1)],), ([(3, 2), (5, 3), (3, 2), (3, 1)],))


def _walk(layers, jump=lambda jump, stride: jump * stride, first=1):
    """1 + Σ (kernel − 1)·jump; `jump` says how the distance between units grows."""
    size, between = 1, first
    for kernel, stride in layers:
        size += (kernel - 1) * between
        between = jump(between, stride)
    return size


def _too_early(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        size += (kernel - 1) * jump
    return size


def _times_stride(layers):
    size = 1
    for kernel, stride in layers:
        size = size * stride + kernel - stride
    return size


def _whole_kernel(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size += kernel * jump
        jump *= stride
    return size


def _view(layers, units, pixels, taps=lambda kernel: kernel, dilated=True, late=False, filled=False, centred=False):
    """Walk back from each unit to the pixels; the flags make the typical mistakes."""
    result = torch.zeros(units, pixels, dtype=torch.bool)
    strides = [stride for _, stride, _ in layers]
    strides = [1, *strides[:-1]] if late else strides
    for unit in range(units):
        seen = {unit}
        for (kernel, _, dilation), stride in reversed([*zip(layers, strides, strict=True)]):
            step = dilation if dilated else 1
            start = -(kernel // 2) if centred else 0
            seen = {stride * place + step * (start + tap) for place in seen for tap in range(taps(kernel))}
        seen = range(min(seen), max(seen) + 1) if filled else seen
        result[unit, [pixel for pixel in seen if 0 <= pixel < pixels]] = True
    return result


EXERCISES["layers"] = Exercise(
    right=202,
    mistakes={
        "201 layers reach 403 pixels: one pixel is missing.": 201,
        "Each layer adds k − 1 = 2 pixels, not 1.": 403,
        "Each layer adds k − 1 = 2 pixels, not 1, and the first pixel is already there.": 404,
        "Each layer adds k − 1 = 2 pixels, not 3: neighbouring windows overlap.": 135,
        "405 is what the unit then sees. How many layers does that take?": 405,
    },
    hints=("n layers see 1 + 2n pixels.", "solve 1 + 2n ≥ 404, and round up."),
)
EXERCISES["jump"] = Exercise(
    right=_walk,
    cases=NETS,
    mistakes={
        "The strides are still added: two strides of 3 put neighbours 9 pixels apart, not 6.": (
            lambda layers: _walk(layers, lambda jump, stride: jump + stride)
        ),
        "The strides are still added, now from 0. They multiply.": (
            lambda layers: _walk(layers, lambda jump, stride: jump + stride - 1)
        ),
        "This is the distance between neighbours (`jump`). Return the size.": (
            lambda layers: math.prod(stride for _, stride in layers)
        ),
        "Only the stride of the layer before counts here. All strides before multiply.": (
            lambda layers: _walk(layers, lambda jump, stride: stride)
        ),
        "The stride acts one layer too early: it spreads the layers after it, not its own kernel.": _too_early,
        "This multiplies the field itself by the stride. A stride multiplies what later layers add.": _times_stride,
        "Each layer adds kernel − 1, not kernel: one of its taps was there before.": _whole_kernel,
    },
    hints=("one line is wrong: what happens to `jump` at a stride?", "`jump *= stride`, after the size has grown."),
)
EXERCISES["view"] = Exercise(
    right=_view,
    cases=(
        ([(3, 1, 1)], 4, 6),
        ([(3, 2, 1), (3, 1, 1)], 4, 13),
        ([(2, 2, 1), (2, 2, 1), (3, 1, 2)], 4, 32),
        ([(3, 2, 1), (3, 1, 3)], 6, 25),
    ),
    mistakes={
        "The dilation is ignored: tap t reads the unit `dilation · t` further on.": (
            lambda *case: _view(*case, dilated=False)
        ),
        "Each kernel has one tap too many: `range(kernel)` ends at kernel − 1.": (
            lambda *case: _view(*case, taps=lambda kernel: kernel + 1)
        ),
        "Each kernel has one tap too few.": lambda *case: _view(*case, taps=lambda kernel: kernel - 1),
        "The strides are shifted by one layer: walking back, a layer's own stride comes first.": (
            lambda *case: _view(*case, late=True)
        ),
        "These are the first and last pixels with all between: a dilated layer leaves holes.": (
            lambda *case: _view(*case, filled=True)
        ),
        "This walks forwards. Begin with the *last* layer: `reversed(net)`.": (
            lambda net, *sizes: _view(net[::-1], *sizes)
        ),
        "The stride is forgotten: unit u begins at stride · u.": (
            lambda net, *sizes: _view([(kernel, 1, dilation) for kernel, _, dilation in net], *sizes)
        ),
        "Without padding a kernel begins at stride · u; it is not centred there.": (
            lambda *case: _view(*case, centred=True)
        ),
        "Seen and unseen are exchanged.": lambda *case: ~_view(*case),
        "Rows and columns are exchanged: one row for each unit.": lambda *case: _view(*case).T.contiguous(),
    },
    hints=(
        "begin with the set `{unit}`, and walk through `reversed(net)`.",
        "unit u of a layer reads `stride * u + dilation * tap` for each tap in `range(kernel)`.",
    ),
    draw=compare_masks,
)
