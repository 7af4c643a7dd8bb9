"""Runs a copy of a model without data, and follows the picture through every operation."""

from functools import lru_cache, partial
from math import prod
from typing import NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.tracing.fields import Field
from helpers.tracing.meta import call_on_meta, changes_nothing, checked_shape, empty_picture, meta_copy, tensors_in
from helpers.tracing.reach import NoRule, pixels
from helpers.tracing.rules import derive

aten = torch.ops.aten
REARRANGING = {"_to_copy", "_unsafe_view", "channel_shuffle", "clone"}  # as views, of no interest in a table


class Unknown(NamedTuple):
    """In place of a receptive field: the operation without exact rule, and the layer that calls it."""

    operation: str
    layer: str
    detail: str = ""

    def __str__(self):
        return f"unknown, because {self.operation}"


class Row(NamedTuple):
    """One call of a layer, or of a function outside of layers."""

    name: str
    kind: str
    output_shape: tuple  # without the batch: (C, H, W)
    receptive_field: object  # ReceptiveField (a Field, before `trace` makes it one), Unknown, None if there is none
    parameters: int
    macs: int


def run(model, input_shape):
    """(tracer, output) of the model on one picture, as in eval mode. The model itself is not touched."""
    model, constants = meta_copy(model)
    picture = empty_picture(model, checked_shape(input_shape))
    tracer = Tracer(model, picture, constants)
    with torch.random.fork_rng(range(torch.cuda.device_count())), torch.no_grad(), tracer:
        try:
            return tracer, model(picture)
        except Exception as error:
            error.add_note(f"in layer {tracer.layer!r}, traced with an input of shape {tuple(input_shape)}")
            raise


class Tracer(TorchDispatchMode):
    """After a run: `rows`, `outputs` by name of the module, and `field_of` for what a tensor depends on."""

    def __init__(self, model, picture, constants):
        super().__init__()
        self.rows, self.outputs = [], {}
        self.open = []  # modules being called: (name, number of rows before, of layers before)
        self.layers = 0
        self.fields = {}  # id → (tensor, which so stays alive, its storage, field, time)
        self.overwritten = {}  # storage → (time, Unknown for all views of it that are older)
        self.time = 0
        self.batch = picture.shape[0]
        dims = tuple(((size, axis),) for size, axis in zip(picture.shape, (None, None, 0, 1), strict=True))
        field = Field(dims, ((pixels(picture.shape[2]),), (pixels(picture.shape[3]),)))
        self._record(picture, field)
        for tensor in constants:
            self._record(tensor, None)
        for name, module in model.named_modules():
            module.register_forward_pre_hook(partial(self._enter, name))
            module.register_forward_hook(partial(self._leave, name))

    @property
    def layer(self):
        return self.open[-1][0] if self.open else ""

    def field_of(self, tensor):
        """Field, Unknown, or None if it does not depend on the picture."""
        storage = _storage(tensor)
        _, then, field, time = self.fields.get(id(tensor), (None, None, None, 0))
        if then != storage:  # never seen, or another one since, by `tensor.data = …`
            detail = "no operation that could be followed made it, as in another thread"
            return Unknown("a tensor", self.layer, detail) if tensor.is_meta else None
        written, unknown = self.overwritten.get(storage, (-1, None))
        return unknown if written > time else field

    def _record(self, tensor, field):
        self.fields[id(tensor)] = tensor, _storage(tensor), field, self.time

    def _enter(self, name, module, args):
        self.open.append((name, len(self.rows), self.layers))

    def _leave(self, name, module, args, output):
        """A module that called no other is a layer: its operations become one row."""
        _, start, layers = self.open.pop()
        self.outputs[name] = output
        tensors, inside = list(tensors_in(output)), self.rows[start:]
        followed = [tensor for tensor in tensors if self.field_of(tensor) is not None]
        if (followed or (tensors and inside)) and layers == self.layers and (name or len(inside) < 2):
            tensor = (followed or tensors)[0]
            counts = sum(p.numel() for p in module.parameters()), sum(row.macs for row in inside)
            kind, shape = type(module).__name__, tuple(tensor.shape[1:])
            self.rows[start:] = [Row(name, kind, shape, self.field_of(tensor), *counts)]
            self.layers += 1

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if _is_composite(operation):  # in inference mode
            with self:
                return operation.decompose(*args, **kwargs)
        if changes_nothing(operation, args):
            return args[0]
        inputs = list(tensors_in((*args, *kwargs.values())))
        followed = {id(t): field for t in inputs if (field := self.field_of(t)) is not None}
        result = call_on_meta(operation, args, kwargs)
        moved = self._follow(operation, args, kwargs, followed, result)
        macs = multiply_adds(operation.overloadpacket.__name__, args, result) // self.batch
        if moved or macs:
            self._add_call(operation.overloadpacket.__name__, inputs, result, macs)
        return result

    def _add_call(self, name, inputs, result, macs):
        output = next(tensors_in(result))
        used = {t if t._base is None else t._base for t in inputs}
        parameters = sum(p.numel() for p in used if isinstance(p, nn.Parameter))
        label = f"{self.layer}.{name}".strip(".")
        self.rows.append(Row(label, name, tuple(output.shape[1:]), self.field_of(output), parameters, macs))

    def _follow(self, operation, args, kwargs, followed, result):
        """Record what the results depend on. True if that is of interest in a table."""
        outputs, name = list(tensors_in(result)), operation.overloadpacket.__name__
        fields = self._derive(operation, args, kwargs, followed, outputs) if followed else None
        if operation is aten.empty_strided.default:
            fields = Unknown("copy", self.layer, "copy.copy makes a tensor without an operation that could be followed")
        fields = fields if isinstance(fields, list) else [fields] * len(outputs)
        for tensor, field in zip(outputs, fields, strict=True):
            if isinstance(field, Field) and field.sizes() != tuple(tensor.shape):
                field = Unknown(name, self.layer)
            self._record(tensor, field)
        if operation._schema.is_mutable and followed:
            self._overwrite(operation, args, kwargs, followed, outputs)
        if not outputs or fields[0] is None or not (operation.is_view or name in REARRANGING):
            return bool(outputs) and fields[0] is not None
        return len({getattr(field, "reaches", None) for field in (*followed.values(), fields[0])}) > 1

    def _derive(self, operation, args, kwargs, followed, outputs):
        unknown = next((field for field in followed.values() if isinstance(field, Unknown)), None)
        if unknown or not outputs:
            return unknown
        try:
            return derive(operation, tuple(outputs[0].shape), _arguments(operation, args, kwargs, followed))
        except NoRule as reason:
            return Unknown(operation.overloadpacket.__name__, self.layer, str(reason))
        except (ArithmeticError, LookupError, TypeError, ValueError):  # a call for which its rule is not made
            return Unknown(operation.overloadpacket.__name__, self.layer)

    def _overwrite(self, operation, args, kwargs, followed, outputs):
        """Older views of a storage that is written into are not known any more; nor what nobody returns."""
        names, _, writes = _signature(operation)
        given = dict(zip(names, args, strict=False)) | kwargs
        detail = "it writes into a part of a tensor, as circular padding does"
        unknown = Unknown(operation.overloadpacket.__name__, self.layer, detail)
        for tensor in tensors_in([given[name] for name in writes if name in given]):
            returned = any(tensor is output for output in outputs)
            field = self.fields[id(tensor)][2] if returned else unknown
            if field is not followed.get(id(tensor)):
                self.time += 1
                self.overwritten[_storage(tensor)] = self.time, unknown
                self._record(tensor, field)


def _storage(tensor):
    return tensor.untyped_storage()._cdata


@lru_cache(4096)
def _is_composite(operation):
    return torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), "CompositeImplicitAutograd")


def multiply_adds(name, args, result):
    if name == "convolution":  # each weight once for each position of the output; of the input if transposed
        positions = args[0] if args[6] else result
        return args[1].numel() * prod(positions.shape[2:]) * result.shape[0]
    if name in ("mm", "bmm", "addmm", "baddbmm"):
        return result.numel() * args[-2].shape[-1]
    return 0


def _arguments(operation, args, kwargs, followed):
    """By name, with the Field of each tensor that is followed in its place; the first tensor is "x"."""

    def replaced(value):
        if isinstance(value, torch.Tensor):
            return followed.get(id(value), value)
        return [replaced(item) for item in value] if isinstance(value, list | tuple) else value

    names, defaults, writes = _signature(operation)
    given = dict(zip(names, args, strict=False)) | {k: v for k, v in kwargs.items() if k not in writes}
    return defaults | {name: replaced(value) for name, value in given.items()}


@lru_cache(4096)
def _signature(operation):
    """(names, defaults, names of the arguments that are written into)"""
    schema = operation._schema.arguments
    names = ["x" if argument.name in ("self", "input") else argument.name for argument in schema]
    pairs = list(zip(names, schema, strict=True))
    defaults = {name: a.default_value for name, a in pairs if a.has_default_value()}
    return names, defaults, [name for name, a in pairs if a.alias_info is not None and a.alias_info.is_write]
