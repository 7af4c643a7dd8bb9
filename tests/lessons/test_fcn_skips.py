"""The pictures, the explorer and the errors of 05_fcn_skips."""

import xml.etree.ElementTree as ET

import pytest
import torch
from ipywidgets.widgets.widget import _instances

from helpers.datasets import scenes
from helpers.lessons import fcn_skips
from helpers.networks import FCN


@pytest.fixture(scope="module")
def scene():
    image, label = scenes.make(1, size=64, seed="test")[0]
    one_hot = torch.nn.functional.one_hot(label, 7).permute(2, 0, 1).float()
    return image, label, one_hot


def test_mixed_is_the_largest_weighted_sum(scene):
    _, label, one_hot = scene
    noise = torch.zeros_like(one_hot)
    assert fcn_skips.mixed([one_hot, noise, noise], (1, 0, 0)).equal(label)
    assert fcn_skips.mixed([one_hot, -one_hot, noise], (1, 2, 0)).ne(label).all()


def test_the_explorer_says_what_it_draws(scene):
    image, label, one_hot = scene
    maps = [one_hot, torch.zeros_like(one_hot), torch.zeros_like(one_hot)]
    drawn = fcn_skips.mix_view(image, label, maps, scenes.CLASSES, (2, 0, 1))
    ET.fromstring(drawn)
    assert "2·deep + 0·pool4 + 1·pool3" in drawn and "mean IoU 1.00" in drawn


def test_explorer_moves(scene):
    image, label, one_hot = scene
    before = set(_instances)
    fcn_skips.explore(image, label, [one_hot] * 3, scenes.CLASSES)
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for name in ("deep", "pool4", "pool3"):
        for value in (made[name].min, made[name].max):
            made[name].value = value


def test_pictures_are_svg():
    ET.fromstring(fcn_skips.addition({"a": [[1, 2], [3, 4]], "b": [[0, 0], [1, 1]], "sum": [[1, 2], [4, 5]]}))
    ET.fromstring(fcn_skips.score_maps({"photo": torch.rand(3, 8, 8), "scores": torch.randn(8, 8)}))
    ET.fromstring(fcn_skips.value_bars({"FCN-8s, paper": 62.7, "FCN-8s, ours": 69.5}))
    drawn = fcn_skips.class_bars({"FCN-8s": [0.5, 1.0, 0.0], "FCN-16s": [0.2, float("nan"), 0.1]}, ("a", "b", "c"))
    ET.fromstring(drawn)


def test_the_papers_figure_has_the_papers_sizes():
    with torch.device("meta"):
        net = FCN(3, 21, 8, backbone="vgg16", auxiliary=False)
        shapes = fcn_skips.map_shapes(net, torch.empty(1, 3, 512, 512))
    assert shapes == {"pool3": (256, 64, 64), "pool4": (512, 32, 32), "deep": (4096, 16, 16)}
    drawn = fcn_skips.paper_figure(shapes)
    ET.fromstring(drawn)
    assert drawn.count("×2") == 2 and "pool4: 512×32×32" in drawn


@pytest.mark.parametrize(
    ("channels", "fragment"),
    [(48, "non-singleton dimension 1"), (21, "non-singleton dimension 1")],
)
def test_a_skip_without_scores_fails(channels, fragment):
    with pytest.raises(RuntimeError, match=fragment):
        torch.zeros(1, 7, 12, 12) + torch.zeros(1, channels, 12, 12)
