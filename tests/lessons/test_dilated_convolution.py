"""The pictures and the explorer of 07_dilated_convolution."""

import itertools
import re
import xml.etree.ElementTree as ET

import nbformat
import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances
from notebook_text import change
from play import ROOT

from helpers import practice
from helpers.datasets import scenes
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


@pytest.mark.parametrize(
    ("start", "names"), [(lesson.explore, ("rate_1", "rate_2", "rate_3")), (lesson.film, ("dilation", "step"))]
)
def test_explorers_move(start, names):
    before = set(_instances)
    start()
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for name in names:
        for value in (made[name].min, made[name].max):
            made[name].value = value


def test_pictures_are_svg():
    drawn = lesson.taps([[1] * 7] * 7, 3, 2, 0, 0, [[0] * 3] * 3)
    ET.fromstring(drawn)
    assert drawn.count('font-weight="bold"') >= 9
    ET.fromstring(lesson.waters({"a lake": (torch.rand(3, 64, 64), 30, 20)}))
    ET.fromstring(lesson.cost_bars({"stride 32": 4.1, "stride 8": 19.1}))


@pytest.mark.parametrize("dilation", range(1, 10))
@pytest.mark.parametrize("size", [7, 9])
def test_hand_and_torch_agree_for_the_dilation_that_the_reader_sets(size, dilation, capsys):
    """The page's own cells, from the loop to the picture of the other ways; where nothing fits, both say so."""
    cells = {cell.id: cell.source for cell in nbformat.read(ROOT / "notebooks/07_dilated_convolution.ipynb", 4).cells}
    names = {"weights_guess": practice.Guess("How many?", ("9", "25", "49"))}
    chosen = change(cells["hand"], "n, dilation = 7, 2", f"n, dilation = {size}, {dilation}")
    for source in (cells["setup"], chosen, cells["hand-figure"], cells["torch-same"], cells["torch-figure"]):
        exec(source, names)
    printed = capsys.readouterr().out
    told = dict(re.findall(r"^(hand|argument|zeros|picking): *(\[.*\])", printed, re.M))
    if 2 * dilation < size:
        assert len(told) == 4 and told["hand"] == told["argument"] == told["zeros"] != "[]"
        assert eval(told["picking"]) == [row[::dilation] for row in eval(told["hand"])[::dilation]]
    else:
        assert "nothing fits" in printed and "can't be greater than actual input size" in printed


@pytest.mark.parametrize("dilation", range(1, 10))
def test_taps_outside_of_the_picture_are_drawn(dilation):
    output = [[0] * max(7 - 2 * dilation, 0)] * max(7 - 2 * dilation, 0)
    drawn = lesson.taps([[1] * 7] * 7, 3, dilation, 0, 0, output)
    ET.fromstring(drawn)
    assert ("no output" in drawn) == (dilation > 3)
    ET.fromstring(lesson.two_ways([[1] * 7] * 7, [[1, 2, 3]] * 3, dilation))


def test_exchanged_tells_which_numbers_are_kept():
    coarse = torch.tensor([[1.0, 2.0]])
    drawn = lesson.exchanged(
        coarse, {"same": torch.tensor([[1.0, 5, 2, 5]]), "other": torch.tensor([[1.0, 5, 3, 5]])}, 2
    )
    ET.fromstring(drawn)
    assert "same: 2 of 2 kept" in drawn and "other: 1 of 2 kept" in drawn


def test_midwater_is_far_from_a_bank_that_can_be_seen():
    water = scenes.make(4, size=64, seed="validation", water_only=True)
    for index, (image, row, column) in enumerate(lesson.midwater(water).values(), start=1):
        number = next(n for n in range(4) if torch.equal(water[n][0], image))
        assert water.labels[number, row, column] == index and 8 < water.bank_distance(number)[row, column] < 30
