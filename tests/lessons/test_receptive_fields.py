"""Drawings and explorer of 02_receptive_fields: right where a number is drawn, and whole over the explorer's range."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances

from helpers import datasets
from helpers.lessons import receptive_fields as fields
from helpers.lessons.receptive_fields import _view, _walk


@pytest.fixture(scope="module")
def cat():
    return datasets.photograph("cat")[0]


def parsed(text):
    tree = ElementTree.fromstring(text)
    assert tree.get("role") == "img" and tree[0].tag.endswith("title") and tree[0].text
    return tree


def shapes(tree, tag):
    return [item for item in tree.iter() if item.tag.endswith(tag)]


def recurrence(layers):
    size, jump = 1, 1
    for kernel, stride, _, dilation in layers:
        size, jump = size + dilation * (kernel - 1) * jump, jump * stride
    return size, jump, 0


def flat(layers):
    size = recurrence(layers)[0]
    return torch.full((size,), 1 / size, dtype=torch.double)


def test_boxes_draw_each_field_where_it_is(cat):
    tree = parsed(fields.boxes(cat, {"small": ((10, 15), (20, 25)), "large": ((-58, 345), (6, 409))}, scale=1))
    drawn = [tuple(item.get(key) for key in ("x", "y", "width", "height")) for item in shapes(tree, "rect")]
    assert ("20", "68", "6", "6") in drawn and ("6", "0", "404", "404") in drawn
    assert [item.text for item in shapes(tree, "text")][:2] == ["small: 6 px", "large: 404 px"]


def test_cone_marks_exactly_the_units_that_are_seen():
    tree = parsed(fields.cone([(3, 1), (2, 2)], [[1], [2, 3], [2, 3, 4, 5]], pixels=9))
    dark = [item.text for item in shapes(tree, "text") if item.get("fill") == "white"]
    assert dark == ["1", "2", "3", "2", "3", "4", "5"]
    assert len(shapes(tree, "line")) == 2 + 2 * 3  # one line for each tap


def test_tower_names_each_block_and_shows_its_crop(cat):
    tree = parsed(fields.tower(cat, (143, 207), [("pool1", (64, 150, 225), 6), ("fc6", (4096, 3, 8), 404)]))
    texts = [item.text for item in shapes(tree, "text")]
    assert texts == ["pool1", "64×150×225", "sees 6×6 px", "fc6", "4096×3×8", "sees 404×404 px"]
    assert len(shapes(tree, "image")) == 2


@pytest.mark.parametrize("size", [1, 2, 5, 300])
def test_crop_is_what_a_unit_sees(cat, size):
    row, column, before = 143, 207, (size - 1) // 2
    crop = fields._crop(cat, (row, column), size, 1000)
    assert crop.shape == (3, size, size)
    assert crop[:, before, before].equal(cat[:, row, column])
    assert fields._crop(cat, (0, 0), 9, 1000)[:, :4].eq(0).all()  # beyond the border
    middle = fields._middle(cat, size, size)
    assert middle[:, before, before].equal(cat[:, 150, 225]) and middle.shape == crop.shape


def test_tint_is_blue_where_the_mask_is_true():
    mask = torch.eye(4).bool()
    for values in (torch.rand(4, 4), torch.ones(4, 4)):
        red, _, blue = fields.tint(values, mask)
        assert (blue > red)[mask].all() and (blue == red)[~mask].all()


@pytest.fixture(scope="module")
def explorer(cat):
    before = set(_instances)
    fields.explore(cat, recurrence, flat)
    made = [_instances[key] for key in set(_instances) - before]
    controls = {w.description: w for w in made if getattr(w, "description", "")}
    return controls, next(w for w in made if isinstance(w, ipywidgets.HTML))


RANGES = (range(3, 7), range(2, 8), ["none", "early", "late", "every"], ["none", "doubling"])


def test_the_explorer_covers_its_whole_range(explorer):
    controls, _ = explorer
    bounds = [(controls[name].min, controls[name].max) for name in ("depth", "kernel")]
    assert bounds == [(values[0], values[-1]) for values in RANGES[:2]]
    assert [list(controls[name].options) for name in ("strides", "dilations")] == [*RANGES[2:]]


@pytest.mark.parametrize(("strides", "dilations"), [*itertools.product(*RANGES[2:])])
def test_explorer_over_its_range(explorer, strides, dilations):
    controls, view = explorer
    controls["strides"].value, controls["dilations"].value = strides, dilations
    for depth, kernel in itertools.product(*RANGES[:2]):
        controls["depth"].value, controls["kernel"].value = depth, kernel
        tree = parsed(view.value)
        told, share = tree[0].text.split("; ")
        terms = [tuple(map(int, term.split("·"))) for term in re.findall(r"\d+·\d+", told)]
        early, late = {"none": (0, 0), "early": (2, 0), "late": (0, 2), "every": (6, 0)}[strides]
        jumps = [2 ** (min(n, early) + max(0, n - max(depth - late, 0))) for n in range(depth)]
        assert [jump for _, jump in terms] == jumps
        spread = [2**n if dilations == "doubling" else 1 for n in range(depth)]
        assert [taps for taps, _ in terms] == [(kernel - 1) * step for step in spread]
        size = 1 + sum(taps * jump for taps, jump in terms)
        assert told.endswith(f"= {size} px") and share.startswith("the middle half of each side")
        texts = [item.text for item in shapes(tree, "text")]
        assert ("larger than the photograph" in texts) == (size > 300)
        quoted = [re.search(r"(\d+)%", text)[1] for text in texts if "%" in text]
        assert quoted[0] == quoted[1]  # equal weights: the middle holds its share of the area


def test_walk_and_view_agree():
    for net in ([(3, 1), (2, 2), (3, 1)], [(5, 3), (3, 2)]):
        pixels = _walk(net)
        view = _view([(kernel, stride, 1) for kernel, stride in net], 1, pixels)
        assert view.all() and view.shape == (1, pixels)
