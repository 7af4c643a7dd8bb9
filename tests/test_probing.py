"""The probe against hand-made truth, and the tracer against the probe on random networks."""

import os

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from random_networks import margin, networks
from torch import nn

from helpers.tracing import UnsupportedOperation, receptive_field
from helpers.tracing.probing import effective_receptive_field, support

LONG = os.environ.get("LONG_TESTS") == "1"
UNKNOWN = (
    "depend on no pixel",
    "irregular",
    "different places",
    "side by side",
    "takes apart channels",
    "the pattern repeats only after",
)  # the only reasons a random network may give


class Forward(nn.Module):
    def __init__(self, forward, **modules):
        super().__init__()
        self.function = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, x)


def box(mask):
    return tuple((int(line.nonzero().min()), int(line.nonzero().max())) for line in (mask.any(1), mask.any(0)))


def test_the_support_of_a_dilated_convolution_has_holes():
    mask = support(nn.Conv2d(1, 1, 3, dilation=2), (1, 9, 9), (1, 2))
    assert mask.nonzero().tolist() == [[i, j] for i in (1, 3, 5) for j in (2, 4, 6)]


def test_nothing_blocks_a_connection():
    shut = nn.Conv2d(1, 4, 3)
    nn.init.zeros_(shut.weight)
    nn.init.constant_(shut.bias, -1)
    model = nn.Sequential(shut, nn.ReLU(), nn.MaxPool2d(3, 2), nn.Hardswish(), nn.Conv2d(4, 1, 3), nn.ReLU6())
    assert support(model, (1, 20, 20), (0, 0)).sum() == 9 * 9  # 3 + 2 + 2·(3 − 1)


def test_a_branch_that_is_subtracted_does_not_cancel():
    model = Forward(lambda self, x: F.avg_pool2d(x, 3, 1, 1) - x)
    assert support(model, (1, 7, 7), (3, 3)).sum() == 9


def test_a_zero_weight_of_an_interpolation_is_no_connection():
    def forward(self, x):
        return F.interpolate(x, size=(51, 51), mode="bilinear", align_corners=True)

    mask = support(Forward(forward), (1, 15, 15), (25, 26))  # 25·14/50 = 7, but computed it is a little more
    assert mask.nonzero().tolist() == [[7, 7], [7, 8]]


def test_a_relu_of_something_negative_is_open():
    assert support(Forward(lambda self, x: F.relu(F.avg_pool2d(-x, 3))), (1, 7, 7), (1, 0)).sum() == 9


def test_several_units_layers_and_outputs():
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2))
    masks = support(model, (1, 8, 8), [(0, 0), (2, 1)])
    assert [box(mask) for mask in masks] == [((0, 3), (0, 3)), ((4, 7), (2, 5))]
    assert box(support(model, (1, 8, 8), (2, 1), layer="0")) == ((2, 4), (1, 3))
    assert box(support(Forward(lambda self, x: {"a": x, "b": x[:, :, 1:]}), (1, 8, 8), (2, 1), output="b")) == (
        (3, 3),
        (1, 1),
    )


def test_bad_layers_and_units():
    model = nn.Sequential(nn.Conv2d(1, 1, 3))
    with pytest.raises(ValueError, match="no layer 'last'"):
        support(model, (1, 8, 8), (0, 0), layer="last")
    for unit in ((6, 0), (0, -1)):
        with pytest.raises(ValueError, match=r"must lie in the map of .6, 6."):
            support(model, (1, 8, 8), unit)


def test_the_effective_field_of_uniform_kernels_is_a_binomial():
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, bias=False) for _ in range(5)))
    for layer in model:
        nn.init.constant_(layer.weight, 1 / 9)
    field = effective_receptive_field(model, (1, 11, 11), pictures=2)
    kernel = torch.tensor([1.0])
    for _ in range(5):
        kernel = F.conv1d(kernel[None], torch.ones(1, 1, 3) / 3, padding=2)[0]
    torch.testing.assert_close(field, torch.outer(kernel, kernel))


def test_the_effective_field_is_a_mean_over_pictures():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.ReLU())
    nn.init.ones_(model[0].weight)
    pictures = torch.stack([torch.ones(1, 5, 5), -torch.ones(1, 5, 5)])
    field = effective_receptive_field(model, (1, 5, 5), unit=(1, 1), pictures=pictures)
    assert field[1:4, 1:4].eq(0.5).all()
    assert field.sum() == 4.5


@pytest.mark.parametrize(
    "probe", [lambda m: support(m, (3, 8, 8), (1, 1)), lambda m: effective_receptive_field(m, (3, 8, 8))]
)
def test_the_model_is_untouched(probe):
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).train()
    calls = []
    model[0].register_forward_hook(lambda *call: calls.append(call))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    probe(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not calls
    assert len(model[0]._forward_hooks) == 1
    assert model.training and all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


def interior(field, axis, size, pixels, near):
    """Indices of units that feel no border: neither that of the picture nor that of a cut."""
    for i in range(size):
        seen = field.span(i)[axis]
        if seen is None or field.whole[axis]:
            if size // 3 <= i <= 2 * size // 3:
                yield i
        elif near <= seen[0] and seen[1] <= pixels - 1 - near:
            yield i


checked = {"networks": 0, "units": 0, "unknown": 0}


@settings(
    max_examples=6000 if LONG else 300,
    derandomize=not LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(networks())
def test_the_tracer_agrees_with_the_probe_on_random_networks(case):
    model, shape = case
    try:
        field = receptive_field(model, shape)
    except UnsupportedOperation as error:
        assert any(reason in str(error) for reason in UNKNOWN), error
        checked["unknown"] += 1
        return
    sizes = model(torch.empty(1, *shape, device="meta")).shape[2:]
    near, _ = margin(model)
    rows, columns = (list(interior(field, a, sizes[a], shape[1 + a], near)) for a in (0, 1))
    count = min(12, max(len(rows), len(columns))) if rows and columns else 0
    inner = [(rows[len(rows) * k // count], columns[len(columns) * k // count]) for k in range(count)]
    exotic = "reflect" in repr(model) or "replicate" in repr(model)  # a border then shows other pixels again
    outer = [] if exotic else [(0, 0), (sizes[0] - 1, sizes[1] - 1), (sizes[0] // 2, 0)]
    checked["networks"] += bool(inner)
    checked["units"] += len(inner)
    masks = support(model, shape, inner + outer) if inner + outer else ()
    if any(field.whole):  # a unit that reads nothing but padding sees nothing, also where all others see everything
        kept = [number for number in range(len(inner)) if masks[number].any()]
        assert kept or not inner, "no unit sees anything"
        inner, masks = [inner[n] for n in kept], [masks[n] for n in [*kept, *range(len(inner), len(masks))]]
    for number, (unit, mask) in enumerate(zip(inner + outer, masks, strict=True)):
        check(field, unit, mask, number < len(inner))


def check(field, unit, mask, inside):
    expected = field.span(*unit)
    if None in expected:
        assert not mask.any() or not inside, f"unit {unit}: a hole sees something"
        return
    seen = box(mask) if mask.any() else None
    assert seen or not inside, f"unit {unit}: {expected} expected, nothing seen"
    for axis in range(2 if seen else 0):
        first, last = max(0, expected[axis][0]), min(mask.shape[axis] - 1, expected[axis][1])
        assert first <= seen[axis][0] and seen[axis][1] <= last, f"unit {unit}: {expected} expected, {seen} seen"
        assert not inside or seen[axis] == (first, last), f"unit {unit}: {expected} expected, {seen} seen"


def test_most_random_networks_were_checked():
    if not checked["networks"]:
        pytest.skip("runs after the random networks")
    total = 6000 if LONG else 300
    print(checked)
    # Over 14 seeds of 300 networks: 218 to 252 were checked (mean 243, deviation 9), 14 to 36 unknown (27, 7).
    assert checked["networks"] >= (0.75 if LONG else 0.65) * total
    assert checked["unknown"] <= (0.15 if LONG else 0.2) * total
