"""Pictures of 01_output_sizes: the cells that a convolution connects. Sizes come in measured; nothing is decided here.

One visual language for both directions. A blue cell of the small map is connected with the dotted orange cells of the
large map: a convolution reads them, a transposed convolution writes them. Padding is dashed; what is never read or
written is hatched.
"""

from itertools import product

from helpers.figures import BLUE, INK, ORANGE, RED
from helpers.figures.svg import cells, document, grid, hatch, line, rectangle, text

GREY, PICTURE, DONE, WRITTEN = "#8A8A8A", "#F1F1EE", "#CFE6F5", "#FBE7BF"


class _Frame:
    """One step: `large` and `small` are the sides of the two maps, `touched` the rows that any window touches."""

    def __init__(self, *, input, kernel, stride, padding=0, dilation=1, kind="convolution", output, step=1, title=""):
        self.forward, self.padding, self.output, self.title = kind == "convolution", padding, output, title
        self.reach = dilation * (kernel - 1) + 1
        self.large = input + 2 * padding if self.forward else stride * (input - 1) + self.reach
        self.small = output if self.forward else input
        self.starts = [stride * place for place in range(self.small)]
        self.offsets = [dilation * tap for tap in range(kernel)]
        self.touched = {start + offset for start, offset in product(self.starts, self.offsets)}
        self.step, self.place = step, divmod(step - 1, max(self.small, 1))
        self.columns, self.rows = self.large + self.small + 2, max(self.large, self.small, self.reach)

    def inside(self, row):
        return self.padding <= row < self.large - self.padding

    def window(self, row, column):
        """The cells of the large map that a cell of the small map is connected with."""
        top, left = (self.starts[place] if self.starts else 0 for place in (row, column))
        return [(top + down, left + right) for down, right in product(self.offsets, repeat=2)]

    def draw(self, x, y, size):
        """The two maps side by side, the input on the left, with cells of `size` pixels."""
        large_x, small_x = (x, x + (self.large + 2) * size) if self.forward else (x + (self.small + 2) * size, x)
        yield from self._large(large_x, y, size)
        if not self.small:
            return
        yield from self._small(small_x, y, size)
        (row, column), (top, left) = self.place, self.window(*self.place)[0]
        near = large_x + (left + self.reach * self.forward) * size
        far = small_x + (column + (not self.forward)) * size
        for end, other in ((top, row), (top + self.reach, row + 1)):
            yield line(near, y + end * size, far, y + other * size, stroke=BLUE, dash="5 3")

    def _large(self, x, y, size):
        inner, edge = max(self.large - 2 * self.padding, 0), self.padding * size
        skipped = [cell for cell in product(range(self.large), repeat=2) if not self.touched.issuperset(cell)]
        yield grid(x, y, size, self.large, stroke=GREY, dash="2 3")
        if inner:
            yield grid(x + edge, y + edge, size, inner, fill=PICTURE, stroke=GREY)
        if not self.forward:
            places = [divmod(n, self.small) for n in range(self.step)]
            yield cells(
                {cell for place in places for cell in self.window(*place)}, x, y, size, inset=0.06, fill=WRITTEN
            )
            skipped = [cell for cell in skipped if all(map(self.inside, cell))]
        if self.output:
            yield hatch(skipped, x, y, size)
        window = self.window(*self.place)
        yield cells(window, x, y, size, inset=0.06, fill=ORANGE)
        yield cells(window, x, y, size, inset=0.38, fill=INK)
        (top, left), side = window[0], self.reach * size
        colour = INK if self.output else RED
        yield rectangle(x + left * size, y + top * size, side, side, stroke=colour, stroke_width=2.5)

    def _small(self, x, y, size):
        everything = list(product(range(self.small), repeat=2))
        yield grid(x, y, size, self.small, fill="white" if self.forward else PICTURE, stroke=GREY)
        yield cells(everything[: self.step], x, y, size, inset=0.06, fill=DONE)
        yield cells([self.place], x, y, size, inset=0.06, fill=BLUE)
        shown = [self.place] if size < 17 else everything[: self.step] if self.forward else everything
        for row, column in shown:
            number, fill = row * self.small + column + 1, "white" if (row, column) == self.place else INK
            height = max(9, min(14, size / 2))
            x_middle, y_middle = x + (column + 0.5) * size, y + (row + 0.5) * size + height / 3
            yield text(x_middle, y_middle, number, size=height, anchor="middle", fill=fill)


def arithmetic(*, message="", **case):
    """SVG of one step, with the size law filled in below; `message`: why there is no output, when `output` is 0."""
    frame = _Frame(**case)
    i, k, s, p, d, output = (case[name] for name in ("input", "kernel", "stride", "padding", "dilation", "output"))
    size = min(44, 890 / (frame.columns + 1), 352 / frame.rows)
    shift = (frame.large if frame.forward else frame.small) + 2
    names = [f"input {i}×{i}", f"output {output}×{output}" if output else "no output"]
    if p:
        names[not frame.forward] += (
            f", padded to {i + 2 * p}×{i + 2 * p}" if frame.forward else f", {p} cut off each side"
        )
    apart = max(shift * size, 150)
    parts = [text(0, 14, names[0], weight="bold"), text(apart, 14, names[1], weight="bold"), *frame.draw(0, 26, size)]
    if frame.columns * size < 700:
        parts += _legend(740, frame)
    if frame.forward:
        inner = f"{i} + 2·{p} − {d}·({k}−1) − 1"
        law = f"o = ⌊(i + 2p − d(k−1) − 1) / s⌋ + 1 = ⌊({inner}) / {s}⌋ + 1 = "
        law += f"⌊{(i + 2 * p - d * (k - 1) - 1) / s:.3g}⌋ + 1 = {output}" if output else "– no output"
    else:
        law = f"o = s(i−1) + d(k−1) + 1 − 2p = {s}·({i}−1) + {d}·({k}−1) + 1 − 2·{p} = {output or 'no output'}"
    parts += [text(0, 408, law, size=16), *_remarks(frame, message)]
    return document(900, 456, parts, title=f"{case['kind']}, step {frame.step}: {names[0]}, {names[1]}")


def _legend(x, frame):
    verb, border, cell = ("read", "padding", "output") if frame.forward else ("written", "cut off", "input")
    yield grid(x, 30, 22, 1, stroke=GREY, dash="2 3")
    yield hatch([(0, 0)], x, 62, 22)
    yield cells([(0, 0)], x, 94, 22, fill=ORANGE) + cells([(0, 0)], x, 94, 22, inset=0.38, fill=INK)
    yield cells([(0, 0)], x, 126, 22, fill=BLUE)
    for row, words in enumerate([border, f"never {verb}", f"{verb} now", f"one {cell} cell"]):
        yield text(x + 32, 46 + 32 * row, words)


def _remarks(frame, message):
    if not frame.output:
        for place, words in enumerate(message.split(". ", 1)):
            yield text(0, 432 + 20 * place, ("torch: " if not place else "") + words, size=14, fill=RED, weight="bold")
        return
    picture = [row for row in range(frame.large) if frame.inside(row)]
    skipped = [row for row in picture if row not in frame.touched]
    words = f"Step {frame.step} of {frame.small**2}. Hatched: {len(skipped)} of {len(picture)} rows "
    if frame.forward:
        border = [row for row in range(frame.large) if not frame.inside(row) and row not in frame.touched]
        words += f"of the picture and {len(border)} of {2 * frame.padding} of the padding are never read"
    else:
        words += "of the output are never written"
    yield text(0, 432, words + "; columns alike.", size=15)


def filmstrip(frames, columns):
    """SVG of several steps in `columns`. `frames`: dicts of the arguments of `_Frame`."""
    frames = [_Frame(**frame) for frame in frames]
    width = 900 / columns
    size = min(30, (width - 30) / max(frame.columns for frame in frames))
    height, parts = max(frame.rows for frame in frames) * size + 46, []
    for number, frame in enumerate(frames):
        y, x = (height * (number // columns), width * (number % columns))
        parts += [text(x, y + 16, frame.title, weight="bold"), *frame.draw(x, y + 26, size)]
    titles = "; ".join(frame.title for frame in frames)
    return document(900, height * -(-len(frames) // columns) - 14, parts, title=titles)


def chains(networks):
    """The maps along a network, one row of boxes for each picture: height to scale, width for the channels.

    `networks`: {title: [(channels, size, what follows, rows of the map that are dropped)]}.
    """
    parts = []
    for place, (title, maps) in enumerate(networks.items()):
        base, largest = place * 236 + 150, max(size for _, size, *_ in maps)
        parts.append(text(0, base - 134, title, weight="bold"))
        for number, (channels, size, follows, unread) in enumerate(maps):
            x, height, width = number * 900 / len(maps), 118 * size / largest, 14 + channels / 8
            parts.append(rectangle(x, base - height, width, height, fill=DONE, stroke=BLUE, stroke_width=2))
            parts.append(text(x, base + 20, f"{size}×{size}", weight="bold"))
            parts += [text(x, base + 38, f"{channels} ch", size=14), text(x, base + 56, follows, size=14)]
            if unread:
                parts.append(text(x + width + 6, base - 6, f"−{unread} row", size=14, fill=RED, weight="bold"))
    return document(900, len(networks) * 236 - 22, parts, title="; ".join(networks))
