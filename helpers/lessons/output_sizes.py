"""Pictures of 01_output_sizes: the cells that a convolution connects. Sizes come in measured; nothing is decided here.

One visual language for both directions. A blue cell of the small map is connected with the dotted orange cells of the
large map: a convolution reads them, a transposed convolution writes them. Padding is dashed; what is never read or
written is hatched.
"""

from itertools import product

import ipywidgets as widgets
import torch
import torch.nn.functional as F

from helpers.drawing.style import BLUE, INK, ORANGE, RED
from helpers.drawing.svg import cells, document, grid, hatch, line, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

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
    for number, view in enumerate(frames):
        y, x = (height * (number // columns), width * (number % columns))
        parts += [text(x, y + 16, view.title, weight="bold"), *view.draw(x, y + 26, size)]
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


def explore():
    """Any convolution, forward or transposed, one output or input cell after the other."""
    case = [("input", 3, 12, 6), ("kernel", 1, 5, 3), ("stride", 1, 4, 2), ("padding", 0, 4, 1), ("dilation", 1, 4)]
    step, play = slider("step", 1, 9, 5), widgets.Play(min=1, max=9, value=5, interval=600, layout={"margin": "2px"})
    widgets.jslink((play, "value"), (step, "value"))
    controls = [*(slider(*bounds) for bounds in case), choice("kind", ["convolution", "transposed"]), step]

    def draw(step, **case):
        output, message = _measured(**case)
        cells = max(1, output if case["kind"] == "convolution" else case["input"]) ** 2
        controls[-1].max = play.max = cells
        return arithmetic(**case, output=output, message=message, step=min(step, cells))

    finding = "One output cell (blue) reads nine cells (dots); the hatched row and column are never read."
    frame(draw, controls, finding, play)


def _measured(input, kernel, stride, padding, dilation, kind):
    """(output size, "") as torch finds it for shapes without numbers, or (0, torch's message)."""
    operator = F.conv2d if kind == "convolution" else F.conv_transpose2d
    x, weight = (torch.empty(1, 1, size, size, device="meta") for size in (input, kernel))
    try:
        return operator(x, weight, stride=stride, padding=padding, dilation=dilation).shape[-1], ""
    except RuntimeError as error:
        return 0, str(error)


GRID = tuple(product(range(3, 12), range(1, 6), range(1, 4), range(4), range(1, 4)))  # (i, k, s, p, d)


def _out_size(i, k, s, p, d):
    """The obvious loop: count the places where the first and the last tap lie on the padded picture."""
    return sum(start + d * (k - 1) < i + 2 * p for start in range(0, i + 2 * p, s))


def _room(i, k, p, d):
    return i + 2 * p - d * (k - 1) - 1


EXERCISES["inputs"] = Exercise(
    right={31, 32},
    mistakes={
        "One is missing: with stride 2 each output size belongs to two input sizes.": {31},
        "One is missing: with stride 2 each output size belongs to two inputs, one of them odd.": {32},
        "These give 15, 16 or 17: keep only those that give exactly 16.": {29, 30, 31, 32, 33, 34},
        "This is what comes *out* of input 16. Look for what goes *in*.": {8},
        "One too many: 33 gives 17.": {31, 32, 33},
        "30 gives 15, one too small.": {30, 31},
        "33 gives 17, one too large.": {32, 33},
        "Without padding, 33 and 34 give 16. Here p = 1.": {33, 34},
    },
    hints=(
        "let the cell above print every input with its output, and read the rows with 16.",
        "solve 16 = ⌊(i − 1) / 2⌋ + 1: both even and odd i are possible.",
    ),
)
EXERCISES["padding"] = Exercise(
    right=lambda dilation: dilation,
    cases=tuple((dilation,) for dilation in (6, 12, 18, 24)),
    mistakes={
        "1 is right only for dilation 1: the kernel now reaches further.": lambda dilation: 1,
        "d − 1 counts the cells skipped between two taps. The outer tap is d cells from the centre.": lambda d: d - 1,
        "2d is the padding of both sides together. `padding` is added on each side.": lambda d: 2 * d,
        "k − 1 belongs into d(k−1)/2, not k.": lambda d: 3 * d // 2,
        "k − 1 is 2: in d(k−1)/2 both halves cancel.": lambda d: d // 2,
        "This would be 2 for dilation 1, where 1 is right.": lambda d: d + 1,
        "2d + 1 is the reach of the kernel. Half of what it is too long, on each side.": lambda d: 2 * d + 1,
    },
    hints=(
        "solve i = i + 2p − d(k−1) for k = 3.",
        "p = d(k−1)/2, and k − 1 is 2.",
    ),
)
EXERCISES["out-size"] = Exercise(
    right=_out_size,
    cases=GRID,
    core=lambda i, k, s, p, d: _room(i, k, p, d) >= d,  # where it fits well: there, wrong laws show
    mistakes={
        "Right where the kernel fits. Where it does not, return 0.": lambda i, k, s, p, d: _room(i, k, p, d) // s + 1,
        "The floor is missing: a size is a whole number. Use `//`.": lambda i, k, s, p, d: _room(i, k, p, d) / s + 1,
        "The + 1 stands inside the floor: first ⌊(… − 1) / s⌋, the number of steps; then + 1, the first window.": (
            lambda i, k, s, p, d: (_room(i, k, p, d) + 1) // s
        ),
        "The + 1 is missing: a kernel that never moves still gives one value.": (
            lambda i, k, s, p, d: _room(i, k, p, d) // s
        ),
        "The − 1 is missing: count the steps *behind* the first window.": (
            lambda i, k, s, p, d: (_room(i, k, p, d) + 1) // s + 1
        ),
        "The dilated kernel is d(k−1) + 1 long, not d·k.": lambda i, k, s, p, d: (i + 2 * p - d * k) // s + 1,
        "This ignores the dilation.": lambda i, k, s, p, d: (i + 2 * p - k) // s + 1,
        "This rounds up: a window that hangs over the edge does not count.": (
            lambda i, k, s, p, d: -(-_room(i, k, p, d) // s) + 1
        ),
        "The padding is on both sides: 2p.": lambda i, k, s, p, d: (i + p - d * (k - 1) - 1) // s + 1,
        "This ignores the stride.": lambda i, k, s, p, d: _room(i, k, p, d) + 1,
    },
    hints=(
        "start from the stride-1 size, i + 2p − d(k−1), and ask how many steps of s fit behind the first window.",
        "(i + 2p − d(k−1) − 1) // s + 1, and 0 where i + 2p is smaller than the kernel.",
    ),
)
