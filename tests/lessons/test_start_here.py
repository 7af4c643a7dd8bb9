"""Pictures, explorer and exercises of 00_start_here: right where a number is drawn, whole over their range."""

import re
import xml.etree.ElementTree as ElementTree

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from skimage.filters import threshold_otsu

from helpers import datasets, scores
from helpers.drawing import style
from helpers.lessons import start_here


@pytest.fixture(scope="module")
def coins():
    return start_here.coins()


def parsed(text):
    tree = ElementTree.fromstring(text)
    assert tree.get("role") == "img" and tree[0].tag.endswith("title") and tree[0].text
    return tree


def texts(svg):
    return [item.text for item in parsed(svg).iter() if item.tag.endswith("text")]


def test_coins_fit_a_network_with_three_poolings(coins):
    image, label = coins
    assert image.shape == (3, 296, 384) and label.shape == (296, 384)
    assert (datasets.coins()[1][296:] == 0).all(), "only bare table is cut"


def test_otsu_is_the_level_of_scikit_image(coins):
    grey = coins[0][:, :, :192].mean(dim=0)
    assert start_here.otsu(grey) == pytest.approx(threshold_otsu((grey * 255).round().byte().numpy()) / 255)


def test_grids_frame_what_differs():
    same, finding = start_here.grids({"a": [[0, 1]], "b": [[0, 1]]})
    assert "dash" not in finding and texts(same) == ["a", "0", "1", "b", "0", "1"]
    other, finding = start_here.grids({"a": [[0, 1, 0]], "b": [[0, 2, 1]]})
    assert finding.startswith("2 of 3 pixels differ") and other.count("6 3") == 2


@pytest.mark.parametrize("view", [1, 2, 9, 10, 31, 96, 500])
def test_two_waters_for_any_view(view):
    figure, finding = start_here.two_waters(view)
    for axis in figure.axes:
        assert axis.images[0].get_array().shape[:2] == (min(view, 96),) * 2
    assert ("nothing but water" in finding) == (view <= 10)


def test_findings_are_computed(coins):
    image, label = coins
    nothing, half = torch.zeros_like(label), label[:, 192:]
    figures = [
        (start_here.cut_out(image, label, label == 1, image), f"{(label == 1).float().mean():.0%}"),
        (start_here.halves(image, label, 128), "the 128 columns"),
        (
            start_here.film({1: (0.5, label), 9: (0.25, nothing)}),
            "From step 1 to step 9 the loss goes from 0.50 to 0.25",
        ),
        (start_here.film({1: (0.5, label)}), "From step 1 to step 1"),
        (start_here.logit_maps(image[..., 192:], torch.stack([half * -1.0, half - 0.5])), f"{half.float().mean():.0%}"),
        (start_here.errors(image, label, {"none": nothing, "all": label}), f"none: {label.sum():,}; all: 0."),
        (start_here.found_on(1 - image, label, 0.5), "0.50"),
        (start_here.nothing_found(image, label, 0.7, 0.35), "pixel accuracy 0.700, mean IoU 0.350"),
    ]
    for (figure, finding), told in figures:
        assert told in finding, finding
        assert 5_000 < len(style.png(figure)) < 130_000, finding


def test_judged_is_perfect_without_a_fault(coins):
    assert set(start_here.judged(coins[1]).values()) == {1.0}


@pytest.fixture(scope="module")
def explorer():
    before = set(_instances)
    start_here.explore()
    made = [_instances[key] for key in set(_instances) - before]
    controls = {w.description: w for w in made if getattr(w, "description", "")}
    return controls, next(w for w in made if isinstance(w, ipywidgets.HTML))


def test_the_explorer_covers_its_whole_range(explorer):
    controls, _ = explorer
    assert {name: (w.min, w.max) for name, w in controls.items() if hasattr(w, "min")} == {
        "shift": (0, 12),
        "grow": (-6, 6),
    }
    assert list(controls["drop"].options) == ["nothing", "coin"]


@pytest.mark.parametrize("grow", range(-6, 7))
@pytest.mark.parametrize("drop", ["nothing", "coin"])
def test_explorer_over_its_range(grow, drop, explorer, coins):
    controls, view = explorer
    controls["grow"].value, controls["drop"].value = grow, drop
    for shift in range(13):
        controls["shift"].value = shift
        tree = parsed(view.value)
        told = [float(value) for value in re.findall(r"\d\.\d\d", tree[0].text)]
        drawn = [float(item.text) for item in tree.iter() if re.fullmatch(r"\d\.\d\d", item.text or "")]
        assert told == drawn and len(told) == 4
        prediction = scores.spoil(coins[1], shift, grow, 1 if drop == "coin" else None)
        assert told[0] == pytest.approx((prediction == coins[1]).float().mean().item(), abs=0.006)
        assert (told == [1] * 4) == ((shift, grow, drop) == (0, 0, "nothing"))


def test_the_twiddle_has_one_answer(coins):
    def moved(shift):
        return start_here.judged(coins[1], shift=shift)

    assert moved(7)["mean IoU"] >= 0.75 > moved(8)["mean IoU"]
    assert moved(14)["pixel accuracy"] >= 0.75 > moved(15)["pixel accuracy"]  # a named mistake
    ious = [scores.iou(scores.confusion_matrix(scores.spoil(coins[1], s), coins[1], 2))[1] for s in (5, 6)]
    assert ious[0] >= 0.75 > ious[1]  # another one, and the insight: two steps earlier
