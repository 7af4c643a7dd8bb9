"""Random 2-D networks for the tracer, drawn by Hypothesis."""

from fractions import Fraction

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn


class Function(nn.Module):
    """A function as a module. `step`: input units per output unit; `cut`: input units that it cuts off."""

    def __init__(self, name, function, step=(1, 1), cut=0):
        super().__init__()
        self.name, self.function, self.step, self.cut = name, function, step, cut

    def forward(self, x):
        return self.function(x)

    def extra_repr(self):
        return self.name


class Layer(Function):
    """The same with weights."""

    def __init__(self, module, step=(1, 1), cut=0):
        super().__init__("", None, step, cut)
        self.module = module

    def forward(self, x):
        return self.module(x)


class FunctionalConv(Function):
    def __init__(self, weight, stride, padding):
        super().__init__("conv2d", None, stride)
        self.weight, self.stride, self.padding = nn.Parameter(weight), stride, padding

    def forward(self, x):
        return F.conv2d(x, self.weight, stride=self.stride, padding=self.padding)


def crop_to(x, height, width):
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


class Branches(nn.Module):
    """Several branches from one map, cropped to the smallest and joined."""

    def __init__(self, branches, how):
        super().__init__()
        self.branches, self.how = nn.ModuleList(branches), how

    def forward(self, x):
        maps = [branch(x) for branch in self.branches]
        size = min(m.shape[2] for m in maps), min(m.shape[3] for m in maps)
        self.cut = max(max(m.shape[2] - size[0], m.shape[3] - size[1]) for m in maps)
        maps = [crop_to(m, *size) for m in maps]
        if self.how == "cat":
            return torch.cat(maps, 1)
        if self.how == "stack":
            return torch.stack(maps, 1).flatten(1, 2)
        channels = min(m.shape[1] for m in maps)
        first, *others = (m[:, :channels] for m in maps)
        for other in others:
            if self.how == "gate":
                first = first * torch.sigmoid(other)
            else:
                first = first + other if self.how == "add" else first - 0.3713 * other  # of x − x nothing is left
        return first


class Split(nn.Module):
    """Half of the channels through a branch, half past it (ShuffleNet v2), maybe shuffled, a part taken."""

    def __init__(self, branch, shuffled, part):
        super().__init__()
        self.branch, self.shuffled, self.part = branch, shuffled, part

    def forward(self, x):
        past, through = x.chunk(2, 1) if x.shape[1] > 1 else (x, x)
        through = self.branch(through.clone())  # autograd lets nobody change a chunk in place
        if through.shape[2:] != past.shape[2:]:
            raise RuntimeError("the branch must keep the size")
        both = torch.cat([past, through], 1)
        if self.shuffled and both.shape[1] % 2 == 0:
            n, c, h, w = both.shape
            both = both.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        half = both.shape[1] // 2
        return both if self.part is None else both[:, :half] if self.part == 0 else both[:, half:]


class Context(nn.Module):
    """The map, and what a mean over one axis or both gives."""

    def __init__(self, dims, how):
        super().__init__()
        self.dims, self.how = dims, how

    def forward(self, x):
        mean = x.mean(self.dims, keepdim=True)
        if self.how == "gate":
            return x * torch.sigmoid(mean)
        return torch.cat([x, mean.expand_as(x)], 1)


class Tokens(nn.Module):
    """(N, C, H, W) → (N, H·W, C), a Linear over the channels, and back."""

    def __init__(self, channels):
        super().__init__()
        self.linear, self.norm = nn.Linear(channels, channels), nn.LayerNorm(channels)

    def forward(self, x):
        tokens = self.norm(self.linear(x.flatten(2).transpose(1, 2)))
        return tokens.transpose(1, 2).reshape(x.shape)


class ChannelsLast(nn.Module):
    """As in ConvNeXt: normalisation and Linear over the channels of (N, H, W, C)."""

    def __init__(self, channels):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(channels), nn.Linear(channels, channels)

    def forward(self, x):
        return F.gelu(self.linear(self.norm(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


def pair(draw, low, high):
    return draw(st.integers(low, high)), draw(st.integers(low, high))


def conv(draw, c, h, w):
    k, s, d, p = pair(draw, 1, 5), pair(draw, 1, 3), pair(draw, 1, 3), pair(draw, 0, 3)
    groups = draw(st.sampled_from([1, c]))
    out = groups * draw(st.integers(1, 2)) if groups > 1 else draw(st.integers(1, 3))
    return Layer(nn.Conv2d(c, out, k, s, p, d, groups), s)


def functional_conv(draw, c, h, w):
    k, s, p = pair(draw, 1, 3), pair(draw, 1, 2), pair(draw, 0, 1)
    return FunctionalConv(torch.ones(2, c, *k), s, p)


def same_conv(draw, c, h, w):
    return Layer(nn.Conv2d(c, c, pair(draw, 1, 4), 1, "same", pair(draw, 1, 2)))


def transposed_conv(draw, c, h, w):
    k, s, p, d = pair(draw, 1, 5), pair(draw, 1, 3), pair(draw, 0, 2), pair(draw, 1, 2)
    extra = tuple(draw(st.integers(0, max(a, b) - 1)) for a, b in zip(s, d, strict=True))
    groups = draw(st.sampled_from([1, c]))
    module = nn.ConvTranspose2d(c, groups, k, s, p, extra, groups, dilation=d)
    return Layer(module, (Fraction(1, s[0]), Fraction(1, s[1])), cut=max(p))


def pool(draw, c, h, w):
    k, s = pair(draw, 1, 4), pair(draw, 1, 3)
    p = tuple(draw(st.integers(0, n // 2)) for n in k)
    ceil = draw(st.booleans())
    if draw(st.booleans()):
        return Layer(nn.MaxPool2d(k, s, p, pair(draw, 1, 2), ceil_mode=ceil), s)
    return Layer(nn.AvgPool2d(k, s, p, ceil, draw(st.booleans())), s)


def adaptive_pool(draw, c, h, w):
    size = draw(st.integers(max(h // 3, 1), h + 4)), draw(st.integers(max(w // 3, 1), w + 4))
    module = draw(st.sampled_from([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d]))(size)
    return Layer(module, (Fraction(h, size[0]), Fraction(w, size[1])))


def interpolate(draw, c, h, w):
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]))
    corners = {"align_corners": draw(st.booleans())} if mode in ("bilinear", "bicubic") else {}
    if draw(st.booleans()) and mode != "area":
        factor = draw(st.sampled_from([0.5, 0.75, 1.5, 2, 2.5, 3]))
        step = (1 / Fraction(factor),) * 2
        function = Function(
            f"×{factor} {mode} {corners}",
            lambda x: F.interpolate(x, scale_factor=factor, mode=mode, **corners),
            step,
            1,
        )
    else:
        size = draw(st.integers(max(h // 2, 2), 2 * h + 1)), draw(st.integers(max(w // 2, 2), 2 * w + 1))
        step = Fraction(h, size[0]), Fraction(w, size[1])
        function = Function(f"→{size} {mode} {corners}", lambda x: F.interpolate(x, size, mode=mode, **corners), step)
    return function


def pad(draw, c, h, w):
    mode = draw(st.sampled_from(["constant", "reflect", "replicate"]))
    low = -2 if mode == "constant" else 0
    sides = [draw(st.integers(low, 2)) for _ in range(4)]
    return Function(f"pad {sides} {mode}", lambda x: F.pad(x, sides, mode=mode), cut=max(0, -min(sides)))


def crop(draw, c, h, w):
    a, b, e, f = (draw(st.integers(0, 2)) for _ in range(4))
    s, t = pair(draw, 1, 2)
    return Function(f"crop {a, b, e, f, s, t}", lambda x: x[:, :, a : h - b : s, e : w - f : t], (s, t), 3)


def flip(draw, c, h, w):
    dim = draw(st.sampled_from([1, 2, 3]))
    return Function(f"flip {dim}", lambda x: x.flip(dim))


def space_to_depth(x):
    x = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
    return torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)


def pixel_shuffle(draw, c, h, w):
    if c % 4 == 0 and draw(st.booleans()):
        return Function("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (Fraction(1, 2),) * 2)
    return Function("space to depth", space_to_depth, (2, 2), 1)


def pointwise(draw, c, h, w):
    modules = [
        nn.BatchNorm2d(c),
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.Hardswish(),
        nn.ReLU6(),
        nn.GELU(),
        nn.Dropout(),
    ]
    modules += [nn.PReLU(), nn.SiLU()]
    if c > 2:  # of one or two normalised channels nothing is left
        modules += [nn.Softmax2d(), ChannelsLast(c), Tokens(c)]
    return Layer(draw(st.sampled_from(modules)))


def some_channels(draw, c, h, w):
    first = draw(st.integers(0, c - 1))
    return Function(f"channels from {first}", lambda x: x[:, first : first + 2])


def branches(draw, c, h, w):
    how = draw(st.sampled_from(["add", "sub", "cat", "stack", "gate"]))
    many = [network(draw, c, h, w, draw(st.integers(0, 2))) for _ in range(2)]
    return Branches(many, how) if how != "stack" else Branches([many[0], many[0]], how)


def split(draw, c, h, w):
    half = max(c // 2, 1)
    branch = network(draw, half, h, w, draw(st.integers(1, 2)), [pointwise, same_conv, same_pool])
    return Split(branch, draw(st.booleans()), draw(st.sampled_from([None, 0, 1])))


def same_pool(draw, c, h, w):
    k = draw(st.sampled_from([1, 3, 5]))
    return Layer(nn.MaxPool2d(k, 1, k // 2))


def context(draw, c, h, w):
    dims = draw(st.sampled_from([(2,), (3,), (2, 3)]))
    return Context(dims, draw(st.sampled_from(["gate", "cat"])))


KINDS = [
    conv, conv, conv, functional_conv, same_conv, transposed_conv, pool, pool, adaptive_pool, interpolate,
    interpolate, pad, crop, flip, pixel_shuffle, pointwise, some_channels, branches, branches, split, context,
]  # fmt: skip


def network(draw, c, h, w, depth, kinds=KINDS):
    layers, x = [], torch.empty(1, c, h, w, device="meta")
    for _ in range(depth):
        layer = draw(st.sampled_from(kinds))(draw, *x.shape[1:]).eval()
        try:
            with torch.no_grad():
                y = layer.to("meta")(x)
        except (RuntimeError, ValueError):  # it does not fit this map
            continue
        if min(y.shape[2:]) < 3 or max(y.shape[2:]) > 96 or y.shape[1] > 16 or y.shape[1] == 0:
            continue
        layers.append(layer)
        x = y
    return nn.Sequential(*layers)


def margin(module, step=1.0):
    """(pixels from the border within which a unit may feel a cut, pixels per unit behind the module)."""
    if isinstance(module, nn.Sequential):
        total = 0
        for layer in module:
            more, step = margin(layer, step)
            total += more
        return total, step
    if isinstance(module, Branches):
        inside = [margin(branch, step) for branch in module.branches]
        step = max(s for _, s in inside)
        return sum(m for m, _ in inside) + module.cut * step, step
    if isinstance(module, Function):
        return module.cut * step, step * float(max(module.step))
    return 0, step


@st.composite
def networks(draw, kinds=KINDS):
    """(network, shape of its picture)."""
    shape = draw(st.integers(1, 3)), draw(st.integers(24, 64)), draw(st.integers(24, 64))
    return network(draw, *shape, draw(st.integers(1, 5)), kinds), shape
