"""Drawings: deterministic, and right where a number is drawn."""

import xml.etree.ElementTree as ElementTree

import pytest
import torch

from helpers import datasets, drawing
from helpers.datasets import scenes
from helpers.datasets.folders import CAMVID
from helpers.drawing import style, svg


def present(name):
    """The classes in a labelled photograph."""
    indices = datasets.photograph(name)[1].unique().tolist()
    return [datasets.PHOTOGRAPH_CLASSES[index] for index in indices if index != 255]


def parsed(text):
    tree = ElementTree.fromstring(text)
    assert tree.get("role") == "img" and tree[0].tag.endswith("title") and tree[0].text
    return tree


def test_png_is_deterministic_and_small():
    image, label = datasets.coins()
    drawn = [style.png(drawing.panels({"a": image, "b": label}, ["table", "coin"])) for _ in range(2)]
    assert drawn[0] == drawn[1] and len(drawn[0]) < 150_000


def test_mark_errors_marks_the_errors():
    image = torch.full((3, 8, 8), 0.5)
    label, prediction = torch.zeros(2, 8, 8).long()
    prediction[:4] = 1
    label[:2] = 255
    marked = drawing.mark_errors(image, label, prediction)
    grey = (marked[0] == marked[1]) & (marked[1] == marked[2])
    assert grey[:2].all() and grey[4:].all() and not grey[2:4].all()


def test_colours_give_void_its_own():
    label = torch.tensor([[0, 1, 255]])
    assert len({tuple(colour) for colour in drawing.colours(label, ["table", "coin"])[0]}) == 3


@pytest.mark.parametrize(
    "names",
    [("table", "coin"), scenes.CLASSES, datasets.TEXTURES, *map(present, datasets.PHOTOGRAPHS)],
    ids=["coins", "scenes", "textures", *datasets.PHOTOGRAPHS],
)
def test_class_looks_differ_without_colour(names):
    looks = [drawing.CLASSES[name] for name in names]
    assert len({hatch for _, hatch in looks}) == len({colour for colour, _ in looks}) == len(names)


OWN = [
    ["soil", "leaf"],
    ["background", "leaf", "cat", "stem"],
    list("abcdefghijklm"),
    [*CAMVID],
    list(map(str, range(60))),
]


@pytest.mark.parametrize("names", OWN, ids=len)
def test_classes_of_your_own_get_looks_that_differ(names):
    look = style.looks(names)
    assert len(set(look.values())) == len(names) + 1  # and void
    assert all(look[name] == drawing.CLASSES[name] for name in names if name in drawing.CLASSES)
    if len(names) <= 4:
        assert not {colour for colour, _ in look.values()} & {style.ERRORS["missed"][0], style.ERRORS["added"][0]}
        assert len({colour for colour, _ in look.values()}) == len(names) + 1
        assert len({look[name][1] for name in names}) == len(names)


@pytest.mark.parametrize("names", OWN[:4], ids=len)
def test_panels_and_gallery_with_classes_of_your_own(names):
    label = torch.arange(len(names)).repeat_interleave(4)[None].repeat(20, 1)
    label[0, 0] = 255
    image = torch.rand(3, *label.shape)
    figure = drawing.panels({"photograph": image, "prediction": label}, names)
    figure.draw_without_rendering()
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [*names, "void"]
    box, width = legend.get_window_extent(), figure.bbox.width
    assert box.x0 >= 0 and box.x1 <= width
    assert len(style.png(drawing.gallery({"mine": (image, label, names)}))) > 1000


def test_every_line_is_drawn():
    names = [f"line {number}" for number in range(20)]
    figure = drawing.curves([0, 1], {name: [0, 1] for name in names}, xlabel="x", ylabel="y")
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == names
    figure.draw_without_rendering()
    legend, box = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.y0 >= 0 and legend.x1 <= figure.bbox.width and box.x1 < legend.x0
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 20


def test_show_escapes_its_sentence(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(style, "display", lambda item, **options: shown.append(item))
    drawing.show(svg.document(10, 10, [], title="x"), "IoU < 0.5 & <script>alert(1)</script>")
    assert "IoU &lt; 0.5 &amp; &lt;script&gt;alert(1)&lt;/script&gt;" in shown[-1].data


def test_gallery_names_what_it_shows():
    scene, label = scenes.make(6, seed="test")[datasets.HERO_SCENE]
    figure = drawing.gallery({"scene": (scene, label, scenes.CLASSES)})
    assert {text.get_text() for text in figure.axes[1].texts} == set(scenes.CLASSES[1:])  # the hero scene has them all
    assert len(style.png(figure)) > 10_000


def test_svg_text_is_escaped():
    parsed(svg.document(10, 10, [svg.text(0, 0, "a < b & c")], title="1 < 2"))


def test_compare_masks_crosses_what_differs():
    wanted = torch.eye(4).bool()
    assert "yours" not in drawing.compare_masks(wanted)[0]
    yours = wanted.clone()
    yours[0, 1] = True
    drawn, finding = drawing.compare_masks(wanted, yours)
    parsed(drawn)
    assert drawn.count("×</text>") == 1 and "1 of 16 pixels differ" in finding


def test_confusion_shows_each_count():
    figure = drawing.confusion(torch.tensor([[12, 2], [3, 4000]]), ["table", "coin"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["12", "2", "3", "4,000"]


def test_confusion_names_classes_that_have_none():
    figure = drawing.confusion(torch.zeros(3, 3).long(), ["table", "coin"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["table", "coin", "class 2"]
