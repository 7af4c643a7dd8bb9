"""The tracer against the gradient on random operations, also those that no network should make of an image.

Views, permutations, windows and mixing along any dimension: what the tracer says a place of the result sees
may never be too small; where nothing was cut off or padded it is exact. Or it is unknown, with a reason.
"""

import os

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from helpers.tracing import UnsupportedOperation, receptive_field
from helpers.tracing.probing import support
from helpers.tracing.tracer import run

EXAMPLES = 6000 if os.environ.get("LONG_TESTS") == "1" else 400
LARGEST = 4096  # values in a tensor


class Steps(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps
        self.precision = nn.Parameter(ones(1))  # tells the tracer the type of the picture

    def forward(self, x):
        for _, function in self.steps:
            x = function(x)
        return x

    def extra_repr(self):
        return ", ".join(name for name, _ in self.steps)


class Places(nn.Module):
    """The result as (1, everything else, rows, columns), rows and columns where the tracer sees them."""

    def __init__(self, model, dims):
        super().__init__()
        self.model, self.dims = model, dims

    def forward(self, x):
        y = self.model(x)
        shape = [size for factors in self.dims for size, _ in factors]
        axes = [axis for factors in self.dims for _, axis in factors]
        y = y.reshape(shape)
        places = [axes.index(axis) for axis in (0, 1) if axis in axes]
        others = [i for i in range(len(shape)) if i not in places]
        y = y.permute([*others, *places])  # of none, if all sizes are 1
        sizes = [shape[axes.index(axis)] if axis in axes else 1 for axis in (0, 1)]
        return y.reshape(1, -1, *sizes)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


def enough(x, size):
    """Of one or two normalised values nothing is left that depends on the picture."""
    if size < 3:
        raise ValueError("too few values")
    return x


def batched(x):
    if x.ndim != 4:
        raise ValueError("not for the probe")
    return x


def wider(x):
    """Of the same shape, with a larger field along its last dimension."""
    return F.avg_pool1d(x.flatten(0, -2), 3, 1, 1, count_include_pad=False).view(x.shape)


def rearrange(draw, x):
    """Views and permutations of any dimensions."""
    dims = draw(st.permutations(range(x.ndim)))
    a, b = sorted(dims[:2]) if x.ndim > 1 else (0, 0)
    return draw(
        st.sampled_from(
            [
                (f"permute {dims}", lambda x: x.permute(dims)),
                (f"transpose {a, b}", lambda x: x.transpose(a, b)),
                ("mT", lambda x: x.mT),
                (f"flatten {a, b}", lambda x: x.flatten(a, b)),
                (f"unflatten {a}", lambda x: x.unflatten(a, (2, x.shape[a] // 2))),
                (f"unflatten {b}", lambda x: x.unflatten(b, (x.shape[b] // 2, 2))),
                (f"unsqueeze {a}", lambda x: x.unsqueeze(a)),
                ("squeeze", lambda x: x.squeeze()),
                (f"flip {a}", lambda x: x.flip(a)),
            ]
        )
    )


def enlarge(draw, x):
    d = draw(st.integers(0, x.ndim - 1))
    return draw(
        st.sampled_from(
            [
                (f"stack {d}", lambda x: torch.stack([x, wider(x)], d)),
                (f"stack last {d}", lambda x: torch.stack([x, x], -1).flatten(-2)),
                (f"cat {d}", lambda x: torch.cat([x, wider(x)], d)),
                (f"repeat_interleave {d}", lambda x: x.repeat_interleave(2, d)),
                (
                    f"expand {d}",
                    lambda x: x.unsqueeze(d + 1).expand(*x.shape[: d + 1], 2, *x.shape[d + 1 :]).flatten(d, d + 1),
                ),
                (f"tile {d}", lambda x: x.repeat([2 if i == d else 1 for i in range(x.ndim)])),
                ("kron", lambda x: torch.kron(x, ones(*[1] * (x.ndim - 1), 2))),
                ("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2)),
                ("nearest", lambda x: F.interpolate(x, scale_factor=2)),
                ("bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
                ("transposed", lambda x: F.conv_transpose2d(x, ones(x.shape[-3], 2, 2, 2), stride=2)),
            ]
        )
    )


def reduce(draw, x):
    d = draw(st.integers(0, x.ndim - 1))
    return draw(
        st.sampled_from(
            [
                (f"slice {d} cut", lambda x: x.narrow(d, 0, max(1, x.shape[d] // 2))),
                (f"every second {d}", lambda x: x[(slice(None),) * d + (slice(None, None, 2),)]),
                (f"select {d} cut", lambda x: x.select(d, x.shape[d] // 2)),
                (f"split {d} cut", lambda x: x.split(max(1, x.shape[d] // 2), d)[-1]),
                (f"mean {d}", lambda x: x.mean(d, keepdim=True)),
                (f"sum {d}", lambda x: x.sum(d)),
                ("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2)),
                ("downsampled", lambda x: F.interpolate(x, (max(1, x.shape[2] // 2), x.shape[3]))),
            ]
        )
    )


def windows(draw, x):
    k, g = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2]))
    conv = getattr(F, f"conv{x.ndim - 2}d", None)
    return draw(
        st.sampled_from(
            [
                (f"conv {k} {g}", lambda x: conv(x, ones(2, x.shape[1] // g, *[k] * (x.ndim - 2)), groups=g)),
                (f"depthwise {k}", lambda x: conv(x, ones(x.shape[1], 1, *[k] * (x.ndim - 2)), groups=x.shape[1])),
                (f"avg_pool1d {k}", lambda x: F.avg_pool1d(x, k)),
                (f"avg_pool2d {k}", lambda x: F.avg_pool2d(x, k, 1)),
                (f"avg_pool3d {k}", lambda x: F.avg_pool3d(x, k, 1)),
                (f"strided {k}", lambda x: F.avg_pool2d(x, k)),
                (f"max_pool2d {k}", lambda x: F.max_pool2d(batched(x), k)),
                ("adaptive", lambda x: F.adaptive_avg_pool2d(x, (x.shape[-2], max(1, x.shape[-1] - 1)))),
                ("constant cut", lambda x: F.pad(x, (1, 1, 0, 1))),
                ("reflect mirrored", lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect")),
                ("replicate mirrored", lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate")),
                ("response cut", lambda x: F.local_response_norm(x, 3)),
            ]
        )
    )


def mix(draw, x):
    d = draw(st.integers(0, x.ndim - 1))
    return draw(
        st.sampled_from(
            [
                (f"gate {d}", lambda x: x * x.mean(d, keepdim=True)),
                (f"softmax {d}", lambda x: enough(x, x.shape[d]).softmax(d)),
                ("linear", lambda x: F.linear(x, ones(3, x.shape[-1]))),
                ("layer_norm", lambda x: F.layer_norm(enough(x, x.shape[-1]), x.shape[-1:])),
                ("group_norm", lambda x: F.group_norm(enough(x, x[0].numel() // 2), 2)),
                ("wider", lambda x: x + wider(x)),
                ("flipped", lambda x: x + x.flip(d)),
                ("transposed sum", lambda x: x + x.mT),
                (
                    "attention",
                    lambda x: ((enough(x, x.shape[1]).flatten(2) @ x.flatten(2).mT).softmax(-1) @ x.flatten(2)).view(
                        x.shape
                    ),
                ),
                (
                    "tokens",
                    lambda x: (
                        (enough(x, x[0, 0].numel()).flatten(2).mT @ x.flatten(2)).softmax(-1) @ x.flatten(2).mT
                    ).mT.reshape(x.shape),
                ),
                ("outer", lambda x: x.mean(-1, keepdim=True) @ x.mean(-2, keepdim=True)),
                (f"in place {d}", lambda x: x.clone().mul_(x.mean(d, keepdim=True)).clamp_(-9, 9)),
            ]
        )
    )


@st.composite
def models(draw):
    shape = draw(st.sampled_from([(2, 6, 8), (4, 8, 6), (4, 7, 7), (8, 4, 12)]))
    steps, x = [], torch.empty(1, *shape, device="meta", dtype=torch.float64)
    for _ in range(draw(st.integers(1, 6))):
        step = draw(st.sampled_from([rearrange, rearrange, enlarge, reduce, windows, mix]))(draw, x)
        try:
            with torch.device("meta"):
                y = step[1](x)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):  # not for this shape
            continue
        if 0 < y.numel() <= LARGEST and 2 <= y.ndim <= 6:
            steps.append(step)
            x = y
    return Steps(steps), shape


counts = {"known": 0, "unknown": 0, "exact": 0}


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES < 6000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(models())
def test_random_operations_against_the_gradient(case):
    model, shape = case
    try:
        field = receptive_field(model, shape)
    except UnsupportedOperation as error:
        assert error.operation
        counts["unknown"] += 1
        return
    counts["known"] += 1
    tracer, result = run(model, shape)
    places = Places(model, tracer.field_of(result).in_order().dims)
    size = places(torch.zeros(1, *shape, dtype=torch.float64)).shape[2:]
    units = [(i, j) for i in {0, size[0] // 2, size[0] - 1} for j in {0, size[1] // 2, size[1] - 1}]
    name = repr(model)
    for unit, mask in ((unit, support(places, shape, unit)) for unit in units):
        expected = field.span(*unit)
        inside = all(span and span[0] >= 0 and span[1] < n for span, n in zip(expected, shape[1:], strict=True))
        if mask.any() and ("mirrored" not in name or (inside and "cut" not in name)):  # padding counts as picture
            for lines, span in ((mask.any(1), expected[0]), (mask.any(0), expected[1])):
                seen = lines.nonzero()
                assert span, f"{unit}: a hole sees {seen.tolist()}"
                assert span[0] <= seen.min() and seen.max() <= span[1], f"{unit}: {expected}, too small"
                if inside and not any(word in name for word in ("cut", "mirrored")):
                    counts["exact"] += 1
                    assert (int(seen.min()), int(seen.max())) == span, f"{unit}: {expected}, too large"


def test_many_random_operations_were_known():
    if not counts["known"]:
        pytest.skip("runs after the random operations")
    print(counts)
    assert counts["known"] > EXAMPLES // 3 and counts["exact"] > EXAMPLES
