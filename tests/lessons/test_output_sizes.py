"""The pictures and the explorer of 01_output_sizes, over the whole range of its controls."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import product

import ipywidgets
import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances

from helpers.lessons import output_sizes
from helpers.practice import EXERCISES, check

NAMES = ("input", "kernel", "stride", "padding", "dilation")


def drawn(kind, step, **case):
    output, message = output_sizes._measured(**case, kind=kind)
    return output, output_sizes.arithmetic(**case, kind=kind, output=output, message=message, step=step)


@pytest.mark.parametrize("kind", ["convolution", "transposed"])
@pytest.mark.parametrize("size", range(3, 13))
def test_arithmetic_over_the_range(kind, size):
    for values in product([size], range(1, 6), range(1, 5), range(5), range(1, 5)):
        case = dict(zip(NAMES, values, strict=True))
        i, k, s, p, d = values
        law = (i + 2 * p - d * (k - 1) - 1) // s + 1 if kind == "convolution" else s * (i - 1) + d * (k - 1) + 1 - 2 * p
        output, svg = drawn(kind, 1, **case)
        assert output == max(law, 0)
        if output:
            assert f"output {output}×{output}" in svg and re.search(rf"= {output}</text>", svg)
        else:
            assert "no output" in svg and ("greater than actual" in svg or "cuts off everything" in svg)


@pytest.mark.parametrize("kind", ["convolution", "transposed"])
def test_every_step_marks_the_cells_that_torch_connects(kind):
    for i, k, s, p, d in product((3, 5), (1, 2, 3), (1, 2, 4), (0, 1, 2), (1, 2)):
        output, _ = output_sizes._measured(i, k, s, p, d, kind)
        if not output:
            continue
        forward, ones = kind == "convolution", torch.ones(1, 1, k, k)
        padded = torch.ones(1, 1, i + 2 * p, i + 2 * p, requires_grad=True)
        read = F.conv2d(padded, ones, stride=s, dilation=d) if forward else None
        for step in range(1, (output if forward else i) ** 2 + 1):
            frame = output_sizes._Frame(
                input=i, kernel=k, stride=s, padding=p, dilation=d, kind=kind, output=output, step=step
            )
            if forward:
                (touched,) = torch.autograd.grad(read.flatten()[step - 1], padded, retain_graph=True)
            else:
                one = torch.eye(i * i)[step - 1].reshape(1, 1, i, i)
                touched = F.conv_transpose2d(one, ones, stride=s, dilation=d)
            assert frame.large == touched.shape[-1]
            assert set(frame.window(*frame.place)) == {tuple(cell) for cell in touched[0, 0].nonzero().tolist()}


def test_every_picture_is_a_whole_svg_with_a_title():
    for kind, values in product(["convolution", "transposed"], product((3, 12), (1, 5), (1, 4), (0, 4), (1, 4))):
        _, picture = drawn(kind, 1, **dict(zip(NAMES, values, strict=True)))
        tree = ElementTree.fromstring(picture)
        assert tree.get("role") == "img" and tree[0].text.startswith(kind)


def test_hatched_rows_are_counted():
    case = {"kernel": 3, "stride": 2, "dilation": 1}
    assert "0 of 6 rows of the picture, 1 of 2 of the padding" in drawn("convolution", 1, input=6, padding=1, **case)[1]
    assert "1 of 6 rows of the picture, 0 of 0 of the padding" in drawn("convolution", 1, input=6, padding=0, **case)[1]
    wide = case | {"stride": 4}
    assert "4 of 19 rows of the output" in drawn("transposed", 1, input=5, padding=0, **wide)[1]


def test_filmstrip_states_what_it_shows():
    svg, finding = output_sizes.filmstrip({5: 3, 6: 3}, kernel=3, stride=2, padding=1)
    assert finding == "5×5: 3 stops each way, unread rows: 0; 6×6: 3 stops each way, unread rows: 1."
    assert ElementTree.fromstring(svg)[0].text == finding
    assert all(f"6×6, stop {n}<" in svg for n in (1, 2, 3, 9)) and "stop 4" not in svg


def test_filmstrip_writes_the_numbers():
    numbers = [[1, 2], [3, 4]], [[1, 0], [0, -5]], [[-19]]
    svg, _ = output_sizes.filmstrip({2: 1}, kernel=2, numbers=numbers)
    assert all(f">{words}</text>" in svg for words in ("1·1", 2, 3, "−5·4", "−19")) and "0·" not in svg


def test_ruler_over_a_range():
    for i, k, s, p, d in product((3, 6, 16), (1, 2, 5), (1, 2, 7), (0, 2), (1, 4, 12)):
        stops = output_sizes._measured(i, k, s, p, d, "convolution")[0]
        svg, finding = output_sizes.ruler(i, k, s, p, d, stops=stops)
        assert ElementTree.fromstring(svg)[0].text == finding
        assert f">stop {stops}<" in svg and f">stop {stops + 1}<" not in svg if stops else "no stop<" in svg
        reach = d * (k - 1) + 1
        if stops:
            missing = int(re.search(r": (\d+)\.$", finding)[1])
            assert 0 < missing <= s, "one more step needs at most one stride"
            assert output_sizes._measured(i + missing, k, s, p, d, "convolution")[0] == stops + 1
            assert output_sizes._measured(i + missing - 1, k, s, p, d, "convolution")[0] == stops
        else:
            assert f"over {reach} cells" in finding and f"only {i + 2 * p}." in finding


def said(capsys, name, answer):
    check(name, answer)
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["inputs", "padding", "skip"])
def test_every_mistake_has_its_own_words(name, capsys):
    exercise = EXERCISES[name]
    for words, mistake in exercise.mistakes.items():
        assert words in said(capsys, name, mistake)
    right = said(capsys, name, exercise.right)
    assert right.startswith("✓") and exercise.insight in right


def test_any_repair_of_the_network_counts(capsys):
    weights = torch.ones(1, 1, 3, 3)

    def pooled_as_resnet_does(x):
        skip = F.max_pool2d(x, 3, stride=2, padding=1)
        return skip + F.conv2d(F.conv2d(x, weights, stride=2, padding=1), weights, padding=4, dilation=4)

    def skip_convolved(x):
        way = F.conv2d(F.conv2d(x, weights, stride=2, padding=1), weights, padding="same", dilation=4)
        return way + F.conv2d(x, weights[..., :1, :1], stride=2)

    for network in (pooled_as_resnet_does, skip_convolved):
        assert said(capsys, "skip", output_sizes.try_sizes(network)).startswith("✓")


def test_other_answers_to_the_network(capsys):
    weights = torch.ones(1, 1, 3, 3)

    def swapped(x):  # unrepaired, the sum the other way round
        way = F.conv2d(F.conv2d(x, weights, stride=2, padding=1), weights, padding=1, dilation=4)
        return F.max_pool2d(x, 2) + way

    assert "Nothing is repaired yet" in said(capsys, "skip", output_sizes.try_sizes(swapped))
    assert "○ Not answered yet" in said(capsys, "skip", output_sizes.try_sizes(lambda x: ...))
    for nonsense in (lambda x: "x", lambda x: x.missing, lambda: 1, None, 3):
        assert said(capsys, "skip", output_sizes.try_sizes(nonsense)).startswith("✗")
    for nonsense in ([31, 33], "31", None, 31, {}):
        assert said(capsys, "inputs", nonsense).startswith("✗")
    assert said(capsys, "inputs", [31, 32]).startswith("✓")
    assert said(capsys, "padding", lambda k, d: None).startswith("✗")


def test_hints_do_not_print_the_solution():
    solutions = {"inputs": ("31", "32"), "padding": ("d*(k-1)//2", "d(k−1)/2", "//"), "skip": ("ceil", "padding=4")}
    for name, words in solutions.items():
        assert not any(word in hint.replace(" ", "") for hint in EXERCISES[name].hints for word in words)


def test_explorer_keeps_its_steps_within_the_picture():
    before = set(_instances)
    output_sizes.explore()
    made = [_instances[key] for key in set(_instances) - before]
    controls = {w.description: w for w in made if isinstance(w, (ipywidgets.IntSlider, ipywidgets.Dropdown))}
    play = next(w for w in made if isinstance(w, ipywidgets.Play))
    view = next(w for w in made if isinstance(w, ipywidgets.HTML))
    step = controls["step"]
    assert "Step 5 of 9." in view.value
    step.value = 9
    controls["input"].value = 12  # 6×6 outputs
    assert step.max == play.max == 36 and "Step 9 of 36." in view.value
    step.value = 36
    controls["stride"].value = 4
    assert step.max == play.max == 9 and step.value == 9 and "Step 9 of 9." in view.value
    controls["kernel"].value, controls["dilation"].value = 5, 4  # 17 cells over 14
    assert "Kernel size: (17 x 17)" in view.value and step.max == play.max == 1
    controls["kind"].value = "transposed"
    assert step.max == play.max == 144 and "of 144." in view.value
