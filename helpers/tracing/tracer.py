"""Runs a copy of a model without data, and follows the picture through every operation."""

from collections import defaultdict
from functools import lru_cache
from math import prod
from typing import NamedTuple

import torch
from torch import nn

from helpers.tracing.fields import Field
from helpers.tracing.meta import MetaRun, call_on_meta, changes_nothing, checked_shape, named_tensors, tensors_in
from helpers.tracing.reach import NoRule, pixels
from helpers.tracing.rules import derive

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
    tracer = Tracer(model, checked_shape(input_shape))
    try:
        return tracer, tracer.run(tracer.picture)
    except Exception as error:
        error.add_note(f"in layer {tracer.layer!r}, traced with an input of shape {tuple(input_shape)}")
        raise


class Tracer(MetaRun):
    """After a run: `rows`, `outputs` by name of the module, and `field_of` for what a tensor depends on."""

    def __init__(self, model, shape):
        super().__init__(model)
        self.rows, self.outputs = [], {}
        self.layers = 0
        self.before = []  # for each module being called, the numbers of rows and of layers before
        self.views = defaultdict(dict)  # storage → id of a tensor → (the tensor, which so stays alive, its field)
        for _, tensor in named_tensors(self.model):
            self._record(tensor, None)
        self.picture, (self.batch, channels, height, width) = self.empty_picture(shape), shape
        dims = ((self.batch, None),), ((channels, None),), ((height, 0),), ((width, 1),)
        self._record(self.picture, Field(dims, ((pixels(height),), (pixels(width),))))

    def field_of(self, tensor):
        """Field, Unknown, or None if it does not depend on the picture."""
        known = self.views[_storage(tensor)].get(id(tensor))
        if known is None and tensor.is_meta:  # never seen, or with another storage since, by `tensor.data = …`
            return Unknown("a tensor", self.layer, "no operation that could be followed made it, as in another thread")
        return known and known[1]

    def _record(self, tensor, field):
        self.views[_storage(tensor)][id(tensor)] = tensor, field

    def enter(self, name, module, args):
        super().enter(name, module, args)
        self.before.append((len(self.rows), self.layers))

    def leave(self, name, module, args, output):
        """A module that called no other is a layer: its operations become one row."""
        super().leave(name, module, args, output)
        start, layers = self.before.pop()
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
        inputs = list(tensors_in((args, kwargs)))
        followed = {id(t): field for t in inputs if (field := self.field_of(t)) is not None}
        result = call_on_meta(operation, args, kwargs, inputs)
        outputs = list(tensors_in(result))
        arguments = _arguments(operation, args, kwargs)
        for tensor, field in zip(outputs, self._derive(operation, arguments, followed, outputs), strict=True):
            self._record(tensor, field)
        if operation._schema.is_mutable and followed:
            self._overwrite(operation, arguments, followed, outputs)
        macs = multiply_adds(operation.overloadpacket.__name__, args, result) // self.batch
        if macs or (outputs and self._moves(operation, followed, outputs[0])):
            self._add_row(operation.overloadpacket.__name__, inputs, outputs[0], macs)
        return result

    def _add_row(self, name, inputs, output, macs):
        used = {t if t._base is None else t._base for t in inputs}
        parameters = sum(p.numel() for p in used if isinstance(p, nn.Parameter))
        label = f"{self.layer}.{name}".strip(".")
        self.rows.append(Row(label, name, tuple(output.shape[1:]), self.field_of(output), parameters, macs))

    def _moves(self, operation, followed, output):
        """Whether the operation is of interest in a table: a view only if it changes what is seen."""
        field = self.field_of(output)
        if field is not None and (operation.is_view or operation.overloadpacket.__name__ in REARRANGING):
            return len({getattr(each, "reaches", None) for each in (*followed.values(), field)}) > 1
        return field is not None

    def _derive(self, operation, arguments, followed, outputs):
        """What each of the outputs depends on."""
        name = operation.overloadpacket.__name__
        field = next((field for field in followed.values() if isinstance(field, Unknown)), None)
        if name == "empty_strided":
            field = Unknown("copy", self.layer, "copy.copy makes a tensor without an operation that could be followed")
        elif followed and outputs and not field:
            try:
                field = derive(operation, tuple(outputs[0].shape), _read(operation, arguments, followed))
            except NoRule as reason:
                field = Unknown(name, self.layer, str(reason))
            except (ArithmeticError, LookupError, TypeError, ValueError):  # a call for which its rule is not made
                field = Unknown(name, self.layer)
        fields = field if isinstance(field, list) else [field] * len(outputs)
        return [
            Unknown(name, self.layer) if isinstance(f, Field) and f.sizes() != tuple(tensor.shape) else f
            for f, tensor in zip(fields, outputs, strict=True)
        ]

    def _overwrite(self, operation, arguments, followed, outputs):
        """Other views of a storage that is written into are not known any more; nor what nobody returns."""
        detail = "it writes into a part of a tensor, as circular padding does"
        unknown = Unknown(operation.overloadpacket.__name__, self.layer, detail)
        *_, written, _ = _signature(operation)
        for tensor in tensors_in([arguments[name] for name in written]):
            returned = any(tensor is output for output in outputs)
            field = self.field_of(tensor) if returned else unknown
            if field != followed.get(id(tensor)):
                for view, _ in list(self.views[_storage(tensor)].values()):
                    self._record(view, field if view is tensor else unknown)


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


def _arguments(operation, args, kwargs):
    """By name, defaults too; the first tensor is "x"."""
    names, defaults, *_ = _signature(operation)
    return defaults | dict(zip(names, args, strict=False)) | kwargs


def _read(operation, arguments, followed):
    """What the operation reads: not "out"; with the Field of each tensor that is followed in its place."""

    def replaced(value):
        return [replaced(item) for item in value] if isinstance(value, list | tuple) else followed.get(id(value), value)

    *_, outs = _signature(operation)
    return {name: replaced(value) for name, value in arguments.items() if name not in outs}


@lru_cache(4096)
def _signature(operation):
    """(names, defaults, names of the arguments that are written into, those of them that are not read)"""
    named = {"x" if a.name in ("self", "input") else a.name: a for a in operation._schema.arguments}
    defaults = {name: a.default_value for name, a in named.items() if a.has_default_value()}
    written = [name for name, a in named.items() if a.alias_info is not None and a.alias_info.is_write]
    return list(named), defaults, written, [name for name in written if named[name].is_out]
