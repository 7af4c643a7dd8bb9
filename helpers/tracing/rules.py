"""What the operations of torch do to a `Field`: one rule per family, under the names of the aten library."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch

from helpers.tracing.fields import Field, join
from helpers.tracing.reach import NoRule, adaptive_window, around, clamped, reflected, transposed_window, window

ELEMENTWISE = {  # those that torch does not tag as such
    *("_prelu_kernel", "_to_copy", "alias", "detach", "hardswish", "hardtanh", "lift_fresh", "log_sigmoid_forward"),
    *("mish", "native_dropout", "relu6", "rrelu_with_noise"),
}
FOLLOWS_ALL = {"addmm", "baddbmm", "bmm", "cat", "copy", "mm", "stack"}  # not only their first input
BORDERS = {"reflection_pad2d": reflected, "replication_pad2d": clamped}
POINTS = {  # offsets of the units around the point; else the nearest unit
    "upsample_bilinear2d": (0, 1),
    "upsample_bicubic2d": (-1, 0, 1, 2),
}


def derive(operation, shape, arguments):
    """The Field of the result, or of each result. None where it does not depend on the picture.

    `arguments` holds a Field in place of each tensor that depends on the picture; the first tensor is "x".
    """
    name = base_name(operation)
    lists = {key: value if isinstance(value, list) else [value] for key, value in arguments.items()}
    followed = [key for key, values in lists.items() if any(isinstance(value, Field) for value in values)]
    if is_elementwise(operation) and all(isinstance(arguments[key], Field) for key in followed):
        return join(shape, *arguments.values())
    if name not in RULES:
        raise NoRule
    if name not in FOLLOWS_ALL and followed != ["x"]:
        raise NoRule("its parameters depend on the picture")
    return RULES[name](shape, name=name, **arguments)


def base_name(operation):
    """Without the mark of variants that work in place."""
    return operation.overloadpacket.__name__.rstrip("_")


@lru_cache(4096)
def is_elementwise(operation):
    name = base_name(operation)
    twin = getattr(getattr(torch.ops.aten, name, None), operation._overloadname, operation)
    return torch.Tag.pointwise in operation.tags or torch.Tag.pointwise in twin.tags or name in ELEMENTWISE


def _windows(x, shape, index_map, steps, *parameters):
    """An index map on each of the last dimensions; a parameter has one entry for each."""
    for i, (step, *values) in enumerate(zip(steps, *parameters, strict=True), start=len(shape) - len(steps)):
        x = x.move(i, shape[i], step, index_map, *values)
    return x


def _convolution(shape, x, weight, stride, padding, dilation, transposed, groups, **_):
    x, kernel = x.mix(1, groups).resized(1, shape[1]), weight.shape[2:]
    steps = [Fraction(1, s) for s in stride] if transposed else stride
    return _windows(x, shape, transposed_window if transposed else window, steps, kernel, stride, padding, dilation)


def _pool(shape, x, kernel_size, stride, padding, dilation=None, **_):
    stride, dilation = stride or kernel_size, dilation or [1] * len(kernel_size)
    return _windows(x, shape, window, stride, kernel_size, stride, padding, dilation)


def _adaptive_pool(shape, x, **_):
    for dim in (len(shape) - 2, len(shape) - 1):
        size, out_size = x.size(dim), shape[dim]
        how = Fraction(size, out_size), adaptive_window, size, out_size
        x = x.collapse(dim) if out_size == 1 else x.move(dim, out_size, *how)
    return x


def _pad(shape, x, name, pad=(), padding=(), **_):
    """Padding counts as more of the picture, whatever it holds."""
    for dim, before in zip(reversed(range(len(shape))), (pad or padding)[::2], strict=False):
        x = x.move(dim, shape[dim], 1, window, 1, 1, before, 1, border=BORDERS.get(name))
    return x


def _interpolate(shape, x, name, align_corners=False, scales_h=None, scales_w=None, **_):
    for dim, scale in enumerate((scales_h, scales_w), start=len(shape) - 2):
        size, out_size = x.size(dim), shape[dim]
        step = Fraction(size, out_size)
        if align_corners:
            step = Fraction(size - 1, max(out_size - 1, 1))
        elif scale:
            step = 1 / Fraction(scale).limit_denominator(1000)
            if abs(step * Fraction(scale) - 1) > 1e-9:
                raise NoRule(f"the scale factor {scale} is no simple fraction")
        start = Fraction(0) if align_corners or name == "upsample_nearest2d" else (step - 1) / 2
        if name not in POINTS:
            start += Fraction(name == "_upsample_nearest_exact2d", 2)
            _check_rounding(step, start, out_size)
        x = x.move(dim, out_size, step, around, step, start, POINTS.get(name, (0,)), border=clamped)
    return x


def _check_rounding(step, start, out_size):
    """torch computes the nearest index in float32: at some sizes it is one too small."""
    units = np.arange(out_size)
    exact = (2 * units + int(2 * start / step)) * step.numerator // (2 * step.denominator)
    if (np.floor((units + np.float32(start / step)) * np.float32(step)) != exact).any():
        raise NoRule("its rounding is irregular at this size")


def _pixel_shuffle(shape, x, upscale_factor, **_):
    *batch, channels, height, width = shape
    r, n = upscale_factor, len(batch)
    x = x.view((*batch, channels, r, r, height // r, width // r))
    return x.permute((*range(n + 1), n + 3, n + 1, n + 4, n + 2)).view(shape)


def _cat(shape, tensors, dim=0, **_):
    dim %= len(shape)
    parts = [x for x in tensors if isinstance(x, Field)]
    if any(x.axes(dim) for x in parts):
        raise NoRule("it joins maps along an axis of the picture")
    result = join(shape, *(x.resized(dim, shape[dim]) for x in parts))
    alike = len(parts) == len(tensors) and all(x.reaches == parts[0].reaches for x in parts)
    return result if alike else result._replace(differ=True)


def _stack(shape, tensors, dim=0, **_):
    dim %= len(shape)
    return _cat(shape, [x.insert(dim) if isinstance(x, Field) else x for x in tensors], dim)


def _matmul(shape, x, mat2, **_):
    """(…, m, k) × (…, k, n): everything along k mixed.

    In attention both m and n hold places of the picture. Each score then counts as seeing all of n, as it
    does behind the softmax.
    """
    m, n = len(shape) - 2, len(shape) - 1
    left = x.collapse(n, shape[n]) if isinstance(x, Field) else x
    right = mat2.collapse(m, shape[m]) if isinstance(mat2, Field) else mat2
    if isinstance(left, Field) and isinstance(right, Field):
        held = {axis for dim in range(n) for axis in left.axes(dim)}
        right = right.mix(n) if held & set(right.axes(n)) else right
    return join(shape, left, right)


def _add_matmul(shape, x, mat1=None, mat2=None, batch1=None, batch2=None, **_):
    left, right = (mat1, mat2) if batch1 is None else (batch1, batch2)
    return join(shape, x, _matmul(shape, left, right))


def _reduce(shape, x, dim=None, keepdim=False, **_):
    dims = range(len(x.dims)) if dim is None or dim == [] else np.atleast_1d(dim) % len(x.dims)
    for d in sorted(map(int, dims), reverse=True):
        x = x.collapse(d) if keepdim else x.drop(d)
    return x


def _normalise(x, dims):
    """The sizes stay; every unit depends on all units along `dims`."""
    for dim in dims:
        x = x.mix(dim)
    return x


def _transpose(shape, x, dim0=0, dim1=-1, **_):
    order = list(range(len(shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return x.permute(order)


def _slice(shape, x, dim=0, start=None, end=None, step=1, **_):
    dim %= len(shape)
    first, *_ = slice(start, end, step).indices(x.size(dim))
    return x.take(dim, first, step, shape[dim])


def _select(shape, x, dim, index, **_):
    dim %= len(x.dims)
    return x.take(dim, index % x.size(dim), 1, 1).drop(dim)


def _unbind(shape, x, dim=0, **_):
    return [_select(shape, x, dim, index) for index in range(x.size(dim))]


def _split(shape, x, split_size=None, split_sizes=None, dim=0, **_):
    dim %= len(shape)
    total = x.size(dim)
    sizes = split_sizes or [min(split_size, total - i) for i in range(0, total, split_size)]
    return [x.take(dim, sum(sizes[:i]), 1, size) for i, size in enumerate(sizes)]


def _flip(shape, x, dims, **_):
    for dim in dims:
        x = x.take(dim % len(shape), shape[dim] - 1, -1, shape[dim])
    return x


FAMILIES = {
    "convolution": _convolution,
    "avg_pool2d avg_pool3d max_pool2d_with_indices max_pool3d_with_indices": _pool,
    "_adaptive_avg_pool2d adaptive_max_pool2d": _adaptive_pool,
    "constant_pad_nd reflection_pad2d replication_pad2d": _pad,
    "upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d": _interpolate,
    "pixel_shuffle": _pixel_shuffle,
    "cat": _cat,
    "stack": _stack,
    "mm bmm": _matmul,
    "addmm baddbmm": _add_matmul,
    "mean sum prod amax amin max min argmax argmin any all logsumexp linalg_vector_norm std var var_mean": _reduce,
    "_softmax _log_softmax _safe_softmax": lambda shape, x, dim, **_: _normalise(x, [dim % len(shape)]),
    "native_batch_norm":
        lambda shape, x, training, **_: _normalise(x, [0, *range(2, len(shape))]) if training else x,
    "native_layer_norm":
        lambda shape, x, normalized_shape, **_: _normalise(x, range(len(shape))[-len(normalized_shape) :]),
    "native_group_norm": lambda shape, x, group, **_: _normalise(x.mix(1, group), range(2, len(shape))),
    "view _unsafe_view _reshape_alias squeeze unsqueeze": lambda shape, x, **_: x.view(shape),
    "expand": lambda shape, x, **_: x.expand(shape),
    "permute": lambda shape, x, dims, **_: x.permute([dim % len(shape) for dim in dims]),
    "t transpose": _transpose,
    "slice": _slice,
    "select": _select,
    "split split_with_sizes": _split,
    "unbind": _unbind,
    "flip": _flip,
    "copy": lambda shape, x, src, **_: src.expand(shape) if isinstance(src, Field) else None,
    "zero fill zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full new_empty":
        lambda shape, **_: None,
}  # fmt: skip
RULES = {name: rule for names, rule in FAMILIES.items() for name in names.split()}
