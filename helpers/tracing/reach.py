"""Which pixels the units along one axis depend on, and how index arithmetic changes that.

A unit is one position of a tensor. All is exact; what has no exact answer raises `NoRule`.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from math import gcd, lcm

import numpy as np

NOTHING = 1 << 60  # both ends of a unit that depends on no pixel
LONGEST_PERIOD = 1 << 16


class NoRule(Exception):
    """The operation has no exact rule."""


@dataclass(frozen=True, eq=False)
class Reach:
    """The pixels that each unit along one axis depends on, as (first, −last): a union is then a minimum.

    ends: as if the picture had no border, for the units of one period; the next period is the same, `shift`
    pixels further.
    inside: for all units of the map, what is really read: padding is not. One row if all units are the same.
    """

    ends: np.ndarray
    shift: int
    inside: np.ndarray

    @property
    def period(self):
        return len(self.ends)

    @property
    def slope(self):
        return Fraction(self.shift, self.period)

    def at(self, index):
        turn, phase = np.divmod(index, self.period)
        return self.ends[phase] + (turn * self.shift)[..., None] * [1, -1]


@lru_cache(256)
def pixels(size):
    """Pixel i depends on itself."""
    return Reach(np.zeros((1, 2), int), 1, np.arange(size)[:, None] * [1, -1])


# Index maps: for an array of output units, the units that each reads, one row for each tap, and which of them count.


def window(output, kernel, stride, padding, dilation):
    return output * stride + np.arange(kernel)[:, None] * dilation - padding, np.True_


def transposed_window(output, kernel, stride, padding, dilation):
    index, rest = np.divmod(output + padding - np.arange(kernel)[:, None] * dilation, stride)
    return index, rest == 0


def adaptive_window(output, size, out_size):
    """From ⌊o·size/out_size⌋ to ⌈(o + 1)·size/out_size⌉ − 1."""
    index = output * size // out_size + np.arange(-(-size // out_size) + 1)[:, None]
    return index, index < -(-(output + 1) * size // out_size)


def around(output, step, start, offsets):
    """Interpolation around the point o·step + start: where this is a unit, the others have weight 0."""
    denominator = lcm(step.denominator, start.denominator)
    index, rest = np.divmod(output * int(step * denominator) + int(start * denominator), denominator)
    offsets = np.array(offsets)[:, None]
    return index + offsets, (offsets == 0) | (rest != 0)


# What lies beyond the border of a map, where it is not padding.


def clamped(index, size):
    return index.clip(0, size - 1)


def reflected(index, size):
    return size - 1 - abs(size - 1 - abs(index))


@lru_cache(4096)
def read(reach, size, out_size, step, border, index_map, *parameters):
    """The reach of the `out_size` units behind an index map on `size` units, which advances `step` each."""
    index, used = taps(size, out_size, border, index_map, *parameters)
    if step == 1 and len(index) == 1 and np.array_equal(index[0], np.arange(size)):
        return reach
    inside = np.broadcast_to(reach.inside, (size, 2))[index.clip(0, size - 1)]
    inside = np.where(used[..., None], inside, NOTHING).min(0)

    turns = reach.period // gcd(reach.period, step.numerator)
    index, used = index_map(_period(step.denominator * turns), *parameters)
    ends = np.where(used[..., None], reach.at(index), NOTHING).min(0)
    return Reach(ends, reach.shift * step.numerator * turns // reach.period, inside)


def taps(size, out_size, border, index_map, *parameters):
    """The index map on a map of `size` units: (index, which count), of shape (taps, out_size)."""
    index, used = index_map(np.arange(out_size), *parameters)
    index = index if border is None else border(index, size)
    return index, used & (index >= 0) & (index < size)


def everything(reach):
    """All units as one."""
    return constant(*map(int, reach.inside.min(0)))


@lru_cache(4096)
def constant(first, last):
    """The same for all units: one object, by which it is known again."""
    ends = np.array([[first, last]])
    return Reach(ends, 0, ends)


@lru_cache(4096)
def unite(reaches):
    """Several reaches as one where they advance alike, side by side where they do not."""
    reaches, alike = tuple(dict.fromkeys(reaches)), {}
    empty = [reach.ends.sum(-1) > 0 for reach in reaches]
    if len(reaches) > 1 and any(e.any() and not e.all() for e in empty):
        raise NoRule("units that depend on no pixel meet others")  # what they depend on is then no box
    for reach in reaches:
        alike.setdefault(reach.slope, []).append(reach)
    return tuple(group[0] if len(group) == 1 else _united(group) for group in alike.values())


def _united(group):
    units = _period(lcm(*(reach.period for reach in group)))
    ends = reduce(np.minimum, [reach.at(units) for reach in group])
    return Reach(ends, int(group[0].slope * len(units)), reduce(np.minimum, [reach.inside for reach in group]))


def _period(units):
    if units > LONGEST_PERIOD:
        raise NoRule(f"the pattern repeats only after {units} units")
    return np.arange(units)
