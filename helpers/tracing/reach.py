"""Which pixels the indices of one axis depend on, and how index arithmetic changes that.

A unit is one position of a tensor, with all its channels. Nothing is clipped at a border: every unit has the
interval that it would have inside an endless picture. All is exact; what has no exact answer raises `NoRule`.
"""

from fractions import Fraction
from functools import lru_cache, reduce
from math import gcd, lcm

import numpy as np

NOTHING = 1 << 60  # both ends of a unit that depends on no pixel
LONGEST_PERIOD = 1 << 16


class NoRule(Exception):
    """The operation has no exact rule."""


class Reach:
    """The pixels that index i of one axis depends on: `ends[i]` is (first, −last), for the indices of one
    period.

    The next period is the same, `shift` pixels further. Where the channels differ, `ends` has the dimensions
    of the tensor in front, of size 1 unless they differ. With −last instead of last, a union is always a
    minimum.
    """

    def __init__(self, ends, shift):
        for dim in range(ends.ndim - 2):
            if ends.shape[dim] > 1 and (ends == (one := ends.take([0], dim))).all():
                ends = one
        self.ends = ends.reshape(ends.shape[-2:]) if ends[..., 0, 0].size == 1 else ends
        self.shift, self.period = shift, ends.shape[-2]
        self.slope = Fraction(shift, self.period)

    def at(self, index):
        turn, phase = np.divmod(index, self.period)
        return self.ends[..., phase, :] + (turn * self.shift)[..., None] * [1, -1]

    def read(self, inputs, outputs, taps):
        """Behind an index map: taps(o) are the indices that output o reads, and which of them count.

        Output o + `outputs` reads the indices of output o, plus `inputs`.
        """
        turns = self.period // gcd(self.period, inputs)
        index, used = taps(_period(outputs * turns))
        ends = np.where(used[..., None], self.at(index), NOTHING).min(-3)
        return Reach(ends, self.shift * inputs * turns // self.period)


PIXELS = Reach(np.zeros((1, 2), int), 1)  # pixel i depends on itself


@lru_cache(4096)
def window(reach, kernel, stride, padding, dilation=1):
    offsets = np.arange(kernel)[:, None] * dilation - padding
    return reach.read(stride, 1, lambda o: (o * stride + offsets, np.True_))


@lru_cache(4096)
def transposed_window(reach, kernel, stride, padding, dilation):
    offsets = padding - np.arange(kernel)[:, None] * dilation
    return reach.read(1, stride, lambda o: ((o + offsets) // stride, (o + offsets) % stride == 0))


@lru_cache(4096)
def adaptive_window(reach, size, out_size):
    """From ⌊o·size/out_size⌋ to ⌈(o + 1)·size/out_size⌉ − 1."""

    def taps(o):
        index = o * size // out_size + np.arange(-(-size // out_size) + 1)[:, None]
        return index, index < -(-(o + 1) * size // out_size)

    common = gcd(size, out_size)
    return reach.read(size // common, out_size // common, taps) if out_size > 1 else everything(reach, size)


@lru_cache(4096)
def around(reach, step, start, offsets=(0,)):
    """Interpolation around the point o·step + start: where this is a unit, the others have weight 0."""
    den = lcm(Fraction(step).denominator, Fraction(start).denominator)
    offsets = np.array(offsets)[:, None]

    def taps(o):
        index, rest = np.divmod(o * int(step * den) + int(start * den), den)
        return index + offsets, (offsets == 0) | (rest != 0)

    return reach.read(Fraction(step).numerator, Fraction(step).denominator, taps)


@lru_cache(4096)
def everything(reach, size):
    return reach.read(0, 1, lambda o: (np.arange(size)[:, None], np.True_))


@lru_cache(4096)
def unite(reaches):
    """Several reaches as one where they advance alike, side by side where they do not."""
    reaches, alike = tuple(dict.fromkeys(reaches)), {}
    empty = [reach.ends.sum(-1) > 0 for reach in reaches]
    if len(reaches) > 1 and any((e.any(-1) & ~e.all(-1)).any() for e in empty):
        raise NoRule("units that depend on no pixel meet others")  # what they depend on is then no box
    for reach in reaches:
        alike.setdefault(reach.slope, []).append(reach)
    return tuple(group[0] if len(group) == 1 else _united(group) for group in alike.values())


def _united(group):
    units = _period(lcm(*(reach.period for reach in group)))
    return Reach(reduce(np.minimum, [r.at(units) for r in group]), int(group[0].slope * len(units)))


def _period(units):
    if units > LONGEST_PERIOD:
        raise NoRule(f"the pattern repeats only after {units} units")
    return np.arange(units)
