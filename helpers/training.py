"""Train and evaluate a segmentation network, the same way in every notebook."""

import copy
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from helpers import scores
from helpers.checks import whole_number
from helpers.scores import VOID


@dataclass
class History:
    """What `fit` saw: `loss` per step; `mean_iou` on the training pictures per epoch, 0…1."""

    loss: list = field(default_factory=list)
    mean_iou: list = field(default_factory=list)
    interrupted: bool = False


def fit(model, data, *, epochs=5, batch_size=4, learning_rate=1e-2, auxiliary_weight=0.5, seed=0, ignore_index=VOID):
    """Train `model` in place by cross-entropy, on its device, and return its `History`. Leaves it in eval mode.

    `data`: a sequence of (image float32 (C, H, W), label int64 (H, W)), all of one size; pixels labelled
    `ignore_index` (void) do not count. AdamW; the learning rate warms up over the first quarter of the steps and
    then falls as a cosine. Where the model returns {"out", "aux"}, the loss of "aux" is added, times
    `auxiliary_weight`. At the end the statistics of batch norm are measured on `data` with the final weights. The
    order of the pictures depends on `seed` alone: with a fixed number of torch threads, the same call gives the
    same weights. Interrupt it (■ in JupyterLab): the model keeps what it has learned.

    ValueError for a model without anything to train, an item of the wrong shape or type, a pixel that is NaN, a label
    outside the classes or a batch that is all void. A batch is looked at when its turn comes, before its step: what
    earlier batches have taught stays.
    """
    whole_number("epochs", epochs)
    whole_number("batch_size", batch_size)
    _check_data(data)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("the model has nothing to train: it has no parameters, or all are frozen (requires_grad)")
    device = _device(model)
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(data, batch_size, shuffle=True, generator=order, collate_fn=_collate)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    steps = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        learning_rate,
        total_steps=max(steps, 8),  # with fewer, its warm-up would have no step at all
        pct_start=0.25,
        cycle_momentum=False,
    )
    history = History()
    model.to(memory_format=torch.channels_last).train()
    try:
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            tqdm(total=steps, desc="Training") as bar,
        ):
            torch.manual_seed(seed)
            try:
                for _ in range(epochs):
                    matrix = 0
                    for images, labels in batches:
                        output = model(images.to(device, memory_format=torch.channels_last))
                        logits, loss = _loss(output, labels, auxiliary_weight, ignore_index)
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                        schedule.step()
                        history.loss.append(loss.item())
                        matrix += _confusion(logits, labels, ignore_index)
                        figures = {"loss": f"{loss.item():.3f}", "mean_IoU": f"{scores.mean_iou(matrix):.3f}"}
                        bar.set_postfix(figures, refresh=False)
                        bar.update()
                    history.mean_iou.append(scores.mean_iou(matrix))
            except KeyboardInterrupt:
                history.interrupted = True
            if history.loss:
                _measure_batch_norm(model, batches)
    except KeyboardInterrupt:  # a second one
        history.interrupted = True
    finally:
        model.eval()
    if history.interrupted:
        print(f"Stopped after {len(history.loss)} steps; the model keeps what it has learned.")
    return history


@torch.no_grad()
def evaluate(model, data, *, batch_size=8, ignore_index=VOID):
    """Confusion matrix (classes, classes) of the model, on its device, over `data`; read it with `helpers.scores`.

    `data` and its errors as in `fit`; pictures of several sizes pass with `batch_size=1`. Leaves it in eval mode.
    """
    whole_number("batch_size", batch_size)
    _check_data(data)
    model.eval()
    matrix = 0
    for images, labels in DataLoader(data, batch_size, collate_fn=_collate):
        logits = _logits(model(images.to(_device(model))))
        _check_labels(logits, labels, ignore_index)
        matrix += _confusion(logits, labels, ignore_index)
    return matrix


@torch.no_grad()
def segment(model, image):
    """The class of each pixel, int64 (H, W) on the CPU, of one float32 image (C, H, W). Leaves it in eval mode."""
    _check_image(image)
    model.eval()
    return _logits(model(image[None].to(_device(model))))[0].argmax(0).cpu()


def _device(model):
    """Where the model's parameters are; the CPU if it has none."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _measure_batch_norm(model, batches):
    """Replace the running statistics of batch norm by means over one pass; left as they were when interrupted.

    Running statistics are an average over the last dozens of steps and of weights that were still changing: after
    few steps they do not fit the network. Only batch norm that was trained is measured, with dropout off.
    """
    trained = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.training]
    before = copy.deepcopy(trained)
    model.eval()
    try:
        update_bn(batches, _Norms(trained, model), _device(model))
    except BaseException:
        for module, old in zip(trained, before, strict=True):
            module.load_state_dict(old.state_dict())
            module.momentum = old.momentum
        raise


class _Norms(nn.ModuleList):
    """The modules that `update_bn` may touch, and the model that it runs."""

    def __init__(self, modules, model):
        super().__init__(modules)
        self.run = [model]  # in a list, so that it is no submodule

    def forward(self, images):
        self.run[0](images)


def _logits(output):
    logits = output.get("out") if isinstance(output, dict) else output
    if not isinstance(logits, torch.Tensor) or logits.ndim != 4:
        raise ValueError('a model must return logits (N, classes, H, W), or a dict that holds them as "out"')
    return logits


def _loss(output, labels, auxiliary_weight, ignore_index):
    logits = _logits(output)
    _check_labels(logits, labels, ignore_index)
    if (labels == ignore_index).all():
        raise ValueError("every pixel of a batch is void: its loss would be NaN. Leave such pictures out")
    labels = labels.to(logits.device)
    loss = F.cross_entropy(logits, labels, ignore_index=ignore_index)
    if isinstance(output, dict) and "aux" in output:
        loss = loss + auxiliary_weight * F.cross_entropy(output["aux"], labels, ignore_index=ignore_index)
    if not loss.isfinite():
        raise ValueError(f"the loss became {loss.item()}: make the model anew and try a smaller learning_rate")
    return logits, loss


def _confusion(logits, labels, ignore_index):
    return scores.confusion_matrix(logits.argmax(1).cpu(), labels, logits.shape[1], ignore_index)


def _check_labels(logits, labels, ignore_index):
    if logits.shape[-2:] != labels.shape[-2:]:
        raise ValueError(
            f"the model gives {tuple(logits.shape[-2:])} logits for a label of {tuple(labels.shape[-2:])} (H, W)"
        )
    wrong = labels[(labels != ignore_index) & ((labels < 0) | (labels >= logits.shape[1]))]
    if wrong.numel():
        raise ValueError(
            f"labels must lie in 0…{logits.shape[1] - 1} (the model's classes) or be {ignore_index} (void), "
            f"got {wrong[0].item()}"
        )


def _check_data(data):
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise ValueError(f"data must be a sequence of (image, label), not a {type(data).__name__}")
    if len(data) == 0:
        raise ValueError("data is empty: there is nothing to learn from or to evaluate")


def _check_image(image):
    if not isinstance(image, torch.Tensor):
        raise ValueError(f"an image must be a float32 tensor (C, H, W), not a {type(image).__name__}")
    if image.ndim != 3 or image.dtype != torch.float32:
        raise ValueError(f"an image must be float32 (C, H, W), got {image.dtype} {tuple(image.shape)}")
    if not image.isfinite().all():
        raise ValueError("an image has pixels that are NaN or infinite")


def _collate(items):
    """Stack a batch, after a look at each item."""
    for item in items:
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            what = f"{len(item)} values" if isinstance(item, (tuple, list)) else f"a {type(item).__name__}"
            raise ValueError(f"data must be a sequence of (image, label), but an item is {what}")
        image, label = item
        _check_image(image)
        if not isinstance(label, torch.Tensor) or label.ndim != 2 or label.dtype != torch.int64:
            got = f"{label.dtype} {tuple(label.shape)}" if hasattr(label, "dtype") else f"a {type(label).__name__}"
            raise ValueError(f"a label must be an int64 tensor (H, W), got {got}")
        if image.shape[1:] != label.shape:
            raise ValueError(f"image {tuple(image.shape)} and label {tuple(label.shape)} differ in height or width")
        if image.shape != items[0][0].shape:
            raise ValueError(
                f"a batch needs one size, got {tuple(items[0][0].shape)} and {tuple(image.shape)}: resize the pictures "
                "(`size=` of `Folder`) or cut them (`random_crops`)"
            )
    return torch.stack([image for image, _ in items]), torch.stack([label for _, label in items])
