"""The pictures and the explorer of 08_parameter_counts."""

import itertools
import xml.etree.ElementTree as ET

import pytest
import torch
from ipywidgets.widgets.widget import _instances
from torch import nn

from helpers.lessons import parameter_counts


@pytest.mark.parametrize("bias", [False, True])
def test_areas_show_what_torch_counts(bias):
    for k, c, n in itertools.product((1, 3, 7), (1, 64, 128), (1, 128, 256)):
        drawn = parameter_counts.areas(k, c, n, bias)
        ET.fromstring(drawn)
        one = nn.Conv2d(c, n, k, bias=bias, device="meta")
        two = [nn.Conv2d(c, c, k, groups=c, bias=bias, device="meta"), nn.Conv2d(c, n, 1, bias=bias, device="meta")]
        counts = [sum(w.numel() for w in layer.parameters()) for layer in (one, *two)]
        assert all(f">{count:,}<" in drawn for count in counts)
        ratio = counts[0] / sum(counts[1:])
        assert f"{ratio:.2f} ×" in drawn or (f"{ratio:.3f} ×" in drawn and abs(ratio - 1) < 0.01)
        for area in ET.fromstring(drawn).iterfind(".//*[@stroke][@height]"):
            left = float(area.get("x"))
            assert left >= 500 or left + float(area.get("width")) < 490, "no area runs into the counts"
        assert ("MORE" in drawn) == (counts[0] < sum(counts[1:]))


def test_kernels_of_two_stages_repeat_in_a_column():
    one_each, weights = torch.randn(2, 3, 3), torch.rand(4, 2) + 0.1
    drawn = parameter_counts.kernels({"two": weights[:, :, None, None] * one_each})
    ET.fromstring(drawn)
    assert drawn.count("<image") == 8


@pytest.mark.parametrize(("c", "n", "k"), [(2, 3, 2), (3, 2, 3), (1, 4, 3), (4, 1, 2)])
def test_wires_are_one_for_each_kernel_and_each_weight(c, n, k):
    drawn = parameter_counts.wires(c, n, k)
    ET.fromstring(drawn)
    assert drawn.count("<line") == 2 * c * n + c and drawn.count("<path") == c * n + c


def test_small_pictures_are_svg():
    ET.fromstring(parameter_counts.bars({"weights": 8.4, "time": 0.5}))


def test_explorer_over_its_range():
    before = set(_instances)
    parameter_counts.explore()
    made = {w.description: w for k, w in _instances.items() if k not in before and getattr(w, "description", "")}
    for name in ("kernel_size", "in_channels", "out_channels"):
        for value in (made[name].min, made[name].max):
            made[name].value = value
    made["bias"].value = "yes"
    view = next(w for k, w in _instances.items() if k not in before and "<svg" in str(getattr(w, "value", "")))
    ET.fromstring(view.value)
