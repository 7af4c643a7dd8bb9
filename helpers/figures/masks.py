"""A wanted mask beside the learner's."""

from helpers.figures.svg import BLUE, RED, document, rectangle, text


def compare_masks(target, yours=None, cell=16):
    """(SVG, what it shows): the wanted mask (H, W) and, where there is one, `yours`, its wrong pixels crossed."""
    height, width = target.shape
    parts = [text(0, 14, "wanted"), *_grid(target, None, 0, cell)]
    finding = "Wanted: the dark pixels are True."
    if yours is not None:
        left = (width + 3) * cell
        wrong = (yours != target).sum().item()
        parts += [
            text(left, 14, f"yours: {wrong} of {target.numel()} pixels differ"),
            *_grid(yours, target, left, cell),
        ]
        finding = f"The wanted mask and yours: {wrong} of {target.numel()} pixels differ."
    return document(max((2 * width + 3) * cell, 600), height * cell + 24, parts, finding), finding


def _grid(mask, target, left, cell):
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            fill = BLUE if mask[y, x] else "#F2F2F2"
            yield rectangle(left + x * cell, 24 + y * cell, cell - 1, cell - 1, fill=fill)
            if target is not None and mask[y, x] != target[y, x]:
                yield text(
                    left + (x + 0.5) * cell,
                    24 + (y + 0.8) * cell,
                    "×",
                    anchor="middle",
                    weight="bold",
                    fill=RED,
                )
