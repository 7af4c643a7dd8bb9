"""The stored results of `make results`, as numbers, as a table and as a picture.

Each file data/results/NAME.json holds one experiment: what was trained (`about`, `network`, `settings`, `parameters`,
`multiply_adds` of one picture, `versions`), and for each seed one number in every list (`mean_iou`, `seconds`, …).
"""

import itertools
import json

from helpers import DATA
from helpers.drawing import charts

# The networks that were trained on the same scenes by the same recipe: the scoreboard of the series.
ENTRIES = (
    "fcn_32s", "deeplab_16_no_decoder", "fcn_16s", "fcn_8s", "deeplab_8_no_decoder", "unet_no_skips",
    "deeplab_16", "deeplab_8", "unet",
)  # fmt: skip
TOLERANCE = 0.03  # a live run, on another machine perhaps, is expected this near to the stored range


def stored(name):
    """One experiment as a dict. ValueError for an unknown name."""
    path = DATA / "results" / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.json")))
        raise ValueError(f"there are no results {name!r}; there are {known}")
    return json.loads(path.read_text(encoding="utf-8"))


def band(name, figure="mean_iou"):
    """(smallest, mean, largest) of a figure over the seeds."""
    values = stored(name)[figure]
    return min(values), sum(values) / len(values), max(values)


def expected(value, name, figure="mean_iou"):
    """Whether a run of one's own lies within `TOLERANCE` of the stored range."""
    low, _, high = band(name, figure)
    return low - TOLERANCE <= value <= high + TOLERANCE


def separate(*names, figure="mean_iou"):
    """Whether no two of the stored ranges touch: then every seed gives the same order."""
    ranges = sorted((band(name, figure)[0], band(name, figure)[2]) for name in names)
    return all(below[1] < above[0] for below, above in itertools.pairwise(ranges))


def table(*names, live=None):
    """Text: one line for each network, in order of its mean IoU; "outlines" is the boundary score within 1 px.

    `live`: {name: mean IoU of your own run}.
    """
    live = live or {}
    header = ["network", "parameters", "multiply-adds", "train (s)", "seeds", "mean IoU", "range", "outlines"]
    rows = [header + ["your run"] * bool(live)]
    for name in _ordered(names):
        entry, (low, mean, high) = stored(name), band(name)
        millions, seconds = f"{entry['multiply_adds'] / 1e6:.1f} M", f"{min(entry['seconds']):.0f}"
        spread, outlines = f"{low:.3f}–{high:.3f}", f"{band(name, 'boundary_f')[1]:.3f}"
        row = [entry["about"], f"{entry['parameters']:,}", millions, seconds, str(len(entry["seeds"]))]
        row += [f"{mean:.3f}", spread, outlines]
        rows.append(row + [f"{live[name]:.3f}" if name in live else "–"] * bool(live))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        row[0].ljust(widths[0]) + "".join("  " + c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])


def picture(*names, live=None, figure="mean_iou", label="mean IoU on 128 test scenes, one dot for each seed"):
    """`Figure`: a row of dots for each network, one for each seed; `live`, your own runs, as diamonds."""
    names = _ordered(names, figure)
    rows = {stored(name)["about"]: stored(name)[figure] for name in names}
    marks = {stored(name)["about"]: value for name, value in (live or {}).items()}
    return charts.dots(rows, xlabel=label, marks=marks, mark_label="your run")


def finding(*names, figure="mean_iou"):
    """One sentence for below the picture."""
    ordered = _ordered(names, figure)
    said = ", ".join(f"{stored(name)['about']} {band(name, figure)[1]:.3f}" for name in ordered)
    order = "every seed gives this order" if separate(*names, figure=figure) else "some of the ranges overlap"
    return f"From the lowest mean to the highest: {said}; {order}."


def _ordered(names, figure="mean_iou"):
    return sorted(names, key=lambda name: band(name, figure)[1])
