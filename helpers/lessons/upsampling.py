"""What 04_upsampling shows: its pictures, its explorer, its exercises."""

from itertools import product

import torch
import torch.nn.functional as F

from helpers.drawing.style import BLUE, GREEN, INK, ORANGE, RED
from helpers.drawing.svg import cells, document, line, picture, rectangle, text
from helpers.explore import frame, slider
from helpers.practice import EXERCISES, Exercise

PALE = {BLUE: "#CFE6F5", ORANGE: "#FBE7BF", GREEN: "#CDEBE0"}


def stamping(small, stamp, stride, big):
    """SVG: a small map, the stamp, and the map of the added stamps; frames mark where the first two stamps landed."""
    size = min(40, 330 / len(big))
    parts, x = [], 0
    for title, values, colour in (("input", small, BLUE), ("stamp", stamp, ORANGE), ("sum of the stamps", big, GREEN)):
        parts.append(text(x, 14, title, weight="bold"))
        parts += _numbers(values, x, 28, size, PALE[colour])
        if values is big:
            side = len(stamp) * size
            for place, look in enumerate(((BLUE, ""), (RED, "7 4"))):
                if place < len(small[0]):
                    left = x + place * stride * size
                    parts.append(rectangle(left, 28, side, side, stroke=look[0], stroke_width=3.5, dash=look[1]))
        x += max(len(values[0]) * size, 120) + 60
    return document(900, 40 + len(big) * size, parts, f"Stamps of {len(stamp)}×{len(stamp)} at stride {stride}, added")


def _numbers(values, x, y, size, fill):
    places = list(product(range(len(values)), range(len(values[0]))))
    yield cells(places, x, y, size, fill=fill, stroke=INK)
    for row, column in places:
        middle, base = x + (column + 0.5) * size, y + (row + 0.5) * size + size / 7
        yield text(middle, base, f"{values[row][column]:g}", size=size * 0.4, anchor="middle")


def way_back(sizes, outputs):
    """SVG: each input size above its output size; an arrow back leads to the smallest input of each output.

    sizes, outputs: the same length, both rising.
    """
    step, parts, homes = 900 / len(sizes), [], {}
    for place, output in enumerate(outputs):
        homes.setdefault(output, []).append(place)
    for output, places in homes.items():
        middle = step * (sum(places) / len(places) + 0.5)
        parts.append(text(middle, 214, output, size=20, anchor="middle", weight="bold"))
        for place in places:
            x, first = step * (place + 0.5), place == places[0]
            parts.append(line(x, 66, middle, 192, stroke=BLUE if first else RED, width=3, dash="" if first else "7 4"))
            parts.append(text(x, 52, sizes[place], size=20, anchor="middle", weight="bold"))
    parts.append(text(0, 18, "input sizes, above the output that they give", size=15))
    parts.append(text(0, 244, "Solid: where the way back leads by itself. Dashed: only with output_padding.", size=15))
    return document(900, 250, parts, "Several input sizes share one output size; the way back finds the smallest")


def overlap(inputs, kernel_size, stride, padding=0):
    """How many stamps meet at each output along one axis, int64 (outputs,); empty where nothing is left."""
    counts = torch.zeros(stride * (inputs - 1) + kernel_size, dtype=torch.long)
    for place in range(inputs):
        counts[stride * place : stride * place + kernel_size] += 1
    return counts[padding : len(counts) - padding] if 2 * padding < len(counts) else counts[:0]


def overlap_view(image, kernel_size, stride, padding):
    """SVG: how many stamps meet at each output of a 6×6 input; a photograph stamped up with equal weights."""
    counts = overlap(6, kernel_size, stride, padding)
    if not len(counts):
        return document(900, 330, [text(0, 40, "padding cuts everything off", weight="bold", fill=RED)], "No output")
    table = counts[:, None] * counts
    side, highest = 300, max(int(table.max()), 1)
    size = side / len(counts)
    parts = [text(0, 14, f"stamps at each of {len(counts)}×{len(counts)} outputs", weight="bold")]
    for value in table.unique().tolist():
        shade = 255 - round(175 * value / highest)
        places = (table == value).nonzero().tolist()
        parts.append(cells(places, 0, 26, size, fill=f"rgb({shade},{min(shade + 30, 255)},255)", stroke="#999999"))
        if size >= 13:
            for row, column in places:
                x, y = (column + 0.5) * size, 26 + (row + 0.65) * size
                parts.append(text(x, y, value, size=min(15, size * 0.6), anchor="middle"))
    inner = overlap(12 + kernel_size, kernel_size, stride)[kernel_size * stride : -kernel_size * stride]  # no border
    even = inner.unique().numel() == 1
    weight = torch.ones(3, 1, kernel_size, kernel_size) * stride**2 / kernel_size**2
    stamped = F.conv_transpose2d(image[None], weight, stride=stride, padding=padding, groups=3)[0].clamp(0, 1)
    parts.append(text(340, 14, "the cat's eye, stamped up with equal weights", weight="bold"))
    parts.append(picture(stamped, 340, 26, side, side))
    lowest, highest = inner.min().item() ** 2, inner.max().item() ** 2
    told = f"inside, each output gets {lowest} stamps" if even else f"inside, outputs get {lowest} to {highest} stamps"
    parts += [text(670, 60, "even" if even else "uneven", size=26, weight="bold", fill=INK if even else RED)]
    parts += [text(670, 90, told, size=14), text(670, 116, f"{kernel_size} / {stride} = {kernel_size / stride:.3g}")]
    if lowest == 0:
        parts.append(text(670, 146, "0: holes that nothing reaches", size=14, fill=RED))
    return document(900, 330, parts, f"Kernel {kernel_size}, stride {stride}: {told}")


def maps(items):
    """SVG: maps (H, W) side by side, each in greys from its smallest to its largest value."""
    step, parts = 900 / len(items), []
    for place, (title, values) in enumerate(items.items()):
        width = step - 30
        height = width * values.shape[0] / values.shape[1]
        span = (values.max() - values.min()).item()
        grey = (values - values.min()) / span if span > 1e-6 else torch.full_like(values, 0.6)
        x = step * place
        parts.append(text(x, 14, f"{title}: {values.shape[0]}×{values.shape[1]}", weight="bold"))
        parts.append(picture(grey.expand(3, -1, -1), x, 26, width, height))
        parts.append(rectangle(x, 26, width, height, stroke=INK))
    tallest = max((step - 30) * values.shape[0] / values.shape[1] for values in items.values())
    return document(900, 34 + tallest, parts, "; ".join(items))


def explore(image):
    """Kernel, stride and padding of a transposed convolution: where its stamps overlap, and what that does."""
    top, left = 96, 148  # the cat's right eye
    eye = F.avg_pool2d(image[None, :, top : top + 72, left : left + 72], 3)[0]
    controls = [slider("kernel", 1, 8, 3), slider("stride", 1, 4, 2), slider("padding", 0, 3, 0)]
    finding = "Kernel 3, stride 2: 1, 2 or 4 stamps meet at an output, and a grid lies over the eye."
    frame(lambda kernel, stride, padding: overlap_view(eye, kernel, stride, padding), controls, finding)


EXERCISES["even-kernels"] = Exercise(
    right={3, 6, 9},
    mistakes={
        "3 is missing: each stamp then touches its neighbour, and nothing overlaps. That is even too.": {6, 9},
        "Those are all odd sizes. With stride 3, what does size 5 do?": {1, 3, 5, 7, 9},
        "Those would be even for stride 2.": {2, 4, 6, 8},
        "6 is missing: every output gets 2 stamps.": {3, 9},
        "9 is missing: every output gets 3 stamps.": {3, 6},
        "1 is no stamp that covers everything: it leaves holes.": {1, 3, 6, 9},
    },
    hints=(
        "change `k_try` above, and look for a line whose inner numbers are all the same.",
        "an output is hit by every stamp that begins up to k − 1 pixels before it. When is that always the same?",
    ),
    insight="The kernel must be a multiple of the stride. Size 4 at stride 2 is why U-Net-like decoders love it.",
)


def _size(i, k, s, p):
    return s * (i - 1) + k - 2 * p


EXERCISES["up-size"] = Exercise(
    right=_size,
    cases=((4, 3, 2, 1), (4, 4, 2, 1), (5, 2, 2, 0), (7, 64, 32, 16), (3, 5, 1, 2), (1, 3, 2, 0)),
    mistakes={
        "This is the ordinary convolution. Here the stride makes the map larger.": (
            lambda i, k, s, p: (i + 2 * p - k) // s + 1
        ),
        "The padding is added. In a transposed convolution it is cut off.": lambda i, k, s, p: s * (i - 1) + k + 2 * p,
        "The last stamp begins at s·(i − 1), not at s·i.": lambda i, k, s, p: s * i + k - 2 * p,
        "Padding is cut off on both sides.": lambda i, k, s, p: s * (i - 1) + k - p,
        "A stamp is k wide: its last cell lies k − 1 behind its first, and the size counts both.": (
            lambda i, k, s, p: s * (i - 1) + k - 1 - 2 * p
        ),
        "i·s is right only when k = s + 2p.": lambda i, k, s, p: i * s,
    },
    hints=(
        "where does the last stamp begin, and where does it end?",
        "the first begins at 0; each next one s further on; the last is k wide. Then cut p off at both ends.",
    ),
    insight="With k = 2s and p = s/2 this is s·i, exactly s times as large: the usual choice for doubling.",
)


def _overlap(inputs, k, s):
    return overlap(inputs, k, s)


EXERCISES["overlap"] = Exercise(
    right=_overlap,
    cases=((3, 3, 2), (4, 4, 2), (3, 2, 3), (5, 5, 2), (2, 3, 1), (1, 4, 3)),
    mistakes={
        "The stride is forgotten: stamp number n begins at n·s.": lambda n, k, s: F.pad(
            overlap(n, k, 1), (0, (s - 1) * (n - 1))
        ),
        "Every stamp writes over the one before. Add them.": lambda n, k, s: overlap(n, k, s).clamp(max=1),
        "Each stamp is one cell too long.": lambda n, k, s: overlap(n, k + 1, s)[: s * (n - 1) + k],
        "Each stamp is one cell too short.": lambda n, k, s: F.pad(overlap(n, k - 1, s), (0, 1)),
        "The last stamp is missing.": lambda n, k, s: F.pad(
            overlap(n - 1, k, s) if n > 1 else torch.zeros(0, dtype=torch.long),
            (0, s * (n - 1) + k - (s * (n - 2) + k if n > 1 else 0)),
        ),
    },
    hints=(
        "begin with zeros of the output's size; go through the inputs; each adds 1 in a slice.",
        "input number n touches the k cells from n·s on.",
    ),
    insight="In two dimensions the counts multiply: 1 and 2 along each axis give 1, 2 and 4.",
)
