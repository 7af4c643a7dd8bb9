"""What 06_unet_odd_sizes shows: a U-Net without any care for sizes, its pictures, its explorer, its exercises."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from helpers import networks
from helpers.drawing.style import BLUE, GREEN, INK, ORANGE, RED, SKY
from helpers.drawing.svg import document, line, rectangle, text
from helpers.explore import choice, frame, slider
from helpers.practice import EXERCISES, Exercise

# What stands between skip and way up where they differ by so many.
REMEDIES = {"none": "≠", "pad": "=", "crop": "cut {}", "interpolate": "stretch {}", "output_size": "add {}"}
GREY = "#777777"


class CarelessUNet(networks.UNet):
    """A U-Net as it stands in many repositories: any size is let in, and with padding nobody mends a join."""

    def check(self, images):
        pass

    def _enlarge(self, up, x, skip):
        x = up(x)
        if self.padded:
            torch.cat([skip, x], dim=1)  # fails where the sizes differ, before the skip is cropped
        return x


def way(size, depth, padded=True, remedy="none"):
    """The sizes along one axis, on the way of a picture through a U-Net with pairs of 3×3 convolutions.

    padded: the convolutions keep the size; otherwise each pair takes 4 off, and skips are cropped, whatever the remedy.
    Gives entered, the size after padding the picture; down, (before, after) the convolutions of each level; bottom,
    the same; up, from the deepest level, (skip, doubled, joined, after the convolutions), ending where it fails;
    output, None if it fails; fault, why; lost, whether a pooling left a row out.
    """
    shrink, unit = (0 if padded else 4), 2**depth
    entered = (size + unit - 1) // unit * unit if padded and remedy == "pad" else size
    found = SimpleNamespace(entered=entered, down=[], up=[], output=None, fault="", lost=False)
    x = entered
    for _ in range(depth):
        found.down.append((x, x - shrink))
        found.lost |= (x - shrink) % 2 == 1
        x = (x - shrink) // 2
    found.bottom = (x, x - shrink)
    for level in reversed(range(depth)):
        x -= shrink
        if x < 1:
            found.fault = "nothing is left of it"
            return found
        skip, doubled = found.down[level][1], 2 * x
        x = skip if padded and remedy in ("interpolate", "output_size") else doubled
        found.up.append((skip, doubled, x, x - shrink))
        if padded and remedy == "none" and skip != doubled:
            found.fault = f"at level {level} a skip of {skip} meets {doubled}"
            return found
    found.output = size if padded and remedy == "pad" else max(x - shrink, 0) or None
    found.fault = "" if found.output else "nothing is left of it"
    return found


def u_view(size, depth, convolutions="padded", remedy="none"):
    """SVG: all sizes on the way down (left) and up (right), and what happens at each join."""
    padded = convolutions == "padded"
    found = way(size, depth, padded, remedy)
    scale, row = 262 / found.entered, 44
    parts = [text(320, 12, "way down: skip", weight="bold", anchor="end"), text(580, 12, "way up", weight="bold")]
    joins = dict(zip(reversed(range(depth)), found.up, strict=False))
    for level, (before, after) in enumerate(found.down):
        y = 22 + row * level
        parts.append(text(0, y + 22, f"level {level}", size=13, fill=GREY))
        width = max(scale * after, 3)
        parts.append(rectangle(320 - width, y, width, 30, fill="#CFE6F5", stroke=BLUE, stroke_width=2))
        parts.append(text(327, y + 21, after if padded else f"{before}→{after}", size=16))
        if level not in joins:
            parts.append(text(582, y + 21, "not reached", size=14, fill=GREY))
            continue
        skip, doubled, joined, out = joins[level]
        failed = level == depth - len(found.up) and found.output is None
        colour, width = (RED if failed else GREEN), max(scale * joined, 3)
        bar = {"fill": "#F6D7C3" if failed else "#CDEBE0", "stroke": colour, "stroke_width": 2}
        parts.append(rectangle(580, y, width, 30, **bar, dash="6 4" if failed else ""))
        parts.append(text(573, y + 21, doubled if padded else f"{doubled}→{out}", size=16, anchor="end", fill=INK))
        sign = "=" if skip == doubled else REMEDIES[remedy if padded else "crop"].format(skip - doubled)
        parts.append(text(450, y + 21, sign, size=15, anchor="middle", weight="bold", fill=RED if failed else INK))
    y = 22 + row * depth
    wide = max(scale * found.bottom[0], 90)
    parts.append(rectangle(450 - wide / 2, y, wide, 30, fill="#FBE7BF", stroke=ORANGE, stroke_width=2))
    shown = found.bottom[0] if padded else f"{found.bottom[0]}→{max(found.bottom[1], 0)}"
    parts.append(text(450, y + 21, shown, size=16, anchor="middle"))
    headline, more = verdict(size, depth, convolutions, remedy)
    parts.append(text(0, y + 62, headline, size=19, weight="bold", fill=RED if found.output is None else INK))
    parts.append(text(0, y + 86, more, size=15))
    return document(900, y + 92, parts, f"{headline}. {more}")


def verdict(size, depth, convolutions="padded", remedy="none"):
    """(headline, sentence) about a picture of this size."""
    padded, unit = convolutions == "padded", 2**depth
    found = way(size, depth, padded, remedy)
    if found.output is None:
        return (
            f"{size} fails: {found.fault}",
            f"Padded, the multiples of {unit} work." if padded else "It is too small.",
        )
    if not padded:
        border = size - found.output
        rows = "a pooling leaves a row out" if found.lost else "every pooling gets an even map"
        return (
            f"{size} runs: the output is {found.output}",
            f"{border} pixels smaller; {rows}. Skips are always cropped.",
        )
    if remedy == "pad" and found.entered != size:
        more = f"{found.entered - size} rows are repeated below, and cut off the output again."
    elif found.output != size:
        more = f"No error, and yet {size - found.output} rows have no answer."
    elif found.lost:
        more = "A pooling left a row out; the remedy makes it up on the way back."
    else:
        more = f"{size} is a multiple of {unit}: no remedy has anything to do."
    return f"{size} runs: the output is {found.output}", more


def halving(values, pooled, doubled):
    """SVG: a row of numbers, its maxima in pairs, and these doubled; what no pair holds is marked."""
    side = min(60, 740 / max(len(values), 1))
    rows = (
        ("picture", values, 1, "#CFE6F5"),
        ("pooled in pairs", pooled, 2, "#FBE7BF"),
        ("doubled", doubled, 1, "#CDEBE0"),
    )
    parts = []
    for n, (title, cells, span, fill) in enumerate(rows):
        y = 6 + 66 * n
        parts.append(text(0, y + 28, title))
        for place, value in enumerate(cells):
            lost = n == 0 and place >= 2 * len(pooled)
            x, look = 150 + place * span * side, {"stroke": RED if lost else INK, "stroke_width": 4 if lost else 1}
            parts.append(rectangle(x, y, span * side, 44, fill="white" if lost else fill, **look))
            parts.append(text(x + span * side / 2, y + 29, value, size=18, anchor="middle"))
    end = 150 + len(doubled) * side
    for place in range(len(values) - len(doubled)):
        parts.append(rectangle(end + place * side, 138, side, 44, stroke=RED, stroke_width=4, dash="7 5"))
        parts.append(text(end + (place + 0.5) * side, 168, "?", size=20, anchor="middle", fill=RED, weight="bold"))
    said = f"{len(values)} numbers, {len(pooled)} pairs, {len(doubled)} on the way back"
    return document(900, 190, parts, said)


def channel_bars(rows):
    """SVG: the channels after each convolution, pooling, up-convolution and join, in the order of `trace`."""
    looks = {"Conv2d": (BLUE, "c"), "ConvTranspose2d": (GREEN, "u"), "cat": (ORANGE, "j")}
    shown = [(looks.get(row.kind, (GREY, "p")), row.output_shape[0]) for row in rows if row.kind != "ReLU"]
    most, step, parts = max(channels for _, channels in shown), 900 / len(shown), []
    for place, ((colour, letter), channels) in enumerate(shown):
        height, x = 170 * channels / most, step * place
        parts.append(rectangle(x, 200 - height, step - 5, height, fill=colour))
        parts.append(text(x + (step - 5) / 2, 194 - height, channels, size=14, anchor="middle"))
        parts.append(text(x + (step - 5) / 2, 218, letter, size=15, anchor="middle", weight="bold", fill=colour))
    parts.append(text(0, 246, "c convolution · p pooling · u up-convolution · j joined with the skip"))
    return document(900, 252, parts, "channels, step by step: " + ", ".join(str(channels) for _, channels in shown))


def strip(rows, marks):
    """SVG: for each row ({name: states of the sizes 1, 2, …}) a strip of the sizes: 0 white, 1 half high, 2 full."""
    count = max(map(len, rows.values()))
    step, parts = 880 / count, []
    for n, (name, states) in enumerate(rows.items()):
        y = 24 + 92 * n
        parts.append(text(0, y - 6, name, weight="bold"))
        for state, colour, height in ((1, SKY, 25), (2, BLUE, 50)):
            d = "".join(
                f"M{step * i:.4g} {y + 50}v-{height}h{step:.4g}v{height}z" for i, s in enumerate(states) if s == state
            )
            parts.append(f'<path d="{d}" fill="{colour}"/>')
        parts.append(rectangle(0, y, step * len(states), 50, stroke=INK))
    y, half = 92 * len(rows), "Half high: runs. " if any(1 in states for states in rows.values()) else ""
    for size in marks:
        x = step * (size - 0.5)
        parts += [line(x, y - 16, x, y - 2, stroke=RED), text(x, y + 14, size, anchor="middle", size=14)]
    parts.append(text(0, y + 40, f"picture size in pixels. White: fails. {half}Full: runs, and no row is left out."))
    return document(900, y + 46, parts, "Which sizes work: " + "; ".join(rows))


def remedies():
    """SVG: a skip of 9 meets a way up of 8: what four remedies do with the ninth cell."""
    parts = []
    stories = (  # name, cells of the skip and of the way up, which is special, what that means
        ("pad", 10, 10, 9, "the map has one row more"),
        ("crop", 9, 8, 8, "the ninth is thrown away"),
        ("interpolate", 9, 8, None, "8 cells, stretched over 9"),
        ("output_size", 9, 9, 8, "the ninth is the bias alone"),
    )
    for n, (name, skip, up, special, said) in enumerate(stories):
        parts += [text(230 * n, 14, name, weight="bold", size=17), text(230 * n, 146, said, size=13)]
        for title, y, count, fill in (("skip", 30, skip, "#CFE6F5"), ("way up", 84, up, "#CDEBE0")):
            parts.append(text(230 * n, y + 10, title, size=13))
            side = 22.5 if (name, title) == ("interpolate", "way up") else 20
            for place in range(count):
                odd = place == special and (name != "output_size" or title == "way up")
                look = {"fill": "white", "dash": "4 3", "stroke": RED} if odd else {"fill": fill, "stroke": INK}
                parts.append(rectangle(230 * n + side * place, y + 16, side, 22, **look, stroke_width=1.5))
    return document(910, 152, parts, "Pad, crop, interpolate, output_size: what each does with a ninth cell")


def explore():
    """Size, depth, padded or not, remedy: the U with every size on it."""
    controls = [slider("size", 16, 700, 300), slider("depth", 1, 5, 3)]
    controls += [choice("convolutions", ("padded", "unpadded")), choice("remedy", list(REMEDIES))]
    frame(u_view, controls, f"{verdict(300, 3)[0]}. {verdict(300, 3)[1]}")


EXERCISES["unlucky-picture"] = Exercise(
    right=(512, 384),
    mistakes={
        "Those are multiples of 8. With depth 4 the map is halved four times.": (504, 376),
        "Those are multiples of 16 below: part of the picture would be cut off. Pad upwards.": (496, 368),
        "Both are even. Even is not enough: it must stay even, halving after halving.": (500, 376),
        "It works, but the width needs less.": (512, 512),
        "Height first: 500.": (384, 512),
    },
    hints=(
        "four poolings, each by 2: what must divide both numbers?",
        "count upwards from 500 and from 375 to the next number that 16 divides.",
    ),
    insight="Only 12 rows and 9 columns more: the price in computing is 5 %.",
)


EXERCISES["next-size"] = Exercise(
    right=lambda size, depth: (size + 2**depth - 1) // 2**depth * 2**depth,
    cases=((500, 4), (375, 4), (300, 3), (64, 3), (65, 3), (1, 5), (512, 4)),
    mistakes={
        "This is the multiple below: it would cut the picture.": lambda size, depth: size // 2**depth * 2**depth,
        "A size that fits already should stay: 64 with depth 3 is 64.": lambda s, depth: (s // 2**depth + 1) * 2**depth,
        "Each pooling *halves*: the unit is 2 to the power of depth, not 2 times depth.": (
            lambda size, depth: (size + 2 * depth - 1) // (2 * depth) * 2 * depth
        ),
        "This rounds to the nearest, sometimes down.": lambda size, d: (size + 2**d // 2) // 2**d * 2**d,
        "This is how much to add. Return the new size.": lambda size, depth: -size % 2**depth,
    },
    hints=(
        "`//` rounds down. What can you add first, so that it lands on the multiple above, but leaves one that fits?",
        "add one less than the unit, before you divide.",
    ),
    insight="`-size % unit` is how many rows are missing: in Python it is never negative.",
)


def _strict(images):
    """Stands for a network of depth 2: refuses sizes as a U-Net does; its output depends on the place."""
    if images.shape[-2] % 4 or images.shape[-1] % 4:
        raise RuntimeError("Sizes of tensors must match except in dimension 1")
    return images.cumsum(-1).cumsum(-2)


def _run(net, images, before=False):
    columns, rows = -images.shape[-1] % 4, -images.shape[-2] % 4
    return net(F.pad(images, (columns, 0, rows, 0) if before else (0, columns, 0, rows), mode="replicate"))


EXERCISES["pad-and-cut"] = Exercise(
    right=lambda net, x, depth: _run(net, x)[..., : x.shape[-2], : x.shape[-1]],
    cases=tuple((_strict, torch.arange(1.0, h * w + 1).reshape(1, 1, h, w), 2) for h, w in ((5, 7), (6, 8), (4, 4))),
    mistakes={
        "Cut the output back: it must be as large as the picture.": lambda net, x, depth: _run(net, x),
        "You padded below and right: cut there.": lambda net, x, d: _run(net, x)[..., -x.shape[-2] :, -x.shape[-1] :],
        "You padded above and on the left, but cut below and on the right: the result is shifted.": (
            lambda net, x, depth: _run(net, x, before=True)[..., : x.shape[-2], : x.shape[-1]]
        ),
    },
    hints=(
        "how many rows and columns are missing? `-height % 2**depth`. `F.pad` takes (left, right, top, bottom).",
        "pad on the right and below with `mode='replicate'`, run the network, and slice its last two axes.",
    ),
    insight="This wrapper goes around any network: nobody has to change the network itself.",
    tolerance=1e-3,
)
