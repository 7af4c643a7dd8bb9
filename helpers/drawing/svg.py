"""The few SVG shapes that the explorers draw with: fast to make, sharp on a projector, readable by screen readers."""

import base64
import io
from html import escape

from PIL import Image

from helpers.drawing.style import INK

FONT = "DejaVu Sans, Verdana, sans-serif"


def document(width, height, parts, title):
    """A whole SVG on white, as wide as its cell allows; `title` is read out by screen readers."""
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {width + 16:g} {height + 16:g}" role="img" '
        f'style="max-width:{width + 16:g}px;width:100%" font-family="{FONT}"><title>{escape(title)}</title>'
        f'<rect x="-8" y="-8" width="100%" height="100%" fill="white"/>{body}</svg>'
    )


def rectangle(x, y, width, height, *, fill="none", stroke="none", stroke_width=1, dash="", opacity=1):
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{max(width, 0):.5g}" height="{height:g}" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{stroke_width:g}" stroke-dasharray="{dash}" opacity="{opacity:g}"/>'
    )


def text(x, y, words, *, size=15, anchor="start", weight="normal", fill=INK):
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{fill}">{escape(str(words))}</text>'
    )


def line(x1, y1, x2, y2, *, stroke=INK, width=1.5, dash=""):
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{stroke}" stroke-width="{width:g}" '
        f'stroke-dasharray="{dash}"/>'
    )


def cells(places, x, y, size, *, inset=0, fill="none", stroke="none", width=1, dash=""):
    """Squares of a grid as one fast path; `places`: (row, column) pairs, `inset`: empty share on each side."""
    side, gap = size * (1 - 2 * inset), size * inset
    d = "".join(
        f"M{x + gap + column * size:.4g} {y + gap + row * size:.4g}h{side:.4g}v{side:.4g}h-{side:.4g}z"
        for row, column in places
    )
    return f'<path d="{d}" fill="{fill}" stroke="{stroke}" stroke-width="{width:g}" stroke-dasharray="{dash}"/>'


def grid(x, y, size, count, *, fill="none", stroke=INK, dash=""):
    """A grid of `count` × `count` squares."""
    side = size * count
    d = "".join(
        f"M{x:.4g} {y + n * size:.4g}h{side:.4g}M{x + n * size:.4g} {y:.4g}v{side:.4g}" for n in range(count + 1)
    )
    lines = f'<path d="{d}" stroke="{stroke}" stroke-dasharray="{dash}"/>'
    return rectangle(x, y, side, side, fill=fill) + lines


def hatch(places, x, y, size, *, stroke=INK):
    """Slanted strokes in each square of a grid: for what is left out."""
    half = size / 2 if size > 9 else 0  # three strokes, or one where squares are small
    d = ""
    for left, bottom in ((x + column * size, y + (row + 1) * size) for row, column in places):
        d += f"M{left:.4g} {bottom:.4g}l{size:.4g} -{size:.4g}"
        if half:
            d += f"M{left:.4g} {bottom - half:.4g}l{half:.4g} -{half:.4g}"
            d += f"M{left + half:.4g} {bottom:.4g}l{half:.4g} -{half:.4g}"
    return f'<path d="{d}" stroke="{stroke}" stroke-width="1.2" opacity="0.55"/>'


def picture(image, x, y, width, height, photo=False):
    """An image (3, H, W) in [0, 1], its pixels drawn as pixels; a `photo` as JPEG, other images in 64 levels: small."""
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    if photo:
        Image.fromarray(pixels).save(buffer, format="jpeg", quality=90, subsampling=0)
    else:
        Image.fromarray(pixels & 0xFC).save(buffer, format="png", compress_level=1)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/{"jpeg" if photo else "png"};base64,{data}"/>'
    )
