"""How a tensor depends on the picture, and what views, mixing and joining of tensors do to that."""

from dataclasses import dataclass
from math import prod

import numpy as np

from helpers.tracing.reach import NOTHING, NoRule, Reach, around, everything, unite


@dataclass(frozen=True, eq=False)
class Field:
    """How a tensor depends on the picture.

    dims: each dimension's row-major factors (size, axis): axis 0 is the picture's height, 1 its width.
    reaches: for height and width, `Reach`es of different slopes; a unit's interval is their union.
    """

    dims: tuple
    reaches: tuple

    def sizes(self):
        return tuple(prod(size for size, _ in dim) for dim in self.dims)

    def axes(self, dim):
        return [axis for _, axis in self.dims[dim] if axis is not None]

    def channels_differ(self, dim):
        return any(r.ends.ndim > 2 and r.ends.shape[dim] > 1 for r in sum(self.reaches, ()))

    def resized(self, dim, size, axis=None):
        return Field((*self.dims[:dim], tidy([(size, axis)]), *self.dims[dim + 1 :]), self.reaches)

    def over_channels(self, change, everywhere=False):
        """`change` of the ends where the channels differ."""
        channels = [prod(size for size, axis in dim if axis is None) for dim in self.dims]

        def changed(reach):
            if reach.ends.ndim == 2 and not everywhere:
                return reach
            return Reach(change(np.broadcast_to(reach.ends, (*channels, *reach.ends.shape[-2:]))), reach.shift)

        new = {reach: changed(reach) for reach in sum(self.reaches, ())}
        return Field(self.dims, tuple(tuple(new[reach] for reach in reaches) for reaches in self.reaches))

    def along(self, axis, change, *how):
        """`change` of the reaches of one axis."""
        new = unite(tuple(change(reach, *how) for reach in self.reaches[axis]))
        return Field(self.dims, (new, self.reaches[1]) if axis == 0 else (self.reaches[0], new))

    def move(self, dim, size, change, *how):
        """An index map along one dimension, which then has `size` units."""
        axes = self.axes(dim)
        if not axes:
            return self.blend(dim).resized(dim, size)
        if len(self.dims[dim]) > 1:
            raise NoRule("it runs along a dimension made of several")
        return self.along(axes[0], change, *how).resized(dim, size, axes[0])

    def blend(self, dim, groups=1, copies=1):
        """Channels mixed, within each of `groups`; `copies` of the result."""

        def change(ends):
            parts = ends.reshape(*ends.shape[:dim], groups, -1, *ends.shape[dim + 1 :])
            return parts.min(dim + 1).repeat(copies, dim)

        return self.over_channels(change)

    def collapse(self, dim, size=1):
        """Everything along a dimension mixed, then `size` equal units."""
        field = self.blend(dim)
        for length, axis in self.dims[dim]:
            field = field if axis is None else field.along(axis, everything, length)
        return field.resized(dim, size)

    def insert(self, dim):
        field = self.over_channels(lambda ends: np.expand_dims(ends, dim))
        return Field((*self.dims[:dim], (), *self.dims[dim:]), field.reaches)

    def drop(self, dim):
        field = self.collapse(dim).over_channels(lambda ends: ends.take(0, dim))
        return Field((*self.dims[:dim], *self.dims[dim + 1 :]), field.reaches)

    def expand(self, shape):
        field = self
        while len(field.dims) < len(shape):
            field = field.insert(0)
        for dim, (have, want) in enumerate(zip(field.sizes(), shape, strict=True)):
            field = field if have == want else field.collapse(dim, want)
        return field

    def view(self, shape):
        """The factors of all dimensions in a row, dealt out again."""
        queue, dims = list(tidy(factor for dim in self.dims for factor in dim)), []
        for size in shape:
            dim = []
            while queue and (size > 1 or (not dim and queue[0][0] == 1)):
                have, axis = queue.pop(0)
                if size % have:
                    if axis is not None or have % size:
                        raise NoRule("it cuts an axis of the picture into pieces")
                    queue.insert(0, (have // size, None))
                    have = size
                dim.append((have, axis))
                size //= have
            dims.append(dim)
        dims[-1:] = [dim + queue for dim in dims[-1:]]
        channels = [prod(size for size, axis in dim if axis is None) for dim in dims]
        field = self.over_channels(lambda ends: ends.reshape(*channels, *ends.shape[-2:]))
        return Field(tuple(map(tidy, dims)), field.reaches)

    def permute(self, order):
        field = self.over_channels(lambda ends: ends.transpose(*order, -2, -1))
        return Field(tuple(self.dims[dim] for dim in order), field.reaches)

    def take(self, dim, start, step, size):
        """Units start, start + step, …"""
        if (start, step, size) == (0, 1, self.sizes()[dim]):
            return self
        if self.axes(dim):
            return self.move(dim, size, around, step, start)
        index = start + step * np.arange(size)
        return self.over_channels(lambda ends: ends.take(index, dim)).resized(dim, size)

    def pad_channels(self, dim, before, after):
        """Channels that depend on nothing, on both sides."""
        if self.axes(dim):
            raise NoRule("it joins maps along an axis of the picture")
        size = self.sizes()[dim]

        def change(ends):
            padded = np.full((*ends.shape[:dim], before + size + after, *ends.shape[dim + 1 :]), NOTHING)
            padded[(slice(None),) * dim + (slice(before, before + size),)] = ends
            return padded

        return self.over_channels(change, everywhere=True).resized(dim, before + size + after)


def tidy(factors):
    """Without factors of size 1 that are no axis, and neighbours that are no axis as one."""
    result = []
    for size, axis in factors:
        if axis is None and result and result[-1][1] is None:
            result[-1] = (result[-1][0] * size, None)
        elif axis is not None or size > 1:
            result.append((size, axis))
    return tuple(result)


def join(shape, *operands):
    """An elementwise operation with broadcasting; operands that are no Field do not depend on the picture."""
    fields = list(dict.fromkeys(x.expand(shape) for x in operands if isinstance(x, Field)))
    if len(fields) == 1:
        return fields[0]
    dims = []
    for i, size in enumerate(shape):
        holders = [field for field in fields if field.axes(i)]
        dims += {field.dims[i] for field in holders} or [tidy([(size, None)])]
        if holders and any(field.channels_differ(i) for field in fields if field not in holders):
            dims.append(())
    axes = [axis for dim in dims for _, axis in dim if axis is not None]
    if len(dims) > len(shape) or len(axes) > len(set(axes)):
        raise NoRule("its inputs hold the axes of the picture in different places")
    reaches = zip(*(field.reaches for field in fields), strict=True)
    return Field(tuple(dims), tuple(unite(sum(same, ())) for same in reaches))
