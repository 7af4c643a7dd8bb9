"""One style for every picture: the palette, the look of each class, and how a picture is displayed."""

import io
from html import escape

import torch
from IPython.display import HTML, display
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's palette: told apart with every common kind of colour blindness.
INK, BLUE, ORANGE, GREEN, RED, SKY, PINK = ["#222222", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"]
LINES = [
    (BLUE, "o", "-"),
    (RED, "s", "--"),
    (GREEN, "^", "-."),
    (INK, "D", ":"),
    (PINK, "v", "-"),
    (ORANGE, "P", "--"),
]

# One class, one look, in the whole series: colour and hatch.
CLASSES = {
    "table": ("#EDEDED", ""), "coin": (ORANGE, "////"),
    "ground": ("#E8DFC8", ""), "lake": (SKY, "---"), "reservoir": (BLUE, "xxx"), "house": ("#F2A48B", "///"),
    "hall": ("#B5434F", "\\\\\\"), "tree": (GREEN, "..."), "road": ("#555555", "|||"),
    "brick": ("#D98A6A", "---"), "grass": ("#8CC08C", "///"), "gravel": ("#A9A9C9", "ooo"),
    "background": ("#EDEDED", ""), "person": (SKY, "///"), "helmet": (ORANGE, "..."), "cat": (SKY, "///"),
    "cat's eye": (ORANGE, "..."), "cup": (SKY, "///"), "saucer": (ORANGE, "..."), "spoon": (GREEN, "xxx"),
    "camera": (ORANGE, "..."), "tripod": (GREEN, "xxx"), "rocket": (RED, "---"), "tower": (PINK, "|||"),
    "void": ("#222222", ""),
}  # fmt: skip

# Looks for classes that are not in the list above: 77 pairs that differ; last the colours of errors.
COLOURS = [ORANGE, GREEN, SKY, PINK, "#B5434F", "#8CC08C", "#A9A9C9", "#C9A227", "#555555", BLUE, RED]
HATCHES = ["...", "---", "|||", "ooo", "\\\\\\", "///", "xxx"]
OTHERS = [(COLOURS[i % len(COLOURS)], HATCHES[i % len(HATCHES)]) for i in range(len(COLOURS) * len(HATCHES))]

# How a wrong pixel is painted: the two shades of its pattern.
ERRORS = {"missed": (BLUE, "#003A5C"), "added": (RED, "#F6C3A0"), "swapped": (PINK, "#F0D3E4")}

STYLE = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
    "image.interpolation": "nearest",
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "legend.frameon": False,
    "svg.hashsalt": "segmentation-notebooks",
}
# JupyterLab leaves the alt text of its pictures empty: take the sentence below.
_ALT = (
    "<script>(line => setTimeout(() => { const child = line.closest('.jp-OutputArea-child');"
    "const picture = child?.previousElementSibling?.querySelector('img');"
    "if (picture) picture.alt = line.querySelector('em').textContent; }, 500))"
    "(document.currentScript.parentElement)</script>"
)
WIDTH = 9.0  # inches; at 100 dots an inch this fills the column of a 1280-pixel projector


def show(picture, finding):
    """Display a `Figure` (as PNG) or an SVG text; `finding`, one sentence, is its alt text and stands below it."""
    if isinstance(picture, Figure):
        display({"image/png": png(picture)}, raw=True, metadata={"image/png": {"alt": finding}})
    else:
        display(
            {"image/svg+xml": picture, "text/plain": finding},
            raw=True,
            metadata={"image/svg+xml": {"alt": finding}},
        )
    display(HTML(f"<p><em>{escape(finding)}</em></p>{_ALT}"))


def png(figure):
    """The PNG bytes of a figure, the same on every run; at most 256 colours keep a notebook small."""
    drawn, small = io.BytesIO(), io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(drawn, format="png", dpi=100)
    image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def subplots(*shape, height=4.0, **options):
    """A `Figure` in the series' style, `height` inches high, and its axes."""
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        return figure, figure.subplots(*shape, **options)


def looks(names):
    """{class: (colour, hatch)} of these classes and of void; names that the series does not know get new looks.

    An unknown first class is drawn as the background is.
    """
    found = {name: CLASSES[name] for name in names if name in CLASSES}
    for name in dict.fromkeys(names):
        if name not in found:
            taken = {colour for colour, _ in found.values()}, {hatch for _, hatch in found.values()}
            others = [CLASSES["background"], *OTHERS] if name == names[0] else OTHERS
            free = [look for look in others if look not in found.values()]
            new = [look for look in free if look[0] not in taken[0]]
            both = [look for look in new if look[1] not in taken[1]]
            found[name] = (both or new or free or others)[0]
    return {"void": CLASSES["void"]} | {name: found[name] for name in names}


def line_look(index):
    """(colour, marker, dash) of a line; 36 differ, the first six in all three."""
    turn = LINES[(index + index // len(LINES)) % len(LINES)]
    return LINES[index % len(LINES)][0], *turn[1:]


def rgb(colour):
    """ "#RRGGBB" as three floats in [0, 1]."""
    return torch.tensor([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
