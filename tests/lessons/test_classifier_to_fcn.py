"""Pictures, explorer and exercises of 03_classifier_to_fcn, and the errors that it explains."""

import re
import xml.etree.ElementTree as ElementTree

import ipywidgets
import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances
from torch import nn

from helpers import datasets
from helpers.drawing import bars
from helpers.lessons import classifier_to_fcn as lesson
from helpers.practice import EXERCISES, check


def parsed(svg):
    tree = ElementTree.fromstring(svg)
    assert tree.get("role") == "img" and tree[0].text
    return tree


def texts(svg):
    return [item.text for item in parsed(svg).iter() if item.tag.endswith("text")]


@pytest.fixture(scope="module")
def pair():
    """A classifier with random weights, and the same as a convolution."""
    torch.manual_seed(1)
    net = [nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 3)]
    conv6, conv7 = nn.Conv2d(16, 32, 7), nn.Conv2d(32, 3, 1)
    for conv, linear in ((conv6, head[1]), (conv7, head[3])):
        conv.weight.data, conv.bias.data = linear.weight.data.view_as(conv.weight), linear.bias.data
    return nn.Sequential(*net, *head), nn.Sequential(*net, conv6, nn.ReLU(), conv7)


def test_train_is_reproducible_and_learns():
    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    first, second, before = lesson.train(make(), 1), lesson.train(make(), 1), make()
    assert all(a.equal(b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    images, textures = datasets.texture_crops(200).tensors
    assert F.cross_entropy(first(images), textures) < F.cross_entropy(before(images), textures)


def test_named_crops_cross_what_is_wrong():
    svg = lesson.named_crops(torch.rand(3, 3, 40, 40), torch.tensor([0, 1, 2]), torch.tensor([0, 2, 2]))
    assert texts(svg) == ["✓ brick", "✗ gravel", "✓ gravel"]


def test_stops_shows_the_products_of_the_stop():
    maps = torch.randint(0, 9, (2, 3, 4))
    weights = torch.randint(0, 9, (8,))
    results = F.conv2d(maps[None], weights.view(1, 2, 2, 2))[0, 0].tolist()
    for row in range(2):
        for column in range(3):
            svg, finding = lesson.stops(maps.tolist(), weights.tolist(), results, row, column)
            products = [re.fullmatch(r"(\d+)×(\d+)", words) for words in texts(svg)]
            assert sum(int(found[1]) * int(found[2]) for found in products if found) == results[row][column]
            assert f"2×3 stops here; at this one they give {results[row][column]}." in finding


def test_blocks_keep_every_weight():
    row = torch.randn(2 * 9)
    svg = lesson.blocks(row, (2, 3, 3))
    assert sum(item.tag.endswith("image") for item in parsed(svg).iter()) == 1 + 2
    assert lesson._tint(torch.tensor([[0.0, 1.0, -1.0]]), 1)[:, 0, 0].eq(1).all()


def test_differences_tell_their_range():
    figure, finding = lesson.differences({"a": torch.zeros(3, 3), "b": torch.tensor([[0.5, 2.0]])})
    assert "a: from 0.00000 to 0.00000" in finding and "b: from 0.50000 to 2.00000" in finding
    assert [axis.get_title() for axis in figure.axes[:2]] == ["a", "b"]


def test_bars_show_each_number():
    (axis,) = bars({"a": 1234567, "b": 3}, xlabel="parameters").axes
    assert [text.get_text() for text in axis.texts] == [" 1,234,567", " 3"]


def test_tiles_differ_without_colour():
    tiles = [lesson.tiles(torch.full((1, 1), n)) for n in range(3)]
    patterns = {tuple((tile[0] < tile[0].max()).flatten().tolist()) for tile in tiles}
    assert len(patterns) == 3
    assert lesson.tiles(torch.tensor([[0, 1, 2]])).equal(torch.cat(tiles, dim=2))


@pytest.fixture(scope="module")
def explorer(pair):
    before = set(_instances)
    pictures = {name: torch.rand(3, 256, 256) for name in ("mosaic", "cat")}
    lesson.explore(pictures, *pair)
    made = [_instances[key] for key in set(_instances) - before]
    controls = {w.description: w for w in made if getattr(w, "description", "")}
    return controls, next(w for w in made if isinstance(w, ipywidgets.HTML))


def test_explorer_over_its_range(explorer, pair):
    controls, view = explorer
    bounds = {name: (controls[name].min, controls[name].max) for name in ("size", "row", "column")}
    assert bounds == {"size": (40, 256), "row": (0, 54), "column": (0, 54)}
    for picture in controls["picture"].options:
        controls["picture"].value = picture
        for size in range(40, 257, 6):
            controls["size"].value = size
            cells = (size - 40) // 4 + 1
            for row, column in ((0, 0), (54, 0), (0, 54), (54, 54), (11, 23)):
                controls["row"].value, controls["column"].value = row, column
                words = texts(view.value)
                place = min(row, cells - 1), min(column, cells - 1)
                assert words[:3] == [
                    f"picture: {size}×{size} pixels",
                    f"map: {cells}×{cells} cells",
                    f"cell {place} sees",
                ]
                shares = [word.split()[0] for word in words[3:] if "%" in word]
                assert shares[::2] == shares[1::2] and len(shares) == 6


def test_look_is_the_classifier_on_the_crop(pair):
    image = torch.rand(3, 90, 90)
    seen = lesson.look(image, *pair, row=3, column=99)
    assert seen["place"] == (3, 12) and seen["crop"].equal(image[:, 12:52, 48:88])
    assert seen["cell"].allclose(seen["alone"], atol=1e-5) and seen["map"].shape == (13, 13)


def test_each_mistake_is_named(capsys):
    for name in ("sizes-for-20", "crop-of-cell", "slide-linear"):
        exercise = EXERCISES[name]
        check(name, exercise.right)
        assert exercise.insight in capsys.readouterr().out
        for words, mistake in exercise.mistakes.items():
            check(name, mistake)
            assert words in capsys.readouterr().out
        for nonsense in (..., None, "text", 7, lambda *anything: "text", lambda: 0, lambda *anything: 1 / 0):
            check(name, nonsense)
            assert capsys.readouterr().out.splitlines()[-1][0] in "○✗"


def test_right_answers_in_other_words(capsys):
    def fold(weight, bias, maps):
        side = round((weight.shape[1] / maps.shape[0]) ** 0.5)
        columns = F.unfold(maps[None], side)[0]
        return (weight @ columns + bias[:, None]).view(-1, *(length - side + 1 for length in maps.shape[1:]))

    check("slide-linear", fold)
    check("sizes-for-20", [116, 117, 118, 119])
    check("crop-of-cell", lambda r, c, w, s: [r * s, c * s, r * s + w, c * s + w])
    assert capsys.readouterr().out.count("✓") == 3


ERRORS = {  # what README lists for this notebook
    "mat1 and mat2 shapes cannot be multiplied (1x5776 and 784x32)": lambda one, many: one(torch.zeros(1, 3, 88, 88)),
    "mat1 and mat2 shapes cannot be multiplied (112x7 and 784x32)": lambda one, many: one[7](
        one[:6](torch.zeros(1, 3, 40, 40))
    ),
    "shape '[1, 784]' is invalid for input of size 5776": lambda one, many: one[:6](torch.zeros(1, 3, 88, 88)).view(
        1, 784
    ),
    "size mismatch for weight: copying a param with shape torch.Size([32, 784])": lambda one, many: many[
        6
    ].load_state_dict(one[7].state_dict()),
    "Kernel size can't be greater than actual input size": lambda one, many: many(torch.zeros(1, 3, 39, 39)),
}


@pytest.mark.parametrize("fragment", ERRORS)
def test_errors_that_the_notebook_explains(fragment, pair):
    with pytest.raises(RuntimeError, match=re.escape(fragment)):
        ERRORS[fragment](*pair)


def test_too_many_poolings():
    from torchvision.models import vgg16

    with torch.device("meta"), pytest.raises(RuntimeError, match="Output size is too small"):
        vgg16()(torch.zeros(1, 3, 31, 31))
