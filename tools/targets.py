"""What the stored results show for every seed: the tables of data/results/README.md, with which results.py ends."""

import numpy as np

from helpers import DATA
from helpers.scoreboard import ENTRIES, band, stored

README = DATA / "results" / "README.md"


def of(name, figure="mean_iou"):
    """A figure of one experiment, an array over the seeds; "63 pad/mean_iou" is one inside another."""
    value = stored(name)
    for key in figure.split("/"):
        value = value[key]
    return np.array(value)


def gain(name, other, figure="mean_iou"):
    """By how much one is better than the other, for each seed that both have."""
    count = min(len(of(name, figure)), len(of(other, figure)))
    return of(name, figure)[:count] - of(other, figure)[:count]


# What a notebook may train live, together.
LIVE = (
    ("fcn_32s", "fcn_16s", "fcn_8s"), ("unet", "unet_no_skips"), ("water_small_view", "water_large_view"),
    ("gridding_222", "gridding_123"), ("separable_standard", "separable_equal_width", "separable_equal_parameters"),
    ("deeplab_8", "deeplab_8_no_decoder"), ("deeplab_8", "deeplab_16"),
    ("deeplab_8_no_decoder", "deeplab_16_no_decoder"),
    ("bank_aspp_111", "bank_aspp_136", "mark_aspp_111", "mark_pooling"), ("fcn_8s", "unet", "deeplab_8"),
)  # fmt: skip


# (what, value for each seed, least, most)
def targets():
    pad, interpolate = "{} pad/mean_iou", "{} interpolate/mean_iou"
    even = of("odd_sizes", pad.format(64))
    odd = {side: [of("odd_sizes", text.format(side)) for text in (pad, interpolate)] for side in (63, 65)}
    accuracy = "accuracy"
    return [
        ("FCN-16s − FCN-32s, mean IoU", gain("fcn_16s", "fcn_32s"), 0.12, None),
        ("FCN-8s − FCN-16s, mean IoU", gain("fcn_8s", "fcn_16s"), 0.12, None),
        ("U-Net − FCN-8s, mean IoU", gain("unet", "fcn_8s"), 0.15, None),
        ("U-Net, skips on − off, mean IoU", gain("unet", "unet_no_skips"), 0.10, None),
        ("U-Net, mean IoU", of("unet"), 0.85, None),
        ("DeepLab (stride 8), decoder on − off, mean IoU", gain("deeplab_8", "deeplab_8_no_decoder"), 0.15, None),
        ("DeepLab (stride 16), decoder on − off, mean IoU", gain("deeplab_16", "deeplab_16_no_decoder"), 0.30, None),
        ("DeepLab, stride 8 − 16, without decoder, mean IoU",
         gain("deeplab_8_no_decoder", "deeplab_16_no_decoder"), 0.12, None),
        ("DeepLab, stride 8 − 16, with decoder, mean IoU", gain("deeplab_8", "deeplab_16"), 0.0, None),
        ("U-Net − DeepLab (stride 8), mean IoU", gain("unet", "deeplab_8"), 0.0, None),
        ("ASPP on − off on the scenes (no gain), mean IoU", gain("deeplab_8", "deeplab_8_no_aspp"), -0.02, 0.02),
        ("image pooling on − off on the scenes (no gain), mean IoU",
         gain("deeplab_8", "deeplab_8_no_pooling"), -0.02, 0.02),
        ("large view, accuracy on water > 8 px from the bank", of("water_large_view", "beyond_8"), 0.85, None),
        ("small view, accuracy on water > 8 px from the bank", of("water_small_view", "beyond_8"), None, 0.60),
        ("dilations 1, 2, 3 on pairs of pixels, accuracy", of("gridding_123", accuracy), 0.93, None),
        ("dilations 2, 2, 2 on pairs of pixels, accuracy", of("gridding_222", accuracy), None, 0.55),
        ("rates 1, 3, 6 − 1, 1, 1 on water, shallow backbone, mean IoU",
         gain("bank_aspp_136", "bank_aspp_111"), 0.05, None),
        ("a mark anywhere: image pooling, mean IoU", of("mark_pooling"), 0.90, None),
        ("a mark anywhere: rates 1, 1, 1, mean IoU", of("mark_aspp_111"), None, 0.65),
        ("odd sizes, 63: pad − interpolate, mean IoU", odd[63][0] - odd[63][1], 0.0, None),
        ("odd sizes, 65: pad − interpolate, mean IoU", odd[65][0] - odd[65][1], 0.0, None),
        ("odd sizes, 63: pad − the even size, mean IoU", odd[63][0] - even, -0.02, 0.02),
        ("odd sizes, 65: pad − the even size, mean IoU", odd[65][0] - even, -0.02, 0.02),
        ("separable − standard, equal width, mean IoU", gain("separable_equal_width", "separable_standard"), None, 0.0),
        ("separable − standard, as many parameters, mean IoU",
         gain("separable_equal_parameters", "separable_standard"), -0.05, 0.05),
    ]  # fmt: skip


def holds(values, least, most):
    """For each seed, whether its value lies within the limits."""
    return (values >= (-np.inf if least is None else least)) & (values <= (np.inf if most is None else most))


def figures(name):
    """Lowest, mean and highest of the figure that the experiment is about."""
    entry = stored(name)
    figure = next(key for key in ("coin_iou", "beyond_8", "mean_iou") if key in entry)
    if name.startswith("gridding"):
        figure = "accuracy"
    words = {"coin_iou": "coin IoU", "beyond_8": "accuracy > 8 px", "mean_iou": "mean IoU", "accuracy": "accuracy"}
    return words[figure], band(name, figure)


def readme(names):
    """The text of data/results/README.md."""
    lines = [OPENING, HEADER]
    for name in names:
        entry, (figure, (low, mean, high)) = stored(name), figures(name)
        seconds = entry["seconds"]
        lines.append(
            f"| `{name}.json` | {entry['about']}{' ★' if name in ENTRIES else ''} | {len(entry['seeds'])} | {figure} "
            f"| {low:.3f} | {mean:.3f} | {high:.3f} | {np.median(seconds):.1f} | {entry['parameters']:,} "
            f"| {entry['multiply_adds'] / 1e6:.1f} M |"
        )
    lines.append(TARGETS)
    for what, values, least, most in targets():
        wanted = " and ".join(f"{sign} {limit:g}" for sign, limit in (("≥", least), ("≤", most)) if limit is not None)
        verdict = f"{sum(holds(values, least, most))} of {len(values)}"
        lines.append(
            f"| {what} | {wanted} | {values.min():.3f} | {values.mean():.3f} | {values.max():.3f} | {verdict} |"
        )
    lines.append(TOGETHER)
    for group in LIVE:
        seconds = sum(np.median(stored(name)["seconds"]) for name in group)
        lines.append(f"| {', '.join(group)} | {seconds:.0f} |")
    return "\n".join(lines) + "\n"


OPENING = """# Stored results

What `make results` writes: every experiment of the series, trained with several seeds, so that one run can be judged
against the spread. Nothing here is written by hand; `tools/results.py` holds the settings, `tools/targets.py` makes
this page. `make results NAME=unet` trains one experiment. Digits differ a little between machines: a run of one's
own is expected within 0.03 of the stored range.

All are trained by one recipe, that of `helpers.training.fit`: AdamW, learning rate 0.01 with warm-up and cosine,
batches of 4, an auxiliary head with weight 0.5 (the plain stacks have none). Training, test and validation scenes have
seeds of their own. ★: an entry of the scoreboard, trained on 256 scenes of 96 × 96 pixels in 8 epochs and tested on
128 others.

Seconds are those of one training with one thread (processor time, median over the seeds). Parameters include the
auxiliary head, multiply-adds are those of one picture.
"""
HEADER = """| file | what | seeds | figure | lowest | mean | highest | seconds | parameters | multiply-adds |
|---|---|---|---|---|---|---|---|---|---|"""
TARGETS = """
## What holds for every seed

Differences are taken seed by seed; the last column counts seeds.

| what | wanted | lowest | mean | highest | holds for |
|---|---|---|---|---|---|"""
TOGETHER = """
## What can be trained live

Seconds of processor time with one thread, on a machine that was busy with other work: a quiet one is faster.

| experiments | seconds together |
|---|---|"""


def write(names):
    README.write_text(readme(names), encoding="utf-8")
