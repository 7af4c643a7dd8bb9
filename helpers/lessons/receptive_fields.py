"""What 02_receptive_fields shows: its pictures, its explorer, its exercises."""

import math

import torch
import torch.nn.functional as F

from helpers.drawing import compare_masks
from helpers.drawing.style import BLUE, INK, RED, rgb
from helpers.drawing.svg import document, line, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

LOOKS = [(BLUE, ""), (RED, "9 4"), ("#009E73", "3 3"), (INK, "14 4 3 4"), ("#CC79A7", ""), ("#B37700", "9 4")]
BEYOND = "#E4E4E4"  # where there is no picture
GLYPH = 0.6  # width of a letter, in font sizes


def boxes(image, spans, scale=1.3):
    """SVG: what single units see, as boxes over the photograph and beyond its border.

    spans: {name: ((first row, last row), (first column, last column))}, not clipped.
    """
    height, width = image.shape[1:]
    top = min(0, *(rows[0] for rows, _ in spans.values()))
    left = min(0, *(columns[0] for _, columns in spans.values()))
    bottom = max(height, *(rows[1] + 1 for rows, _ in spans.values()))
    right = max(width, *(columns[1] + 1 for _, columns in spans.values()))
    parts = [rectangle(0, 0, scale * (right - left), scale * (bottom - top), fill=BEYOND)]
    parts.append(picture(image, -left * scale, -top * scale, width * scale, height * scale, photo=True))
    legend = scale * (right - left) + 24
    for place, (name, (rows, columns)) in enumerate(spans.items()):
        colour, dash = LOOKS[place % len(LOOKS)]
        x, y = (columns[0] - left) * scale, (rows[0] - top) * scale
        box = [x, y, (columns[1] - columns[0] + 1) * scale, (rows[1] - rows[0] + 1) * scale]
        parts += [
            rectangle(*box, stroke="white", stroke_width=5),
            rectangle(*box, stroke=colour, stroke_width=3, dash=dash),
        ]
        at = 30 + 44 * place
        parts += [line(legend, at - 6, legend + 40, at - 6, stroke=colour, width=4, dash=dash)]
        parts += [text(legend + 52, at, f"{name}: {rows[1] - rows[0] + 1} px", size=18)]
    parts.append(text(legend, 30 + 44 * len(spans), f"photograph: {height}×{width} px", size=15))
    parts.append(rectangle(legend, 46 + 44 * len(spans), 16, 16, fill=BEYOND, stroke=INK))
    parts.append(text(legend + 24, 60 + 44 * len(spans), "no picture here", size=15))
    return document(
        legend + 240, scale * (bottom - top), parts, "; ".join(f"{n}: {c} by {r}" for n, (r, c) in spans.items())
    )


def cone(layers, seen, pixels, cell=54):
    """SVG: the units that one output unit depends on, row by row, from the output down to the picture.

    layers: [(kernel, stride)], first to last. seen: a list of units for each row, the output's first.
    """
    sizes, jumps, counts = [1], [1], [pixels]
    for kernel, stride in layers:
        sizes.append(sizes[-1] + (kernel - 1) * jumps[-1])
        jumps.append(jumps[-1] * stride)
        counts.append((counts[-1] - kernel) // stride + 1)
    names = [f"map {n}" for n in range(len(layers), 0, -1)] + ["picture"]

    def at(level, unit):
        return 110 + cell * (jumps[level] * unit + sizes[level] / 2)

    links, parts = [], []
    for row, (name, units) in enumerate(zip(names, seen, strict=True)):
        level, y = len(layers) - row, 20 + 92 * row
        parts.append(text(0, y + 5, name, size=16))
        for unit in range(counts[level]):
            fill, ink = (BLUE, "white") if unit in units else ("white", "#777777")
            parts.append(rectangle(at(level, unit) - 17, y - 17, 34, 34, fill=fill, stroke=INK))
            parts.append(text(at(level, unit), y + 6, unit, anchor="middle", fill=ink))
        if level:
            kernel, stride = layers[level - 1]
            parts.append(text(0, y + 51, f"{kernel} wide, step {stride}", size=13))
            ends = [(unit, stride * unit + tap) for unit in units for tap in range(kernel)]
            links += [line(at(level, a), y + 17, at(level - 1, b), y + 75, stroke="#888888") for a, b in ends]
    title = f"Output unit {seen[0][0]} sees pixels {min(seen[-1])} to {max(seen[-1])}"
    return document(110 + cell * pixels, 50 + 92 * len(layers), links + parts, title)


def tower(image, centre, stages):
    """SVG: the blocks of a network, and below each one the crop of the photograph that one of its units sees.

    stages: [(name, (C, H, W), size in pixels)]; centre: (row, column). Black: no picture there.
    """
    parts, step, thumb = [], 150, 136
    for place, (name, (channels, height, width), size) in enumerate(stages):
        x, tall = place * step, 16 + 0.45 * height
        parts.append(
            rectangle(x, 76 - tall, 14 + channels**0.5 * 1.6, tall, fill="#D6E8F5", stroke=BLUE, stroke_width=2)
        )
        parts.append(text(x, 98, name, weight="bold", size=17))
        parts.append(text(x, 118, f"{channels}×{height}×{width}", size=15))
        parts.append(picture(_crop(image, centre, size, thumb), x, 130, thumb, thumb))
        parts.append(rectangle(x, 130, thumb, thumb, stroke=INK))
        parts.append(text(x, 288, f"sees {size}×{size} px", size=15))
    named = ", ".join(f"{name} {size}" for name, _, size in stages)
    return document(step * len(stages), 294, parts, f"What one unit sees, in pixels: {named}")


def _crop(image, centre, size, most):
    """The size×size pixels around `centre`, zeros beyond the picture, made smaller if larger than `most`."""
    before, after = (size - 1) // 2, size // 2
    padded = F.pad(image, (before, after, before, after))
    crop = padded[:, centre[0] : centre[0] + size, centre[1] : centre[1] + size]
    return F.interpolate(crop[None], (most, most), mode="area")[0] if size > most else crop


def stack_view(image, sizes, jumps, weights):
    """SVG: the field of a stack of layers on the photograph, its weights, and the sum that gives its size.

    sizes, jumps: after 0, 1, 2, … layers. weights: of the pixels along one axis, sum 1.
    """
    height, width = image.shape[1:]
    size, scale = sizes[-1], 540 / width
    parts = [picture(image, 0, 0, 540, height * scale, photo=True)]
    wide, tall = min(size, width) * scale, min(size, height) * scale
    box = [270 - wide / 2, (height * scale - tall) / 2, wide, tall]
    parts += [rectangle(*box, stroke="white", stroke_width=5), rectangle(*box, stroke=RED, stroke_width=3, dash="9 4")]
    parts.append(text(570, 16, f"the box, enlarged: {size}×{size} px", size=16, weight="bold"))
    if size > height:
        parts.append(rectangle(150, height * scale - 32, 240, 28, fill="white"))
        parts.append(text(270, height * scale - 12, "larger than the photograph", anchor="middle", weight="bold"))
    along = F.adaptive_avg_pool1d(weights[None], min(size, 191))[0]
    along = along / along.max()
    crop, light = _middle(image, size, len(along)), torch.outer(along, along)
    parts += [picture(1 - light * (1 - crop), 570, 26, 190, 190), rectangle(570, 26, 190, 190, stroke=RED, dash="9 4")]
    parts.append(text(770, 60, "white:", size=14))
    parts += [
        text(770, 80, "no weight", size=14),
        text(770, 120, "full colour:", size=14),
        text(770, 140, "most weight", size=14),
    ]
    place = torch.arange(size)
    half = ((place + 1).clamp(max=3 * size / 4) - place.clamp(min=size / 4)).clamp(min=0)
    share = (weights * half).sum().item() ** 2
    if size > height:
        parts += [text(770, 180, "black:", size=14), text(770, 200, "no picture", size=14)]
    parts.append(text(570, 244, "weight along one row of it", size=16, weight="bold"))
    parts += _profile(along, 570, 254, 330, 76)
    parts.append(text(570, 350, f"middle half of each side: {share:.0%} of the weight", size=15))
    parts.append(text(570, 369, "(all pixels equal: 25%)", size=15))
    terms = [f"{(b - a) // jump}·{jump}" for a, b, jump in zip(sizes, sizes[1:], jumps, strict=False)]
    told = " + ".join(["size = 1", *terms]) + f" = {size} px"
    parts.append(text(0, 402, told, size=min(20, 900 / GLYPH / len(told)), weight="bold"))
    return document(900, 410, parts, f"{told}; the middle half of each side holds {share:.0%}")


def _middle(image, size, samples):
    """`samples`² of the size×size pixels around the middle of the image, zeros beyond its border."""
    places = torch.linspace(0, size - 1, samples).round().long() - (size - 1) // 2
    (rows, row_inside), (columns, column_inside) = (
        ((n // 2 + places).clamp(0, n - 1), (n // 2 + places >= 0) & (n // 2 + places < n)) for n in image.shape[1:]
    )
    return image[:, rows][:, :, columns] * torch.outer(row_inside, column_inside)


def _profile(heights, x, y, width, height):
    step = width / len(heights)
    steps = "".join(f"V{y + height * (1 - value):.4g}h{step:.4g}" for value in heights.tolist())
    return [
        rectangle(x, y, width, height, fill="#F2F2F2"),
        f'<path d="M{x:g} {y + height:g}{steps}V{y + height:g}Z" fill="{BLUE}"/>',
    ]


def tint(values, mask):
    """A map (H, W) as an image (3, H, W): grey, and blue where the mask (H, W) is True."""
    light = 0.5 + 0.5 * ((values - values.min()) / (values.max() - values.min()).clamp(min=1e-9))
    light = torch.where(values.max() > values.min(), light, torch.ones_like(values))
    blue = rgb(BLUE)[:, None, None]
    return torch.where(mask, light * blue, 0.45 + 0.5 * light)


def explore(image, recurrence, profile):
    """Build a stack of layers; its receptive field and its weights on the photograph.

    recurrence(layers) -> (size, stride, padding) and profile(layers) -> weights along one axis are the notebook's own;
    layers: [(kernel, stride, padding, dilation)].
    """

    def draw(depth, kernel, strides, dilations):
        twos = {"none": (), "early": range(2), "late": range(depth - 2, depth), "every": range(depth)}[strides]
        layers = [(kernel, 2 if n in twos else 1, 0, 2**n if dilations == "doubling" else 1) for n in range(depth)]
        grown = [recurrence(layers[:n]) for n in range(depth + 1)]
        return stack_view(image, [size for size, *_ in grown], [jump for _, jump, _ in grown], profile(layers))

    strides = choice("strides", ["none", "early", "late", "every"])
    controls = [
        slider("depth", 3, 6, 5),
        slider("kernel", 2, 7, 3),
        strides,
        choice("dilations", ["none", "doubling"]),
    ]
    strides.value = "early"
    frame(draw, controls, "Five 3×3 layers, two early strides: a field of 31 px, and most weight in its middle.")


NETS = (([(3, 1), (2, 2), (3, 1)],), ([(7, 2), (3, 2), (3, 1), (3, 1)],), ([(3, 2), (5, 3), (3, 2), (3, 1)],))


def _walk(layers, jump=lambda jump, stride: jump * stride, first=1):
    """1 + Σ (kernel − 1)·jump; `jump` says how the distance between units grows."""
    size, between = 1, first
    for kernel, stride in layers:
        size += (kernel - 1) * between
        between = jump(between, stride)
    return size


def _too_early(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        size += (kernel - 1) * jump
    return size


def _times_stride(layers):
    size = 1
    for kernel, stride in layers:
        size = size * stride + kernel - stride
    return size


def _whole_kernel(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size += kernel * jump
        jump *= stride
    return size


def _view(layers, units, pixels, taps=lambda kernel: kernel, dilated=True, late=False, filled=False, centred=False):
    """Walk back from each unit to the pixels; the flags make the typical mistakes."""
    result = torch.zeros(units, pixels, dtype=torch.bool)
    strides = [stride for _, stride, _ in layers]
    strides = [1, *strides[:-1]] if late else strides
    for unit in range(units):
        seen = {unit}
        for (kernel, _, dilation), stride in reversed([*zip(layers, strides, strict=True)]):
            step = dilation if dilated else 1
            start = -(kernel // 2) if centred else 0
            seen = {stride * place + step * (start + tap) for place in seen for tap in range(taps(kernel))}
        seen = range(min(seen), max(seen) + 1) if filled else seen
        result[unit, [pixel for pixel in seen if 0 <= pixel < pixels]] = True
    return result


EXERCISES["layers"] = Exercise(
    right=202,
    mistakes={
        "201 layers reach 403 pixels: one pixel is missing.": 201,
        "Each layer adds k − 1 = 2 pixels, not 1.": 403,
        "Each layer adds k − 1 = 2 pixels, not 1, and the first pixel is already there.": 404,
        "Each layer adds k − 1 = 2 pixels, not 3: neighbouring windows overlap.": 135,
        "405 is what the unit then sees. How many layers does that take?": 405,
    },
    hints=("n layers see 1 + 2n pixels.", "solve 1 + 2n ≥ 404, and round up."),
)
EXERCISES["jump"] = Exercise(
    right=_walk,
    cases=NETS,
    mistakes={
        "The strides are still added: two strides of 3 put neighbours 9 pixels apart, not 6.": (
            lambda layers: _walk(layers, lambda jump, stride: jump + stride)
        ),
        "The strides are still added, now from 0. They multiply.": (
            lambda layers: _walk(layers, lambda jump, stride: jump + stride - 1)
        ),
        "This is the distance between neighbours (`jump`). Return the size.": (
            lambda layers: math.prod(stride for _, stride in layers)
        ),
        "Only the stride of the layer before counts here. All strides before multiply.": (
            lambda layers: _walk(layers, lambda jump, stride: stride)
        ),
        "The stride acts one layer too early: it spreads the layers after it, not its own kernel.": _too_early,
        "This multiplies the field itself by the stride. A stride multiplies what later layers add.": _times_stride,
        "Each layer adds kernel − 1, not kernel: one of its taps was there before.": _whole_kernel,
    },
    hints=("one line is wrong: what happens to `jump` at a stride?", "`jump *= stride`, after the size has grown."),
)
EXERCISES["view"] = Exercise(
    right=_view,
    cases=(
        ([(3, 1, 1)], 4, 6),
        ([(3, 2, 1), (3, 1, 1)], 4, 13),
        ([(2, 2, 1), (2, 2, 1), (3, 1, 2)], 4, 32),
        ([(3, 2, 1), (3, 1, 3)], 6, 25),
    ),
    mistakes={
        "The dilation is ignored: tap t reads the unit `dilation · t` further on.": (
            lambda *case: _view(*case, dilated=False)
        ),
        "Each kernel has one tap too many: `range(kernel)` ends at kernel − 1.": (
            lambda *case: _view(*case, taps=lambda kernel: kernel + 1)
        ),
        "Each kernel has one tap too few.": lambda *case: _view(*case, taps=lambda kernel: kernel - 1),
        "The strides are shifted by one layer: walking back, a layer's own stride comes first.": (
            lambda *case: _view(*case, late=True)
        ),
        "These are the first and last pixels with all between: a dilated layer leaves holes.": (
            lambda *case: _view(*case, filled=True)
        ),
        "This walks forwards. Begin with the *last* layer: `reversed(net)`.": (
            lambda net, *sizes: _view(net[::-1], *sizes)
        ),
        "The stride is forgotten: unit u begins at stride · u.": (
            lambda net, *sizes: _view([(kernel, 1, dilation) for kernel, _, dilation in net], *sizes)
        ),
        "Without padding a kernel begins at stride · u; it is not centred there.": (
            lambda *case: _view(*case, centred=True)
        ),
        "Seen and unseen are exchanged.": lambda *case: ~_view(*case),
        "Rows and columns are exchanged: one row for each unit.": lambda *case: _view(*case).T.contiguous(),
    },
    hints=(
        "begin with the set `{unit}`, and walk through `reversed(net)`.",
        "unit u of a layer reads `stride * u + dilation * tap` for each tap in `range(kernel)`.",
    ),
    draw=compare_masks,
)
