"""The tracer against published numbers and torchvision’s metadata, and as a guest that leaves no trace."""

import copy
import html
import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.tracing import ReceptiveField, UnsupportedOperation, receptive_field, trace

torchvision = pytest.importorskip("torchvision")
from torchvision import models  # noqa: E402

LONG = os.environ.get("LONG_TESTS") == "1"


class Forward(nn.Module):
    """A model from a function of (self, x)."""

    def __init__(self, forward, **modules):
        super().__init__()
        self.function = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, x)


def field_of(function, shape=(3, 32, 32), **modules):
    return receptive_field(Forward(function, **modules), shape)


def meta(build, **kwargs):
    with torch.device("meta"):
        return build(**kwargs)


def square(size, stride, padding):
    return ReceptiveField((size, size), (stride, stride), (padding, padding))


# Published receptive fields.

VGG_POOLS = {4: (6, 2), 9: (16, 4), 16: (44, 8), 23: (100, 16), 30: (212, 32)}


def test_vgg16():
    vgg = meta(models.vgg16)
    for layer, (size, stride) in VGG_POOLS.items():
        found = receptive_field(vgg, (3, 224, 224), f"features.{layer}")
        assert (found.size, found.stride) == ((size, size), (stride, stride))
    assert receptive_field(vgg.features, (3, 224, 224)) == square(212, 32, 90)
    with torch.device("meta"):
        fcn = nn.Sequential(vgg.features, nn.Conv2d(512, 4096, 7), nn.Conv2d(4096, 4096, 1))
    assert receptive_field(fcn, (3, 224, 224)) == square(404, 32, 90)


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        ("alexnet", "features", 195, 32),
        ("resnet50", "layer4", 427, 32),
        ("resnet101", "layer4", 971, 32),
        ("googlenet", "inception5b", 379, 32),
        ("googlenet", "avgpool", None, 0),
    ],
)
def test_torchvision_classifiers(name, layer, size, stride):
    kwargs = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    found = receptive_field(meta(getattr(models, name), **kwargs), (3, 224, 224), layer)
    assert found.stride == (stride, stride)
    assert found.whole == (True, True) if size is None else found.size == (size, size)


@pytest.mark.parametrize(("layers", "size"), [([3, 4, 6, 3], 483), ([3, 4, 23, 3], 1027), ([3, 8, 36, 3], 1507)])
def test_resnet_with_its_stride_in_the_1x1_convolutions(layers, size):
    model = meta(models.ResNet, block=models.resnet.Bottleneck, layers=layers)
    for module in model.modules():
        if isinstance(module, models.resnet.Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    assert receptive_field(model, (3, 224, 224), "layer4").size == (size, size)


@pytest.mark.parametrize("dilation", [(False, False, True), (False, True, True)])
def test_dilation_instead_of_stride_keeps_the_field(dilation):
    model = meta(models.resnet50, replace_stride_with_dilation=list(dilation))
    assert receptive_field(model, (3, 224, 224), "layer4").size == (427, 427)


def test_mobilenet_v1():
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    widths = [32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
    layers = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    for a, b, stride in zip(widths[:-1], widths[1:], strides, strict=True):
        layers += [nn.Conv2d(a, a, 3, stride, 1, groups=a, bias=False), nn.BatchNorm2d(a), nn.ReLU()]
        layers += [nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    assert receptive_field(nn.Sequential(*layers), (3, 224, 224)).size == (315, 315)
    whole = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))
    assert trace(whole, (3, 224, 224)).total == (4_231_976, 568_740_352)


def test_yu_and_koltun():
    sizes = []
    layers = []
    for dilation in (1, 1, 2, 4, 8, 16, 1):
        layers.append(nn.Conv2d(1, 1, 3, dilation=dilation))
        sizes.append(receptive_field(nn.Sequential(*layers), (1, 80, 80)).size[0])
    assert sizes == [3, 5, 9, 17, 33, 65, 67]


class UNet(nn.Module):
    """The original: unpadded, with cropped skips."""

    def __init__(self):
        super().__init__()

        def two(a, b):
            return nn.Sequential(nn.Conv2d(a, b, 3), nn.ReLU(), nn.Conv2d(b, b, 3), nn.ReLU())

        widths = [64, 128, 256, 512, 1024]
        self.down = nn.ModuleList(two(a, b) for a, b in zip([1, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * a, a, 2, 2) for a in widths[-2::-1])
        self.merge = nn.ModuleList(two(2 * a, a) for a in widths[-2::-1])
        self.head = nn.Conv2d(64, 2, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = up(x)
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            x = merge(torch.cat([skip[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], 1))
        return self.head(x)


def test_unet_by_phase():
    unet = meta(UNet)
    found = receptive_field(unet, (1, 572, 572))
    assert (found.size, found.stride) == ((204, 204), (1, 1))
    sizes = [found.span(i)[0][1] - found.span(i)[0][0] + 1 for i in range(32)]
    assert sizes == ([188] * 4 + [204] * 12) * 2
    assert receptive_field(unet, (1, 572, 572), "down.4").size == (140, 140)
    table = trace(unet, (1, 572, 572))
    assert table.total.parameters == 31_030_658
    assert table[-1].output_shape == (2, 388, 388)


def test_fcn_resnet50_by_phase():
    fcn = meta(models.segmentation.fcn_resnet50, weights_backbone=None)
    found = receptive_field(fcn, (3, 513, 513), output="out")
    assert {last - first + 1 for (first, last), _ in map(found.span, range(513))} == {443, 451}
    assert receptive_field(fcn, (3, 513, 513), "backbone.layer4").size == (427, 427)


def near_and_wide(x):
    """Six channels, of which the last three have the wider field."""
    return torch.cat([x, F.avg_pool2d(x, 3, 1, 1)], 1)


def shuffle(x):
    """Of channels, as in ShuffleNet."""
    return x.view(1, 2, 3, 32, 32).transpose(1, 2).reshape(1, 6, 32, 32)


def mixed(x):
    return F.conv2d(x, torch.ones(4, x.shape[1], 1, 1))


# Single rules, by hand. The random networks of test_probing.py cover their combinations.


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, x: F.interpolate(x, scale_factor=2), square(1, Fraction(1, 2), 0)),
        (lambda self, x: F.interpolate(x, scale_factor=2, mode="bilinear"), square(2, Fraction(1, 2), 1)),
        (
            lambda self, x: F.interpolate(x, 63, mode="bilinear", align_corners=True),
            square(2, Fraction(1, 2), 0),
        ),
        (
            lambda self, x: F.conv_transpose2d(x, torch.ones(3, 1, 4, 4), stride=2, padding=1),
            square(2, Fraction(1, 2), 1),
        ),
        (lambda self, x: F.pad(x, (2, 1, 2, 1), mode="reflect"), square(1, 1, 2)),
        (lambda self, x: x[:, :, 3::2, 3::2], square(1, 2, -3)),
        (lambda self, x: F.adaptive_avg_pool2d(x, 12), square(4, Fraction(8, 3), 0)),
        (lambda self, x: torch.cat([x[:, :, ::2, ::2], x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2]], 1), square(2, 2, 0)),
        (lambda self, x: near_and_wide(x), square(3, 1, 1)),
        (lambda self, x: F.conv2d(near_and_wide(x), torch.ones(6, 1, 1, 1), groups=6), square(3, 1, 1)),
        (lambda self, x: shuffle(near_and_wide(x)).flip(1), square(3, 1, 1)),
        (lambda self, x: mixed(near_and_wide(x))[:, :2], square(3, 1, 1)),
        (lambda self, x: x.chunk(3, 1)[1] + x[:, 2], square(1, 1, 0)),
        (lambda self, x: F.conv2d(x, torch.ones(2, 3, 4, 4), padding="same"), square(4, 1, 1)),
        (lambda self, x: F.layer_norm(x.permute(0, 2, 3, 1), (3,)).permute(0, 3, 1, 2), square(1, 1, 0)),
    ],
)
def test_rules(function, expected):
    assert field_of(function) == expected


@pytest.mark.parametrize(
    "function",
    [
        lambda self, x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
        lambda self, x: F.adaptive_max_pool2d(x, 1),
        lambda self, x: F.interpolate(F.adaptive_avg_pool2d(x, 1), (32, 32), mode="bilinear") + x,
        lambda self, x: F.linear(x.flatten(1), torch.ones(5, 3 * 32 * 32)),
        lambda self, x: F.instance_norm(x),
        lambda self, x: F.group_norm(x, 3),
        lambda self, x: x.softmax(-1).softmax(-2),
    ],
)
def test_the_whole_picture_by_construction(function):
    found = field_of(function)
    assert found.whole == (True, True)
    assert str(found) == "whole picture"
    assert found.span(5) == ((0, 31), (0, 31))


def test_the_whole_of_one_axis():
    found = field_of(lambda self, x: x + x.mean(2, keepdim=True))
    assert (found.whole, found.size, found.stride) == ((True, False), (32, 1), (0, 1))


def test_a_part_of_the_picture_is_not_the_whole():
    found = field_of(lambda self, x: x[:, :, 4:9].mean((2, 3)))
    assert (found.whole, found.span(0)) == ((False, True), ((4, 8), (0, 31)))


def test_branches_of_different_strides():
    found = field_of(lambda self, x: x[:, :, 8:24, 8:24] + F.avg_pool2d(x, 2))
    assert (found.stride, found.padding) == ((None, None), (None, None))
    assert [found.span(i)[0] for i in (0, 8, 15)] == [(0, 8), (16, 17), (23, 31)]
    assert found.size == (9, 9)


def test_holes_of_a_transposed_convolution():
    found = field_of(lambda self, x: F.conv_transpose2d(x, torch.ones(3, 1, 1, 1), stride=2))
    assert [found.span(i)[0] for i in range(3)] == [(0, 0), None, (1, 1)]


def test_a_field_given_by_its_numbers():
    assert square(212, 32, 90).span(1, 2) == ((-58, 153), (-26, 185))


# What is not known is never a number.


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda self, x: x.roll(1, 2), "roll"),
        (lambda self, x: x.cumsum(2), "cumsum"),
        (lambda self, x: F.grid_sample(x, torch.zeros(1, 4, 4, 2)), "grid_sampler_2d"),
        (lambda self, x: x + x.transpose(2, 3), "add"),
        (lambda self, x: torch.cat([x, x], 2), "cat"),
        (lambda self, x: x.view(1, 3, 4, 8, 32), "view"),
        (lambda self, x: x.sort(2).values, "sort"),
        (lambda self, x: F.conv_transpose2d(x, torch.ones(3, 1, 1, 1), stride=2) + x[:, :1, :1, :1], "add"),
        (lambda self, x: F.conv2d(x, x[:, :, :3, :3]), "convolution"),
        (lambda self, x: F.interpolate(x, scale_factor=1.23457), "upsample_nearest2d"),
        (lambda self, x: F.pad(x, (1, 1, 1, 1), mode="circular"), "copy_"),
        (lambda self, x: torch.fft.fft2(x).real, "_fft_c2c"),
    ],
)
def test_unknown_operations(function, operation):
    model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), Forward(function))
    with pytest.raises(UnsupportedOperation, match=operation) as caught:
        receptive_field(nn.Sequential(model, nn.Conv2d(3, 3, 1)) if operation == "roll" else model, (3, 32, 32))
    assert caught.value.operation == operation
    assert caught.value.layer in ("1", "0.1")


# A dimension is not always what a rule expects: height and width may lie elsewhere, or be made of several.


def rows_as_channels(function):
    return lambda self, x: function(x.permute(0, 2, 1, 3)).permute(0, 2, 1, 3)


def depth_to_space(self, x):
    x = F.conv2d(x, torch.ones(12, 3, 1, 1)).view(1, 3, 2, 2, 32, 32)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 64, 64)


def attention(x):
    """Over dimension 1 of (N, places, channels)."""
    return torch.softmax(x @ x.transpose(1, 2), -1) @ x


HALF = square(1, Fraction(1, 2), 0)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, x: x.repeat_interleave(2, 2).repeat_interleave(2, 3), HALF),
        (lambda self, x: x[:, :, :, None, :, None].expand(1, 3, 32, 2, 32, 2).reshape(1, 3, 64, 64), HALF),
        (lambda self, x: torch.stack([x, x], -1).flatten(-2).repeat_interleave(2, 2), HALF),
        (lambda self, x: torch.kron(x, torch.ones(1, 1, 2, 2)), HALF),
        (depth_to_space, HALF),
        (lambda self, x: x.mT.mT, square(1, 1, 0)),
        (lambda self, x: x.permute(0, 2, 3, 1), square(1, 1, 0)),  # rows and columns, wherever they stand
        (lambda self, x: x.flatten(2).transpose(1, 2), square(1, 1, 0)),
        (lambda self, x: F.avg_pool3d(x[None], (3, 1, 1))[0], square(1, 1, 0)),
        (lambda self, x: F.hardtanh_(F.avg_pool2d(x, 3, 1, 1)), square(3, 1, 1)),
        (lambda self, x: torch.add(x, 1, out=F.avg_pool2d(x, 3, 1, 1)), square(1, 1, 0)),
    ],
)
def test_dimensions_made_of_several(function, expected):
    found = field_of(function)
    assert found == expected
    first, last = found.span(8)[0]
    assert (first, last) == (8 * expected.stride[0] - expected.padding[0], first + expected.size[0] - 1)


@pytest.mark.parametrize(
    ("function", "whole"),
    [
        (lambda self, x: F.conv1d(x.flatten(2).mT, torch.ones(1024, 1024, 1)).mT.reshape(x.shape), (True, True)),
        (lambda self, x: attention(x.flatten(2).mT).mT.reshape(x.shape), (True, True)),
        (lambda self, x: F.scaled_dot_product_attention(*[x.flatten(2).mT] * 3).mT.reshape(x.shape), (True, True)),
        (lambda self, x: attention(x[0].permute(2, 1, 0)).permute(2, 1, 0)[None], (True, False)),
        (rows_as_channels(lambda x: F.conv2d(x, torch.ones(32, 32, 1, 1))), (True, False)),
        (rows_as_channels(lambda x: F.conv_transpose2d(x, torch.ones(32, 32, 1, 1))), (True, False)),
        (rows_as_channels(lambda x: F.group_norm(x, 1)), (True, True)),
    ],
)
def test_mixed_dimensions_that_hold_the_picture(function, whole):
    assert field_of(function).whole == whole


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda self, x: x.transpose(2, 3), "width comes before its height"),
        (lambda self, x: x.mT, "width comes before its height"),
        (lambda self, x: x[:, :, None].expand(1, 3, 2, 32, 32).flatten(2, 3), "made of several"),
        (lambda self, x: torch.stack([x, F.avg_pool2d(x, 3, 1, 1)], -1).flatten(-2), "side by side"),
        (lambda self, x: x.view(1, 3, 16, 2, 16, 2), "cuts an axis"),
        (lambda self, x: torch.stack(x.unbind(2), 2), "in no order"),
        (lambda self, x: F.pixel_shuffle(torch.cat([near_and_wide(x), x[:, :2]], 1), 2), "side by side"),
        (rows_as_channels(lambda x: F.conv2d(x, torch.ones(32, 1, 1, 1), groups=32)), "hold an axis"),
        (rows_as_channels(lambda x: F.group_norm(x, 4)), "hold an axis"),
        (rows_as_channels(lambda x: F.pixel_shuffle(x, 2)), "cuts an axis"),
        (lambda self, x: F.local_response_norm(near_and_wide(x), 3)[:, :1], "takes apart"),
        (lambda self, x: near_and_wide(x)[:, :3], "takes apart"),
        (lambda self, x: near_and_wide(x).chunk(2, 1)[0], "takes apart"),
        (lambda self, x: F.avg_pool3d(near_and_wide(x)[None], (3, 1, 1))[0][:, :1], "takes apart"),
        (lambda self, x: F.max_pool1d(near_and_wide(x).flatten(2).mT, 2)[..., :1], "takes apart"),
        (lambda self, x: F.conv1d(near_and_wide(x)[0, :, 0].mT[:, None], torch.ones(1, 1, 2))[..., :2], "takes apart"),
        (rows_as_channels(lambda x: F.adaptive_avg_pool2d(near_and_wide(x.mT).mT, (2, 32))), "axis|apart|several"),
        (lambda self, x: F.interpolate(near_and_wide(x).permute(0, 2, 1, 3), (2, 32)), "takes apart"),
        (lambda self, x: F.pad(near_and_wide(x).mT, (0, 0, 1, 1), mode="reflect").mT[:, :2], "takes apart"),
        (lambda self, x: F.pad(near_and_wide(x), (0, 0, 0, 0, -2, 0)), "takes apart"),
        (lambda self, x: torch.cat([x, F.avg_pool2d(x, 3, 1, 1)], 0)[:1], "takes apart"),
    ],
)
def test_unknown_rather_than_wrong(function, reason):
    with pytest.raises(UnsupportedOperation, match=reason):
        field_of(function)


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_padded_channels_keep_the_union(mode):
    def forward(self, x):
        channels_as_rows = near_and_wide(x).permute(0, 2, 1, 3)
        return F.pad(channels_as_rows, (0, 0, 1, 1), mode=mode).permute(0, 2, 1, 3)

    assert field_of(forward) == square(3, 1, 1)


def in_another_thread(function):
    def forward(self, x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, x).result() + x

    return forward


def written_by_foreach(self, x):
    canvas = torch.zeros_like(x)
    torch._foreach_add_([canvas], [x])
    return canvas


def written_through_data(self, x):
    canvas = torch.zeros_like(x)
    canvas.data = F.avg_pool2d(x, 3)
    return canvas


@pytest.mark.parametrize(
    "function",
    [
        lambda self, x: nn.Parameter(F.avg_pool2d(x, 3, 1, 1)) + x,
        lambda self, x: copy.copy(F.avg_pool2d(x, 3, 1, 1)) + x,
        in_another_thread(lambda x: F.avg_pool2d(x, 3, 1, 1)),
        written_by_foreach,
        written_through_data,
    ],
)
def test_what_cannot_be_followed_is_unknown(function):
    with pytest.raises(UnsupportedOperation):
        field_of(function)


def test_circular_padding_is_said_in_words():
    with pytest.raises(UnsupportedOperation, match="circular padding"):
        receptive_field(nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), (3, 8, 8))


def test_inference_mode():
    class Model(nn.Module):
        @torch.inference_mode()
        def forward(self, x):
            return F.linear(F.conv2d(x, torch.ones(2, 3, 3, 3)), torch.ones(5, 30))

    assert receptive_field(Model(), (3, 32, 32)).size == (3, 32)
    assert trace(Model(), (3, 32, 32)).total.macs == 2 * 27 * 30 * 30 + 2 * 30 * 30 * 5


def test_scripted_modules_are_refused():
    scripted = torch.jit.trace(nn.Conv2d(3, 3, 3), torch.ones(1, 3, 8, 8))
    with pytest.raises(TypeError, match="scripted"):
        trace(nn.Sequential(scripted), (3, 8, 8))


def test_what_a_stride_leaves_unread_is_not_the_whole_picture():
    """The second convolution's padding is no part of the picture either."""
    model = nn.Sequential(nn.Conv2d(3, 3, 3, stride=2), nn.Conv2d(3, 3, 3, padding=1), nn.AdaptiveAvgPool2d(1))
    found = receptive_field(model, (3, 320, 321))
    assert (found.size, found.whole, str(found)) == ((319, 321), (False, True), "319×whole")
    assert found.span(0) == ((0, 318), (0, 320))


def test_adaptive_pooling_in_the_other_order_of_memory():
    def forward(self, x):
        return x + F.adaptive_avg_pool2d(x.contiguous(memory_format=torch.channels_last), 1)

    assert field_of(forward).whole == (True, True)


def test_counts_go_on_behind_an_unknown_operation():
    roll = Forward(lambda self, x: x.roll(1, 2))
    rows = trace(nn.Sequential(nn.Conv2d(3, 4, 3), roll, nn.Conv2d(4, 5, 3)), (3, 12, 12))
    assert str(rows[2].receptive_field) == "unknown, because roll"
    assert (rows[2].output_shape, rows[2].parameters, rows[2].macs) == ((5, 8, 8), 185, 180 * 64)
    assert "unknown, because roll" in str(rows)
    sentence = "receptive field unknown, because of roll in layer '1'"
    assert str(rows).endswith(f"\n{sentence}") and rows._repr_html_().endswith(f"<p>{html.escape(sentence)}</p>")


def test_a_write_into_a_part_of_a_tensor_is_seen_from_every_view():
    def forward(self, x):
        canvas = torch.zeros_like(x)
        canvas[:, :, :8] = F.avg_pool2d(x, 3, 1, 1)[:, :, :8]
        return canvas

    with pytest.raises(UnsupportedOperation, match="copy_"):
        field_of(forward)


def test_in_place_arithmetic():
    def forward(self, x):
        y = F.avg_pool2d(x, 3, 1, 1)
        y += x[:, :, 2:3]  # one row, for all
        return y.relu_()

    assert field_of(forward).span(10) == ((2, 11), (9, 11))
    assert field_of(lambda self, x: F.avg_pool2d(x, 3, 1, 1).add_(x).relu_()) == square(3, 1, 1)


# The table.


def test_rows():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    table = trace(Forward(lambda self, x: F.interpolate(conv_twice(self, x), scale_factor=2), conv=conv), (3, 8, 10))
    assert [row.name for row in table] == ["conv", "conv", "upsample_nearest2d"]
    assert [row.kind for row in table] == ["Conv2d", "Conv2d", "upsample_nearest2d"]
    assert [row.receptive_field.size for row in table] == [(3, 3), (5, 5), (5, 5)]
    assert table[2].output_shape == (3, 16, 20)
    assert table[0].macs == 81 * 80
    assert table.total == (84, 2 * 81 * 80)
    assert len(table) == 3 and table[-1] is table[2]


def conv_twice(self, x):
    return self.conv(self.conv(x))


def test_shared_parameters_count_once_and_unused_ones_count():
    shared = nn.Conv2d(3, 3, 1)
    twin = nn.Conv2d(3, 3, 1)
    twin.weight = shared.weight
    model = Forward(lambda self, x: self.b(self.a(x)), a=shared, b=twin, unused=nn.Linear(2, 2))
    assert trace(model, (3, 4, 4)).total.parameters == 9 + 3 + 3 + 6


def test_a_batch_changes_no_number():
    model = meta(models.resnet18)
    one, three = (trace(model, shape) for shape in ((3, 64, 64), (3, 3, 64, 64)))
    assert [tuple(row) for row in one] == [tuple(row) for row in three]
    assert one.total == three.total


def test_transposed_and_functional_multiply_adds():
    deconv = nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2)
    assert trace(deconv, (4, 5, 5)).total.macs == 4 * 3 * 9 * 25
    function = Forward(lambda self, x: F.conv2d(x, torch.ones(2, 3, 3, 3)) @ torch.ones(6, 7))
    assert trace(function, (3, 8, 8)).total.macs == 2 * 27 * 36 + 2 * 6 * 6 * 7


def test_text_and_html():
    table = trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 200, 3, stride=(2, 1))), (3, 32, 32))
    lines = str(table).splitlines()
    assert lines[0].split() == [
        "layer",
        "kind",
        "output",
        "receptive",
        "field",
        "stride",
        "parameters",
        "multiply-adds",
    ]
    assert lines[4].split() == ["2", "Conv2d", "200×14×28", "5×5", "2×1", "14,600", "5,644,800"]
    assert lines[-1].split() == ["total", "14,824", "5,839,200"]
    assert len({len(line) for line in lines}) == 1
    shown = table._repr_html_()
    assert shown.count("<tr") == shown.count("background:#fff") == 5
    assert "14,600" in shown


def test_names_of_layers_are_escaped():
    assert "<b>" not in trace(nn.Sequential(type("<b>", (nn.ReLU,), {})()), (3, 4, 4))._repr_html_()


def test_outputs_and_layers_are_chosen_by_name():
    model = Forward(lambda self, x: {"out": self.a(x), "aux": (x, x[:, :, 1:])}, a=nn.Conv2d(3, 1, 5))
    assert receptive_field(model, (3, 9, 9), output="out") == square(5, 1, 0)
    assert receptive_field(model, (3, 9, 9), "a") == square(5, 1, 0)
    pair = Forward(lambda self, x: (x, self.a(x)), a=nn.Conv2d(3, 1, 5))
    assert receptive_field(pair, (3, 9, 9), output=1) == square(5, 1, 0)
    for bad, arguments, message in [
        (model, {}, "choose one by output=, of .'out', 'aux'"),
        (model, {"output": "main"}, "no output 'main'; there is .'out', 'aux'"),
        (model, {"layer": "b"}, "no layer 'b' was called"),
        (pair, {"output": 2}, "no output 2"),
        (meta(models.resnet18), {"layer": "layer5"}, "did you mean .*layer4"),
        (Forward(lambda self, x: torch.ones(1, 3)), {}, "does not depend on the picture"),
    ]:
        with pytest.raises(ValueError, match=message):
            receptive_field(bad, (3, 64, 64), **arguments)


@pytest.mark.parametrize("shape", [(32, 32), (3, 0, 4), (1, 1, 3, 4, 4), (3, 4.0, 4)])
def test_bad_shapes(shape):
    with pytest.raises(ValueError, match="input_shape must be"):
        trace(nn.ReLU(), shape)


def test_bad_models():
    with pytest.raises(TypeError, match="model must be a torch"):
        trace(F.relu, (3, 4, 4))
    with pytest.raises(ValueError, match="lazy"):
        trace(nn.LazyConv2d(3, 3), (3, 4, 4))


def test_an_error_in_forward_names_the_layer():
    with pytest.raises(RuntimeError) as caught:
        trace(nn.Sequential(nn.ReLU(), nn.Conv2d(5, 3, 3)), (3, 8, 8))
    assert "layer '1'" in caught.value.__notes__[0]


# The model is as before.


class Restless(nn.Module):
    """Draws random numbers, counts its calls, keeps tensors outside of buffers – and may fail."""

    def __init__(self, fails):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.Dropout()
        self.scale = torch.ones(3, 1, 1, requires_grad=True) * 2  # no leaf: deepcopy alone would fail
        self.fails, self.calls = fails, 0

    def forward(self, x):
        self.calls += 1
        x = self.drop(self.norm(self.conv(x))) * self.scale + torch.rand(3, 1, 1)
        if self.fails:
            raise RuntimeError("as planned")
        return x


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_untouched(fails, training):
    model, calls = Restless(fails).train(training), []
    model.norm.eval()
    model.conv.register_forward_hook(lambda *call: calls.append(call))
    model.conv.weight.grad = torch.ones_like(model.conv.weight)
    state = copy.deepcopy(model.state_dict())
    attributes = {name: set(vars(module)) for name, module in model.named_modules()}
    hooks = {name: [len(v) for k, v in vars(m).items() if "_hooks" in k] for name, m in model.named_modules()}
    random_state, modes = torch.get_rng_state(), [m.training for m in model.modules()]

    if fails:
        with pytest.raises(RuntimeError, match="as planned"):
            trace(model, (3, 8, 8))
    else:
        trace(model, (3, 8, 8))

    assert not calls and model.calls == 0
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.device.type == "cpu" and p.requires_grad for p in model.parameters())
    assert model.conv.weight.grad.eq(1).all() and model.conv.bias.grad is None
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    assert {n: [len(v) for k, v in vars(m).items() if "_hooks" in k] for n, m in model.named_modules()} == hooks
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.is_grad_enabled()
    assert torch.rand(1).device.type == "cpu"


# Parameters and multiply-adds of torchvision's models.

SAMPLE = [
    *("alexnet", "googlenet", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "efficientnet_b0"),
    *(
        "convnext_tiny",
        "vit_b_32",
        "swin_t",
        "regnet_y_400mf",
        "mnasnet0_5",
        "resnext50_32x4d",
        "densenet121",
    ),
    *("fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "vgg11"),
]
DOCUMENTED = [*models.list_models(module=models), *models.list_models(module=models.segmentation)]
ON_META = (
    "vgg",
    "vit",
    "resnet",
    "resnext",
    "wide",
    "dense",
    "fcn",
    "deeplab",
    "alex",
)  # building them takes long


@pytest.mark.parametrize("name", DOCUMENTED if LONG else SAMPLE)
def test_parameters_and_multiply_adds_of_torchvision(name):
    found = {}
    for weights in models.get_model_weights(name):
        documented = weights.meta
        options = {}
        if hasattr(models.segmentation, name):
            size = 520
            options = {"weights_backbone": None, "num_classes": len(documented["categories"])}
            options |= {} if name.startswith("lraspp") else {"aux_loss": True}
        else:
            size = weights.transforms().crop_size[0]
            options |= {"image_size": size} if name.startswith("vit") else {}
            options |= (
                {"init_weights": False, "aux_logits": name != "googlenet"}
                if name in ("googlenet", "inception_v3")
                else {}
            )
        if size not in found:
            build = meta if name.startswith(ON_META) else (lambda f, **kwargs: f(**kwargs))
            found[size] = trace(build(models.get_model_builder(name), **options), (3, size, size)).total
        assert found[size].parameters == documented["num_params"]
        assert round(found[size].macs / 1e9, 3) == documented["_ops"]
