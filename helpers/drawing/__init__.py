"""Numbers in, picture out, in one style. Nothing here computes about networks.

`style`: the palette, the look of each class, `show`. `pictures`: photographs, label maps, errors. `charts`: lines,
bars and heat maps. `svg`: the shapes that schematic pictures and explorers are drawn with.
"""

from helpers.drawing.charts import bars, confusion, curves, dots, heat
from helpers.drawing.pictures import colours, compare_masks, gallery, mark_errors, panels
from helpers.drawing.style import CLASSES, show

__all__ = [
    "CLASSES", "bars", "colours", "compare_masks", "confusion", "curves", "dots", "gallery", "heat", "mark_errors",
    "panels", "show",
]  # fmt: skip
