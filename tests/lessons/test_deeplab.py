"""The pictures, the explorer, the errors and the pretrained weights of 09_deeplab."""

import itertools
import pickle
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from ipywidgets.widgets.widget import _instances
from torch import nn
from torchvision.models import get_model

from helpers import datasets
from helpers.lessons import deeplab

X = torch.ones(1, 8, 20, 20)


def test_taps_are_what_a_convolution_of_ones_counts():
    for n, rate in itertools.product((1, 2, 5, 8, 33), range(1, 40)):
        counted = F.conv1d(torch.ones(1, 1, n), torch.ones(1, 1, 3), padding=rate, dilation=rate)[0, 0]
        assert deeplab.taps(n, rate).tolist() == counted.int().tolist(), (n, rate)


@pytest.mark.parametrize("position", deeplab.POSITIONS)
def test_explorer_tells_what_is_left_of_the_kernel(position):
    image = torch.rand(3, 70, 70)
    for rate, side in itertools.product((1, 2, 6, 17, 18, 32, 33, 64, 65, 72), (5, 12, 33, 64, 65)):
        drawn = deeplab.map_view(image, rate, side, position)
        ET.fromstring(drawn)
        table = F.conv2d(torch.ones(1, 1, side, side), torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)[0, 0]
        row, column = {"middle": (side // 2, side // 2), "edge": (side // 2, 0), "corner": (0, 0)}[position]
        assert f"this unit: {int(table[row, column])} of 9" in drawn, (rate, side)
        assert ("a 1×1 convolution" in drawn) == (table.max() == 1), (rate, side)
        assert ("no unit uses all nine" in drawn) == (1 < table.max() < 9), (rate, side)
        assert drawn.count('stroke-dasharray="3 2"') == 9 - int(table[row, column])


def test_explorer_moves():
    before = set(_instances)
    deeplab.explore(datasets.photograph("cat")[0])
    made = {w.description: w for key, w in _instances.items() if key not in before and getattr(w, "description", "")}
    for name in ("rate", "map"):
        for value in (made[name].min, made[name].max):
            made[name].value = value
    for option in deeplab.POSITIONS:
        made["position"].value = option


def test_pictures_are_svg():
    numbers = [[4] * 9 for _ in range(9)]
    for row, rates in ((4, [1, 2, 4]), (0, [1, 9]), (8, [3])):
        drawn = deeplab.readings(numbers, row, row, rates, [1, *rates, 4.5])
        ET.fromstring(drawn)
        assert drawn.count(" read, gives ") == len(rates) + 2
        assert "rate 9" not in drawn or "1 read, gives 9" in drawn, "at rate 9 a corner of the map has one tap"
    for rates in ([6, 12, 18], [2], list(range(1, 9))):
        drawn = deeplab.diagram(64, 32, rates)
        ET.fromstring(drawn)
        assert f"{32 * (len(rates) + 2)} channels" in drawn


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path


def made_weights(name="deeplabv3_mobilenet_v3_large", aux_loss=True):
    torch.manual_seed(0)
    return get_model(name, weights=None, weights_backbone=None, aux_loss=aux_loss).state_dict()


@pytest.mark.parametrize("aux_loss", [True, False])
def test_weights_from_a_file(no_cache, aux_loss):
    torch.save(made_weights(aux_loss=aux_loss), no_cache / "mine.pth")
    model, categories = deeplab.pretrained(str(no_cache / "mine.pth"))
    assert len(categories) == 21 and not model.training
    for height, width in ((60, 90), (75, 50)):
        found = deeplab.segment_photograph(model, torch.rand(3, height, width))
        assert found.shape == (height, width) and found.dtype == torch.int64 and found.max() < 21


def test_weights_from_the_cache(no_cache):
    (no_cache / "hub" / "checkpoints").mkdir(parents=True)
    name = Path(_weights("deeplabv3_mobilenet_v3_large").url).name
    torch.save(made_weights(), no_cache / "hub" / "checkpoints" / name)
    assert deeplab.pretrained("")


def test_weights_that_are_asked_for(no_cache, monkeypatch):
    asked = []

    def download(url, **options):
        asked.append(url)
        assert options["weights_only"] and options["check_hash"]
        return made_weights()

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    assert deeplab.pretrained("download")
    assert asked == [_weights("deeplabv3_mobilenet_v3_large").url]


def test_no_network(no_cache, monkeypatch, capsys):
    def download(url, **_):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    assert deeplab.pretrained("download") is None
    assert "The download failed (no route)" in capsys.readouterr().out


def test_without_weights_it_says_how(no_cache, capsys):
    assert deeplab.pretrained() is None
    assert "set weights_path" in capsys.readouterr().out
    for said, content in (
        ("FileNotFoundError", None),
        ("cannot be read", b"not a file of weights"),
        ("These are no weights", {"weight": torch.ones(1)}),
        ("These are no weights", {"classifier.4.weight": torch.ones(5, 256, 1, 1)}),
        ("not all of its weights fit", {**made_weights(), "backbone.0.0.weight": torch.ones(1)}),
    ):
        path = no_cache / "file.pth"
        path.unlink(missing_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content:
            torch.save(content, path)
        assert deeplab.pretrained(str(path)) is None
        assert said in capsys.readouterr().out, said


class Trap:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_code_in_a_file_is_not_run(no_cache, capsys):
    torch.save({"classifier.4.weight": Trap()}, no_cache / "trap.pth")
    (no_cache / "trap.pkl").write_bytes(pickle.dumps(Trap(), protocol=2))
    for name in ("trap.pth", "trap.pkl"):
        assert deeplab.pretrained(str(no_cache / name)) is None
        told = capsys.readouterr().out
        assert "cannot be read as weights" in told and "code of the file ran" not in told


@pytest.mark.parametrize("name", ["deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large"])
def test_architectures_are_told_apart(name):
    with torch.device("meta"):
        state = get_model(name, weights=None, weights_backbone=None).state_dict()
        assert deeplab._architecture(state) == name
        assert (
            deeplab._architecture(get_model("fcn_resnet50", weights=None, weights_backbone=None).state_dict()) is None
        )


def _weights(name):
    from torchvision.models import get_model_weights

    return get_model_weights(name).DEFAULT


@pytest.mark.parametrize(
    ("broken", "fragment"),
    [
        (
            lambda: torch.cat([X, nn.Conv2d(8, 8, 3, padding=1, dilation=6)(X)], dim=1),
            "must match except in dimension 1",
        ),
        (lambda: nn.BatchNorm2d(32).train()(torch.ones(1, 32, 1, 1)), "Expected more than 1 value per channel"),
    ],
)
def test_errors_that_the_notebook_explains(broken, fragment):
    with pytest.raises((RuntimeError, ValueError), match=fragment):
        broken()
