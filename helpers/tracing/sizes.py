"""Why a network refuses a picture of this size, and the nearest sizes that it takes."""

from dataclasses import dataclass

import torch

from helpers.tracing.meta import MetaRun, checked_shape, error_on_cpu, tensors_in

FURTHEST = 128  # pixels, along each axis
RINGS = 24  # pixels around the given size within which all sizes are tried, if nothing simpler works


@dataclass(frozen=True)
class Sizes:
    """What `explain_sizes` found; `str` gives it in words.

    works: True or False; None where the model asks for the values of its picture, so that only a real run can tell.
    layer: dotted name of the module in whose forward it fails ("" is the model itself), None if it works.
    sizes: the shapes of the two tensors that do not fit together, None if there are no two.
    output_shape: (C, H, W) of the first output, None if it fails.
    below, above: the nearest (H, W), smaller and larger, at which the model works. If it works here but changes the
    size, the nearest whose output is as large as the picture. None where there is none, or no need.
    """

    works: bool | None
    text: str
    layer: str | None = None
    sizes: tuple | None = None
    output_shape: tuple | None = None
    below: tuple | None = None
    above: tuple | None = None

    def __str__(self):
        return self.text


def explain_sizes(model, input_shape):
    """Whether `model` takes a picture of this size, what fails if not, and the nearest sizes that it takes.

    input_shape: (C, H, W), or (N, C, H, W). Returns `Sizes`; print it. The model itself is neither run nor changed: a
    copy without data runs, in eval mode (what only training mode refuses, such as batch normalisation of one value per
    channel, is not found). The nearest sizes are looked for up to 128 pixels along each axis, and each one that is
    given was tried. That they are the nearest holds for networks in which height and width follow a rule each.
    """
    batch, channels, height, width = checked_shape(input_shape)
    runs = _Runs(model, batch, channels)
    explain = _explain_success if runs.works(height, width) else _explain_failure
    return explain(runs, height, width)


def _explain_success(runs, height, width):
    text, shape = f"A picture of {height}×{width} works", runs.output_shape(height, width)
    if len(shape) < 3 or runs.keeps_size(height, width):
        return Sizes(True, f"{text}: the output is {_by(shape)}.", output_shape=shape)
    text += f", but the output is {_by(shape[-2:])} (its shape: {_by(shape)})."
    below = above = None
    if runs.keeps_size(_multiple(height, FURTHEST), _multiple(width, FURTHEST)):  # otherwise it is not meant to
        below, above, _ = _nearest_sizes(runs.keeps_size, height, width)
    if below or above:
        text += f"\nThe nearest sizes that come out as large as they go in: {_both(below, above)}."
    return Sizes(True, text, output_shape=shape, below=below, above=above)


def _explain_failure(runs, height, width):
    layer, sizes, message = runs.layer, *runs.what_failed()
    where = f"layer {layer!r}" if layer else "the model's own forward"
    if isinstance(runs.error, NotImplementedError) or "meta tensor" in message:
        text = f"Only a real run can tell: the model asks for values in {where}.\nThe message: {message}"
        return Sizes(None, text, layer)
    text = f"A picture of {height}×{width} does not work: it fails in {where}"
    text += f", where {runs.operation} gets {_pair(*sizes)}." if sizes else "."
    text += f"\nThe message: {message}"
    if "channels, but got" in message or (sizes and len(sizes[0]) == 4 and sizes[0][2:] == sizes[1][2:]):
        text += "\nIts channels do not fit, so another height or width does not help."
        return Sizes(False, text, layer, sizes)

    below, above, some = _nearest_sizes(runs.works, height, width)
    if below or above:
        text += f"\nThe nearest sizes that work: {_both(below, above)}."
    elif some:
        text += f"\nIt works at {_by(some)}; no size that is smaller, or larger, along both axes does."
    else:
        text += f"\nNo other size was found to work within {FURTHEST} pixels: height and width may not be the cause."
    if above and runs.keeps_size(*above):
        more = [(above[0] - height, "row"), (above[1] - width, "column")]
        padding = " and ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in more if n)
        text += f"\nPad the picture by {padding}, and cut the output back to {height}×{width}."
    return Sizes(False, text, layer, sizes, below=below, above=above)


def _by(shape):
    return "×".join(map(str, shape))


def _both(below, above):
    return " and ".join(f"{_by(size)} {side}" for size, side in ((below, "below"), (above, "above")) if size)


def _pair(a, b):
    """Without what is the same in both."""
    maps = len(a) == len(b) == 4 and a[0] == b[0] and a[2:] != b[2:]
    return f"maps of {_by(a[2:])} and {_by(b[2:])}" if maps else f"{_by(a)} and {_by(b)}"


def _multiple(size, of):
    return -(-size // of) * of


def _nearest_sizes(works, height, width):
    """(below, above, one that works): one size is found first, then height and width vary on their own."""
    some = next((size for size in _candidates(height, width) if works(*size)), None)
    if some is None:
        return None, None, None

    def nearest(direction):
        steps = range(0, direction * (FURTHEST + 1), direction)
        row = next((height + n for n in steps if height + n > 0 and works(height + n, some[1])), None)
        column = next((width + n for n in steps if width + n > 0 and works(some[0], width + n)), None)
        return (row, column) if row and column and works(row, column) else None

    return nearest(-1), nearest(1), some


def _candidates(height, width):
    """Where to look for one size that works: the common rules first."""
    divisors = [*(2**k for k in range(1, 8)), *range(3, FURTHEST)]
    above = [(_multiple(height, of), _multiple(width, of)) for of in divisors]
    below = [(height // of * of, width // of * of) for of in divisors]
    multiples = [size for pair in zip(above, below, strict=True) for size in pair]
    steps = [sign * n for n in range(1, FURTHEST + 1) for sign in (1, -1)]
    squares = [(s, s) for n in steps for s in (max(height, width) + n, min(height, width) + n)]
    one_axis = [size for n in steps for size in ((height + n, width), (height, width + n))]
    around = [
        (height + i, width + j) for n in range(1, RINGS) for i in range(n + 1) for j in range(n + 1) if n in (i, j)
    ]
    return [size for size in (*multiples, *squares, *one_axis, *around) if min(size) > 0]


class _Runs(MetaRun):
    """Runs at many sizes. After one that fails: `error`, `layer`, and the `call` of the last operation that failed."""

    def __init__(self, model, *batch_and_channels):
        super().__init__(model)
        self.batch_and_channels, self.shapes, self.error, self.call = batch_and_channels, {}, None, None

    def output_shape(self, height, width):
        """Of the first output, without the batch; None if the run fails."""
        if (height, width) not in self.shapes:
            self.open.clear()
            self.error = self.call = None
            try:
                output = self.run(self.empty_picture((*self.batch_and_channels, height, width)))
                shape = next((tuple(tensor.shape[1:]) for tensor in tensors_in(output)), ())
            except Exception as error:
                self.error, shape = error.with_traceback(None), None
            self.shapes[height, width] = shape
        return self.shapes[height, width]

    def works(self, height, width):
        return self.output_shape(height, width) is not None

    def keeps_size(self, height, width):
        shape = self.output_shape(height, width) or ()
        return len(shape) == 3 and shape[1:] == (height, width)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        try:
            return super().__torch_dispatch__(operation, types, args, kwargs)
        except Exception as error:
            self.call = operation, args, kwargs or {}, error
            raise

    @property
    def operation(self):
        return self.call[0].overloadpacket.__name__.strip("_")

    def what_failed(self):
        """(the two shapes that do not fit together, or None; the message)"""
        sizes, error = None, self.error
        if self.call is not None and self.call[-1] is error:
            operation, args, kwargs, _ = self.call
            sizes, error = _meeting(operation, args), error_on_cpu(operation, args, kwargs) or error
        return sizes, " ".join(str(error).split()) or type(error).__name__


def _meeting(operation, args):
    """The shapes of the first two tensors that do not fit together, if there are two."""
    product = operation in (torch.ops.aten.addmm.default, torch.ops.aten.baddbmm.default)  # bias, then the two factors
    shapes = [tuple(tensor.shape) for tensor in tensors_in(args[1:] if product else args)]
    joined = (*args[1:], 0)[0] if operation is torch.ops.aten.cat.default else None  # may differ there

    def compared(shape):
        return [size for dim, size in enumerate(shape) if joined is None or dim != joined % len(shape)]

    other = next((shape for shape in shapes if compared(shape) != compared(shapes[0])), None)
    return other and (shapes[0], other)
