"""Receptive fields by measurement: which pixels of the picture move a unit, and by how much."""

import torch
import torch.nn.functional as F
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode

from helpers.tracing.meta import copy_of

FLAT = {"relu", "relu6", "hardtanh", "hardswish", "hardsigmoid", "threshold", "clamp", "clamp_min"}
ROUNDING = 1e-9  # a gradient below this share of the largest is the rounding of a zero


def support(model, input_shape, unit, layer=None, output=None):
    """Exactly which pixels move a unit: bool (H, W), or (U, H, W) for a list of U units.

    input_shape: (C, H, W). unit: (row, column) in the output of the model, or of the module named `layer`.
    output: key or position of one tensor, where there are several.

    It is the support of the architecture: a weight that happens to be 0 and a ReLU that happens to be shut count as
    connections. Method: the gradient of the unit, in a float64 copy in which nothing hides a connection. Weights are
    random and positive, biases 0, normalisations the identity, so that paths do not cancel and smooth activations stay
    where they are steep. Functions with a flat side become the identity, and max pooling a sum over its window. After
    each function the gradient is reduced to "zero or not": no depth makes it vanish, and the rounding of an
    interpolation's weight 0 is not taken for a connection. Not opened: a maximum that is no pooling.
    """
    units = torch.tensor(unit)
    with torch.random.fork_rng(devices=[]), _EveryConnectionOpen():
        torch.manual_seed(0)
        pictures = 1e-3 * torch.rand(units[..., 0].numel(), *input_shape, dtype=torch.float64)
        gradient = _gradient(copy_of(model, _positive), pictures, units.reshape(-1, 2), layer, output)
    moves = (gradient > ROUNDING * gradient.max()).any(1)
    return moves if units.ndim > 1 else moves[0]


def effective_receptive_field(model, input_shape, unit=None, layer=None, output=None, pictures=32, seed=0):
    """How much each pixel moves a unit: mean over pictures of |∂ unit / ∂ pixel|, channels added; (H, W).

    unit, layer, output: as for `support`; without unit, the middle of the map.
    pictures: a number of standard-normal ones (drawn with `seed`), or a tensor (N, C, H, W).

    The model's own weights, in eval mode. One picture shows only the connections that are open for it: hence
    the mean (Luo et al., "Understanding the effective receptive field", NeurIPS 2016).
    """
    if isinstance(pictures, int):
        pictures = torch.randn(pictures, *input_shape, generator=torch.Generator().manual_seed(seed))
    model = copy_of(model, lambda name, tensor: tensor.detach().clone())
    units = None if unit is None else torch.tensor([unit])
    with torch.random.fork_rng(devices=[]):
        gradients = (_gradient(model, picture[None], units, layer, output) for picture in pictures)
        return sum(gradient[0].sum(0) for gradient in gradients) / len(pictures)


def _gradient(model, pictures, units, layer, output):
    """|∂ unit / ∂ picture| of one unit for each picture, all channels of the unit together."""
    pictures, seen = pictures.requires_grad_(), []
    if layer is not None and layer not in dict(model.named_modules()):
        raise ValueError(f"the model has no layer {layer!r}")
    handle = model.get_submodule(layer or "").register_forward_hook(lambda *call: seen.append(call[-1]))
    with torch.enable_grad():
        model(pictures * 1)  # not a leaf, so that it may be changed in place
    handle.remove()
    result = seen[-1] if output is None else seen[-1][output]
    result = result if isinstance(result, torch.Tensor) else next(iter(result.values()))
    if units is None:
        units = torch.tensor([[size // 2 for size in result.shape[2:]]])
    if (units < 0).any() or (units >= torch.tensor(result.shape[2:])).any():
        raise ValueError(f"unit must lie in the map of {tuple(result.shape[2:])}, got {units.tolist()}")
    values = result[torch.arange(len(units)), :, units[:, 0], units[:, 1]]
    weights = torch.linspace(1, 2, values.shape[1], dtype=values.dtype)  # a plain sum of a softmax is constant
    return torch.autograd.grad((values * weights).sum(), pictures)[0].abs()


def _positive(name, tensor):
    if not tensor.is_floating_point():
        return tensor.clone()
    if tensor.ndim > 1:
        return (torch.rand(tensor.shape, dtype=torch.float64) + 0.5) * tensor.shape[0] / tensor.numel()
    zero = "bias" in name or "running_mean" in name
    return torch.full(tensor.shape, 0.0 if zero else 1.0, dtype=torch.float64)


class _EveryConnectionOpen(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.__name__.rstrip("_"), kwargs or {}
        if name in FLAT:
            func, args, kwargs = torch.clone, args[:1], {}
        elif name == "max_pool2d":
            func = _open_max_pool
        elif name == "adaptive_max_pool2d":
            func, args, kwargs = F.adaptive_avg_pool2d, args[:2], {}  # the same windows
        result = func(*args, **kwargs)
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.requires_grad:
                tensor.register_hook(_zero_or_not)
        return result


def _zero_or_not(gradient):
    """1 where it is not zero, times a random factor: branches of opposite sign do not cancel."""
    if gradient is None:  # of a part that is not used
        return None
    size = gradient.abs()
    return (size > ROUNDING * size.max()) * (0.5 + torch.rand_like(gradient))


def _open_max_pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, **_):
    """The sum over the same windows."""
    height, width = F.max_pool2d(input.detach(), kernel_size, stride, padding, dilation, ceil_mode).shape[2:]
    kernel, stride, (top, left) = _pair(kernel_size), _pair(stride or kernel_size), _pair(padding)
    bottom, right = (k * d + s for k, d, s in zip(kernel, _pair(dilation), stride, strict=True))  # more than is needed
    padded, channels = F.pad(input, (left, left + right, top, top + bottom)), input.shape[1]
    ones = torch.ones(channels, 1, *kernel, dtype=input.dtype)
    return F.conv2d(padded, ones, None, stride, 0, dilation, channels)[..., :height, :width]
