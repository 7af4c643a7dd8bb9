"""What 08_parameter_counts shows: its pictures, its explorer, its exercises."""

import torch

from helpers.drawing.style import BLUE, GREEN, INK, ORANGE
from helpers.drawing.svg import cells, document, grid, hatch, line, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

PALE = {BLUE: "#CFE6F5", ORANGE: "#FBE7BF", GREEN: "#CDEBE0"}
LOOKS = [("ordinary", BLUE), ("depthwise", ORANGE), ("pointwise", GREEN)]


def areas(kernel_size, in_channels, out_channels, bias=False):
    """SVG: all weights of a layer as areas, one column for each filter, to one scale; beside them the counts."""
    k, c, n = kernel_size, in_channels, out_channels
    shapes = [(n, k * k * c), (c, k * k), (n, c)]  # (filters, weights of each)
    counts = [filters * (weights + bias) for filters, weights in shapes]
    scale = min(290 / (k * k * c), 142 / max(n, c), 12)  # three columns beside the counts
    parts, x = [], 0
    for (name, colour), (filters, weights) in zip(LOOKS, shapes, strict=True):
        width, height = filters * scale, weights * scale
        parts.append(text(x, 14, name, weight="bold", fill=INK))
        parts.append(text(x, 33, f"{filters} × {weights:,}", size=14))
        parts.append(rectangle(x, 44, width, height, fill=PALE[colour], stroke=colour, stroke_width=2))
        x += max(width, 96) + 24
    x = 500
    ratio = counts[0] / (counts[1] + counts[2])
    rows = [
        (f"{k}·{k}·{c}·{n}{f' + {n}' if bias else ''}", f"{counts[0]:,}", BLUE),
        (f"{k}·{k}·{c}{f' + {c}' if bias else ''}", f"{counts[1]:,}", ORANGE),
        (f"+ {c}·{n}{f' + {n}' if bias else ''}", f"{counts[2]:,}", GREEN),
    ]
    parts.append(text(x, 14, "parameters", weight="bold"))
    for place, (formula, count, colour) in enumerate(rows):
        y = 62 + 42 * place
        parts.append(rectangle(x, y - 14, 16, 16, fill=PALE[colour], stroke=colour, stroke_width=2))
        parts += [text(x + 26, y, formula, size=16), text(900, y, count, size=18, anchor="end")]
    parts.append(text(x, 204, "ordinary / two stages", size=16))
    parts.append(
        text(
            900,
            204,
            f"{ratio:.2f} ×" if abs(ratio - 1) > 0.01 else f"{ratio:.3f} ×",
            size=24,
            anchor="end",
            weight="bold",
        )
    )
    told = "fewer weights in two stages" if ratio > 1 else "two stages need MORE weights here"
    parts.append(text(x, 236, told if abs(ratio - 1) > 1e-9 else "no difference", size=16))
    parts.append(text(x, 272, "For every output pixel, as many multiply-adds", size=14))
    parts.append(text(x, 290, "as there are weights (biases aside).", size=14))
    return document(900, 338, parts, f"Ordinary {counts[0]:,} parameters, two stages {counts[1] + counts[2]:,}")


def stages(image, between, result):
    """SVG: the maps of a small example as numbers: the input's channels, each filtered alone, then mixed."""
    parts, x = [], 0
    for title, maps, colour in (
        (f"input: {len(image)} channels", image, BLUE),
        ("stage 1: each channel alone", between, ORANGE),
        (f"stage 2: mixed, {len(result)} channels", result, GREEN),
    ):
        parts.append(text(x, 14, title, weight="bold"))
        for number, values in enumerate(maps):
            parts += _numbers(values, x, 28 + 124 * number, 36, PALE[colour])
        x += 300
    return document(860, 28 + 124 * max(len(image), len(result)), parts, "Numbers of the three maps")


def _numbers(values, x, y, size, fill):
    height, width = len(values), len(values[0])
    yield cells([(r, c) for r in range(height) for c in range(width)], x, y, size, fill=fill, stroke=INK)
    for row in range(height):
        for column in range(width):
            middle = x + (column + 0.5) * size
            yield text(middle, y + row * size + 24, f"{values[row][column]:g}", size=17, anchor="middle")


def wires(in_channels, out_channels, kernel_size):
    """SVG: which channels a layer connects: a square is a kernel, a thin line a single weight. Ordinary, two stages."""
    step, top, parts = 58, 42, []
    middle = (out_channels - in_channels) / 2

    def place(x, number, shift):
        return x, top + step * (number + max(shift, 0))

    reads = [place(10, c, middle) for c in range(in_channels)]
    writes = [place(310, n, -middle) for n in range(out_channels)]
    parts.append(text(0, 14, "ordinary: groups=1", weight="bold"))
    kernels_ = [(start, end) for start in reads for end in writes]
    parts += _wires(kernels_, BLUE, kernel_size)
    reads_two = [(x + 470, y) for x, y in reads]
    between = [(x + 210, y) for x, y in reads_two]
    mixed = [(x + 550, y) for x, y in writes]
    parts.append(text(470, 14, f"depthwise: groups={in_channels}", weight="bold"))
    parts.append(text(700, 14, "pointwise: 1×1", weight="bold"))
    parts += _wires([(start, end) for start in between for end in mixed], GREEN, 1)
    parts += _wires(list(zip(reads_two, between, strict=True)), ORANGE, kernel_size)
    for x, y in [*reads, *writes, *reads_two, *between, *mixed]:
        parts.append(rectangle(x - 10, y - 10, 20, 20, fill="white", stroke=INK, stroke_width=2))
    height = top + step * max(in_channels, out_channels)
    return document(900, height - 30, parts, "Which channels are connected")


def _wires(pairs, colour, kernel_size):
    for (x1, y1), (x2, y2) in pairs:
        yield line(x1, y1, x2, y2, stroke=colour, width=1.5 if kernel_size == 1 else 3)
    starts = sorted({start for start, _ in pairs})
    for (x1, y1), (x2, y2) in pairs if kernel_size > 1 else []:
        along = 0.4 + 0.32 * starts.index((x1, y1)) / len(starts)  # the kernels of one input below each other
        x, y = x1 + along * (x2 - x1) - 9, y1 + along * (y2 - y1) - 9
        yield grid(x, y, 18 / kernel_size, kernel_size, fill=PALE[colour], stroke=INK)


def kernels(tables):
    """SVG: kernels as coloured squares, a row for each output, a column for each input channel.

    tables: {title: weight (n, C, k, k)}. Blue is negative, white 0, orange positive.
    """
    parts = []
    low, high = torch.tensor([0.0, 0.45, 0.70]), torch.tensor([0.90, 0.62, 0.0])
    for place, (title, weight) in enumerate(tables.items()):
        left = 460 * place
        parts.append(text(left, 14, title, weight="bold"))
        strength = weight / weight.abs().amax(dim=(0, 2, 3), keepdim=True).clamp(min=1e-9)
        for row, filters in enumerate(strength):
            for column, kernel in enumerate(filters):
                value = kernel[..., None]
                colour = torch.where(value > 0, 1 - value * (1 - high), 1 + value * (1 - low))
                x, y = left + 66 * column, 26 + 60 * row
                parts += [picture(colour.permute(2, 0, 1), x, y, 54, 54), rectangle(x, y, 54, 54, stroke=INK)]
                parts.append(hatch((kernel < -0.15).nonzero().tolist(), x, y, 54 / len(kernel), stroke=INK))
    rows = max(len(weight) for weight in tables.values())
    parts.append(
        text(0, 44 + 60 * rows, "rows: outputs; columns: input channels; orange: positive; blue and hatched: negative")
    )
    return document(860, 52 + 60 * rows, parts, "; ".join(tables))


def bars(factors):
    """SVG: how many times less, a bar for each quantity."""
    parts, scale = [], 620 / max(10, *factors.values())
    for row, (name, factor) in enumerate(factors.items()):
        y, colour = 8 + 48 * row, ORANGE if name == "time" else BLUE
        parts.append(text(130, y + 23, name, anchor="end", size=17))
        parts.append(rectangle(142, y, factor * scale, 34, fill=PALE[colour], stroke=colour, stroke_width=2))
        parts.append(text(150 + factor * scale, y + 23, f"{factor:.1f} times less", weight="bold", size=16))
    return document(900, 14 + 48 * len(factors), parts, "Times less, for weights, multiply-adds and time")


def explore():
    """Kernel, channels and bias of one layer; its weights as areas, ordinary and in two stages."""

    def draw(kernel_size, in_channels, out_channels, bias):
        return areas(kernel_size, in_channels, out_channels, bias == "yes")

    controls = [
        slider("kernel_size", 1, 7, 3),
        slider("in_channels", 1, 128, 64),
        slider("out_channels", 1, 256, 128),
        choice("bias", ["no", "yes"]),
    ]
    frame(draw, controls, "3×3, 64 to 128 channels: 73,728 weights, or 8,768 in two stages, 8.41 times fewer.")


def _two_stages(k, c, n):
    return k * k * c + c * n


EXERCISES["twenty-times"] = Exercise(
    right=100,
    mistakes={
        "At this n the saving is still below 20: one more.": 99,
        "72 is right for 3×3 kernels and a saving of 8.": 72,
        "25 is what the saving comes near for many channels. How many output channels does a saving of 20 need?": 25,
        "20 is the saving. How many output channels does it need?": 20,
        "There it is above 20. Find the *first* n with a saving of at least 20.": 128,
    },
    hints=(
        "raise `n_try` in the cell above and read the saving.",
        "you want 1/n + 1/25 to be at most 1/20: what is 1/20 − 1/25?",
    ),
    insight="1/20 − 1/25 = 1/100. Thin layers save less: a 5×5 layer with 16 outputs saves 9.76 times, not 25.",
)
EXERCISES["two-stages"] = Exercise(
    right=_two_stages,
    cases=((3, 64, 128), (3, 3, 64), (5, 32, 64), (1, 64, 64), (7, 16, 1)),
    mistakes={
        "This is the ordinary layer. In the first stage each channel has *one* kernel.": lambda k, c, n: k * k * c * n,
        "The second stage is missing: it mixes the channels.": lambda k, c, n: k * k * c,
        "The first stage is missing: it looks at the neighbours.": lambda k, c, n: c * n,
        "The first stage has one kernel for each *input* channel.": lambda k, c, n: k * k * n + c * n,
        "The kernels of the second stage are 1×1.": lambda k, c, n: k * k * c + k * k * c * n,
        "A kernel is k wide *and* k high.": lambda k, c, n: k * c + c * n,
        "The second stage has a weight for each pair of channels: c *times* n.": lambda k, c, n: k * k * c + c + n,
        "No biases here: they are switched off.": lambda k, c, n: k * k * c + c + c * n + n,
    },
    hints=(
        "count stage 1 and stage 2 one by one, then add. What is the shape of each weight?",
        "stage 1: c kernels of k·k numbers. Stage 2: n filters; how many numbers does a 1×1 filter hold?",
    ),
    insight="k² and n add, where an ordinary layer multiplies them. That is the whole trick.",
)


def merge(depthwise, pointwise):
    """The weight (n, C, k, k) of the ordinary convolution that does the same as two stages: (C, k, k) and (n, C)."""
    return pointwise[:, :, None, None] * depthwise[None]


_generator = torch.Generator().manual_seed(0)
EXERCISES["merge"] = Exercise(
    right=merge,
    cases=tuple(
        (torch.randn(c, k, k, generator=_generator), torch.randn(n, c, generator=_generator))
        for c, k, n in ((2, 3, 3), (4, 3, 5), (3, 2, 1))
    ),
    mistakes={
        "Rows and columns of the table are exchanged: the shape is (n, C, k, k).": (
            lambda d, p: merge(d, p).transpose(0, 1).contiguous()
        ),
        "The channels are summed up: then stage 2 could not weigh them. Keep them apart.": (
            lambda d, p: torch.einsum("ckl,nc->nkl", d, p)
        ),
        "The two weights are added. One follows the other, so they multiply.": (
            lambda d, p: p[:, :, None, None] + d[None]
        ),
        "The depthwise kernels are turned upside down. Convolution in torch does not flip.": (
            lambda d, p: merge(d.flip(-1, -2), p)
        ),
        "The pointwise weights are missing: every filter is the same now.": (
            lambda d, p: d[None].expand(len(p), -1, -1, -1)
        ),
    },
    hints=(
        "filter number o sees channel number c through one kernel, times one weight. Which ones?",
        "give both tensors four axes, (n, C, k, k), with `None` for an axis that is missing. Torch then repeats it.",
    ),
    insight="Two stages are an ordinary convolution whose kernels repeat. Fewer weights, fewer possible layers.",
)
