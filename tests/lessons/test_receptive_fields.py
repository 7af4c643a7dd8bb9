"""Drawings, explorer and exercises of 02: right where a number is drawn, and whole over the explorer's range."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from torch import nn

from helpers import datasets, receptive_field
from helpers.lessons import receptive_fields as lesson
from helpers.practice import EXERCISES, check

SHOWN = {"text": "{http://www.w3.org/2000/svg}text", "rect": "{http://www.w3.org/2000/svg}rect"}


@pytest.fixture(scope="module")
def cat():
    return datasets.photograph("cat")[0]


def parsed(text):
    tree = ElementTree.fromstring(text)
    assert tree.get("role") == "img" and tree[0].tag.endswith("title") and tree[0].text
    return tree


def texts(tree):
    return [item.text for item in tree.iter(SHOWN["text"])]


def strided(*layers):
    return nn.Sequential(*[nn.Conv2d(1, 1, *layer) for layer in layers])


def test_boxes_draw_each_field_where_it_is(cat):
    small, large = strided((6, 2)), strided((6, 2), (150, 4))
    fields = {name: receptive_field(net, (1, 800, 800)) for name, net in (("small", small), ("large", large))}
    svg, finding = lesson.boxes(cat, fields, (100, 200))
    assert texts(parsed(svg))[:2] == ["small: 6 px", "large: 304 px"]
    (top, bottom), (left, right) = fields["large"].span(0, 6)  # a unit further up would need a negative index
    assert f"large sees rows {top} to {bottom} of 0 to 299, and columns {left} to {right} of 0 to 450." in finding
    scale = min(600 / 451, 450 / (bottom + 1))
    drawn = [float(item.get("width")) for item in parsed(svg).iter(SHOWN["rect"]) if item.get("fill") == "none"]
    assert drawn == pytest.approx([6 * scale, 6 * scale, 304 * scale, 304 * scale], rel=1e-4)


def test_cone_marks_exactly_the_units_that_are_seen():
    svg, finding = lesson.cone([(3, 1), (2, 2)], [[1], [2, 3], [2, 3, 4, 5]])
    tree = parsed(svg)
    assert [item.text for item in tree.iter(SHOWN["text"]) if item.get("fill") == "white"] == list("1232345")
    assert sum(item.tag.endswith("line") for item in tree.iter()) == 2 + 2 * 3  # one line for each tap
    assert finding == "Unit 1 of map 2 sees 4 pixels: the first is 2, the last 5."


def test_pokes_draw_one_bar_for_each_pixel():
    svg, finding = lesson.pokes([0, 1, 3, 3, 0], 2)
    heights = [float(item.get("height")) for item in parsed(svg).iter(SHOWN["rect"]) if item.get("width") == "34"]
    assert heights == pytest.approx([0, 80 / 3, 80, 80, 0], rel=1e-4)
    assert finding == "3 pixels move unit 2, the weakest by 1, the strongest by 3."


def test_used_tells_the_share_of_the_middle_quarter():
    field = receptive_field(nn.Conv2d(1, 1, 8, padding=4), (1, 32, 32))
    even, (first, last) = torch.ones(32, 32), field.span(16)[0]
    point = torch.zeros(32, 32)
    point[(first + last) // 2, (first + last) // 2] = 1
    _, finding = lesson.used(even, point, field, 16)
    assert finding.endswith("before training: 25%, after training: 100%.")


def test_noticed_puts_units_where_they_look(cat):
    mask = torch.zeros(3, 4, dtype=torch.bool)
    mask[0, 0] = True
    figure, finding = lesson.noticed(cat, {"map": mask})
    assert finding == "Blue units notice the covered eye – map: 8% of the map."
    shown = figure.axes[0].images[0].get_array()
    assert shown[50, 50, 2] > shown[50, 50, 0] and (shown[100:] == cat.permute(1, 2, 0)[100:].numpy()).all()


@pytest.mark.parametrize("layers", [[(3, 2, 0, 1), (3, 1, 0, 2)], [(2, 1, 0, 1), (4, 3, 0, 2), (1, 2, 0, 1)]])
def test_growth_and_profile_are_what_gradients_say(layers):
    size, effective_stride = lesson.growth(layers)[-1]
    field = receptive_field(strided(*layers), (1, size + 9, size + 9))
    assert (size, effective_stride) == (field.size[0], field.stride[0])
    line = torch.ones(1, 1, size, dtype=torch.double, requires_grad=True)
    value = line
    for k, s, _, d in layers:
        value = nn.functional.conv1d(value, torch.ones(1, 1, k, dtype=torch.double) / k, stride=s, dilation=d)
    value.sum().backward()
    assert torch.allclose(lesson.profile(layers), line.grad[0, 0])


def test_share_is_a_quarter_where_all_pixels_weigh_the_same():
    for n in range(1, 9):
        assert lesson.share([(n, 1, 0, 1)]) == pytest.approx(0.25)
    assert lesson.share([(3, 1, 0, 1)] * 20) > 0.98


@pytest.fixture(scope="module")
def explorer(cat):
    before = set(_instances)
    lesson.explore(cat)
    made = [_instances[key] for key in set(_instances) - before]
    controls = {w.description: w for w in made if getattr(w, "description", "")}
    return controls, next(w for w in made if isinstance(w, ipywidgets.HTML))


RANGES = (range(3, 7), range(2, 8), ["none", "early", "late", "every"], ["none", "doubling"])


def test_the_explorer_covers_its_whole_range(explorer):
    controls, _ = explorer
    bounds = [(controls[name].min, controls[name].max) for name in ("layers", "kernel_size")]
    assert bounds == [(values[0], values[-1]) for values in RANGES[:2]]
    assert [list(controls[name].options) for name in ("strides", "dilations")] == [*RANGES[2:]]


@pytest.mark.parametrize(("strides", "dilations"), [*itertools.product(*RANGES[2:])])
def test_explorer_over_its_range(explorer, strides, dilations):
    controls, view = explorer
    controls["strides"].value, controls["dilations"].value = strides, dilations
    for depth, kernel in itertools.product(*RANGES[:2]):
        controls["layers"].value, controls["kernel_size"].value = depth, kernel
        tree = parsed(view.value)
        told, share = tree[0].text.split("; ")
        terms = [tuple(map(int, term.split("·"))) for term in re.findall(r"\d+·\d+", told)]
        early, late = {"none": (0, 0), "early": (2, 0), "late": (0, 2), "every": (6, 0)}[strides]
        effective = [2 ** (min(n, early) + max(0, n - max(depth - late, 0))) for n in range(depth)]
        assert [stride for _, stride in terms] == effective
        spread = [2**n if dilations == "doubling" else 1 for n in range(depth)]
        assert [taps for taps, _ in terms] == [(kernel - 1) * step for step in spread]
        size = 1 + sum(taps * stride for taps, stride in terms)
        assert told.endswith(f"= {size} px") and share.startswith("the middle quarter holds")
        assert ("larger than the photograph" in texts(tree)) == (size > 300)
        assert f"the box, enlarged: {size}×{size} px" in texts(tree)
        if kernel == 2 and (strides, dilations) == ("none", "doubling"):
            assert "holds 25% of" in share  # one path to each pixel


RIGHT_MASK = torch.tensor([[1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]]).bool()


def test_right_answers():
    assert 1 + 2 * EXERCISES["layers"].right >= 404 > 1 + 2 * (EXERCISES["layers"].right - 1)
    assert EXERCISES["mask"].right([(3, 1, 1)], 4, 6).equal(RIGHT_MASK)
    for net in ([(3, 1), (2, 2), (3, 1)], [(5, 3), (3, 2)]):
        size = EXERCISES["stride"].right(net)
        assert size == receptive_field(strided(*net), (1, 60, 60)).size[0]
        mask = EXERCISES["mask"].right([(k, s, 1) for k, s in net], 1, size)
        assert mask.all() and mask.shape == (1, size)


@pytest.mark.parametrize("name", ["layers", "stride", "mask"])
def test_mistakes_are_named(name, capsys):
    exercise = EXERCISES[name]
    for message, wrong in exercise.mistakes.items():
        check(name, wrong)
        assert message in capsys.readouterr().out
    check(name, exercise.right)
    assert f"✓ Right. {exercise.insight}" in capsys.readouterr().out
    check(name, ...)
    assert "Not answered yet" in capsys.readouterr().out
    for nonsense in (None, "many", -1, lambda *case: None, lambda *case: "x", lambda *case: 1 / 0):
        check(name, nonsense)
        assert "✗" in capsys.readouterr().out
