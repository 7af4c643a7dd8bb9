"""What 03_classifier_to_fcn shows: a Linear as a kernel, the crop behind each cell of a map; explorer and exercises."""

from itertools import product

import torch
import torch.nn.functional as F
from matplotlib import rc_context
from torch.utils.data import DataLoader

from helpers.datasets import TEXTURES, texture_crops
from helpers.drawing import compare_masks
from helpers.drawing.style import BLUE, CLASSES, INK, ORANGE, RED, STYLE, rgb, subplots
from helpers.drawing.svg import document, grid, picture, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

WINDOW, STRIDE = 40, 4  # pixels that the classifier sees, and from one cell to the next
GREY, PAPER = "#8A8A8A", "#F1F1EE"
LOOKS = [rgb(CLASSES[name][0]) for name in TEXTURES]


def train(model, epochs):
    """Teach `model` to name crops of textures, by cross-entropy; returns it. The same seed gives the same weights."""
    crops, order = texture_crops(2000), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * 80)  # 80 batches of 25
    for images, textures in (batch for _ in range(epochs) for batch in DataLoader(crops, 25, True, generator=order)):
        loss = F.cross_entropy(model(images), textures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


def named_crops(images, textures, said):
    """SVG of crops (N, 3, H, W) in a row, each with the texture that it is said to be, and a cross where it is not."""
    side, parts = 900 / len(images) - 14, []
    for place, (image, texture, name) in enumerate(zip(images, textures, said, strict=True)):
        x, wrong = place * (side + 14), texture != name
        parts.append(picture(image, x, 0, side, side))
        words, ink = ("✗ ", RED) if wrong else ("✓ ", INK)
        parts.append(text(x + side / 2, side + 22, words + TEXTURES[name], anchor="middle", fill=ink))
    return document(900, side + 28, parts, title="Crops, and the names that the classifier gives them")


def stops(maps, weights, results, row, column):
    """(SVG, finding): the kernel at one stop on the maps, and the grid of its `results`; maps and grid are lists.

    `weights`: those of one output of a Linear, in a row; they are cut into one square block for each channel.
    """
    side, size, parts, x, pairs = int((len(weights) / len(maps)) ** 0.5), 44, [], 0, []
    down, across = len(results), len(results[0])
    for channel, values in enumerate(maps):
        parts.append(text(x, 14, f"channel {channel}", weight="bold"))
        for y, place in product(range(len(values)), range(len(values[0]))):
            inside = row <= y < row + side and column <= place < column + side
            left, top = x + place * size, 24 + y * size
            parts += _box(left, top, size, size, values[y][place], "#FBE7BF" if inside else PAPER)
            if inside:
                pairs.append((values[y][place], weights[len(pairs)]))
                parts.append(text(left + 42, top + 13, f"×{pairs[-1][1]}", size=13, anchor="end", fill=BLUE))
        whole = side * size
        parts.append(rectangle(x + column * size, 24 + row * size, whole, whole, stroke=INK, stroke_width=2.5))
        x += (len(values[0]) + 0.7) * size
    parts.append(text(x, 14, "result", weight="bold"))
    for y, place in product(range(down), range(across)):
        look = (BLUE, "white") if (y, place) == (row, column) else ("#CFE6F5", INK)
        parts += _box(x + place * size, 24 + y * size, size, size, results[y][place], *look)
    bottom = 40 + max(len(maps[0]), down) * size
    for place, (value, weight) in enumerate(pairs):
        parts += _box(place * 62, bottom, 62, 30, f"{value}×{weight}", "#FBE7BF")
    parts.append(text(len(pairs) * 62 + 10, bottom + 21, f"in a row, added: {results[row][column]}"))
    finding = f"{len(weights)} weights have {down}×{across} stops here; at this one they give {results[row][column]}."
    return document(max(x + across * size, len(pairs) * 62 + 200), bottom + 34, parts, title=finding), finding


def _box(x, y, width, height, words, fill, ink=INK):
    middle = x + width / 2, y + height / 2 + 6
    return rectangle(x, y, width, height, fill=fill, stroke=GREY), text(*middle, words, anchor="middle", fill=ink)


def blocks(row, shape):
    """SVG: one row of a Linear's weights, and the same numbers as blocks; `shape`: (channels, side, side)."""
    channels, side, _ = shape
    top = row.abs().max()
    parts = [text(0, 14, f"one row of {len(row)} weights", weight="bold")]
    parts.append(picture(_tint(row[None], top), 0, 22, 900, 26))
    step = 900 / (channels / 2)
    size = step - 16
    parts.append(text(0, 76, f"the same numbers, {channels} blocks of {side}×{side}: one for each map", weight="bold"))
    for channel, block in enumerate(row.view(*shape)):
        x, y = channel % (channels // 2) * step, 86 + channel // (channels // 2) * step
        parts += [picture(_tint(block, top), x, y, size, size), grid(x, y, size / side, side, stroke="#DDDDDD")]
    return document(900, 82 + 2 * step, parts, title="The weights of one output of fc6, in a row and as blocks")


def _tint(values, top):
    """(3, H, W): white where a value is 0, orange up to `top`, blue down to −`top`."""
    share = (values / top).clamp(-1, 1)[None]
    far = torch.where(share > 0, rgb("#B35900")[:, None, None], rgb(BLUE)[:, None, None])
    return 1 - share.abs() * (1 - far)


def differences(maps):
    """(Figure, finding): maps of differences side by side on one scale; `maps`: {title: (rows, columns)}."""
    figure, axes = subplots(1, len(maps), height=3.9, squeeze=False)
    top = max(values.max().item() for values in maps.values())
    with rc_context(STYLE):
        for axis, (title, values) in zip(axes[0], maps.items(), strict=True):
            drawn = axis.imshow(values.numpy(), cmap="Greys", vmin=0, vmax=top)
            axis.set(title=title, xlabel="column of the map", ylabel="row of the map" if axis is axes[0][0] else "")
        figure.colorbar(drawn, ax=list(axes[0]), label="largest difference of a score")
    told = "; ".join(f"{title}: from {values.min():.5f} to {values.max():.5f}" for title, values in maps.items())
    return figure, f"How far each cell is from the classifier on its crop. {told}."


def explore(pictures, classifier, network):
    """Any size, any cell: the map of `network`, and the crop behind a cell as `classifier` names it.

    `pictures`: {name: image (3, side, side)}, all of one size.
    """
    side = next(iter(pictures.values())).shape[-1]
    last = (side - WINDOW) // STRIDE

    def draw(picture, size, row, column):
        seen = look(pictures[picture][:, :size, :size], classifier, network, row, column)
        return view(pictures[picture], size, **seen)

    controls = [slider("size", WINDOW, side, side), slider("row", 0, last, last // 2)]
    controls += [slider("column", 0, last, last // 2), choice("picture", list(pictures))]
    finding = f"{side}×{side} pixels give {last + 1}×{last + 1} cells; each says what the classifier says of its crop."
    frame(draw, controls, finding)


@torch.no_grad()
def look(image, classifier, network, row, column):
    """What there is to draw: the class `map`, the `place` of a cell, kept inside it, the `crop` that it sees, and the
    shares (softmax) of the textures by the `cell` and by the classifier `alone`."""
    scores = network(image[None])[0]
    row, column = min(row, scores.shape[1] - 1), min(column, scores.shape[2] - 1)
    top, left, bottom, right = _crop(row, column, WINDOW, STRIDE)
    crop = image[:, top:bottom, left:right]
    shares = {"cell": scores[:, row, column].softmax(0), "alone": classifier(crop[None])[0].softmax(0)}
    return {"map": scores.argmax(0), "place": (row, column), "crop": crop} | shares


def view(image, size, map, place, crop, cell, alone):
    """SVG of the explorer: the picture with the crop on it, the map with its cell, the crop and what it is called."""
    (row, column), scale, unit, side = place, 330 / image.shape[-1], 5.5, map.shape[-1]
    parts = [text(0, 14, f"picture: {size}×{size} pixels", weight="bold"), picture(image, 0, 24, 330, 330, photo=True)]
    given = size * scale
    parts.append(rectangle(given, 24, 330 - given, 330, fill="white", opacity=0.8))
    parts.append(rectangle(0, 24 + given, given, 330 - given, fill="white", opacity=0.8))
    parts.append(rectangle(0, 24, given, given, stroke=INK, stroke_width=2))
    parts += _mark(column * STRIDE * scale, 24 + row * STRIDE * scale, WINDOW * scale)
    parts.append(text(362, 14, f"map: {side}×{side} cells", weight="bold"))
    parts.append(picture(tiles(map), 362, 24, side * unit, side * unit))
    parts += _mark(362 + column * unit - 2, 24 + row * unit - 2, unit + 4)
    parts.append(text(692, 14, f"cell ({row}, {column}) sees", weight="bold"))
    parts.append(picture(crop, 692, 24, 130, 130))
    for place, name in enumerate(TEXTURES):
        y = 182 + 58 * place
        parts += [picture(tiles(torch.full((3, 3), place)), 692, y - 13, 16, 16), text(714, y, name)]
        for top, colour, share, who in ((7, BLUE, alone[place], "crop"), (23, ORANGE, cell[place], "cell")):
            parts.append(rectangle(692, y + top, 100 * share.item(), 14, fill=colour))
            parts.append(text(797, y + top + 12, f"{share:.0%} {who}", size=13))
    title = f"{size}×{size} pixels give {side}×{side} cells; cell ({row}, {column}) says {TEXTURES[cell.argmax()]}"
    return document(900, 356, parts, title=title)


def _mark(x, y, side):
    return (
        rectangle(x, y, side, side, stroke=colour, stroke_width=width) for colour, width in (("white", 6), (RED, 3))
    )


def tiles(map):
    """An image (3, 6H, 6W) of a map of textures: a colour and a pattern for each."""
    y, x = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    patterns = [y == 3, x + y == 5, (y - 2.5).abs() + (x - 2.5).abs() <= 1]  # bricks' joints, blades, stones
    looks = torch.stack([c[:, None, None] * (1 - 0.35 * p.float()) for c, p in zip(LOOKS, patterns, strict=True)])
    return looks[map].permute(2, 0, 3, 1, 4).reshape(3, 6 * map.shape[0], 6 * map.shape[1])


def _crop(row, column, window, stride):
    return stride * row, stride * column, stride * row + window, stride * column + window


def _last_pixel(row, column, window, stride):
    return stride * row, stride * column, stride * row + window - 1, stride * column + window - 1


EXERCISES["sizes-for-20"] = Exercise(
    right={116, 117, 118, 119},
    mistakes={
        "One size is right, but not the only one: until the next cell fits, more pixels change nothing.": {116},
        "The last size is missing: at 119 there is still no room for one more stop.": {116, 117, 118},
        "120 gives 21: one too many.": {116, 117, 118, 119, 120},
        "These give 21: 20 cells are only 19 steps of 4 behind the first window.": {120, 121, 122, 123},
    },
    hints=(
        "let `cells` tell you the answer for each size from 100 to 130.",
        "20 cells are 19 steps behind the first window; which further pixels change nothing?",
    ),
    insight="Four sizes share one map, because the effective stride is 4. With 32, as in VGG, 32 sizes do.",
)
EXERCISES["crop-of-cell"] = Exercise(
    right=_crop,
    cases=((0, 0, 40, 4), (3, 7, 40, 4), (10, 2, 224, 32), (5, 6, 92, 8)),
    mistakes={
        "Two cells are `stride` pixels apart, not `window`: crops overlap.": lambda r, c, w, s: _crop(r, c, w, w),
        "Two cells are `stride` pixels apart, not 1.": lambda r, c, w, s: _crop(r, c, w, 1),
        "The row decides the top, the column the left side.": lambda r, c, w, s: _crop(c, r, w, s),
        "A slice ends before its second number: bottom is top + window.": _last_pixel,
        "The crop is `window` pixels wide, not `stride`.": lambda r, c, w, s: _crop(r, c, s, s),
        "The order is top, left, bottom, right.": lambda r, c, w, s: (s * r, s * r + w, s * c, s * c + w),
    },
    hints=(
        "cell (0, 0) sees the first window. How far does one more row move it?",
        "one row down moves the crop by the stride; its size stays the window.",
    ),
    insight="Padding would move every crop up and left, by the effective padding.",
)


def _kernel(weight, maps):
    side = round((weight.shape[1] / maps.shape[0]) ** 0.5)
    return weight.view(-1, maps.shape[0], side, side)


def _slide_linear(weight, bias, maps):
    """The obvious loop: cut out every window, flatten it, let the Linear look at it."""
    side = _kernel(weight, maps).shape[-1]
    rows, columns = (length - side + 1 for length in maps.shape[1:])
    result = torch.empty(len(weight), rows, columns)
    for y, x in product(range(rows), range(columns)):
        result[:, y, x] = weight @ maps[:, y : y + side, x : x + side].flatten() + bias
    return result


def _convolve(change=lambda kernel: kernel, bias=1):
    """A wrong `slide_linear`: its kernel changed, its bias times a number."""
    return lambda w, b, maps: F.conv2d(maps[None], change(_kernel(w, maps)), bias * b)[0]


def _channels_last(kernel):
    outputs, channels, side, _ = kernel.shape
    return kernel.reshape(outputs, side, side, channels).permute(0, 3, 1, 2)


def _slide_cases():
    generator = torch.Generator().manual_seed(0)
    for outputs, channels, side, height, width in ((1, 1, 2, 3, 3), (2, 3, 2, 4, 6), (3, 4, 3, 16, 20)):
        shapes = (outputs, channels * side**2), (outputs,), (channels, height, width)
        yield tuple(torch.randn(shape, generator=generator) for shape in shapes)


def _draw_slide(target, yours):
    first = [None if scores is None else scores.double().argmax(0) == 0 for scores in (target, yours)]
    return compare_masks(*first)[0], "Dark: the cells where the first of three outputs is the largest."


EXERCISES["slide-linear"] = Exercise(
    right=_slide_linear,
    cases=tuple(_slide_cases()),
    tolerance=1e-4,
    draw=_draw_slide,
    mistakes={
        "The bias is missing.": _convolve(bias=0),
        "Wrong order: a flattened map runs through channels, then rows, then columns.": _convolve(_channels_last),
        "Rows and columns of the kernel are exchanged.": _convolve(lambda kernel: kernel.mT),
        "The kernel is turned round. A convolution in torch does not flip.": _convolve(lambda k: k.flip(-1, -2)),
    },
    hints=(
        "which shape must `weight` have, so that `F.conv2d` takes it as a kernel?",
        "the kernel's shape is (outputs, channels, k, k), and k² is `weight.shape[1] / channels`.",
    ),
    insight="You have just made a network fully convolutional: any Linear behind a Flatten can be moved over a map.",
)
