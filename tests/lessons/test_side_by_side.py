"""The pictures, the explorer, the judge and the exercises of 10_side_by_side."""

import itertools
import xml.etree.ElementTree as ET

import pytest
import torch
from ipywidgets.widgets.widget import _instances
from torch import nn

from helpers.datasets import scenes
from helpers.lessons import side_by_side
from helpers.networks import FCN, DeepLab, UNet
from helpers.practice import EXERCISES, check
from helpers.scoreboard import ENTRIES, stored

STATES = list(itertools.product(side_by_side.NEEDS, side_by_side.COSTS, range(10, 101, 10)))


def test_every_entry_has_its_finest_map():
    """The strides in the table are those of the networks: no finer map than that reaches the last layers."""
    assert set(side_by_side.FINEST) == set(ENTRIES)
    networks = {"FCN": FCN, "UNet": UNet, "DeepLab": DeepLab}
    for name in ENTRIES:
        net = eval(stored(name)["network"], networks).eval()  # such as "FCN(3, 7, prediction_stride=8)"
        if isinstance(net, FCN):
            finest = net.prediction_stride
        elif isinstance(net, UNet):
            finest = 1 if net.skips else 2**net.depth
        else:  # the decoder reads the first stage
            finest = 96 // net.stages[0](torch.rand(1, 3, 96, 96)).shape[-1] if net.reduce else net.output_stride
        assert side_by_side.FINEST[name] == finest, name


def test_choice_is_the_best_within_the_budget():
    for need, cost, budget in STATES:
        dearest = max(side_by_side.cost_of(name, cost) for name in ENTRIES)
        allowed = [name for name in ENTRIES if side_by_side.cost_of(name, cost) <= budget / 100 * dearest]
        chosen = side_by_side.choose(need, cost, budget)
        assert (chosen is None) == (not allowed)
        assert all(side_by_side.score_of(chosen, need) >= side_by_side.score_of(name, need) for name in allowed)


def test_level_are_those_whose_seeds_overlap_with_the_choice():
    assert side_by_side.level("unet", "outlines", "weights", 100) == ["deeplab_8"]
    assert side_by_side.level("unet", "mean", "weights", 100) == []
    for need, cost, budget in STATES:
        chosen = side_by_side.choose(need, cost, budget)
        if chosen:
            others = side_by_side.level(chosen, need, cost, budget)
            allowed = [name for name in ENTRIES if name != chosen]
            dearest = max(side_by_side.cost_of(name, cost) for name in ENTRIES)
            for name in allowed:
                fits = side_by_side.cost_of(name, cost) <= budget / 100 * dearest
                low = min(side_by_side.scores_of(chosen, need))
                assert (name in others) == (fits and max(side_by_side.scores_of(name, need)) >= low), (need, name)


def test_nothing_cheaper_beats_the_front():
    for need, cost in itertools.product(side_by_side.NEEDS, side_by_side.COSTS):
        best = side_by_side.front(need, cost)
        for name in ENTRIES:
            beaten = any(
                side_by_side.cost_of(other, cost) <= side_by_side.cost_of(name, cost)
                and side_by_side.score_of(other, need) > side_by_side.score_of(name, need)
                for other in ENTRIES
            )
            assert name not in best or not beaten, (need, cost, name)


def test_explorer_draws_every_state():
    for need, cost, budget in STATES:
        drawn = side_by_side.choice_view(need, cost, budget)
        ET.fromstring(drawn)
        chosen = side_by_side.choose(need, cost, budget)
        assert (f"Take {stored(chosen)['about']}." if chosen else "Nothing is as cheap") in drawn


def test_explorer_moves():
    before = set(_instances)
    side_by_side.explore()
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for value in (10, 100):
        made["budget"].value = value
    for name in ("need", "cost"):
        for option in made[name].options:
            made[name].value = option


def test_the_text_under_the_explorer_is_true():
    """What the notebook says of lakes and roads at 40 % of the multiply-adds."""
    lake, road = (side_by_side.choose(need, "multiply-adds", 40) for need in ("lake", "road"))
    best = side_by_side.choose("lake", "multiply-adds", 100)
    assert side_by_side.score_of(best, "lake") - side_by_side.score_of(lake, "lake") < 0.07
    assert side_by_side.score_of(road, "road") < 0.3


def test_pictures():
    classes = {"a": 0.5, "b": 0.25}
    drawn = side_by_side.gaps(classes, {"a": 0.25, "b": 1.0}, ("one", "two"))
    ET.fromstring(drawn)
    assert "-0.125" in drawn and "+0.375" in drawn and "+0.250" in drawn
    table = side_by_side.class_table()
    ET.fromstring(table)
    assert all(f">{name}<" in table for name in scenes.CLASSES)
    side_by_side.finest_maps()


class Flat(nn.Module):
    """Says one class everywhere."""

    def __init__(self, classes=7, width=1):
        super().__init__()
        self.layer = nn.Conv2d(3, classes, 1)
        self.rest = nn.Linear(width, width)

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (lambda: ..., ...),
        (lambda: None, "no network"),
        (lambda: Flat, "no network"),
        (lambda: Flat(width=400), "too large"),
        (lambda: nn.Conv2d(4, 7, 1), "stopped"),
        (lambda: Flat(classes=6), "wrong shape"),
        (lambda: nn.Conv2d(3, 7, 2), "wrong shape"),
        (Flat, "behind"),
    ],
)
def test_the_judge_names_what_is_wrong(build, verdict, capsys):
    pictures = scenes.make(4, size=32)
    assert side_by_side.judge(build, pictures, pictures, epochs=1) == verdict
    check("contender", verdict)
    said = capsys.readouterr().out
    assert ("○" if verdict is ... else "✗") in said and "Not this" not in said


def test_the_judge_lets_the_better_one_pass(monkeypatch):
    monkeypatch.setattr(side_by_side.scores, "mean_iou", lambda matrix: 0.8)
    pictures = scenes.make(4, size=32)
    assert side_by_side.judge(Flat, pictures, pictures, epochs=1) == "ahead"


@pytest.mark.parametrize("name", ["road-budget", "class-part", "contender"])
@pytest.mark.parametrize("nonsense", [None, "", "fcn", -1, [], lambda: 1, lambda a, b: "x"])
def test_nonsense_is_refused(name, nonsense, capsys):
    check(name, nonsense)
    assert "✗" in capsys.readouterr().out


def test_mistakes_are_told_apart(capsys):
    for name in ("road-budget", "class-part", "contender"):
        for text, mistake in EXERCISES[name].mistakes.items():
            check(name, mistake)
            assert text in capsys.readouterr().out


def test_the_road_budget_is_what_the_results_say():
    good = [stored(name)["multiply_adds"] for name in ENTRIES if side_by_side.class_iou(name)["road"] > 0.8]
    assert min(good) <= EXERCISES["road-budget"].right * 1e6 < min(good) + 1e6
