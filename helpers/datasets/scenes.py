"""Small aerial pictures, drawn by numpy, whose classes each test one property of an architecture.

| class     | looks like                                       | tests                                      |
|-----------|--------------------------------------------------|--------------------------------------------|
| ground    | fields, and every bank                           | the background                             |
| lake      | water inside a bank of sand, 2–3 px wide         | *context*: the water is the same in both,  |
| reservoir | the same water inside a bank of concrete         | only the bank tells which it is            |
| house     | roof, long side 7–11 px                          | *scale*: the roofs are the same,           |
| hall      | the same roof, long side 16–26 px                | only the size tells which it is            |
| tree      | scalloped crown, radius 2.5–9 px                 | *occlusion*: it hides what is below        |
| road      | asphalt, 1.5–3 px wide                           | *resolution*: a coarse map cannot hold it  |

Lengths hold for 96 px; houses, halls, trees and water grow with the picture, roads and banks do not. Drop shadows, a
colour cast and noise lie over everything. A pixel has the label of the last object drawn that its centre lies in.
"""

import math
from functools import cache, partial

import numpy as np
import torch

from helpers.checks import whole_number

CLASSES = ("ground", "lake", "reservoir", "house", "hall", "tree", "road")
SEEDS = {"train": 1, "validation": 2, "test": 3}
LENGTHS = {"house": (7, 11), "hall": (16, 26), "tree": (2.5, 9), "water": (6, 22), "water only": (12, 45)}
ROAD_WIDTH, BANK_WIDTH = (1.5, 3), (2, 3)

FIELDS = np.array([(0.42, 0.54, 0.28), (0.33, 0.47, 0.25), (0.54, 0.62, 0.36), (0.73, 0.67, 0.44), (0.55, 0.46, 0.34)])
ROOFS = np.array([(0.68, 0.35, 0.26), (0.60, 0.40, 0.32), (0.45, 0.45, 0.49), (0.57, 0.28, 0.24)])
BANKS = {"lake": (0.94, 0.77, 0.42), "reservoir": (0.78, 0.80, 0.85)}
WATER, CROWN, ASPHALT = np.array([(0.17, 0.36, 0.46), (0.19, 0.33, 0.15), (0.47, 0.46, 0.47)])


class Scenes(torch.utils.data.TensorDataset):
    """Items `(image, label)`: float32 (3, H, W) in [0, 1] and int64 (H, W), an index into `CLASSES`. All in one:
    `images` (n, 3, H, W), `labels` (n, H, W), `banks` (n, H, W): 0, or on a visible bank the class of its water."""

    def __init__(self, images, labels, banks):
        super().__init__(images, labels)
        self.images, self.labels, self.banks = images, labels, banks

    def bank_distance(self, index):
        """Distance of every water pixel of one scene to the nearest visible pixel of its own kind of bank.

        float32 (H, W), in pixels, exact, from centre to centre; NaN off the water, infinite without a bank.
        """
        label, bank = self.labels[index].numpy(), self.banks[index].numpy()
        distance = np.full(label.shape, np.nan, np.float32)
        for water in map(CLASSES.index, BANKS):
            distance[label == water] = _distance_to(bank == water)[label == water]
        return torch.from_numpy(distance)


def make(n, size=96, seed="train", water_only=False):
    """`n` scenes of `size` × `size` pixels as `Scenes`, the same ones for the same arguments.

    `seed` is a name from `SEEDS` or an integer ≥ 0. Scene i depends on size, seed and i, not on n.
    `water_only` leaves ground and large water (radius 12–45 px at 96 px): a task of context alone.
    """
    if isinstance(seed, str) and seed not in SEEDS:
        raise ValueError(f"seed must be a whole number ≥ 0 or one of {', '.join(SEEDS)}, got {seed!r}")
    seed = whole_number("seed", SEEDS.get(seed, seed) if isinstance(seed, str) else seed, 0)
    n, size = whole_number("n", n), whole_number("size", size, 32)
    drawn = [_Scene(np.random.default_rng([seed, i]), size).draw(water_only) for i in range(n)]
    return Scenes(*(torch.from_numpy(np.stack(arrays)) for arrays in zip(*drawn, strict=True)))


class _Scene:
    """One scene, drawn from the ground up. An outline is a map of distances to it in pixels, negative inside;
    `road` is that of all roads, `taken` that of everything a new object keeps clear of."""

    def __init__(self, rng, size):
        self.rng, self.size, self.scale = rng, size, size / 96
        self.y, self.x = np.mgrid[:size, :size].astype(np.float32)  # float32 throughout: twice as fast
        self.label, self.bank = np.zeros((2, size, size), np.int64)
        self.taken = np.full((size, size), np.inf, np.float32)
        angle = rng.uniform(0.25, 0.75) * math.pi / 2
        self.sun = -math.sin(angle), -math.cos(angle)  # from the upper left: then relief is seen as relief

    def draw(self, water_only):
        rng = self.rng
        self.ground()
        if not water_only:
            self.roads()
        for _ in range(rng.integers(1, 4)):
            self.water(*LENGTHS["water only" if water_only else "water"])
        if not water_only:
            for name in ["hall"] * rng.integers(2, 5) + ["house"] * rng.integers(7, 15):
                self.building(name)
            for _ in range(rng.integers(2, 6)):
                self.grove(*LENGTHS["tree"])
        cast = np.float32(rng.uniform(0.88, 1.08) * rng.uniform(0.94, 1.06, 3))
        noise = np.float32(0.018) * rng.standard_normal(self.image.shape, np.float32)
        return (self.image * cast + noise).clip(0, 1).transpose(2, 0, 1), self.label, self.bank

    def ground(self):
        """Fields: the cells around random points, with a dark border and rows of crops."""
        rng, count = self.rng, self.rng.integers(3, 7)
        y, x = np.float32(rng.uniform(-0.1, 1.1, (2, count, 1, 1)) * self.size)
        distance = np.hypot(self.y - y, self.x - x)
        share = np.exp(2 * (distance.min(0) - distance))  # of each field in each pixel: soft at the borders
        share /= share.sum(0)
        self.border = 4 * share.max(0) * (1 - share.max(0))
        shade = 1 - 0.13 * self.border + 0.10 * self.clouds(4) + 0.07 * self.clouds(12) + 0.06 * self.clouds(32)
        for field in share:
            rows = _turned(self.y, self.x, rng.uniform(0, math.pi))[0] * rng.uniform(0.9, 1.8)
            shade += max(rng.uniform(-0.02, 0.05), 0) * field * np.sin(rows)
        colours = FIELDS[rng.integers(len(FIELDS), size=count)] + rng.uniform(-0.03, 0.03, (count, 3))
        self.image = np.tensordot(share, np.float32(colours), (0, 0)) * shade[..., None]
        self.image += self.clouds(6)[..., None] * np.float32((0.05, 0.01, -0.02))

    def roads(self):
        """One road through the picture, and up to two that cross it or end on it."""
        rng, size, angle, roads = self.rng, self.size, self.rng.uniform(0, math.pi), []
        for number in range(rng.integers(1, 4)):
            along, across = _turned(self.y - size / 2, self.x - size / 2, angle)
            bends = np.sin(along * 2 * math.pi / rng.uniform(0.9, 1.6) / size + rng.uniform(0, 2 * math.pi))
            offset = (-1) ** number * rng.uniform(0.05, 0.3) - rng.uniform(0.02, 0.06) * bends
            middle = _distance(across + offset * size)
            roads.append(abs(middle) - rng.uniform(*ROAD_WIDTH) / 2)
            if number == 0:
                first, angle = middle, angle + math.pi / 2
            elif rng.random() < 0.6:
                roads[-1] = np.maximum(roads[-1], first * float(rng.choice([-1, 1])))
            angle += rng.uniform(-0.4, 0.4)
        self.road = self.taken = np.minimum.reduce(roads)
        self.paint(self.road, ASPHALT + rng.uniform(-0.05, 0.07), "road")

    def water(self, smallest, largest):
        """Water and its bank. Whether it is a lake is decided last, and decides the bank and nothing else."""
        rng, width = self.rng, self.rng.uniform(*BANK_WIDTH)
        strengths, phases = rng.uniform(0.2, 1, 3) * (0.18, 0.10, 0.06), rng.uniform(0, 2 * math.pi, 3)
        reach, room = 1 + float(strengths.sum()), float(self.taken.max() * 0.9 - width - 2)
        radius = min(rng.uniform(smallest, largest) * self.scale, room / reach)
        if radius < smallest * self.scale:
            return
        row, column = self.place(radius * reach + width + 2)
        waves = zip((2, 3, 4), strengths.tolist(), phases.tolist(), strict=True)
        water = _distance(_blob(self.y - row, self.x - column, radius, waves))
        depth = 1 + 0.12 * np.exp(water.clip(-60, 0) / 5) + 0.05 * self.clouds(7) + 0.02 * self.clouds(48)
        colour = (WATER * rng.uniform(0.85, 1.15) + rng.uniform(-0.02, 0.02, 3)) * depth[..., None]
        name = list(BANKS)[rng.integers(2)]
        self.paint(water - width, BANKS[name], "ground")
        self.bank[water < width] = CLASSES.index(name)
        self.paint(water, colour, name)
        self.taken = np.minimum(self.taken, water - width)

    def building(self, name):
        """A pitched roof beside a road, in its direction. The name decides the length and nothing else."""
        rng, road = self.rng, self.road
        length = rng.uniform(*LENGTHS[name]) * self.scale / 2
        breadth = length * rng.uniform(0.62, 0.9)
        place = self.place(breadth + 2, road < breadth + 9, margin=math.ceil(length + 1))
        if place is None:
            return
        row, column = place
        angle = math.atan2(road[row + 1, column] - road[place], road[row, column + 1] - road[place])
        outline = partial(_box, angle=angle, u=breadth, v=length)
        whole = outline(self.y - row, self.x - column)
        if self.taken[whole < 1].min() < 1.5:
            return
        self.taken = np.minimum(self.taken, whole)
        window, y, x = self.shadow(outline, place, length + breadth)
        lit, u = _turned(*self.sun, angle)[0], _turned(y, x, angle)[0]
        shade = 1 + 0.2 * lit * np.clip(2 * u, -1, 1)  # one half of the roof faces the sun
        colour = ROOFS[rng.integers(len(ROOFS))] * rng.uniform(0.9, 1.12)
        self.paint(whole[window], colour * shade[..., None], name, window)

    def grove(self, smallest, largest):
        """Trees together, often on the border of a field; crowns hang over whatever is near."""
        rng, on_border = self.rng, self.rng.random() < 0.6
        middle = self.place(1, self.border > 0.1 if on_border else True) or self.place(1)
        for _ in range(rng.integers(1, 7) if middle else 0):
            place = [min(max(m + rng.normal(0, 5 * self.scale), 0), self.size - 1) for m in middle]
            radius = (smallest + (largest - smallest) * rng.random() ** 2.2) * self.scale
            if self.taken[round(place[0]), round(place[1])] < radius * 0.3:
                continue
            outline = partial(_blob, radius=radius, waves=[(rng.integers(6, 10), 0.11, rng.uniform(0, 6))])
            window, y, x = self.shadow(outline, place, radius * 1.2)
            shade = 1 + 0.45 * (y * self.sun[0] + x * self.sun[1]) / radius
            shade += 0.12 * rng.standard_normal(y.shape, np.float32)
            colour = CROWN * rng.uniform(0.85, 1.3) + rng.uniform(0, 0.06) * np.array((1, 0.4, 0))
            self.paint(outline(y, x), colour * shade.clip(0.4)[..., None], "tree", window)

    def place(self, clearance, where=True, margin=0):
        """A random pixel (row, column) with this clearance, off the frame by `margin`; None without one."""
        inside = slice(margin, self.size - margin)
        rows, columns = np.nonzero(((self.taken > clearance) & where)[inside, inside])
        pick = self.rng.integers(max(len(rows), 1))
        return (int(rows[pick]) + margin, int(columns[pick]) + margin) if len(rows) else None

    def shadow(self, outline, place, reach):
        """Shade what lies behind `outline(y, x)`; returns a window on it and coordinates from its middle."""
        window = tuple(slice(max(int(p - reach - 5), 0), int(p + reach + 7)) for p in place)
        y, x = self.y[window] - place[0], self.x[window] - place[1]
        behind = [outline(y + k * self.sun[0], x + k * self.sun[1]) for k in (1.2, 2.4, 3.6)]
        self.image[window] *= 1 - 0.38 * np.clip(0.5 - np.minimum.reduce(behind) / 2, 0, 1)[..., None]
        return window, y, x

    def paint(self, outline, colour, name, window=...):
        """Fill an outline, its edge blended over one pixel, and label what lies inside."""
        cover = np.clip(0.5 - outline, 0, 1)[..., None]
        self.image[window] += cover * (np.float32(colour) - self.image[window])
        self.label[window][outline < 0] = CLASSES.index(name)
        self.bank[window][outline < 0] = 0

    def clouds(self, cells):
        """Smooth noise in [-1, 1], (H, W), from `cells` × `cells` random values."""
        weights = _blow_up(cells, self.size)
        return weights @ np.float32(self.rng.uniform(-1, 1, (cells, cells))) @ weights.T


@cache
def _blow_up(cells, size):
    """(size, cells): the weights that interpolate `cells` values smoothly over `size` pixels."""
    t = np.clip(1 - abs(np.linspace(0, cells - 1, size)[:, None] - np.arange(cells)), 0, 1)
    return np.float32(t * t * (3 - 2 * t))


def _turned(y, x, angle):
    """Coordinates along a direction, given by its angle from the x axis towards y, and across it."""
    c, s = math.cos(angle), math.sin(angle)
    return c * x + s * y, c * y - s * x


def _box(y, x, angle, u, v):
    """Outline of a rectangle with half sides u along the direction and v across it."""
    along, across = _turned(y, x, angle)
    return np.maximum(abs(along) - u, abs(across) - v)


def _blob(y, x, radius, waves):
    """Roughly the outline of a circle with waves `(number, strength, phase)` around it."""
    angle = np.arctan2(y, x)
    return np.hypot(y, x) - radius * sum((s * np.cos(n * angle + p) for n, s, p in waves), start=1)


def _distance(level):
    """The distance to where a smooth map is 0, to first order: the map over its slope."""
    return level / np.maximum(np.hypot(*np.gradient(level)), 0.5)


def _distance_to(mask):
    """Exact Euclidean distance from every pixel to the nearest one in `mask` (H, W), infinite without one."""
    squared = np.where(mask, np.float32(0), np.float32(np.inf))
    for _ in range(2):  # along columns, then along rows: squared distances add up
        lines = np.arange(len(squared), dtype=np.float32)[:, None]
        squared = np.minimum.reduce([line + (lines - i) ** 2 for i, line in enumerate(squared)]).T
    return np.sqrt(squared)
