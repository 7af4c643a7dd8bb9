"""How a tensor depends on the picture, and what views, windows, mixing and joining of tensors do to that."""

from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np

from helpers.tracing.reach import NoRule, around, everything, read, taps, unite, window

BLOCKS = "it cuts an axis of the picture into blocks, as window attention and space-to-depth do"


class Field(NamedTuple):
    """How a tensor depends on the picture.

    dims: each dimension's row-major factors (size, axis): axis 0 is the picture's height, 1 its width, None
    anything else, as channels.
    reaches: for height and width, `Reach`es of different slopes; a unit's interval is their union, over all
    channels.
    differ: whether channels may depend on less than that.
    """

    dims: tuple
    reaches: tuple
    differ: bool = False

    def size(self, dim):
        return prod(size for size, _ in self.dims[dim])

    def sizes(self):
        return tuple(map(self.size, range(len(self.dims))))

    def axes(self, dim):
        return [axis for _, axis in self.dims[dim] if axis is not None]

    def resized(self, dim, size, axis=None):
        return self._replace(dims=(*self.dims[:dim], tidy([(size, axis)]), *self.dims[dim + 1 :]))

    def along(self, axis, change, *how):
        """`change` of the reaches of one axis."""
        new = unite(tuple(change(reach, *how) for reach in self.reaches[axis]))
        return self._replace(reaches=(new, self.reaches[1]) if axis == 0 else (self.reaches[0], new))

    def plain(self, dim):
        """With a dimension of one factor; (rows, copies) are rows · copies rows, as in nearest upsampling."""
        factors = self.dims[dim]
        if len(factors) < 2 or not self.axes(dim):
            return self
        (size, axis), (copies, other) = factors[:2]
        if len(factors) > 2 or axis is None or other is not None:
            raise NoRule("one of its dimensions is made of several")
        if self.differ:
            raise NoRule("it puts channels that see different pixels side by side")
        step = Fraction(1, copies)
        field = self.along(axis, read, size, size * copies, step, None, around, step, Fraction(0), (0,))
        return field.resized(dim, size * copies, axis)

    def in_order(self):
        """With plain dimensions, or tokens (the places of a map, row by row), and the height before the width."""
        field = self
        for dim, factors in enumerate(self.dims):
            field = field if [axis for _, axis in factors] == [0, 1] else field.plain(dim)
        axes = [axis for dim in range(len(field.dims)) for axis in field.axes(dim)]
        if axes == [1, 0]:
            raise NoRule("its width comes before its height")
        others = [size for factors in field.dims[-2:] for size, axis in factors if axis is None]
        if field.differ and len(axes) < 2 < len(field.dims) and max(others, default=1) > 1:
            raise NoRule("places of its map see different pixels in no order")
        return field

    def move(self, dim, size, step, index_map, *parameters, border=None):
        """An index map along one dimension, which then has `size` units."""
        have = self.size(dim)
        if self.axes(dim):
            field = self.plain(dim)
            axis = field.dims[dim][0][1]
            field = field.along(axis, read, have, size, step, border, index_map, *parameters)
            return field.resized(dim, size, axis)
        index, used = taps(have, size, border, index_map, *parameters)
        used = np.broadcast_to(used, index.shape)
        if self.differ and len(np.unique(index[used])) < have:
            raise NoRule("it takes apart channels that see different pixels")
        return self.resized(dim, size)._replace(differ=self.differ or not used.any(0).all())

    def take(self, dim, start, step, size):
        """Units start, start + step, …"""
        return self.move(dim, size, step, window, 1, step, -start, 1)

    def mix(self, dim, groups=1):
        """Everything along a dimension mixed, in each of `groups`."""
        if groups == 1:
            return self.collapse(dim, self.size(dim))
        if self.axes(dim):
            raise NoRule("its groups of channels hold an axis of the picture")
        return self

    def collapse(self, dim, size=1):
        """Everything along a dimension mixed, then `size` equal units."""
        field = self
        for axis in self.axes(dim):
            field = field.along(axis, everything)
        others = [n for i, factors in enumerate(self.dims) if i != dim for n, axis in factors if axis is None]
        return field.resized(dim, size)._replace(differ=self.differ and prod(others) > 1)

    def insert(self, dim):
        return self._replace(dims=(*self.dims[:dim], (), *self.dims[dim:]))

    def drop(self, dim):
        return self.collapse(dim)._replace(dims=(*self.dims[:dim], *self.dims[dim + 1 :]))

    def permute(self, order):
        return self._replace(dims=tuple(self.dims[dim] for dim in order))

    def expand(self, shape):
        field = self._replace(dims=((),) * (len(shape) - len(self.dims)) + self.dims)
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
                        raise NoRule(BLOCKS)
                    queue.insert(0, (have // size, None))
                    have = size
                dim.append((have, axis))
                size //= have
            dims.append(dim)
        dims[-1:] = [dim + queue for dim in dims[-1:]]
        dims = [[factor for factor in dim if factor[0] > 1] or dim for dim in dims]  # one row is no axis beside others
        return self._replace(dims=tuple(map(tidy, dims)))


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
    fields = list(dict.fromkeys(x for x in operands if isinstance(x, Field)))
    if len(fields) == 1 and fields[0].sizes() == shape:
        return fields[0]
    wide = [field.expand(shape) for field in fields]
    for dim in range(len(shape)):
        kinds = {field.dims[dim] for field in wide if field.axes(dim)}
        if len(kinds) > 1:
            wide = [field.plain(dim) for field in wide]
        for field in fields if kinds else ():
            own = dim - len(shape) + len(field.dims)
            if field.differ and own >= 0 and not field.axes(own) and field.size(own) > 1:
                raise NoRule("it puts channels that see different pixels side by side")
    dims = [{field.dims[dim] for field in wide if field.axes(dim)} for dim in range(len(shape))]
    axes = [axis for kinds in dims for factors in kinds for _, axis in factors if axis is not None]
    if len(axes) > len(set(axes)):
        raise NoRule("its inputs hold the axes of the picture in different places")
    dims = [kinds.pop() if kinds else tidy([(size, None)]) for kinds, size in zip(dims, shape, strict=True)]
    reaches = tuple(unite(sum((field.reaches[axis] for field in wide), ())) for axis in (0, 1))
    return Field(tuple(dims), reaches, any(field.differ for field in wide))
