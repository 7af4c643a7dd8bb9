"""Sizes that a network refuses: found, worded and placed as a real run does, on networks of many rules."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers import explain_sizes, trace
from helpers.tracing import sizes


class UNet(nn.Module):
    """Per level one convolution; pools and transposed convolutions of `steps` (height, width) each."""

    def __init__(self, steps, join="cat", padding=1):
        super().__init__()
        self.steps, self.join, width = steps, join, 2
        self.down = nn.ModuleList(
            nn.Conv2d(width if i else 1, width, 3, padding=padding) for i in range(len(steps) + 1)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width, step, step) for step in steps)
        self.merge = nn.ModuleList(nn.Conv2d(2 * width if join == "cat" else width, width, 1) for _ in steps)

    def forward(self, x):
        skips = []
        for step, down in zip([None, *self.steps], self.down, strict=True):
            x = down(x if step is None else F.max_pool2d(x, step))
            skips.append(x)
        for up, merge, skip in reversed(list(zip(self.up, self.merge, skips[:-1], strict=True))):
            x = up(x)
            x = merge(torch.cat([skip, x], 1) if self.join == "cat" else skip + x)
        return x


def real_error(model, height, width):
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 1, height, width))
    except RuntimeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("join", ["cat", "add"])
def test_a_u_net_of_an_unlucky_size(join):
    found = explain_sizes(UNet([2] * 4, join), (1, 500, 375))
    assert (found.works, found.layer, found.output_shape) == (False, "", None)
    assert found.sizes == ((1, 2, 125, 93), (1, 2, 124, 92))
    assert (found.below, found.above) == ((496, 368), (512, 384))
    lines = str(found).splitlines()
    assert 3 <= len(lines) <= 4
    assert real_error(UNet([2] * 4, join), 500, 375) in lines[1]  # in the words of the CPU, not of meta
    assert lines[-1] == "Pad the picture by 12 rows and 9 columns, and cut the output back to 500×375."


def test_a_size_that_works():
    found = explain_sizes(UNet([2] * 4), (3, 1, 48, 64))
    assert (found.works, found.layer, found.sizes) == (True, None, None)
    assert (found.output_shape, found.below, found.above) == ((2, 48, 64), None, None)
    assert str(found) == "A picture of 48×64 works: the output is 2×48×64."


def test_an_output_of_another_size_is_said():
    """96 for 100: no error, and yet wrong."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.MaxPool2d(4), nn.Upsample(scale_factor=8))
    found = explain_sizes(model, (3, 100, 104))
    assert (found.works, found.output_shape) == (True, (8, 96, 104))
    assert (found.below, found.above) == ((96, 104), (104, 104))
    assert "works, but the output is 96×104" in str(found)


@pytest.mark.parametrize("model", [nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, 8, 1)])
def test_an_output_that_is_meant_to_be_smaller(model):
    found = explain_sizes(model, (1, 100, 100))
    assert found.works and found.below is None and found.above is None
    assert "works, but the output is" in str(found)


def test_height_and_width_with_rules_of_their_own():
    found = explain_sizes(UNet([(2, 3), (3, 5)]), (1, 100, 100))
    assert (found.below, found.above) == ((96, 90), (102, 105))


def test_only_one_axis_is_wrong():
    found = explain_sizes(UNet([2, 2]), (1, 40, 41))
    assert (found.below, found.above) == ((40, 40), (40, 44))
    assert "by 3 columns, and" in str(found)


class Offset(nn.Module):
    """Takes only heights of 5 more than a multiple of 7, and widths of 3 more than one of 8."""

    def forward(self, x):
        x = F.pad(x, (5, 0, 2, 0))
        return x.view(1, -1, x.shape[2] // 7, 7, x.shape[3] // 8, 8).flatten(4).flatten(2, 3)


def test_a_rule_with_an_offset():
    found = explain_sizes(Offset(), (1, 100, 100))
    assert (found.below, found.above) == ((96, 99), (103, 107))
    assert found.sizes is None


def test_too_small_for_the_unpadded_network():
    levels = [nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2)) for _ in range(4)]
    found = explain_sizes(nn.Sequential(*levels, nn.Conv2d(1, 1, 7)), (1, 50, 300))
    assert (found.layer, found.sizes) == ("4", ((1, 1, 1, 16), (1, 1, 7, 7)))
    assert (found.below, found.above) == (None, (142, 300))
    assert "Kernel size can't be greater than actual input size" in str(found) and "Pad" not in str(found)


def test_a_kernel_larger_than_the_map_where_meta_does_not_look():
    """torch 2.8 answers on meta with a map of size 0 or less, where a CPU refuses."""
    lenient = torch.library.Library("aten", "IMPL", "Meta")
    lenient.impl("convolution", lambda x, weight, *_: x.new_empty(1, len(weight), 0, 0), allow_override=True)
    try:
        for model in (nn.Conv2d(1, 1, 5), nn.Conv2d(1, 1, 3, 8, dilation=2), nn.Conv2d(1, 1, 7, padding=1)):
            found = explain_sizes(model, (1, 4, 30))
            assert not found.works and real_error(model, 4, 30) in str(found)
            assert "Kernel size can't be greater than actual input size" in str(found)
            with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
                trace(model, (1, 4, 30))
    finally:
        lenient._destroy()


def test_a_classifier_with_flatten():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 16 * 16, 10))
    found = explain_sizes(model, (3, 33, 40))
    assert (found.layer, found.above, found.below) == ("3", None, (33, 33))
    assert found.sizes == ((1, 1280), (1024, 10))
    assert "mat1 and mat2 shapes cannot be multiplied (1x1280 and 1024x10)" in str(found)
    found = explain_sizes(model, (3, 30, 40))
    assert (found.above, found.below) == (None, None)
    assert "It works at 32×32" in str(found)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Conv2d(3, 8, 3), "to have 3 channels, but got 1 channels instead"),
        (nn.ConvTranspose2d(3, 8, 3), "to have 3 channels, but got 1 channels instead"),
        (nn.Sequential(nn.Conv2d(1, 8, 3), nn.ConvTranspose2d(4, 8, 2, 2)), "to have 4 channels, but got 8 channels"),
    ],
)
def test_channels_are_not_sizes(model, message):
    found = explain_sizes(model, (1, 20, 20))
    assert (found.works, found.below, found.above) == (False, None, None)
    assert message in str(found) and message in real_error(model, 20, 20)
    assert str(found).endswith("another height or width does not help.")


class Asks(nn.Module):
    def forward(self, x):
        return x if x.mean().item() > 0 else -x


def test_who_asks_for_values_is_not_judged():
    found = explain_sizes(nn.Sequential(nn.ReLU(), Asks()), (3, 8, 8))
    assert (found.works, found.layer) == (None, "1")
    assert "Only a real run can tell" in str(found)


class Broken(nn.Module):
    def forward(self, x):
        return x + undefined  # noqa: F821


def test_another_mistake_is_not_called_one_of_sizes():
    found = explain_sizes(Broken(), (3, 8, 8))
    assert (found.works, found.sizes, found.below, found.above) == (False, None, None, None)
    assert "name 'undefined' is not defined" in str(found) and "may not be the cause" in str(found)


def test_dictionaries_and_constants_of_another_device():
    class Model(nn.Module):
        def forward(self, x):
            rows = torch.linspace(-1, 1, x.shape[2])
            return {"out": x * rows[:, None], "aux": x}

    assert explain_sizes(Model(), (3, 9, 8)).output_shape == (3, 9, 8)


def test_the_model_is_untouched():
    model, calls = UNet([2, 2]).train(), []
    model.up[0].register_forward_hook(lambda *call: calls.append(call))
    state, random_state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    explain_sizes(model, (1, 33, 32))
    assert not calls and model.training and len(model.up[0]._forward_hooks) == 1
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("shape", [(32, 32), (3, 0, 4), (3, 4.0, 4)])
def test_bad_arguments(shape):
    with pytest.raises(ValueError, match="input_shape must be"):
        explain_sizes(nn.ReLU(), shape)
    with pytest.raises(TypeError, match="model must be"):
        explain_sizes(F.relu, (3, 4, 4))


STEP = st.tuples(st.integers(1, 3), st.integers(1, 4))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=3), st.sampled_from(["cat", "add"]), st.integers(8, 70), st.integers(8, 70))
def test_the_same_as_real_runs_on_random_u_nets(steps, join, height, width):
    model = UNet(steps, join)
    found = explain_sizes(model, (1, height, width))
    error = real_error(model, height, width)
    assert found.works == (error is None)
    if found.works:
        return
    assert error in str(found)
    assert found.above
    for size, step in ((found.above, 1), (found.below, -1)):
        if size:
            assert real_error(model, *size) is None  # and nothing nearer works:
            assert all(real_error(model, row, size[1]) for row in range(height, size[0], step))
            assert all(real_error(model, size[0], column) for column in range(width, size[1], step))


def test_the_search_ends():
    class Never(nn.Module):
        def forward(self, x):
            raise RuntimeError("never")

    found = explain_sizes(Never(), (3, 300, 200))
    assert "may not be the cause" in str(found)
    assert len(set(sizes._candidates(300, 200))) < 2000
