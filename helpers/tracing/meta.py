"""Models without data: copies on torch's meta device, which know shapes and compute no values."""

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten


def checked_shape(input_shape):
    """(N, C, H, W)"""
    shape = tuple(input_shape)
    if len(shape) not in (3, 4) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"input_shape must be (C, H, W) or (N, C, H, W), all ≥ 1, got {shape}")
    return (1,) * (4 - len(shape)) + shape


def empty_picture(model, shape):
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
    return torch.empty(shape, dtype=dtype, device="meta")


def meta_copy(model):
    """The model in eval mode, without data and without hooks (they may have effects outside); its tensors."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise TypeError("model is scripted, and cannot be followed: give the module that it was made from")
    attributes = [value for module in model.modules() for value in vars(module).items()]
    plain = [value for _, value in attributes if isinstance(value, torch.Tensor)]
    tensors = {id(tensor): _to_meta(tensor) for tensor in (*model.parameters(), *model.buffers(), *plain)}
    hooks = {id(value): type(value)() for name, value in attributes if "_hooks" in name}
    return copy.deepcopy(model, tensors | hooks).eval(), list(tensors.values())


def _to_meta(tensor):
    if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
        raise ValueError("the model has lazy layers without weights: run it once first")
    meta = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    return nn.Parameter(meta, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else meta


def changes_nothing(operation, args):
    """as_strided to what is there already, as adaptive pooling does for the order of channels in memory."""
    if operation not in (aten.as_strided.default, aten.as_strided_.default) or len(args) > 3:
        return False
    x, size, stride = args
    return list(size) == list(x.shape) and all(
        n == 1 or a == b for n, a, b in zip(x.shape, x.stride(), stride, strict=True)
    )


def call_on_meta(operation, args, kwargs):
    """The result, on meta if one of the tensors is: constants made on another device go there too."""
    inputs = list(tensors_in((*args, *kwargs.values())))
    if any(t.is_meta for t in inputs):
        if not all(t.is_meta for t in inputs) and not operation._schema.is_mutable:
            args, kwargs = tree_map_only(torch.Tensor, lambda t: t.to("meta"), (args, kwargs))
        kwargs = kwargs | {"device": torch.device("meta")} if kwargs.get("device") else kwargs
    x = args[0] if args else None
    if operation is aten.convolution.default and args[6] and x.shape[1] != args[1].shape[0]:  # meta does not look
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(args[1].shape)}, expected input{list(x.shape)} "
            f"to have {args[1].shape[0]} channels, but got {x.shape[1]} channels instead"
        )
    if operation is aten.native_batch_norm.default and x.is_meta and not args[5]:  # torch's own way is slow Python
        return torch.empty(x.shape, dtype=x.dtype, device="meta"), x.new_empty(0), x.new_empty(0)
    return operation(*args, **kwargs)


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from tensors_in(item)
