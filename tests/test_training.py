"""`UNet`, `fit` and `evaluate`: they learn, repeat exactly, and refuse bad input in one clear line."""

import pytest
import torch

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
        (changed(image=lambda x: x[0]), r"image must be float \(C, H, W\)"),
        (changed(image=lambda x: (255 * x).byte()), "image must be float"),
        (changed(image=lambda x: x[:1]), r"images must be \(N, 3, H, W\)"),
        (changed(image=lambda x: x[:, :15], label=lambda y: y[:15]), "multiples of 4"),
        (changed(label=lambda y: y.float()), "label must be int64"),
        (changed(label=lambda y: y[None]), r"label must be int64 \(H, W\)"),
        (changed(label=lambda y: y[:8]), "differ in height or width"),
        (changed(label=lambda y: y + 1), r"labels must lie in 0…1 .* got 2"),
        (changed(label=lambda y: y - 1), r"labels must lie in 0…1 .* got -1"),
        (changed(label=lambda y: y * 0 + 255), "every pixel of a batch is void"),
        ([squares(1)[0], squares(1, 24)[0]], "a batch needs one size"),
    ],
)
def test_bad_data(data, message):
    model = small()
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(ValueError, match=message):
        fit(model, data, epochs=1)
    assert all(old.equal(new) for old, new in zip(before, model.parameters(), strict=True))


def test_bad_options():
    with pytest.raises(ValueError, match="epochs must be"):
        fit(small(), squares(), epochs=0)
    with pytest.raises(ValueError, match="the loss became"):
        fit(small(), [(image * float("nan"), label) for image, label in squares(4)])
    with pytest.raises(ValueError, match="data is empty"):
        evaluate(small(), [])
    with pytest.raises(ValueError, match="image must be"):
        segment(small(), torch.zeros(1, 3, 16, 16))


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
