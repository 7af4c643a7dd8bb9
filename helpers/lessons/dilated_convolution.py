"""What 07_dilated_convolution shows: its pictures, its explorer, its exercises."""

import torch

from helpers.drawing.style import BLUE, INK, ORANGE, RED
from helpers.drawing.svg import cells, document, line, picture, rectangle, text
from helpers.explore import frame, slider
from helpers.practice import EXERCISES, Exercise


def taps(values, kernel_size, dilation, row, column, output):
    """SVG: a picture (H, W) as numbers with the taps of one output marked, beside the whole output."""
    size, reach = 40, dilation * (kernel_size - 1) + 1
    read = {(row + dilation * y, column + dilation * x) for y in range(kernel_size) for x in range(kernel_size)}
    parts = [text(0, 14, f"{kernel_size * kernel_size} taps, {dilation - 1} cells skipped between them", weight="bold")]
    parts += _numbers(values, 0, 26, size, read, ORANGE)
    parts.append(rectangle(size * column, 26 + size * row, size * reach, size * reach, stroke=INK, stroke_width=3))
    x = size * (len(values[0]) + 2)
    parts.append(text(x, 14, f"output {len(output)}×{len(output[0])}", weight="bold"))
    parts += _numbers(output, x, 26, size, {(row, column)}, "#9CCBEA")
    return document(
        900, 36 + size * len(values), parts, f"A {kernel_size}×{kernel_size} kernel with dilation {dilation}"
    )


def _numbers(values, x, y, size, marked, colour):
    places = [(r, c) for r in range(len(values)) for c in range(len(values[0]))]
    yield cells([place for place in places if place not in marked], x, y, size, fill="white", stroke="#999999")
    yield cells([place for place in places if place in marked], x, y, size, fill=colour, stroke=INK)
    for row, column in places:
        value, weight = values[row][column], "bold" if (row, column) in marked else "normal"
        middle = x + (column + 0.5) * size
        yield text(middle, y + row * size + 26, f"{value:g}", size=15, anchor="middle", weight=weight)


def paths(rates):
    """In how many ways 3×3 layers with these dilations reach each offset along one axis, int64 (field,)."""
    counts = torch.ones(1, dtype=torch.long)
    for rate in rates:
        wider = torch.zeros(len(counts) + 2 * rate, dtype=torch.long)
        for tap in range(3):
            wider[tap * rate : tap * rate + len(counts)] += counts
        counts = wider
    return counts


def coverage(rates):
    """(pixels that reach the output, pixels of the receptive field), in the plane."""
    counts = paths(rates)
    return int((counts > 0).sum()) ** 2, len(counts) ** 2


def coverage_view(rates):
    """SVG: the receptive field of three 3×3 layers, white where no pixel is read; paths along one row."""
    counts = paths(rates)
    field, (seen, whole) = len(counts), coverage(rates)
    size = 300 / field
    table = counts[:, None] * counts
    levels = (table.float() / table.max()).sqrt()  # rare paths stay visible
    parts = [text(0, 14, f"receptive field: {field}×{field}", weight="bold")]
    shades = (levels * 6).ceil().long()
    for shade in range(7):
        places = (shades == shade).nonzero().tolist()
        blue = "white" if shade == 0 else f"rgb({230 - 36 * shade},{240 - 22 * shade},255)"
        parts.append(cells(places, 0, 26, size, fill=blue, stroke="#BBBBBB" if size > 8 else "none"))
    parts.append(rectangle(0, 26, 300, 300, stroke=INK))
    parts.append(text(350, 50, f"{seen:,} of {whole:,} pixels are read", size=20, weight="bold"))
    full = seen == whole
    told = "no holes" if full else f"{1 - seen / whole:.0%} of the field are holes"
    parts.append(text(350, 82, told, size=20, fill=INK if full else RED, weight="bold"))
    parts.append(text(350, 116, f"27 weights; {table.max():,} paths to one pixel at most", size=16))
    parts.append(text(350, 170, "paths to each pixel of one row", weight="bold"))
    step, highest = 540 / field, counts.max().item()
    for place, count in enumerate(counts.tolist()):
        height = 110 * count / highest
        parts.append(rectangle(350 + step * place, 296 - height, max(step - 1, 0.6), height, fill=BLUE))
        if step >= 16:
            parts.append(text(350 + step * (place + 0.5), 316, count, size=12, anchor="middle"))
    parts.append(line(350, 296, 890, 296))
    return document(900, 334, parts, f"Rates {rates}: {seen} of {whole} pixels are read")


def explore():
    """Three 3×3 layers: their dilations, what their field holds, and how often each pixel is read."""
    controls = [slider("rate_1", 1, 9, 2), slider("rate_2", 1, 9, 2), slider("rate_3", 1, 9, 2)]
    finding = "Rates 2, 2, 2: a field of 13×13, of which 49 pixels are read."
    frame(lambda rate_1, rate_2, rate_3: coverage_view([rate_1, rate_2, rate_3]), controls, finding)


def waters(items):
    """SVG: pictures (3, H, W) in a row, each with a title and a small square marked in its middle."""
    step, parts = 900 / len(items), []
    for place, (title, (image, row, column)) in enumerate(items.items()):
        x, width = step * place, step - 40
        scale = width / image.shape[-1]
        parts.append(text(x, 14, title, weight="bold"))
        parts.append(picture(image, x, 26, width, width * image.shape[-2] / image.shape[-1]))
        box = [x + (column - 7) * scale, 26 + (row - 7) * scale, 15 * scale, 15 * scale]
        parts += [rectangle(*box, stroke="white", stroke_width=5), rectangle(*box, stroke=RED, stroke_width=2.5)]
    return document(900, 34 + max((step - 40) * i.shape[-2] / i.shape[-1] for i, *_ in items.values()), parts, "Waters")


def cost_bars(costs):
    """SVG: a bar for each network, in giga-multiply-adds. costs: {name: G}."""
    parts, scale = [], 640 / max(costs.values())
    for place, (name, value) in enumerate(costs.items()):
        y = 8 + 46 * place
        parts.append(text(110, y + 22, name, anchor="end", size=17))
        parts.append(rectangle(122, y, value * scale, 32, fill="#CFE6F5", stroke=BLUE, stroke_width=2))
        parts.append(text(130 + value * scale, y + 22, f"{value:.2f} G", weight="bold", size=16))
    return document(900, 10 + 46 * len(costs), parts, "Multiply-adds of each network")


def _reach(kernel_size, dilation):
    return dilation * (kernel_size - 1) + 1


EXERCISES["reach"] = Exercise(
    right=_reach,
    cases=((3, 1), (3, 2), (3, 12), (7, 4), (1, 5), (4, 8)),
    mistakes={
        "dilation · kernel_size also counts the cells behind the last tap.": lambda k, d: k * d,
        "This puts `dilation` cells between two taps. It is one less: dilation 1 is the ordinary kernel.": (
            lambda k, d: k + (k - 1) * d
        ),
        "The taps are counted, not the cells they span.": lambda k, d: k,
        "The first tap is missing: add 1.": lambda k, d: d * (k - 1),
        "This is the padding that keeps the size (for odd kernels).": lambda k, d: d * (k - 1) // 2,
    },
    hints=(
        "draw a kernel of 3 with dilation 2 on a row of cells, and count the cells from its first to its last tap.",
        "there are k − 1 steps between k taps. How long is each?",
    ),
    insight="3×3 at dilation 12 and 7×7 at dilation 4 both span 25: DeepLab v1 compared just these.",
)
EXERCISES["third-rate"] = Exercise(
    right=7,
    mistakes={
        "8 leaves a hole already: one less.": 8,
        "4 is safe, but not the largest. Go on.": 4,
        "5 has no holes, but there are larger rates without.": 5,
        "3 has no holes, but there are larger rates without.": 3,
        "9 leaves holes: the paper on hybrid dilation uses it as its bad example.": 9,
    },
    hints=(
        "raise `last` in the cell above until the printed row shows a 0.",
        "rates 1 and 2 fill 7 cells without a gap. How far may three copies of them be apart?",
    ),
    insight="Layers 1 and 2 fill 7 cells, so the third may step by 7: each pixel is then read exactly along one path.",
)


def _dilated(image, kernel, dilation):
    """The obvious loop."""
    reach = _reach(len(kernel), dilation)
    height, width = image.shape[0] - reach + 1, image.shape[1] - reach + 1
    result = torch.zeros(height, width)
    for y in range(height):
        for x in range(width):
            result[y, x] = (image[y : y + reach : dilation, x : x + reach : dilation] * kernel).sum()
    return result


_generator = torch.Generator().manual_seed(0)
EXERCISES["dilate"] = Exercise(
    right=_dilated,
    cases=tuple(
        (
            torch.randint(0, 9, (h, w), generator=_generator).float(),
            torch.randint(-2, 3, (k, k), generator=_generator).float(),
            d,
        )
        for h, w, k, d in ((7, 7, 3, 2), (9, 8, 3, 3), (6, 7, 2, 4), (5, 5, 3, 1))
    ),
    tolerance=1e-4,
    mistakes={
        "The dilation is ignored.": lambda i, k, d: _dilated(i, k, 1),
        "The kernel is turned upside down: torch does not flip it.": lambda i, k, d: _dilated(i, k.flip(0, 1), d),
        "One cell too many is skipped between two taps.": lambda i, k, d: _dilated(i, k, d + 1),
        "Rows and columns are exchanged.": lambda i, k, d: _dilated(i.T, k, d).T.contiguous(),
    },
    hints=(
        "the first output reads rows 0, d, 2d, … and the same columns; the next one starts one pixel further on.",
        "a slice has a third number: `image[a:b:d]` takes every d-th row from a on. Where must b be?",
    ),
    insight="So dilation is nothing but reading with a longer step. No zeros are stored, none are multiplied.",
)
