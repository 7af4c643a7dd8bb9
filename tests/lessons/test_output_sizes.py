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
            assert "no output" in svg and ("greater than actual" in svg or "too small" in svg)


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
    assert (
        "0 of 6 rows of the picture and 1 of 2 of the padding" in drawn("convolution", 1, input=6, padding=1, **case)[1]
    )
    assert (
        "1 of 6 rows of the picture and 0 of 0 of the padding" in drawn("convolution", 1, input=6, padding=0, **case)[1]
    )
    wide = case | {"stride": 4}
    assert "4 of 19 rows of the output" in drawn("transposed", 1, input=5, padding=0, **wide)[1]


def test_filmstrip_and_chains_show_their_numbers():
    frame = {"input": 6, "kernel": 3, "stride": 2, "padding": 1, "output": 3}
    strip = output_sizes.filmstrip([frame | {"title": f"stop {n}", "step": n} for n in range(1, 6)], columns=3)
    assert ElementTree.fromstring(strip)[0].text == "stop 1; stop 2; stop 3; stop 4; stop 5"
    chain = output_sizes.chains({"9 pixels": [(3, 9, "→ pool", 1), (8, 4, "", 0)]})
    assert all(words in chain for words in ("9×9", "4×4", "8 ch", "→ pool", "−1 row")) and "−0 row" not in chain


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
