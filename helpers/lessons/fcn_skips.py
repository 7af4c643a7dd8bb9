"""What 05_fcn_skips shows: its pictures, its explorer, its exercises."""

import torch
import torch.nn.functional as F

from helpers import scores
from helpers.drawing import colours, mark_errors
from helpers.drawing.style import BLUE, GREEN, INK, ORANGE
from helpers.drawing.svg import cells, document, grid, line, picture, rectangle, text
from helpers.explore import frame, slider
from helpers.practice import EXERCISES, Exercise

LOOKS = [(BLUE, "#CFE6F5"), (ORANGE, "#FBE7BF"), (GREEN, "#CDEBE0")]


def addition(parts_of_sum):
    """SVG: small maps of numbers in a row, with + and = between them. parts_of_sum: {title: values (2-D list)}."""
    size, x, parts = 58, 0, []
    for place, (title, values) in enumerate(parts_of_sum.items()):
        last = place == len(parts_of_sum) - 1
        if place:
            parts.append(text(x - 42, 96, "=" if last else "+", size=32, weight="bold"))
        parts.append(text(x, 16, title, weight="bold"))
        places = [(r, c) for r in range(len(values)) for c in range(len(values[0]))]
        parts.append(cells(places, x, 30, size, fill=LOOKS[2 if last else place % 2][1], stroke=INK))
        for row, column in places:
            middle = x + (column + 0.5) * size
            parts.append(text(middle, 66 + row * size, f"{values[row][column]:g}", size=20, anchor="middle"))
        x += max(size * len(values[0]), 150) + 70
    return document(900, 40 + size * 2, parts, "; ".join(parts_of_sum))


def score_maps(items):
    """SVG: pictures (3, H, W) and maps of scores (H, W) in a row; orange: for the class, blue: against it, white: 0."""
    step, parts = 900 / len(items), []
    high, low = torch.tensor([0.90, 0.62, 0.0]), torch.tensor([0.0, 0.45, 0.70])
    for place, (title, values) in enumerate(items.items()):
        scores_of = values if values.ndim == 2 else None
        if scores_of is not None:
            strength = (values / values.abs().max().clamp(min=1e-9))[..., None]
            values = torch.where(strength > 0, 1 - strength * (1 - high), 1 + strength * (1 - low)).permute(2, 0, 1)
        x, width = step * place, step - 24
        height = width * values.shape[1] / values.shape[2]
        parts += [text(x, 16, title, weight="bold"), picture(values, x, 28, width, height)]
        parts.append(rectangle(x, 28, width, height, stroke=INK))
        if scores_of is not None:
            side = scores_of.shape[1]
            for value, at in ((scores_of.max(), scores_of.argmax()), (scores_of.min(), scores_of.argmin())):
                left = x + width * min(max((at % side + 0.5).item() / side, 0.17), 0.83)
                top = 28 + height * min(max((at // side + 0.5).item() / side, 0.08), 0.92)
                parts.append(text(left, top + 5, f"{value:+.1f}", size=14, anchor="middle", weight="bold"))
    legend = "orange: for the class; blue: against it; white: 0. Each map has its own scale: the two numbers"
    parts.append(text(0, 52 + height, legend, size=14))
    return document(900, 58 + height, parts, "; ".join(items))


def class_bars(table, names):
    """SVG: for each class one bar for each network. table: {network: [IoU of each class]}."""
    parts, wide = [], 860 / len(names)
    for place, network in enumerate(table):
        x = 160 * place
        parts.append(rectangle(x, 0, 18, 18, fill=LOOKS[place][1], stroke=LOOKS[place][0], stroke_width=2))
        parts.append(text(x + 26, 15, network))
    for column, name in enumerate(names):
        x = column * wide
        for place, values in enumerate(table.values()):
            value, left = max(values[column], 0.0), x + 34 * place
            top = 230 - 190 * value
            fill, stroke = LOOKS[place][1], LOOKS[place][0]
            parts.append(rectangle(left, top, 28, 190 * value, fill=fill, stroke=stroke, stroke_width=2))
            parts.append(text(left + 14, top - 5, f"{value:.2f}".removeprefix("0"), size=12, anchor="middle"))
        parts.append(text(x, 252, name, size=15))
    return document(900, 262, parts, f"IoU of each class for {', '.join(table)}")


def value_bars(values):
    """SVG: a bar for each value in percent, with its number. values: {name: 0…100}."""
    parts = []
    for place, (name, value) in enumerate(values.items()):
        y = 6 + 40 * place
        fill, stroke = LOOKS[0 if "paper" in name else 1][1], LOOKS[0 if "paper" in name else 1][0]
        parts.append(text(170, y + 20, name, anchor="end", size=16))
        parts.append(rectangle(182, y, 6.4 * value, 28, fill=fill, stroke=stroke, stroke_width=2))
        parts.append(text(192 + 6.4 * value, y + 20, f"{value:.1f}", weight="bold"))
    return document(900, 8 + 40 * len(values), parts, "Mean IoU in percent")


def map_shapes(net, images):
    """{name: (C, H, W)} of the maps that an FCN-8s scores: pool3, pool4 and the deepest one."""
    x, maps = images, []
    for stage in net.stages:
        x = stage(x)
        maps.append(tuple(x.shape[1:]))
    return {"pool3": maps[2], "pool4": maps[3], "deep": tuple(net.classifier(x).shape[1:])}


def paper_figure(shapes):
    """SVG: FCN-8s as a row of maps, cells to scale, and the way back: scores, ×2, plus. `shapes`: of `map_shapes`."""
    side, parts = 150, []
    for place, (name, (channels, height, _)) in enumerate(shapes.items()):
        x, fill = 250 + 240 * place, LOOKS[place][1]
        parts.append(text(x, 16, f"{name}: {channels}×{height}×{height}", weight="bold"))
        parts.append(grid(x, 28, side / height, height, fill=fill, stroke=LOOKS[place][0]))
        parts.append(arrow(x + side / 2, 182, x + side / 2, 222))
        parts.append(text(x + side / 2 + 10, 207, "1×1 layer", size=14))
        sign = "21 scores" if name == "deep" else "+"
        parts.append(text(x + side / 2, 250, sign, size=26 if sign == "+" else 17, weight="bold", anchor="middle"))
        if name != "deep":
            start = x + (262 if name == "pool4" else 300)
            parts += [arrow(start, 243, x + 90, 243), text(x + 178, 233, "×2", anchor="middle")]
    parts.append(text(0, 16, "picture: 3×512×512", weight="bold"))
    parts.append(rectangle(0, 28, side, side, fill="#F2F2F2", stroke=INK))
    parts += [arrow(310, 243, 178, 243), text(240, 233, "×8", anchor="middle")]
    parts.append(text(0, 250, "21 scores a pixel", size=17, weight="bold"))
    for start, end in [(side + 8, 242), (408, 482), (648, 722)]:
        parts.append(arrow(start, 103, end, 103))
    return document(900, 262, parts, "FCN-8s with the sizes of its maps")


def arrow(x1, y1, x2, y2):
    """A straight arrow along one axis."""
    dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
    barbs = [line(x2, y2, x2 - 8 * dx + 5 * turn * dy, y2 - 8 * dy + 5 * turn * dx) for turn in (-1, 1)]
    return line(x1, y1, x2, y2) + "".join(barbs)


def mixed(maps, weights):
    """The class of each pixel, int64 (H, W), of the weighted sum of score maps (classes, H, W)."""
    return sum(weight * scores_of for weight, scores_of in zip(weights, maps, strict=True)).argmax(0)


def mix_view(image, label, maps, names, weights):
    """SVG: the picture, what the mixed scores predict, and its errors; the mean IoU of this picture."""
    prediction = mixed(maps, weights)
    value = scores.mean_iou(scores.confusion_matrix(prediction, label, len(names)))
    drawn = torch.from_numpy(colours(prediction.numpy(), names)).permute(2, 0, 1).float()
    parts = []
    views = {"the scene": image, "prediction": drawn, "errors": mark_errors(image, label, prediction)}
    for place, (title, view) in enumerate(views.items()):
        parts += [text(300 * place, 16, title, weight="bold"), picture(view, 300 * place, 26, 284, 284)]
    for place, name in enumerate(names):
        x, r, g, b = 118 * place, *(int(255 * level) for level in colours(torch.tensor([[place]]).numpy(), names)[0, 0])
        parts.append(rectangle(x, 322, 18, 18, fill=f"#{r:02x}{g:02x}{b:02x}", stroke=INK))
        parts.append(text(x + 24, 337, name, size=14))
    told = " + ".join(f"{weight:g}·{name}" for weight, name in zip(weights, ("deep", "pool4", "pool3"), strict=True))
    parts.append(text(0, 372, told, size=17))
    parts.append(text(884, 372, f"mean IoU {value:.2f}", size=19, weight="bold", anchor="end"))
    return document(900, 382, parts, f"{told}: mean IoU {value:.2f}")


def explore(image, label, maps, names):
    """How strongly each of FCN-8s's three score maps counts. maps: three of (classes, H, W), at the picture's size."""
    controls = [slider("deep", 0, 3, 1), slider("pool4", 0, 3, 1), slider("pool3", 0, 3, 1)]
    finding = "Weighted alike: waters and the hall are right, houses and trees are blobs, most roads are missing."
    frame(lambda deep, pool4, pool3: mix_view(image, label, maps, names, (deep, pool4, pool3)), controls, finding)


def _up(x, factor=2):
    return F.interpolate(x, scale_factor=factor, mode="bilinear")


def _sixteen(deep_scores, pool4_scores):
    return _up(_up(deep_scores) + pool4_scores, 16)


def _up_all(deep, pool4):
    return _up(deep, 32) + _up(pool4, 32)[..., : 32 * deep.shape[-2], : 32 * deep.shape[-1]]


_generator = torch.Generator().manual_seed(0)
EXERCISES["missing-layer"] = Exercise(
    right=(256, 21, 1),
    mistakes={
        "The order is turned round: what comes in is pool3, what goes out are scores.": (21, 256, 1),
        "So it stays a map of features, and the error stays.": (256, 256, 1),
        "256 channels come in, as the error says.": (21, 21, 1),
        "Three numbers are asked for: how large is the kernel?": (256, 21),
        "A 3×3 without padding makes the map smaller; and a score needs its own cell only.": (256, 21, 3),
        "512 channels has pool4. The error names the map that it met.": (512, 21, 1),
        "This runs, and adds one map to all 21 classes alike: no decision changes.": (256, 1, 1),
    },
    hints=(
        "the error names two numbers of channels. Which of them must become the other?",
        "21 is the number of classes; a score is made from one cell alone.",
    ),
    insight="The error's dimension 1 is the channels: (N, C, H, W). Dimension 2 or 3 would say that sizes do not meet.",
)
EXERCISES["sixteen"] = Exercise(
    right=_sixteen,
    cases=tuple(
        (torch.randn(1, 3, h, w, generator=_generator), torch.randn(1, 3, 2 * h, 2 * w, generator=_generator))
        for h, w in ((2, 2), (3, 2))
    ),
    tolerance=1e-4,
    mistakes={
        "This goes up by 32 before the addition: the maps do not meet at pool4's size.": _up_all,
        "This is FCN-32s still: pool4's scores are missing.": lambda deep, pool4: _up(deep, 32),
        "pool4's scores are missing.": lambda deep, pool4: _up(_up(deep), 16),
        "The deep scores are missing.": lambda deep, pool4: _up(pool4, 16),
        "The last step is missing: the sum has stride 16, the picture has stride 1.": (
            lambda deep, pool4: _up(deep) + pool4
        ),
        "×32 in one step is not the same as ×2 and ×16: bilinear steps smooth anew each time.": (
            lambda deep, pool4: _up(deep, 32) + _up(pool4, 16)
        ),
        "The scores are multiplied. They are added.": lambda deep, pool4: _up(_up(deep) * pool4, 16),
        "The nearest value is repeated; FCN upsamples bilinearly.": (
            lambda deep, pool4: F.interpolate(F.interpolate(deep, scale_factor=2) + pool4, scale_factor=16)
        ),
    },
    hints=(
        "`enlarge(x, factor)` is given. Bring the deep scores to pool4's size, and add.",
        "two calls of `enlarge`: one before the addition, one after it. Which factors?",
    ),
    insight="One more such line makes it FCN-8s. All go up by 32 in all: skips choose where to stop on the way.",
)


def _aligned(deep, shallow):
    """Cut the upsampled deep scores to the shallower map."""
    return _up(deep)[..., : shallow.shape[-2], : shallow.shape[-1]] + shallow


EXERCISES["align"] = Exercise(
    right=_aligned,
    cases=tuple(
        (torch.randn(1, 2, *small, generator=_generator), torch.randn(1, 2, *large, generator=_generator))
        for small, large in (((3, 3), (5, 6)), ((2, 4), (4, 7)), ((2, 2), (4, 4)))
    ),
    tolerance=1e-4,
    mistakes={
        "The deep scores are squeezed to the other size. Then no unit lies where it belongs: cut instead.": (
            lambda deep, shallow: F.interpolate(deep, shallow.shape[-2:], mode="bilinear") + shallow
        ),
        "Nothing is enlarged bilinearly here: use `enlarge`, then cut.": (
            lambda deep, shallow: F.interpolate(deep, shallow.shape[-2:]) + shallow
        ),
        "You cut at the top and left. What hangs over is at the bottom and at the right.": (
            lambda deep, shallow: _up(deep)[..., -shallow.shape[-2] :, -shallow.shape[-1] :] + shallow
        ),
        "The shallower scores are missing.": lambda deep, shallow: _up(deep)[
            ..., : shallow.shape[-2], : shallow.shape[-1]
        ],
    },
    hints=(
        "upsample first. Then the result may be a row or a column larger than `shallow_map`: which one?",
        "both maps begin at the picture's upper left corner, so cut the end: `[..., :height, :width]`.",
    ),
    insight="The paper pads the picture by 100 pixels instead, and cuts 5, 9 or 31: same idea, other numbers.",
)
