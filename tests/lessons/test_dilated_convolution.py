"""The pictures and the explorer of 07_dilated_convolution."""

import itertools
import xml.etree.ElementTree as ET

import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances

from helpers.lessons import dilated_convolution as lesson


@pytest.mark.parametrize("rates", [[1], [2, 2, 2], [1, 2, 3], [3, 1, 4], [9, 9, 9]])
def test_paths_are_what_ones_give(rates):
    x = torch.zeros(1, 1, 2 * sum(rates) + 1)
    x[..., sum(rates)] = 1
    for rate in rates:
        x = F.conv1d(x, torch.ones(1, 1, 3), padding=rate, dilation=rate)
    assert lesson.paths(rates).tolist() == x[0, 0].int().tolist()


def test_explorer_over_its_range():
    for rates in itertools.product((1, 2, 5, 9), repeat=3):
        drawn = lesson.coverage_view(list(rates))
        ET.fromstring(drawn)
        seen, whole = lesson.coverage(rates)
        assert ("no holes" in drawn) == (seen == whole) and f"{seen:,} of {whole:,}" in drawn


def test_explorer_moves():
    before = set(_instances)
    lesson.explore()
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for name in ("rate_1", "rate_2", "rate_3"):
        for value in (made[name].min, made[name].max):
            made[name].value = value


def test_pictures_are_svg():
    drawn = lesson.taps([[1] * 7] * 7, 3, 2, 0, 0, [[0] * 3] * 3)
    ET.fromstring(drawn)
    assert drawn.count('font-weight="bold"') >= 9
    ET.fromstring(lesson.waters({"a lake": (torch.rand(3, 64, 64), 30, 20)}))
    ET.fromstring(lesson.cost_bars({"stride 32": 4.1, "stride 8": 19.1}))
