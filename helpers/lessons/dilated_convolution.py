"""What 07_dilated_convolution shows: its pictures, its explorer, its exercises."""

from itertools import product

import torch
import torch.nn.functional as F
from ipywidgets import Play, jslink

from helpers.drawing.style import BLUE, INK, ORANGE, RED
from helpers.drawing.svg import cells, document, hatch, line, picture, rectangle, text
from helpers.explore import frame, slider
from helpers.practice import EXERCISES, Exercise


def taps(values, kernel_size, dilation, row, column, output):
    """SVG: a picture (H, W) as numbers with the taps of one output marked, beside the whole output.

    Taps that lie outside of the picture are dashed: then there is no output.
    """
    span = _span(kernel_size, dilation)
    across = max(len(values), span)
    size = min(40, 300 / across)
    read = {(row + dilation * y, column + dilation * x) for y in range(kernel_size) for x in range(kernel_size)}
    outside = [(y, x) for y, x in read if y >= len(values) or x >= len(values[0])]
    skipped = f"{dilation - 1} cell{'s' * (dilation != 2)} skipped between them"
    parts = [text(0, 14, f"{kernel_size * kernel_size} taps, {skipped}", weight="bold")]
    parts += _numbers(values, 0, 26, size, read, ORANGE)
    parts.append(cells(outside, 0, 26, size, stroke=RED, width=2, dash="4 3"))
    parts.append(rectangle(size * column, 26 + size * row, size * span, size * span, stroke=INK, stroke_width=3))
    x = max(size * (across + 2), 360)
    if output:
        parts.append(text(x, 14, f"output {len(output)}×{len(output[0])}", weight="bold"))
        parts += _numbers(output, x, 26, size, {(row, column)}, "#9CCBEA")
    else:
        parts.append(text(x, 14, "no output", weight="bold", fill=RED))
        parts.append(text(x, 44, f"The taps span {span} cells, the picture only {len(values)}."))
    return document(900, 36 + size * across, parts, f"A {kernel_size}×{kernel_size} kernel with dilation {dilation}")


def _numbers(values, x, y, size, marked, colour):
    places = [(r, c) for r in range(len(values)) for c in range(len(values[0]))]
    yield cells([place for place in places if place not in marked], x, y, size, fill="white", stroke="#999999")
    yield cells([place for place in places if place in marked], x, y, size, fill=colour, stroke=INK)
    height = max(0.38 * size, 8)
    for row, column in places:
        value, weight = values[row][column], "bold" if (row, column) in marked else "normal"
        middle = x + (column + 0.5) * size
        yield text(middle, y + (row + 0.64) * size, f"{value:g}", size=height, anchor="middle", weight=weight)


def two_ways(values, kernel, dilation):
    """SVG: the kernel with zeros in its holes, and every d-th pixel of the picture under the ordinary kernel."""
    taken, span = range(len(kernel)), _span(len(kernel), dilation)
    stuffed = [[0] * span for _ in range(span)]
    for row, column in product(taken, taken):
        stuffed[row * dilation][column * dilation] = kernel[row][column]
    picked = [line_[::dilation] for line_ in values[::dilation]]
    size = min(34, 240 / max(span, len(picked)))
    weights = {(row * dilation, column * dilation) for row, column in product(taken, taken)}
    parts = [text(0, 14, f"zeros: {span}×{span} numbers, {len(weights)} of them weights", weight="bold")]
    parts += _numbers(stuffed, 0, 26, size, weights, ORANGE)
    parts.append(text(450, 14, f"picking: rows and columns 0, {dilation}, {2 * dilation}, …", weight="bold"))
    parts += _numbers(picked, 450, 26, size, set(product(taken, taken)), "#FBE7BF")
    parts.append(rectangle(450, 26, len(kernel) * size, len(kernel) * size, stroke=INK, stroke_width=3))
    title = f"A kernel of {span}×{span} with zeros, and a picture of every pixel at steps of {dilation}"
    return document(900, 36 + size * max(span, len(picked), len(kernel)), parts, title)


def exchanged(coarse, finer, stride):
    """SVG: a map of numbers made with a stride, beside maps made without; framed: where the stride would have stopped.

    coarse: tensor (h, w). finer: {title: tensor (H, W)}. A framed number that is not the coarse one is on red.
    """
    rows, columns = coarse.shape
    height = max(len(values) for values in finer.values())
    size = min(31, 250 / height)
    parts = [text(0, 14, f"stride {stride}", weight="bold")]
    parts += _numbers(coarse.tolist(), 0, 26, size, set(product(range(rows), range(columns))), "#9CCBEA")
    for place, (title, values) in enumerate(finer.items()):
        x = 320 + 300 * place
        kept = [(row, column) for row in range(0, len(values), stride) for column in range(0, len(values[0]), stride)]
        wrong = [(y, x_) for y, x_ in kept if values[y, x_] != coarse[y // stride, x_ // stride]]
        parts.append(text(x, 14, f"{title}: {len(kept) - len(wrong)} of {len(kept)} kept", weight="bold"))
        parts += _numbers(values.tolist(), x, 26, size, set(kept) - set(wrong), "#9CCBEA")
        parts += [cells(wrong, x, 26, size, stroke=RED, width=2.5), hatch(wrong, x, 26, size, stroke=RED)]
    return document(900, 36 + size * height, parts, "The same weights with a stride, and with the stride taken out")


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
    """SVG: the receptive field of three 3×3 layers, white where no pixel is read; paths along one axis."""
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
    parts.append(text(350, 116, f"27 weights; paths to a pixel: at most {table.max():,}", size=16))
    parts.append(text(350, 170, "paths along one axis", weight="bold"))
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


def film():
    """One output after the other, for any dilation."""
    picture_ = torch.arange(64).reshape(8, 8) % 10
    kernel = torch.tensor([[1, 0, -1], [2, 0, -2], [1, 0, -1]])

    def draw(dilation, step):
        output = _dilated(picture_, kernel, dilation).int().tolist()
        row, column = divmod(min(step, len(output) ** 2) - 1, len(output))
        return taps(picture_.tolist(), 3, dilation, row, column, output)

    step = slider("step", 1, 36)
    play = Play(min=1, max=36, interval=500, layout={"margin": "2px"})
    jslink((play, "value"), (step, "value"))
    frame(draw, [slider("dilation", 1, 3, 2), step], "Dilation 2 on 8×8 pixels: sixteen outputs, nine taps each.", play)


def midwater(water):
    """A lake and a reservoir of `scenes.make(…, water_only=True)`: {title: (image, row, column)} of a pixel that is
    far from its bank, while the bank is in the picture."""
    found = {}
    for index, kind in enumerate(["lake", "reservoir"], start=1):
        best = (-1,)
        for number, (image, label) in enumerate(water):
            depth = torch.where(label == index, water.bank_distance(number), -1)
            depth[depth >= 30] = -1
            depth = F.pad(depth[10:-10, 10:-10], (10, 10, 10, 10), value=-1)
            if depth.max() > best[0]:
                best = (depth.max(), image, *divmod(depth.argmax().item(), depth.shape[1]))
        found[f"a {kind}"] = best[1:]
    return found


def waters(items):
    """SVG: pictures (3, H, W) in a row, each with a title and a small square marked in its middle."""
    step, parts = 900 / len(items), []
    for place, (title, (image, row, column)) in enumerate(items.items()):
        x, width = step * place, 340
        scale = width / image.shape[-1]
        parts.append(text(x, 14, title, weight="bold"))
        parts.append(picture(image, x, 26, width, width * image.shape[-2] / image.shape[-1]))
        box = [x + (column - 7) * scale, 26 + (row - 7) * scale, 15 * scale, 15 * scale]
        parts += [rectangle(*box, stroke="white", stroke_width=5), rectangle(*box, stroke=RED, stroke_width=2.5)]
    return document(900, 34 + max(340 * i.shape[-2] / i.shape[-1] for i, *_ in items.values()), parts, "Waters")


def cost_bars(costs):
    """SVG: a bar for each network, in giga-multiply-adds. costs: {name: G}."""
    parts, scale = [], 620 / max(costs.values())
    for place, (name, value) in enumerate(costs.items()):
        y = 8 + 46 * place
        parts.append(text(140, y + 22, name, anchor="end", size=17))
        parts.append(rectangle(152, y, value * scale, 32, fill="#CFE6F5", stroke=BLUE, stroke_width=2))
        parts.append(text(160 + value * scale, y + 22, f"{value:.2f} G", weight="bold", size=16))
    return document(900, 10 + 46 * len(costs), parts, "Multiply-adds of each network")


def _span(kernel_size, dilation):
    return dilation * (kernel_size - 1) + 1


EXERCISES["span"] = Exercise(
    right=_span,
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
    insight="3×3 at dilation 12 and 7×7 at dilation 4 both span 25: DeepLab v1 compared both.",
)
EXERCISES["third-rate"] = Exercise(
    right=7,
    mistakes={
        "8 leaves a hole already: one less.": 8,
        **{f"{rate} is safe, but not the largest. Go on.": rate for rate in range(1, 6)},
        "6 has no holes, but one larger rate has none either.": 6,
        "9 leaves holes: the paper on hybrid dilation uses it as its bad example.": 9,
    },
    hints=(
        "raise `last` in the cell above until the printed row shows a 0.",
        "how many cells do rates 1 and 2 fill without a gap? How far may three copies of them be apart?",
    ),
    insight="Layers 1 and 2 fill 7 cells, so the third may step by 7: three copies touch, without gap or overlap.",
)


def _dilated(image, kernel, dilation):
    """The obvious loop."""
    span = _span(len(kernel), dilation)
    height, width = image.shape[0] - span + 1, image.shape[1] - span + 1
    result = torch.zeros(height, width)
    for y in range(height):
        for x in range(width):
            result[y, x] = (image[y : y + span : dilation, x : x + span : dilation] * kernel).sum()
    return result


_generator = torch.Generator().manual_seed(0)


def _same_size(image, kernel, dilation, padding=None):
    padding = dilation * (len(kernel) - 1) // 2 if padding is None else padding
    return F.conv2d(image[None, None], kernel[None, None], padding=padding, dilation=dilation)[0, 0]


EXERCISES["dilate"] = Exercise(
    right=_same_size,
    cases=tuple(
        (
            torch.randint(0, 9, (h, w), generator=_generator).float(),
            torch.randint(-2, 3, (k, k), generator=_generator).float(),
            d,
        )
        for h, w, k, d in ((7, 7, 3, 2), (15, 14, 5, 3), (11, 12, 5, 2), (5, 5, 3, 1))
    ),
    tolerance=1e-4,
    mistakes={
        "Nothing is padded: the result is smaller than the picture.": lambda i, k, d: _same_size(i, k, d, 0),
        "One row of zeros is enough for dilation 1 only.": lambda i, k, d: _same_size(i, k, d, 1),
        "d rows of zeros are right for 3×3 kernels only.": lambda i, k, d: _same_size(i, k, d, d),
        "The dilation is ignored.": lambda i, k, d: _same_size(i, k, 1),
        "The kernel is turned upside down: torch does not flip it.": lambda i, k, d: _same_size(i, k.flip(0, 1), d),
        "One cell too many is skipped between two taps.": lambda i, k, d: _same_size(i, k, d + 1),
    },
    hints=(
        "how many zeros does the kernel need on each side, so that it can stop at every pixel?",
        "a slice has a third number: `image[a:b:d]` takes every d-th row from a on. Where must b be?",
    ),
    insight="So dilation is nothing but reading with a longer step. No zeros are stored in the kernel.",
)
