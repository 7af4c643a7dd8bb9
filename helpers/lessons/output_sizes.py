"""What 01_output_sizes shows: the cells that a convolution connects, its stops, its explorer and its exercises.

One visual language for both directions. A blue cell of the small map is connected with the dotted orange cells of the
large map: a convolution reads them, a transposed convolution writes them. Padding is dashed, what is left out hatched.
"""

from itertools import chain, product

import ipywidgets as widgets
import torch
import torch.nn.functional as F

from helpers.drawing.style import BLUE, INK, ORANGE, RED
from helpers.drawing.svg import cells, document, grid, hatch, line, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

GREY, PICTURE, DONE, WRITTEN = "#8A8A8A", "#F1F1EE", "#CFE6F5", "#FBE7BF"


def ruler(i, k, s=1, p=0, d=1, *, stops):
    """(SVG, finding): one padded row of a picture, its stops below it, and the next step, which does not fit."""
    padded, reach = i + 2 * p, d * (k - 1) + 1
    over, far = stops * s + reach - padded, max(padded, stops * s + reach)
    size, high = min(30, 760 / far), max(3, min(22, 300 / (stops + 1)))
    read = {s * stop + d * tap for stop, tap in product(range(stops), range(k))}
    parts = [cells([(0, n) for n in range(padded)], 0, 0, size, stroke=GREY, dash="2 3")]
    parts.append(cells([(0, p + n) for n in range(i)], 0, 0, size, fill=PICTURE, stroke=GREY))
    parts.append(hatch([(0, n) for n in range(padded) if stops and n not in read], 0, 0, size))
    for stop in range(stops + 1):
        y, x, fits = size + 8 + stop * (high + 4), stop * s * size, stop < stops
        colour, fill, dash = (INK, WRITTEN, "") if fits else (RED, "none", "5 3")
        parts.append(rectangle(x, y, reach * size, high, fill=fill, stroke=colour, stroke_width=1.5, dash=dash))
        for tap in range(k):
            parts.append(rectangle(x + (d * tap + 0.35) * size, y + high * 0.3, size * 0.3, high * 0.4, fill=colour))
        words = f"stop {stop + 1}" if fits else f"no {'more' if stops else 'stop'}"
        parts.append(text(far * size + 12, y + high * 0.75, words, size=max(4, min(15, high)), fill=colour))
    height = size + 4 + (stops + 1) * (high + 4)
    parts.append(line(padded * size, 0, padded * size, height, stroke=RED, dash="3 3"))
    finding = f"{stops} stop{'s' * (stops != 1)}; cells missing for one more: {over}."
    if not stops:
        finding = f"No stop: the kernel reaches over {reach} cells, and there are only {padded}."
    return document(900, height, parts, title=finding), finding


class _Frame:
    """One step: `large` and `small` are the sides of the two maps, `touched` the rows that any window touches."""

    def __init__(self, *, input, kernel, stride, padding=0, dilation=1, kind="convolution", output, step=1, numbers=()):
        self.forward, self.padding, self.output = kind == "convolution", padding, output
        self.reach = dilation * (kernel - 1) + 1
        self.large = input + 2 * padding if self.forward else stride * (input - 1) + self.reach
        self.small = output if self.forward else input
        self.starts = [stride * place for place in range(self.small)]
        self.offsets = [dilation * tap for tap in range(kernel)]
        self.touched = {start + offset for start, offset in product(self.starts, self.offsets)}
        self.step, self.place = step, divmod(step - 1, max(self.small, 1))
        self.values, self.weights, self.results = numbers or ((), (), ())
        self.columns, self.rows = self.large + self.small + 1.5, max(self.large, self.small, self.reach)

    def inside(self, row):
        return self.padding <= row < self.large - self.padding

    def window(self, row, column):
        """The cells of the large map that a cell of the small map is connected with."""
        top, left = (self.starts[place] if self.starts else 0 for place in (row, column))
        return [(top + down, left + right) for down, right in product(self.offsets, repeat=2)]

    def draw(self, x, y, size):
        """The two maps side by side, the input on the left, with cells of `size` pixels."""
        right = x + ((self.large if self.forward else self.small) + 1.5) * size
        large_x, small_x = (x, right) if self.forward else (right, x)
        yield from self._large(large_x, y, size)
        if not self.small:
            return
        everything = list(product(range(self.small), repeat=2))
        yield grid(small_x, y, size, self.small, fill="white" if self.forward else PICTURE, stroke=GREY)
        yield cells(everything[: self.step], small_x, y, size, inset=0.06, fill=DONE)
        yield cells([self.place], small_x, y, size, inset=0.06, fill=BLUE)
        (row, column), (top, left) = self.place, self.window(*self.place)[0]
        written = everything[: self.step] if self.results else [self.place] if size > 17 else []
        for cell in written:
            value = self.results[cell[0]][cell[1]] if self.results else self.step
            yield _number(value, *cell, small_x, y, size, "white" if cell == self.place else INK)
        near = large_x + (left + self.reach * self.forward) * size
        far = small_x + (column + (not self.forward)) * size
        for end, other in ((top, row), (top + self.reach, row + 1)):
            yield line(near, y + end * size, far, y + other * size, stroke=BLUE, dash="5 3")

    def _large(self, x, y, size):
        inner, edge = max(self.large - 2 * self.padding, 0), self.padding * size
        skipped = [cell for cell in product(range(self.large), repeat=2) if not self.touched.issuperset(cell)]
        yield grid(x, y, size, self.large, stroke=GREY, dash="2 3")
        yield grid(x + edge, y + edge, size, inner, fill=PICTURE, stroke=GREY)
        if not self.forward:
            places = [divmod(n, self.small) for n in range(self.step)]
            written = {cell for place in places for cell in self.window(*place)}
            yield cells(written, x, y, size, inset=0.06, fill=WRITTEN)
            skipped = [cell for cell in skipped if all(map(self.inside, cell))]
        yield hatch(skipped if self.output else [], x, y, size)
        window = self.window(*self.place)
        yield cells(window, x, y, size, inset=0.06, fill=ORANGE)
        if self.values:
            weights = dict(zip(window, chain(*self.weights), strict=True))
            for row, column in product(range(self.large), repeat=2):
                factor = f"{weights[row, column]}·" if weights.get((row, column)) else ""
                yield _number(f"{factor}{self.values[row][column]}", row, column, x, y, size, height=14 - len(factor))
        else:
            yield cells(window, x, y, size, inset=0.38, fill=INK)
        (top, left), side, colour = window[0], self.reach * size, INK if self.output else RED
        yield rectangle(x + left * size, y + top * size, side, side, stroke=colour, stroke_width=2.5)


def _number(value, row, column, x, y, size, fill=INK, height=14):
    words, height = str(value).replace("-", "−"), max(9, min(height, size / 2))
    middle, base = x + (column + 0.5) * size, y + (row + 0.5) * size + height / 3
    return text(middle, base, words, size=height, anchor="middle", fill=fill)


def filmstrip(outputs, kernel, stride=1, padding=0, numbers=()):
    """(SVG of stops 1, 2, 3 and the last, finding). `outputs`: {input: output}; `numbers`: picture, kernel, result."""
    strips = []
    for i, output in outputs.items():
        setting = {"input": i, "kernel": kernel, "stride": stride, "padding": padding, "output": output}
        steps = sorted({*range(1, min(3, output**2) + 1), output**2})
        strips.append([_Frame(**setting, step=step, numbers=numbers) for step in steps])
    size = min(30, 205 / max(view.columns for strip in strips for view in strip))
    y, parts, found = 0, [], []
    for (i, output), strip in zip(outputs.items(), strips, strict=True):
        for place, view in enumerate(strip):
            parts += [text(232 * place, y + 14, f"{i}×{i}, stop {view.step}", weight="bold")]
            parts += view.draw(232 * place, y + 24, size)
        y += strip[0].rows * size + 44
        found.append(f"{i}×{i}: {output} stops each way, unread rows: {strip[0].large - len(strip[0].touched)}")
    finding = "; ".join(found) + "."
    return document(916, y - 18, parts, title=finding), finding


def arithmetic(*, message="", **case):
    """SVG of one step, with the size law filled in below; `message`: why there is no output, when `output` is 0."""
    view = _Frame(**case)
    i, k, s, p, d, output = (case[name] for name in ("input", "kernel", "stride", "padding", "dilation", "output"))
    size = min(40, 890 / (view.columns + 1), 245 / view.rows)
    names = [f"input {i}×{i}", f"output {output}×{output}" if output else "no output"]
    if p:
        names[not view.forward] += f", padding {p}" if view.forward else f", {p} cut off each side"
    apart = max((view.columns - (view.small if view.forward else view.large)) * size, 150)
    parts = [text(0, 12, names[0], weight="bold"), text(apart, 12, names[1], weight="bold"), *view.draw(0, 22, size)]
    parts += _legend(740, view) if view.columns * size < 700 else []
    if view.forward:
        law = f"o = ⌊(i + 2p − d(k−1) − 1) / s⌋ + 1 = ⌊({i} + 2·{p} − {d}·({k}−1) − 1) / {s}⌋ + 1 = "
        law += f"⌊{(i + 2 * p - d * (k - 1) - 1) / s:.3g}⌋ + 1 = {output}" if output else "no output"
    else:
        law = f"o = s(i−1) + d(k−1) + 1 − 2p = {s}·({i}−1) + {d}·({k}−1) + 1 − 2·{p} = {output or 'no output'}"
    words, colour = (_remark(view), INK) if output else (message or "The padding cuts off everything.", RED)
    parts += [text(0, 296, law, size=16), text(0, 320, words, size=15, fill=colour)]
    return document(900, 326, parts, title=f"{case['kind']}, step {view.step}: {names[0]}, {names[1]}")


def _legend(x, view):
    verb, border, cell = ("read", "padding", "output") if view.forward else ("written", "cut off", "input")
    yield grid(x, 30, 22, 1, stroke=GREY, dash="2 3") + hatch([(0, 0)], x, 62, 22)
    yield cells([(0, 0)], x, 94, 22, fill=ORANGE) + cells([(0, 0)], x, 94, 22, inset=0.38, fill=INK)
    yield cells([(0, 0)], x, 126, 22, fill=BLUE)
    for row, words in enumerate([border, f"never {verb}", f"{verb} now", f"one {cell} cell"]):
        yield text(x + 32, 46 + 32 * row, words)


def _remark(view):
    picture = [row not in view.touched for row in range(view.large) if view.inside(row)]
    border = [row not in view.touched for row in range(view.large) if not view.inside(row)]
    words = f"Step {view.step} of {view.small**2}. Hatched: {sum(picture)} of {len(picture)} rows "
    if not view.forward:
        return words + "of the output are never written; columns alike."
    return words + f"of the picture, {sum(border)} of {len(border)} of the padding: never read."


def explore():
    """Any convolution, forward or transposed, one output or input cell after the other."""
    case = [("input", 3, 12, 6), ("kernel", 1, 5, 3), ("stride", 1, 4, 2), ("padding", 0, 4, 1), ("dilation", 1, 4)]
    step, play = slider("step", 1, 9, 5), widgets.Play(min=1, max=9, value=5, interval=600, layout={"margin": "2px"})
    widgets.jslink((play, "value"), (step, "value"))
    controls = [*(slider(*bounds) for bounds in case), choice("kind", ["convolution", "transposed"]), step]
    limit = {"max": 9}

    def draw(step, **case):
        output, message = _measured(**case)
        limit["max"] = max(1, output if case["kind"] == "convolution" else case["input"]) ** 2
        return arithmetic(**case, output=output, message=message, step=min(step, limit["max"]))

    def shorten(_):  # behind the picture, so that the picture does not wait
        step.max = play.max = limit["max"]

    frame(draw, controls, "One output cell (blue) reads nine cells (dots); what is hatched is never read.", play)
    for control in controls[:-1]:
        control.observe(shorten, "value")


def _measured(input, kernel, stride, padding, dilation, kind):
    """(output size, "") as torch finds it, or (0, why)."""
    operator = F.conv2d if kind == "convolution" else F.conv_transpose2d
    x, weight = (torch.zeros(1, 1, size, size) for size in (input, kernel))
    try:
        return operator(x, weight, stride=stride, padding=padding, dilation=dilation).shape[-1], ""
    except RuntimeError as error:
        return 0, f"torch: {str(error).split('. ', 1)[-1]}" if kind == "convolution" else ""


def try_sizes(network):
    """{input size: output size, or the digits of the error}; `network` takes and returns an (N, C, H, W) tensor."""
    found = {}
    for size in range(20, 28):
        try:
            result = network(torch.zeros(1, 1, size, size))
            found[size] = ... if result is ... else result.shape[-1]
        except Exception as error:
            found[size] = sorted(letter for letter in str(error) if letter.isdigit())  # of a + b as of b + a
    return ... if ... in found.values() else found


def _network(pool, dilated=4):
    """The network of exercise 3, with the padding of its dilated layer, and with a pooling as its skip."""
    w = torch.ones(1, 1, 3, 3)
    return lambda x: F.conv2d(F.conv2d(x, w, stride=2, padding=1), w, padding=dilated, dilation=4) + pool(x)


_FLOOR, _CEIL = torch.nn.MaxPool2d(2), torch.nn.MaxPool2d(2, ceil_mode=True)
_BROKEN = {
    "Nothing is repaired yet: both ways end at different sizes.": _network(_FLOOR, 1),
    "The skip is repaired. The dilated layer is not: with padding 1 it loses cells on each side.": _network(_CEIL, 1),
    "It runs at even sizes only. At odd sizes the convolution rounds up, the pooling down.": _network(_FLOOR),
    "The padding is for each side, not for both together.": _network(_CEIL, 8),
    "It runs, but rounds down at odd sizes: a row was cut off or lost. Let both ways round up.": _FLOOR,
    "It runs, but the dilated layer still loses cells on each side.": _network(lambda x: torch.zeros(1), 1),
    "The network returns no tensor: is a `return` missing?": lambda x: None,
}
EXERCISES["inputs"] = Exercise(
    right={31, 32},
    mistakes={
        "One is missing: with stride 2 each output size belongs to two input sizes.": {31},
        "One is missing, an odd one.": {32},
        "This is what comes *out* of input 16. Look for what goes *in*.": {8},
        "One too many: 33 gives 17.": {31, 32, 33},
        "One too many: 30 gives 15.": {30, 31, 32},
        "30 gives 15, and one is missing.": {30, 31},
        "33 gives 17, and one is missing.": {32, 33},
        "Without padding, 33 and 34 give 16. Here p = 1.": {33, 34},
    },
    hints=(
        "let the cell above print more inputs, and read the rows with 16.",
        "the output is about half of the input; look around twice 16.",
    ),
    insight="With k = 3, s = 2, p = 1 the output is half of the input, rounded up; MaxPool2d(2) rounds it down.",
)
EXERCISES["padding"] = Exercise(
    right=lambda k, d: d * (k - 1) // 2,
    cases=tuple(product((3, 5, 7), (1, 2, 6, 12, 18, 24))),
    mistakes={
        "1 is right only for k = 3 and d = 1: other kernels reach further.": lambda k, d: 1,
        "This forgets the dilation.": lambda k, d: (k - 1) // 2,
        "This is right for k = 3 only: a larger kernel reaches further.": lambda k, d: d,
        "This is the padding of both sides together. `padding` is added on each side.": lambda k, d: d * (k - 1),
        "There are k − 1 gaps between k taps, not k.": lambda k, d: d * k // 2,
        "One too much: the size loses d(k−1), not the whole reach d(k−1) + 1.": lambda k, d: d * (k - 1) // 2 + 1,
    },
    hints=(
        "without padding, how many cells does the size lose? Both sides together must give them back.",
        "with s = 1, set o = i in the law and solve it for 2p; then take one side.",
    ),
    insight="For k = 3 the padding is the dilation itself: DeepLab's dilations 6, 12, 18 have padding 6, 12, 18.",
)
EXERCISES["skip"] = Exercise(
    right=try_sizes(_network(_CEIL)),
    mistakes={words: try_sizes(network) for words, network in _BROKEN.items()},
    hints=(
        "print the size of each way on its own, once for an even and once for an odd size.",
        "exercise 2 repairs one line. For the other, look at how each layer rounds.",
    ),
    insight="ResNet-D's shortcut pools before it adds: in timm with ceil_mode=True, so that odd sizes fit.",
)
