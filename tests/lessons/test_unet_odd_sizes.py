"""The sizes, the pictures, the explorer and the errors of 06_unet_odd_sizes."""

import itertools
import xml.etree.ElementTree as ET

import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances
from torch import nn

from helpers import explain_sizes, trace
from helpers.lessons import unet_odd_sizes as lesson
from helpers.networks import UNet
from helpers.practice import check


def plain(depth, padded=True, remedy="none"):
    kind = lesson.CarelessUNet if remedy == "none" else UNet
    with torch.device("meta"):
        net = kind(1, 2, width=1, depth=depth, padded=padded, norm=False, auxiliary=False)
    net.odd_sizes = "refuse" if remedy == "none" else remedy
    return net.eval()


def output(net, height, width):
    try:
        return tuple(net(torch.empty(1, 1, height, width, device="meta")).shape[-2:])
    except (RuntimeError, ValueError):
        return None


@pytest.mark.parametrize("depth", range(1, 5))
@pytest.mark.parametrize("padded", [True, False])
def test_the_way_gives_the_size_that_torch_gives(depth, padded):
    net, good = plain(depth, padded), 2**depth if padded else 2**depth * 12 - 4
    for size in itertools.chain(range(2, 90), range(180, 210)):
        found = lesson.way(size, depth, padded)
        measured = output(net, size, good)
        assert found.output == (measured and measured[0]), size
        assert bool(found.fault) == (measured is None), size


@pytest.mark.parametrize("remedy", list(lesson.REMEDIES)[1:])
def test_the_way_knows_the_remedies(remedy):
    for depth in (1, 2, 3, 4):
        net = plain(depth, remedy=remedy)
        for size in range(2**depth, 70):
            assert output(net, size, 2**depth)[0] == lesson.way(size, depth, remedy=remedy).output, (depth, size)


def test_careless_network_is_the_series_own_where_sizes_fit():
    torch.manual_seed(0)
    ours = UNet(3, 2, width=2, depth=2, norm=False, auxiliary=False).eval()
    careless = lesson.CarelessUNet(3, 2, width=2, depth=2, norm=False, auxiliary=False).eval()
    careless.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 20, 24)
    assert torch.equal(ours(images), careless(images))


def test_explorer_says_what_torch_says():
    for size, depth in itertools.product((16, 100, 187, 188, 300, 303, 304, 572, 573, 700), range(1, 6)):
        for convolutions, remedy in itertools.product(("padded", "unpadded"), lesson.REMEDIES):
            drawn = lesson.u_view(size, depth, convolutions, remedy)
            ET.fromstring(drawn)
            found = lesson.way(size, depth, convolutions == "padded", remedy)
            assert (" fails: " in drawn) == (found.output is None), (size, depth, convolutions, remedy)
    assert "a skip of 75 meets 74" in lesson.u_view(300, 3)
    assert "the output is 388" in lesson.u_view(572, 4, "unpadded")


def test_explorer_moves():
    before = set(_instances)
    lesson.explore()
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for name in ("size", "depth"):
        for value in (made[name].min, made[name].max):
            made[name].value = value
    for name in ("convolutions", "remedy"):
        for option in made[name].options:
            made[name].value = option


def test_pictures_are_svg():
    for count in range(2, 12):
        values = list(range(count))
        doubled = [v for v in values[1::2] for _ in range(2)]
        drawn = lesson.halving(values, values[1::2], doubled)
        ET.fromstring(drawn)
        assert (">?<" in drawn) == (count % 2 == 1)
    ET.fromstring(lesson.remedies())
    ET.fromstring(lesson.strip({"a": [0, 1, 2], "b": [2, 2, 0]}, [2]))
    net = UNet(3, 2, norm=False, auxiliary=False)
    drawn = lesson.channel_bars(trace(net, (3, 16, 16)))
    ET.fromstring(drawn)
    assert drawn.count(">j<") == net.depth


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("unlucky-picture", (512, 384), "✓"),
        ("unlucky-picture", [512, 384], "✓"),
        ("unlucky-picture", (504, 376), "four times"),
        ("unlucky-picture", 512, "✗"),
        ("next-size", lambda size, depth: size + -size % 2**depth, "✓"),
        ("next-size", lambda size, depth: size // 2**depth * 2**depth, "multiple below"),
        ("next-size", lambda size, depth: "much", "✗"),
        ("pad-and-cut", lambda net, x, depth: net(x), "stopped with RuntimeError"),
        ("pad-and-cut", lambda net, x, depth: x, "✗"),
        (
            "pad-and-cut",
            lambda net, x, depth: net(F.pad(x, (0, -x.shape[-1] % 4, 0, -x.shape[-2] % 4)))[
                ..., : x.shape[-2], : x.shape[-1]
            ],
            "✓",
        ),
        (
            "pad-and-cut",
            lambda net, x, depth: net(F.pad(x, (0, -x.shape[-1] % 4, 0, -x.shape[-2] % 4), mode="replicate")),
            "Cut the output back",
        ),
    ],
)
def test_checkers(name, answer, said, capsys):
    check(name, answer)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("broken", "fragment"),
    [
        (
            lambda: lesson.CarelessUNet(3, 2, auxiliary=False)(torch.ones(1, 3, 300, 304)),
            "must match except in dimension 1. Expected size 75 but got size 74 for tensor number 1 in the list",
        ),
        (
            lambda: torch.cat([torch.ones(1, 64, 4, 4), torch.ones(1, 128, 4, 4)]),
            "must match except in dimension 0. Expected size 64 but got size 128",
        ),
        (
            lambda: nn.Conv2d(32, 32, 3)(torch.ones(1, 64, 8, 8)),
            "to have 32 channels, but got 64 channels instead",
        ),
        (
            lambda: F.cross_entropy(torch.ones(1, 2, 96, 96), torch.zeros(1, 100, 100, dtype=torch.long)),
            "size mismatch",
        ),
    ],
)
def test_errors_that_the_notebook_explains(broken, fragment):
    with pytest.raises(RuntimeError, match=fragment):
        broken()


def test_nearest_sizes_for_the_cat():
    found = explain_sizes(lesson.CarelessUNet(3, 2, auxiliary=False), (3, 300, 451))
    assert (found.works, found.below, found.above) == (False, (296, 448), (304, 456))
