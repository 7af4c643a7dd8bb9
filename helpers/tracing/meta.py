"""Models without data: copies on torch's meta device, which know shapes and compute no values."""

import copy
from functools import partial

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten


def checked_shape(input_shape):
    """(N, C, H, W)"""
    shape = tuple(input_shape)
    if len(shape) not in (3, 4) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"input_shape must be (C, H, W) or (N, C, H, W), all ≥ 1, got {shape}")
    return (1,) * (4 - len(shape)) + shape


def named_tensors(model):
    """(name, tensor) of all that its modules hold: parameters, buffers and plain attributes."""
    for module in model.modules():
        for held in (vars(module), module._parameters, module._buffers):
            yield from ((name, value) for name, value in held.items() if isinstance(value, torch.Tensor))


def copy_of(model, new):
    """In eval mode, without hooks (they may have effects outside), with new(name, tensor) in place of each tensor."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise TypeError("model is scripted, and cannot be followed: give the module that it was made from")
    memo = {}
    for name, tensor in named_tensors(model):
        if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
            raise ValueError("the model has lazy layers without weights: run it once first")
        made = new(name, tensor)
        memo[id(tensor)] = nn.Parameter(made, requires_grad=False) if isinstance(tensor, nn.Parameter) else made
    for module in model.modules():
        memo |= {id(value): type(value)() for name, value in vars(module).items() if "_hooks" in name}
    return copy.deepcopy(model, memo).eval()


class MetaRun(TorchDispatchMode):
    """Runs a copy of a model on a picture without data. `layer` is the module whose forward is at work."""

    def __init__(self, model):
        super().__init__()
        self.model = copy_of(model, lambda name, tensor: torch.empty_like(tensor, device="meta"))
        self.open = []  # names of the modules being called
        for name, module in self.model.named_modules():
            module.register_forward_pre_hook(partial(self.enter, name))
            module.register_forward_hook(partial(self.leave, name))

    @property
    def layer(self):
        return self.open[-1] if self.open else ""

    def enter(self, name, module, args):
        self.open.append(name)

    def leave(self, name, module, args, output):
        self.open.pop()

    def empty_picture(self, shape):
        dtype = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), None)
        return torch.empty(shape, dtype=dtype, device="meta")

    def run(self, picture):
        with torch.random.fork_rng(range(torch.cuda.device_count())), torch.no_grad(), self:
            return self.model(picture)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return call_on_meta(operation, args, kwargs or {}, list(tensors_in((args, kwargs or {}))))


def call_on_meta(operation, args, kwargs, inputs):
    """The result, on meta if one of the tensors is: constants made on another device go there too."""
    if any(t.is_meta for t in inputs):
        if not all(t.is_meta for t in inputs) and not operation._schema.is_mutable:
            args, kwargs = tree_map_only(torch.Tensor, lambda t: t.to("meta"), (args, kwargs))
        kwargs = kwargs | {"device": torch.device("meta")} if kwargs.get("device") else kwargs
    if operation is aten.convolution.default and not _fits(*args) and (error := error_on_cpu(operation, args, kwargs)):
        raise error  # meta does not look, in some versions of torch
    if operation is aten.native_batch_norm.default and args[0].is_meta and not args[5]:  # torch's own is slow Python
        return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
    return operation(*args, **kwargs)


def _fits(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Whether a convolution finds its channels, and one whole kernel in the padded map."""
    if transposed:
        return x.shape[1] == weight.shape[0]
    axes = zip(x.shape[2:], weight.shape[2:], padding, dilation, strict=True)
    return all(n + 2 * p > d * (k - 1) for n, k, p, d in axes)


def error_on_cpu(operation, args, kwargs):
    """What the operation says to real tensors: on meta, torch words several errors differently."""
    args, kwargs = tree_map_only(torch.Tensor, lambda t: torch.empty(t.shape, dtype=t.dtype), (args, kwargs))
    try:
        operation(*args, **kwargs)
    except Exception as error:
        return error
    return None


def changes_nothing(operation, args):
    """as_strided to what is there already, as adaptive pooling does for the order of channels in memory."""
    if operation not in (aten.as_strided.default, aten.as_strided_.default) or len(args) > 3:
        return False
    x, size, stride = args
    return list(size) == list(x.shape) and all(
        n == 1 or a == b for n, a, b in zip(x.shape, x.stride(), stride, strict=True)
    )


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(item)
