"""The labelled photographs: what is read, what is refused, and what data/README.md says about them."""

import importlib.util
import json
import math
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from helpers import DATA
from helpers.datasets import PHOTOGRAPH_CLASSES, PHOTOGRAPHS, photograph
from helpers.datasets.photographs import PHOTOS
from helpers.scores import VOID

sys.path.insert(0, str(DATA.parent / "tools"))
from outlines import BORDER, OUTLINES, draw_outlines, read_outlines, with_void_border

README = (DATA / "README.md").read_text(encoding="utf-8")
TOOL = DATA.parent / "tools" / "label_photographs.py"
EXPECTED = {
    "astronaut": {"person", "helmet", "rocket"},
    "camera": {"person", "camera", "tripod"},
    "cat": {"cat", "cat's eye"},
    "coffee": {"cup", "saucer", "spoon"},
    "rocket": {"rocket", "tower"},
}


def sections():
    """{heading: text} of the third level of the README."""
    parts = re.split(r"^### (.+)$", README, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measured(tool):
    return {name: tool.agreement(name) for name in PHOTOGRAPHS}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_item(name):
    image, label = photograph(name)
    assert image.dtype == torch.float32 and image.shape == (3, *label.shape) and max(label.shape) <= 512
    assert 0 <= image.min() < 0.1 and 0.9 < image.max() <= 1
    assert label.dtype == torch.int64
    found = {PHOTOGRAPH_CLASSES[index] for index in label[label != VOID].unique().tolist()}
    assert found == EXPECTED[name] | {"background"}
    assert 0 < (label == VOID).float().mean() < 0.07


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_void_border_is_on_both_sides_of_every_edge(name):
    """Two pixels up to BORDER apart that belong to different objects are both void."""
    _, label = photograph(name)
    bare = draw_outlines(read_outlines(OUTLINES / f"{name}.json"))
    for step in range(1, BORDER + 1):
        for axis in (0, 1):
            length = label.shape[axis] - step
            differ = bare.narrow(axis, 0, length) != bare.narrow(axis, step, length)
            for start in (0, step):
                assert (label.narrow(axis, start, length)[differ] == VOID).all()
    assert (label[label != VOID] == bare[label != VOID]).all()


def test_void_border_is_as_wide_as_asked():
    label = torch.zeros(20, 20, dtype=torch.int64)
    label[:, 10:] = 3
    for border in (1, 2, 3):
        row = with_void_border(label, border)[7].tolist()
        assert row == [0] * (10 - border) + [VOID] * (2 * border) + [3] * (10 - border)


def test_void_border_is_wider_than_the_outlines_differ(measured):
    worst = max(median for figures in measured.values() for _, median, _ in figures.values())
    assert math.ceil(worst) <= BORDER


def test_polygon_is_filled_by_pixel_centres_and_later_ones_are_nearer():
    square = {"class": "cat", "polygon": [[1, 1], [4, 1], [4, 3.6], [1, 3.6]]}
    triangle = {"class": "cup", "polygon": [[0, 0], [6, 0], [0, 6]]}
    label = draw_outlines({"size": [5, 6], "objects": [square]})
    assert label.nonzero().tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3)]
    cat, cup = PHOTOGRAPH_CLASSES.index("cat"), PHOTOGRAPH_CLASSES.index("cup")
    label = draw_outlines({"size": [5, 6], "objects": [triangle, square]})
    assert label[1:4, 1:4].eq(cat).all() and label[0, :5].eq(cup).all() and label[4, 0] == cup
    label = draw_outlines({"size": [5, 6], "objects": [square, triangle]})
    assert label[1, 1] == cup and label[3, 3] == cat
    assert draw_outlines({"size": [5, 6], "objects": [square]}, scale=2).sum() == cat * 6 * 5


def test_rasteriser_agrees_with_pillow():
    """A second way: Pillow fills the polygons 16 times enlarged; a pixel is in if half of it is."""
    for item in read_outlines(OUTLINES / "coffee.json")["objects"][:4]:
        mask = draw_outlines({"size": [341, 512], "objects": [item]}) > 0
        sheet = Image.new("L", (16 * 512, 16 * 341))
        ImageDraw.Draw(sheet).polygon([(16 * x, 16 * y) for x, y in item["polygon"]], fill=255)
        other = torch.from_numpy(np.array(sheet.reduce(16))) > 127
        assert (mask & other).sum() / (mask | other).sum() > 0.98
        assert (mask.nonzero().float().mean(0) - other.nonzero().float().mean(0)).abs().max() < 0.25


def spoil(folder, change):
    path = folder / "cat.json"
    outlines = json.loads(path.read_text())
    change(outlines)
    path.write_text(json.dumps(outlines))


def test_stored_labels_are_drawn_from_the_outlines(tool):
    for name in PHOTOGRAPHS:
        assert photograph(name)[1].equal(tool.label_map(name)), f"run tools/label_photographs.py: {name}"


@pytest.mark.parametrize("name", ["dog", "", "../cat", None])
def test_unknown_photograph_is_refused(name):
    with pytest.raises(ValueError, match="photograph must be one of astronaut, camera"):
        photograph(name)


def test_readme_figures_are_the_computed_ones(measured):
    row = re.compile(r"^\| ([^|]+) \| (\d\.\d{3}) \| (\d\.\d\d) \| (\d\.\d\d) \|$", re.MULTILINE)
    for name, figures in measured.items():
        written = {kind: (i, m, q) for kind, i, m, q in row.findall(sections()[name])}
        assert written == {kind: (f"{i:.3f}", f"{m:.2f}", f"{q:.2f}") for kind, (i, m, q) in figures.items()}


def test_agreement_measures_a_known_shift(tool, tmp_path, monkeypatch):
    """Two squares of 20 px, one moved by 1 px to the right: IoU 380/420, left and right edges 1 px apart."""
    monkeypatch.setattr(tool, "OUTLINES", tmp_path)
    (tmp_path / "second").mkdir()
    for path, left in ((tmp_path, 10), (tmp_path / "second", 11)):
        square = [[left, 10], [left + 20, 10], [left + 20, 30], [left, 30]]
        outlines = {"photo": "a.png", "size": [40, 40], "classes": [*PHOTOGRAPH_CLASSES]}
        outlines["objects"] = [{"class": "cat", "polygon": square}]
        (path / "a.json").write_text(json.dumps(outlines))
    iou, _, far = tool.agreement("a")["cat"]
    assert iou == pytest.approx(380 / 420) and far == pytest.approx(1)


def test_every_file_is_described_with_a_licence():
    files = [path for path in PHOTOS.rglob("*") if path.is_file()]
    assert len(files) >= 2 * len(PHOTOGRAPHS)
    for path in files:
        name = path.relative_to(DATA).as_posix()
        described = [text for text in sections().values() if f"`{name}`" in text]
        assert len(described) == 1, name
        for entry in ("Source", "Author", "Licence", "Labelled"):
            assert re.search(rf"^- {entry}: \S.{{4}}", described[0], re.MULTILINE), (name, entry)
        assert re.search("public domain|CC0|Creative Commons CC0|No known copyright restrictions", described[0])


def test_readme_says_by_what_they_were_labelled():
    assert "outlined by a language model that looked at enlarged crops" in README


def test_both_outlines_have_the_same_objects_and_are_not_copies():
    for name in PHOTOGRAPHS:
        first, second = (read_outlines(path / f"{name}.json")["objects"] for path in (OUTLINES, OUTLINES / "second"))
        assert [item["class"] for item in first] == [item["class"] for item in second]
        assert all(a["polygon"] != b["polygon"] for a, b in zip(first, second, strict=True))


def test_everything_is_small():
    assert sum(path.stat().st_size for path in PHOTOS.rglob("*") if path.is_file()) < 2_500_000
    assert (DATA / "overlays.jpg").stat().st_size < 300_000
