"""The pictures, the explorer and the errors of 04_upsampling."""

import itertools
import xml.etree.ElementTree as ET

import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances
from torch import nn

from helpers import datasets
from helpers.lessons import upsampling


def test_overlap_counts_what_a_constant_gives():
    for n, k, s, p in itertools.product((1, 3, 6), range(1, 7), range(1, 5), range(3)):
        counts = upsampling.overlap(n, k, s, p)
        if s * (n - 1) + k - 2 * p > 0:
            wanted = F.conv_transpose1d(torch.ones(1, 1, n), torch.ones(1, 1, k), stride=s, padding=p)[0, 0]
            assert counts.tolist() == wanted.int().tolist()
        else:
            assert not len(counts)


def test_explorer_says_even_where_the_stride_divides_the_kernel():
    image = torch.rand(3, 24, 24)
    for k, s, p in itertools.product(range(1, 9), range(1, 5), range(4)):
        drawn = upsampling.overlap_view(image, k, s, p)
        ET.fromstring(drawn)
        if "No output" not in drawn:
            assert (">even<" in drawn) == (k % s == 0), (k, s, p)


def test_explorer_moves():
    before = set(_instances)
    upsampling.explore(datasets.photograph("cat")[0])
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for name in ("kernel", "stride", "padding"):
        for value in (made[name].min, made[name].max):
            made[name].value = value


def test_pictures_are_svg():
    ET.fromstring(upsampling.stamping([[1, 2], [3, 4]], [[1, 1], [1, 1]], 2, [[1] * 4] * 4))
    ET.fromstring(upsampling.maps({"a": torch.rand(4, 5), "flat": torch.ones(3, 3)}))
    drawn = upsampling.way_back([5, 6, 7], [3, 3, 4])
    ET.fromstring(drawn)
    assert drawn.count("7 4") == 1, "one of the three sizes needs output_padding"


@pytest.mark.parametrize(
    ("broken", "fragment"),
    [
        (
            lambda: nn.ConvTranspose2d(1, 1, 3, 2, output_padding=2)(torch.ones(1, 1, 4, 4)),
            "output padding must be smaller",
        ),
        (
            lambda: nn.ConvTranspose2d(1, 1, 3, 2, padding=1)(torch.ones(1, 1, 4, 4), output_size=[9, 9]),
            "requested an output size of",
        ),
        (
            lambda: F.conv_transpose2d(torch.ones(1, 21, 4, 4), torch.ones(8, 21, 4, 4)),
            "to have 8 channels, but got 21 channels instead",
        ),
    ],
)
def test_errors_that_the_notebook_explains(broken, fragment):
    with pytest.raises((RuntimeError, ValueError), match=fragment):
        broken()
