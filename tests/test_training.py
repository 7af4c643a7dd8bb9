"""`UNet`, `fit` and `evaluate`: they learn, repeat exactly, and refuse bad input in one clear line."""

import contextlib

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from helpers import datasets, scores, training
from helpers.networks import UNet
from helpers.training import evaluate, fit, segment

torch.set_num_threads(1)


def squares(count=16, size=16):
    """Bright squares on a dark ground."""
    generator = torch.Generator().manual_seed(0)
    items = []
    for _ in range(count):
        label = torch.zeros(size, size).long()
        y, x = torch.randint(size - 6, (2,), generator=generator)
        label[y : y + 6, x : x + 6] = 1
        image = 0.5 * label + 0.3 * torch.rand(3, size, size, generator=generator)
        items.append((image, label))
    return items


def small(seed=0, **options):
    torch.manual_seed(seed)
    return UNet(3, 2, width=4, depth=2, **options)


def test_it_learns():
    model = small()
    history = fit(model, squares(), epochs=10)
    assert scores.mean_iou(evaluate(model, squares())) > 0.9
    assert len(history.loss) == 40 and len(history.mean_iou) == 10
    assert history.loss[-1] < history.loss[0] / 2 and history.mean_iou[-1] > history.mean_iou[0]
    assert not model.training and not history.interrupted


def test_it_repeats_exactly():
    def weights(seed):
        model = small()
        fit(model, squares(), epochs=1, seed=seed)
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    assert weights(0).equal(weights(0)) and not weights(0).equal(weights(1))


def test_random_state_is_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    model = small()
    torch.set_rng_state(state)
    fit(model, squares(4), epochs=1)
    assert torch.rand(3).equal(expected)


class Noisy(torch.nn.Module):
    """Batch norm behind dropout, and one that its owner has frozen."""

    def __init__(self):
        super().__init__()
        self.first, self.drop, self.norm = torch.nn.Conv2d(3, 4, 1), torch.nn.Dropout(0.5), torch.nn.BatchNorm2d(4)
        self.frozen, self.head = torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1)

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, images):
        return {"out": self.head(self.frozen(self.norm(self.drop(self.first(images)))))}


def test_batch_norm_ends_with_statistics_measured_on_the_data():
    """Against a slow way: the mean of what enters each batch norm, computed from the final weights."""
    model, data = Noisy(), squares(8)
    fit(model, data, epochs=1, batch_size=8)
    entered = model.first(torch.stack([image for image, _ in data]))
    torch.testing.assert_close(model.norm.running_mean, entered.mean((0, 2, 3)))
    torch.testing.assert_close(model.norm.running_var, entered.var((0, 2, 3)))
    assert model.frozen.running_mean.eq(0).all() and model.frozen.running_var.eq(1).all()
    assert model.norm.momentum == 0.1 and not model.norm.training


def test_few_steps_predict_as_well_as_they_train():
    """15 steps: too few for running statistics, so that evaluation used to see background only."""
    torch.manual_seed(3)
    model = UNet(3, 2)
    history = fit(model, squares(12), epochs=5, batch_size=4)
    assert history.mean_iou[-1] > 0.98 and scores.mean_iou(evaluate(model, squares(12))) > 0.98


def test_interrupted_measuring_keeps_the_running_statistics(monkeypatch, capsys):
    def interrupted(batches, model, device):
        for norm in model.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.reset_running_stats()
                norm.momentum = None
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "update_bn", interrupted)
    model = small()
    assert fit(model, squares(4), epochs=1).interrupted
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(norm.momentum == 0.1 and norm.running_mean.ne(0).any() for norm in norms)
    assert "keeps what it has learned" in capsys.readouterr().out


def test_interrupt_keeps_the_model(monkeypatch, capsys):
    model = small()
    before = [parameter.clone() for parameter in model.parameters()]
    steps = iter(range(3))

    def interrupted(*arguments, original=training.scores.confusion_matrix):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training.scores, "confusion_matrix", interrupted)
    history = fit(model, squares(), epochs=5)
    assert history.interrupted and len(history.loss) == 4
    assert any(not old.equal(new) for old, new in zip(before, model.parameters(), strict=True))
    assert "the model keeps what it has learned" in capsys.readouterr().out
    assert not model.training


def test_void_pixels_do_not_count():
    items = squares()
    spoiled = [(image, label.clone()) for image, label in items]
    for _, label in spoiled:
        label[:8] = 255
    matrix = evaluate(small().eval(), spoiled)
    assert matrix.sum() == 16 * 8 * 16
    fit(small(), spoiled, epochs=1)


def changed(image=lambda value: value, label=lambda value: value):
    return [(image(picture), label(classes)) for picture, classes in squares(4)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "data is empty"),
        (changed(image=lambda x: x[0]), r"image must be float32 \(C, H, W\)"),
        (changed(image=lambda x: (255 * x).byte()), "image must be float32 .* got torch.uint8"),
        (changed(image=lambda x: x.double()), "image must be float32 .* got torch.float64"),
        (changed(image=lambda x: x.numpy()), "image must be a float32 tensor .* not a ndarray"),
        (changed(image=lambda x: x.where(x > 0.1, torch.nan)), "an image has pixels that are NaN or infinite"),
        (changed(label=lambda y: y.numpy()), r"label must be an int64 tensor \(H, W\), got int64"),
        ([(*item, 0) for item in squares(4)], r"sequence of \(image, label\), but an item is 3 values"),
        (squares(1)[0], r"sequence of \(image, label\), but an item is a Tensor"),
        (torch.utils.data.DataLoader(squares(4)), r"sequence of \(image, label\), not a DataLoader"),
        (changed(image=lambda x: x[:1]), r"images must be \(N, 3, H, W\)"),
        (changed(image=lambda x: x[:, :15], label=lambda y: y[:15]), "multiples of 4"),
        (changed(label=lambda y: y.float()), "label must be an int64 tensor .* got torch.float32"),
        (changed(label=lambda y: y[None]), r"label must be an int64 tensor \(H, W\), got torch.int64 \(1, 16, 16\)"),
        (changed(label=lambda y: y[:8]), "differ in height or width"),
        (changed(label=lambda y: y + 1), r"labels must lie in 0…1 .* got 2"),
        (changed(label=lambda y: y - 1), r"labels must lie in 0…1 .* got -1"),
        (changed(label=lambda y: y * 0 + 255), "every pixel of a batch is void"),
        ([squares(1)[0], squares(1, 24)[0]], r"a batch needs one size, .*`size=` of `Folder`"),
    ],
)
def test_bad_data(data, message):
    model = small()
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(ValueError, match=message):
        fit(model, data, epochs=1)
    assert all(old.equal(new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("option", [{"epochs": 0}, {"epochs": 1.5}, {"batch_size": 2.0}])
def test_bad_options(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be a whole number ≥ 1"):
        fit(small(), squares(), **option)


def test_bad_models():
    with pytest.raises(ValueError, match=r"the model has nothing to train: .* frozen"):
        fit(small().requires_grad_(False), squares())
    with pytest.raises(ValueError, match="the model has nothing to train"):
        fit(torch.nn.MaxPool2d(1), squares())
    with pytest.raises(ValueError, match="a model must return logits"):
        fit(torch.nn.Sequential(small(auxiliary=False), torch.nn.Flatten()), squares())
    broken = small()
    torch.nn.init.constant_(broken.head.bias, torch.inf)
    with pytest.raises(ValueError, match=r"the loss became nan: .* smaller learning_rate"):
        fit(broken, squares())


def test_bad_pictures_outside_of_training():
    with pytest.raises(ValueError, match="data is empty"):
        evaluate(small(), [])
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        evaluate(small(), squares(), batch_size=0)
    for image in (torch.zeros(1, 3, 16, 16), torch.zeros(3, 16, 16).byte(), torch.zeros(3, 16, 16).numpy()):
        with pytest.raises(ValueError, match="an image must be"):
            segment(small(), image)


def test_what_a_later_batch_breaks_comes_with_its_turn():
    """As the docstring says: earlier batches have taught by then. The model is left in eval mode."""
    model = small()
    before = model.head.weight.clone()
    with pytest.raises(ValueError, match="labels must lie in"):
        fit(model, [*squares(15), (torch.zeros(3, 16, 16), torch.full((16, 16), 9))], epochs=1, batch_size=1)
    assert not model.head.weight.equal(before) and not model.training


class PretendedGPU(TorchFunctionMode):
    """What was sent to the GPU, or computed there, is there; an operation on both sides fails, as it really does."""

    GPU = torch.device("cuda", 0)

    def __init__(self):
        super().__init__()
        self.there = {}

    def send(self, value):
        if isinstance(value, torch.Tensor):
            self.there[id(value)] = value
        return value

    def __torch_function__(self, function, types, arguments=(), options=None):
        tensors = [value for value in tree_leaves([arguments, options]) if isinstance(value, torch.Tensor)]
        sides = {id(tensor) in self.there for tensor in tensors if tensor.ndim}
        name = getattr(function, "__name__", "")
        if name == "to" and self.GPU in arguments:
            return self.send(function(arguments[0].clone(), **options or {}))
        if name == "cpu":
            return function(arguments[0]).clone()
        if name == "__get__" and function.__self__ is torch.Tensor.device and True in sides:
            return self.GPU
        if sides == {True, False} and name not in ("__set__", "backward", "__deepcopy__"):
            raise RuntimeError("Expected all tensors to be on the same device")
        result = function(*arguments, **options or {})
        return tree_map(self.send, result) if True in sides else result


def test_it_works_on_the_models_device(monkeypatch):
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: contextlib.nullcontext())
    model, data = small(), squares(4)
    gpu = PretendedGPU()
    for tensor in [*model.parameters(), *model.buffers()]:
        gpu.send(tensor)
    with gpu:
        assert model.head.weight.device == gpu.GPU
        with pytest.raises(RuntimeError, match="same device"):
            model(data[0][0][None])
        history = fit(model, data, epochs=1)
        matrix = evaluate(model, data)
        classes = segment(model, data[0][0])
        assert len(history.loss) == 1 and matrix.device.type == classes.device.type == "cpu"


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_unet_shapes(depth):
    model = UNet(3, 5, width=4, depth=depth)
    images = torch.rand(2, 3, 32, 48)
    output = model(images)
    assert output["out"].shape == output["aux"].shape == (2, 5, 32, 48)
    assert model.eval()(images).shape == (2, 5, 32, 48)
    assert UNet(3, 5, auxiliary=False)(images).shape == (2, 5, 32, 48)


def test_unet_has_the_papers_parameters():
    """Against Ronneberger et al. 2015 (1 channel, 2 classes: 31,030,658), but for batch norm in place of biases."""
    with torch.device("meta"):
        model = UNet(1, 2, width=64, depth=4, auxiliary=False)
    biases = sum(module.num_features for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert sum(parameter.numel() for parameter in model.parameters()) - biases == 31_030_658


@pytest.mark.parametrize("name", ["in_channels", "classes", "width", "depth"])
@pytest.mark.parametrize("value", [0, 1.5, "3"])
def test_unet_bad_arguments(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number ≥ 1"):
        UNet(**{"in_channels": 3, "classes": 2} | {name: value})


@pytest.mark.parametrize("size", [(63, 64), (64, 63), (60, 64)])
def test_unet_names_the_size_it_wants(size):
    with pytest.raises(ValueError, match=r"multiples of 8 \(2\*\*depth\), got"):
        UNet(3, 2)(torch.zeros(1, 3, *size))


def test_coins_over_seeds():
    """The stored runs that 00_start_here compares itself with."""
    assert all(value >= 0.95 for value in datasets.stored_results("coins")["coin_iou"])
