"""What the operations of torch do to a `Field`: one rule per family, under the names of the aten library."""

from fractions import Fraction

import numpy as np
import torch

from helpers.tracing.fields import Field, join
from helpers.tracing.reach import NoRule, adaptive_window, around, transposed_window, window

ELEMENTWISE = {  # those that torch does not tag as such
    *("_prelu_kernel", "_to_copy", "alias", "detach", "hardswish", "hardswish_", "lift_fresh"),
    *("log_sigmoid_forward", "mish_", "native_dropout", "rrelu_with_noise"),
}
FOLLOWS_ALL = {"addmm", "baddbmm", "bmm", "cat", "copy_", "mm", "stack"}  # not only their first input
WEIGHTS = {
    "upsample_bilinear2d": (0, 1),
    "upsample_bicubic2d": (-1, 0, 1, 2),
}  # offsets; else the nearest unit


def derive(operation, shape, arguments):
    """The Field of the result, or of each result. None where it does not depend on the picture.

    `arguments` holds a Field in place of each tensor that depends on the picture; the first tensor is "x".
    """
    name = operation.overloadpacket.__name__
    if torch.Tag.pointwise in operation.tags or name in ELEMENTWISE:
        return join(shape, *arguments.values())
    if name not in RULES:
        raise NoRule
    followed = [key for key, value in arguments.items() if isinstance(value, Field)]
    if name not in FOLLOWS_ALL and followed != ["x"]:
        raise NoRule("its parameters depend on the picture")
    return RULES[name](shape, name=name, **arguments)


def _windows(x, shape, change, *parameters):
    """An index map on each of the last dimensions; a parameter has one entry for each."""
    for i, values in enumerate(zip(*parameters, strict=True), start=len(shape) - len(parameters[0])):
        x = x.move(i, shape[i], change, *values)
    return x


def _convolution(shape, x, weight, stride, padding, dilation, transposed, groups, **_):
    x = x.blend(1, groups, shape[1] // groups if groups > 1 else 1).resized(1, shape[1])
    change = transposed_window if transposed else window
    return _windows(x, shape, change, weight.shape[2:], stride, padding, dilation)


def _pool(shape, x, kernel_size, stride, padding, dilation=None, **_):
    dilation = dilation or [1] * len(padding)
    return _windows(x, shape, window, kernel_size, stride or kernel_size, padding, dilation)


def _pad(shape, x, pad=(), padding=(), **_):
    """Padding counts as more of the picture, whatever it holds."""
    pad = pad or padding
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        dim = len(shape) - 1 - i
        if x.axes(dim):
            x = x.take(dim, -before, 1, shape[dim])
        elif before or after:
            x = x.take(dim, max(-before, 0), 1, shape[dim] - max(before, 0) - max(after, 0))
            x = x.pad_channels(dim, max(before, 0), max(after, 0))
    return x


def _interpolate(shape, x, name, align_corners=False, scales_h=None, scales_w=None, **_):
    for dim, scale in enumerate((scales_h, scales_w), start=len(shape) - 2):
        size, out_size = x.sizes()[dim], shape[dim]
        step = Fraction(size, out_size)
        if align_corners:
            step = Fraction(size - 1, max(out_size - 1, 1))
        elif scale:
            step = 1 / Fraction(scale).limit_denominator(1000)
            if abs(step * Fraction(scale) - 1) > 1e-9:
                raise NoRule(f"the scale factor {scale} is no simple fraction")
        start = Fraction(0) if align_corners or name == "upsample_nearest2d" else (step - 1) / 2
        if name not in WEIGHTS:
            start += Fraction(name == "_upsample_nearest_exact2d", 2)
            _check_rounding(step, start, out_size)
        x = x.move(dim, out_size, around, step, start, WEIGHTS.get(name, (0,)))
    return x


def _check_rounding(step, start, out_size):
    """torch computes the nearest index in float32: at some sizes it is one too small."""
    units = np.arange(out_size)
    exact = (2 * units + int(2 * start / step)) * step.numerator // (2 * step.denominator)
    if (np.floor((units + np.float32(start / step)) * np.float32(step)) != exact).any():
        raise NoRule("its rounding is irregular at this size")


def _pixel_shuffle(shape, x, upscale_factor, **_):
    *_, channel, row, column = range(len(shape))
    if x.channels_differ(channel):
        raise NoRule("it puts channels with different fields side by side")
    x, step = x.resized(channel, shape[channel]), Fraction(1, upscale_factor)
    return x.move(row, shape[row], around, step, 0).move(column, shape[column], around, step, 0)


def _pixel_unshuffle(shape, x, downscale_factor, **_):
    r, row, column = downscale_factor, len(shape) - 2, len(shape) - 1
    rows = [x.take(row, i, r, shape[row]) for i in range(r)]
    phases = [y.take(column, i, r, shape[column]) for y in rows for i in range(r)]
    return _stack((*x.sizes()[:row], r * r, *shape[row:]), phases, row).view(shape)


def _channel_shuffle(shape, x, groups, **_):
    x = x.view((shape[0], groups, shape[1] // groups, *shape[2:]))
    return x.permute((0, 2, 1, *range(3, len(x.dims)))).view(shape)


def _cat(shape, tensors, dim=0, **_):
    dim, start, parts = dim % len(shape), 0, []
    for x in tensors:
        size = x.sizes()[dim] if isinstance(x, Field) else x.shape[dim]
        if isinstance(x, Field):
            parts.append(x.pad_channels(dim, start, shape[dim] - start - size))
        start += size
    return join(shape, *parts)


def _stack(shape, tensors, dim=0, **_):
    dim %= len(shape)
    return _cat(shape, [x.insert(dim) if isinstance(x, Field) else x.unsqueeze(dim) for x in tensors], dim)


def _matmul(shape, x, mat2, **_):
    """(…, m, k) × (…, k, n): everything along k mixed."""
    left = x.collapse(len(shape) - 1, shape[-1]) if isinstance(x, Field) else x
    right = mat2.collapse(len(shape) - 2, shape[-2]) if isinstance(mat2, Field) else mat2
    return join(shape, left, right)


def _add_matmul(shape, x, mat1=None, mat2=None, batch1=None, batch2=None, **_):
    left, right = (mat1, mat2) if batch1 is None else (batch1, batch2)
    product = _matmul(shape, left, right) if isinstance(left, Field) or isinstance(right, Field) else None
    return join(shape, x, product)


def _reduce(shape, x, dim=None, keepdim=False, **_):
    dims = range(len(x.dims)) if dim is None or dim == [] else np.atleast_1d(dim) % len(x.dims)
    for d in sorted(map(int, dims), reverse=True):
        x = x.collapse(d) if keepdim else x.drop(d)
    return x


def _normalise(x, dims):
    """The sizes stay; every unit depends on all units along `dims`."""
    for dim in dims:
        x = x.collapse(dim, x.sizes()[dim])
    return x


def _group_norm(shape, x, group, **_):
    return _normalise(x.blend(1, group, shape[1] // group), range(2, len(shape)))


def _transpose(shape, x, dim0=0, dim1=-1, **_):
    order = list(range(len(shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return x.permute(order)


def _squeeze(shape, x, dim=None, **_):
    sizes = x.sizes()
    for d in sorted(range(len(sizes)) if dim is None else np.atleast_1d(dim) % len(sizes), reverse=True):
        x = x.drop(d) if sizes[d] == 1 else x
    return x


def _slice(shape, x, dim=0, start=None, end=None, step=1, **_):
    dim %= len(shape)
    first, *_ = slice(start, end, step).indices(x.sizes()[dim])
    return x.take(dim, first, step, shape[dim])


def _select(shape, x, dim, index, **_):
    dim %= len(x.dims)
    return x.take(dim, index % x.sizes()[dim], 1, 1).drop(dim)


def _split(shape, x, split_size=None, split_sizes=None, dim=0, **_):
    dim %= len(shape)
    total = x.sizes()[dim]
    sizes = split_sizes or [min(split_size, total - i) for i in range(0, total, split_size)]
    return [x.take(dim, sum(sizes[:i]), 1, size) for i, size in enumerate(sizes)]


def _flip(shape, x, dims, **_):
    for dim in dims:
        x = x.take(dim % len(shape), shape[dim] - 1, -1, shape[dim])
    return x


FAMILIES = {
    "convolution": _convolution,
    "avg_pool2d avg_pool3d max_pool2d_with_indices": _pool,
    "_adaptive_avg_pool2d adaptive_max_pool2d":
        lambda shape, x, output_size, **_: _windows(x, shape, adaptive_window, x.sizes()[-2:], output_size),
    "constant_pad_nd reflection_pad2d replication_pad2d": _pad,
    "upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d": _interpolate,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "channel_shuffle": _channel_shuffle,
    "cat": _cat,
    "stack": _stack,
    "mm bmm": _matmul,
    "addmm baddbmm": _add_matmul,
    "mean sum prod amax amin max min argmax argmin any all logsumexp linalg_vector_norm std var": _reduce,
    "_softmax _log_softmax _safe_softmax": lambda shape, x, dim, **_: _normalise(x, [dim % len(shape)]),
    "native_batch_norm":
        lambda shape, x, training, **_: _normalise(x, [0, *range(2, len(shape))]) if training else x,
    "native_layer_norm":
        lambda shape, x, normalized_shape, **_: _normalise(x, range(len(shape))[-len(normalized_shape) :]),
    "native_group_norm": _group_norm,
    "view _unsafe_view _reshape_alias": lambda shape, x, **_: x.view(shape),
    "expand": lambda shape, x, **_: x.expand(shape),
    "permute": lambda shape, x, dims, **_: x.permute([dim % len(shape) for dim in dims]),
    "t transpose": _transpose,
    "unsqueeze": lambda shape, x, dim, **_: x.insert(dim % len(shape)),
    "squeeze": _squeeze,
    "slice": _slice,
    "select": _select,
    "split split_with_sizes": _split,
    "flip": _flip,
    "copy_": lambda shape, x, src, **_: src.expand(shape) if isinstance(src, Field) else None,
    "zero_ fill_ zeros_like ones_like full_like empty_like rand_like new_zeros new_ones new_full new_empty":
        lambda shape, **_: None,
}  # fmt: skip
RULES = {name: rule for names, rule in FAMILIES.items() for name in names.split()}
