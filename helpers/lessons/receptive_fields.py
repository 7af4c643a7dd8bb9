"""What 02_receptive_fields shows: its pictures, its explorer, its exercises."""

import base64
import io
from functools import partial, reduce

import torch
import torch.nn.functional as F
from PIL import Image

from helpers.drawing import compare_masks, heat, panels
from helpers.drawing.style import BLUE, GREEN, INK, PINK, RED, rgb
from helpers.drawing.svg import document, line, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

LOOKS = [(BLUE, ""), (RED, "9 4"), (GREEN, "3 3"), (INK, "14 4 3 4"), (PINK, ""), ("#B37700", "9 4")]
BEYOND = "#E4E4E4"  # where there is no picture
EYE = (113, 172)  # row and column of the cat's eye
LEFT, CELL = 110, 54  # of the cone, and of the bars below it


def boxes(image, fields, place):
    """(SVG, finding): what the units nearest to `place` see; fields: {name: ReceptiveField of its map}."""
    spans = {}
    for name, field in fields.items():
        axes = zip(place, field.size, field.stride, field.padding, strict=True)
        spans[name] = field.span(*(max(0, round((at - (n - 1) / 2 + p) / s)) for at, n, s, p in axes))
    (height, width), (rows, columns) = image.shape[1:], zip(*spans.values(), strict=True)
    top, bottom = min(0, *(first for first, _ in rows)), max(height, *(last + 1 for _, last in rows))
    left, right = min(0, *(first for first, _ in columns)), max(width, *(last + 1 for _, last in columns))
    scale = min(600 / (right - left), 450 / (bottom - top))
    legend, end = scale * (right - left) + 24, scale * (bottom - top)
    parts = [rectangle(0, 0, legend - 24, end, fill=BEYOND)]
    parts.append(picture(image, -left * scale, -top * scale, width * scale, height * scale, photo=True))
    for number, (name, ends) in enumerate(spans.items()):
        colour, dash = LOOKS[number % len(LOOKS)]
        tall, wide = (last - first + 1 for first, last in ends)
        box = [scale * side for side in (ends[1][0] - left, ends[0][0] - top, wide, tall)]
        parts.append(rectangle(*box, stroke="white", stroke_width=5))
        parts.append(rectangle(*box, stroke=colour, stroke_width=3, dash=dash))
        at = 24 + 42 * number
        parts.append(line(legend, at - 6, legend + 40, at - 6, stroke=colour, width=4, dash=dash))
        parts.append(text(legend + 52, at, f"{name}: {tall} px", size=18))
    parts.append(text(legend, 300, f"photograph: {height}×{width} px", size=16))
    parts.append(text(legend, 324, "grey: no picture there", size=16))
    (top, bottom), (left, right) = rows[-1], columns[-1]
    finding = f"The boxes grow from map to map; {name} sees rows {top} to {bottom} of 0 to {height - 1}, "
    finding += f"and columns {left} to {right} of 0 to {width - 1}."
    return document(legend + 250, end, parts, finding), finding


def cone(layers, seen):
    """(SVG, finding): what one unit depends on. layers: [(k, s)]; seen: the units of each map, the last map's first."""
    grown, counts = growth([(k, s, 0, 1) for k, s in layers]), [seen[-1][-1] + 3]
    for k, s in layers:
        counts.append((counts[-1] - k) // s + 1)
    names = [f"map {n}" for n in range(len(layers), 0, -1)] + ["pixels"]

    def at(level, unit):
        size, effective_stride = grown[level]
        return LEFT + CELL * (effective_stride * unit + size / 2)

    links, parts = [], []
    for row, (name, units) in enumerate(zip(names, seen, strict=True)):
        level, y = len(layers) - row, 20 + 92 * row
        parts.append(text(0, y + 5, name, size=16))
        for unit in range(counts[level]):
            fill, ink = (BLUE, "white") if unit in units else ("white", "#777777")
            parts.append(rectangle(at(level, unit) - 17, y - 17, 34, 34, fill=fill, stroke=INK))
            parts.append(text(at(level, unit), y + 6, unit, anchor="middle", fill=ink))
        if level:
            k, s = layers[level - 1]
            parts.append(text(0, y + 51, f"k = {k}, s = {s}", size=15))
            ends = [(unit, s * unit + tap) for unit in units for tap in range(k)]
            links += [line(at(level, a), y + 17, at(level - 1, b), y + 75, stroke="#888888") for a, b in ends]
    last = seen[-1]
    finding = f"Unit {seen[0][0]} of {names[0]} sees {len(last)} pixels: the first is {last[0]}, the last {last[-1]}."
    return document(LEFT + CELL * counts[0], 46 + 92 * len(layers), links + parts, finding), finding


def pokes(changes, unit):
    """(SVG, finding): one bar for each pixel: how far the unit moved when it was poked."""
    tall, parts = 80 / max(1, *changes), [text(0, 60, f"unit {unit}", size=16), text(0, 80, "moves by", size=16)]
    for pixel, change in enumerate(changes):
        x, height = LEFT + CELL * pixel, change * tall
        parts.append(rectangle(x + 10, 110 - height, 34, height, fill=BLUE))
        parts.append(text(x + 27, 104 - height, change, anchor="middle", size=16, weight="bold"))
        parts.append(text(x + 27, 130, pixel, anchor="middle", fill="#555555"))
    parts += [text(0, 130, "pixel", size=16), line(LEFT, 110, LEFT + CELL * len(changes), 110)]
    moving = [change for change in changes if change]
    finding = f"{len(moving)} pixels move unit {unit}, the weakest by {min(moving)}, the strongest by {max(moving)}."
    return document(LEFT + CELL * len(changes), 136, parts, finding), finding


def used(before, after, field, unit):
    """(Figure, finding): influence (H, W) on the unit (unit, unit), cut to its field, with the share of its middle."""
    (top, bottom), (left, right) = field.span(unit)
    inside, quarter, maps = _inside(field.size[0]), field.size[0] / 4, {}
    for name, values in {"before training": before, "after training": after}.items():
        values = values[top : bottom + 1, left : right + 1].double()
        maps[f"{name}: {inside @ values @ inside / values.sum():.0%}"] = values
    finding = f"Share of the influence that lies in the middle quarter (dashed) of the field – {', '.join(maps)}."
    return heat(maps, corner=(top, left), box=(top + quarter, bottom + 1 - quarter)), finding


def noticed(covered, masks):
    """(Figure, finding): where on the photograph the units (H, W) of each map lie that notice the cover."""
    blue, pictures = (0.35 + 0.65 * rgb(BLUE)[:, None, None]) * (0.4 + 0.6 * covered.mean(0)), {}
    for name, mask in masks.items():
        large = F.interpolate(mask[None, None].double(), covered.shape[1:])[0, 0] > 0
        pictures[f"{name}: {mask.double().mean():.0%}"] = torch.where(large, blue, covered)
    return panels(pictures), f"Blue units notice the covered eye – {', '.join(pictures)} of the map."


def growth(layers):
    """[(size, effective stride)] after 0, 1, 2, … of the layers (kernel_size, stride, padding, dilation)."""
    grown = [(1, 1)]
    for k, s, _, d in layers:
        size, effective_stride = grown[-1]
        grown.append((size + d * (k - 1) * effective_stride, effective_stride * s))
    return grown


def profile(layers):
    """Share of each pixel along one axis of the field, if all weights of a kernel are equal; their sum is 1."""
    weights = torch.ones(1, 1, 1, dtype=torch.double)
    for k, s, _, d in reversed(layers):
        taps = torch.full((1, 1, k), 1 / k, dtype=torch.double)
        weights = F.conv_transpose1d(weights, taps, stride=s, dilation=d)
    return weights[0, 0]


def _inside(n):
    """How much of each of n pixels lies in the middle half of their row: 0 … 1."""
    places = torch.arange(n, dtype=torch.double)
    return ((places + 1).clamp(max=0.75 * n) - places.clamp(min=0.25 * n)).clamp(min=0)


def share(layers):
    """Share of the weight in the middle quarter of the field: half of its height, half of its width."""
    along = profile(layers)
    return (along @ _inside(len(along))).item() ** 2


def plan(layers, kernel_size, strides, dilations):
    """The layers that the explorer's controls stand for, as (kernel_size, stride, padding, dilation)."""
    twos = {"none": [], "early": range(2), "late": range(layers - 2, layers), "every": range(layers)}[strides]
    return [(kernel_size, 2 if n in twos else 1, 0, 2**n if dilations == "doubling" else 1) for n in range(layers)]


def view(photo, shape, layers):
    """SVG: the field of the layers on the photograph (SVG; shape: (height, width)), its weights, its size as a sum."""
    (height, width), grown = shape, growth(layers)
    size, tall = grown[-1][0], 540 * height / width
    top, left = (at - (size - 1) / 2 for at in EYE)
    box = rectangle(left, top, size, size, stroke="white", stroke_width=5)
    box += rectangle(left, top, size, size, stroke=RED, stroke_width=3, dash="9 4")
    whole = f'<svg width="540" height="{tall:g}" viewBox="0 0 {width} {height}">'
    parts = [whole, f'<g id="photograph">{photo}</g>{box}</svg>']
    if size > height:
        label = text(270, tall - 12, "larger than the photograph", anchor="middle", weight="bold")
        parts += [rectangle(150, tall - 32, 240, 28, fill="white"), label]
    parts.append(text(570, 16, f"the box, enlarged: {size}×{size} px", size=16, weight="bold"))
    zoom = f'<svg x="570" y="26" width="190" height="190" viewBox="{left:g} {top:g} {size} {size}">'
    parts += [rectangle(570, 26, 190, 190, fill=BEYOND), zoom, '<use href="#photograph"/></svg>']
    along = F.adaptive_avg_pool1d(profile(layers)[None], min(size, 95))[0]
    along = along / along.max()
    parts += [_veil(torch.outer(along, along)), rectangle(570, 26, 190, 190, stroke=INK)]
    notes = ["white:", "no weight", "", "full colour:", "most weight", "", "grey:", "no picture"]
    parts += [text(770, 44 + 22 * row, note) for row, note in enumerate(notes[: 8 if size > height else 5])]
    parts.append(text(570, 244, "weight along one row of it", size=16, weight="bold"))
    steps = "".join(f"V{330 - 76 * value:.4g}h{330 / len(along):.4g}" for value in along.tolist())
    parts.append(rectangle(570, 254, 330, 76, fill="#F2F2F2"))
    parts.append(f'<path d="M570 330{steps}V330Z" fill="{BLUE}"/>')
    heavy = f"the middle quarter holds {share(layers):.0%} of the weight"
    parts += [text(570, 352, heavy), text(570, 372, "(if all pixels weighed the same: 25%)")]
    terms = [f"{d * (k - 1)}·{stride}" for (k, _, _, d), (_, stride) in zip(layers, grown, strict=False)]
    told = " + ".join(["size = 1", *terms]) + f" = {size} px"
    parts.append(text(0, 402, told, size=min(20, 1500 / len(told)), weight="bold"))
    return document(900, 410, parts, f"{told}; {heavy}")


def _veil(weights):
    """Over the enlarged box: white where a weight is 0, clear where it is 1."""
    alpha, buffer = (255 * (1 - weights)).round().byte(), io.BytesIO()
    pixels = torch.stack([torch.full_like(alpha, 255), alpha], dim=-1).numpy()
    Image.fromarray(pixels).save(buffer, format="png", compress_level=1)
    data = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return f'<image x="570" y="26" width="190" height="190" style="image-rendering:pixelated" href="{data}"/>'


def explore(image):
    """Build a stack of layers; its receptive field and its weights on the photograph."""
    photo = picture(image, 0, 0, image.shape[2], image.shape[1], photo=True)  # encoded once
    controls = [slider("layers", 3, 6, 5), slider("kernel_size", 2, 7, 3)]
    controls += [choice("strides", ["none", "early", "late", "every"]), choice("dilations", ["none", "doubling"])]
    controls[2].value, start = "early", plan(5, 3, "early", "none")
    finding = f"Five 3×3 layers, two early strides: a field of {growth(start)[-1][0]} pixels, "
    finding += f"and {share(start):.0%} of the weight in its middle quarter."
    frame(lambda **chosen: view(photo, image.shape[1:], plan(**chosen)), controls, finding)


def _size(net, add=lambda k, s, step: (k - 1) * step, grow=lambda step, s: step * s):
    """Size of the field of [(kernel_size, stride)]; `add` and `grow` make the typical mistakes."""
    size, step = 1, 1
    for k, s in net:
        size, step = size + add(k, s, step), grow(step, s)
    return size


def _mask(net, units, pixels, reads=lambda s, d, unit, tap: s * unit + d * tap, filled=False, more=0):
    """Walk back from each unit to its pixels; `reads`, `filled` and `more` taps make the typical mistakes."""
    result = torch.zeros(units, pixels, dtype=torch.bool)
    for unit in range(units):
        seen = {unit}
        for k, s, d in reversed(net):
            seen = {reads(s, d, place, tap) for place in seen for tap in range(k + more)}
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
    hints=("n layers see 1 + 2n pixels.", "for which n is 1 + 2n at least 404?"),
    insight="fc6 of VGG-16 sees 404 pixels after 14 convolutions: the five strides on the way save 188 layers.",
)
EXERCISES["stride"] = Exercise(
    right=_size,
    cases=(([(3, 1), (2, 2), (3, 1)],), ([(7, 2), (3, 2), (3, 1), (3, 1)],), ([(3, 2), (5, 3), (3, 2), (3, 1)],)),
    mistakes={
        "The strides are still added: 2 and 3 put neighbours 6 pixels apart.": partial(_size, grow=lambda e, s: e + s),
        "The strides are still added, now from 0. They multiply.": partial(_size, grow=lambda e, s: e + s - 1),
        "This is the effective stride. Return the size.": lambda net: reduce(lambda e, layer: e * layer[1], net, 1),
        "Only the stride of the layer before counts. All before multiply.": partial(_size, grow=lambda e, s: s),
        "The stride acts one layer too early: it spreads the layers after it, not its own kernel.": (
            partial(_size, add=lambda k, s, e: (k - 1) * e * s)
        ),
        "This multiplies the field itself by the stride. A stride multiplies what later layers add.": (
            lambda net: reduce(lambda size, layer: layer[1] * (size - 1) + layer[0], net, 1)
        ),
        "Each layer adds k − 1, not k: one tap was there before.": partial(_size, add=lambda k, s, e: k * e),
    },
    hints=(
        "which of the two lines in the loop disagrees with `recurrence`?",
        "neighbours of neighbours: 2 times 3 is 6.",
    ),
    insight="A stride never touches the field that is there: it only stretches what later layers add.",
)
EXERCISES["mask"] = Exercise(
    right=_mask,
    cases=(([(3, 1, 1)], 4, 6), ([(3, 2, 1), (2, 1, 1)], 4, 13), ([(3, 2, 1), (3, 1, 3)], 6, 25)),
    mistakes={
        "Dilation is ignored: tap t reads `d * t` further on.": partial(_mask, reads=lambda s, d, u, t: s * u + t),
        "The stride is forgotten: unit u begins at `s * u`.": partial(_mask, reads=lambda s, d, u, t: u + d * t),
        "Without padding a kernel begins at `s * u`; it is not centred there.": (
            partial(_mask, reads=lambda s, d, u, t: s * u + d * (t - 1))
        ),
        "Each kernel has one tap too many: `range(k)` ends at k − 1.": partial(_mask, more=1),
        "Each kernel has one tap too few: `range(k)` has k taps.": partial(_mask, more=-1),
        "These are the first and last pixels with all between: dilation leaves holes.": partial(_mask, filled=True),
        "This walks forwards. Begin with the last layer.": lambda net, *sizes: _mask(net[::-1], *sizes),
        "Seen and unseen are exchanged.": lambda *case: ~_mask(*case),
        "Rows and columns are exchanged: one row for each unit.": lambda *case: _mask(*case).T.contiguous(),
    },
    hints=(
        "begin with the set `{unit}`, and go through the layers from the last to the first.",
        "as in *By hand*, where a tap reads `s * u + tap`; how much further does a dilated tap reach?",
    ),
    draw=compare_masks,
    insight="The holes are real: a stride followed by a dilated layer leaves pixels that no tap of this unit reads.",
)
