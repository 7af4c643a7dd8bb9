"""The exercises of 01_output_sizes."""

from itertools import product

from helpers.exercises import EXERCISES, Exercise

GRID = tuple(product(range(3, 12), range(1, 6), range(1, 4), range(4), range(1, 4)))  # (i, k, s, p, d)


def _out_size(i, k, s, p, d):
    """The obvious loop: count the places where the first and the last tap lie on the padded picture."""
    return sum(start + d * (k - 1) < i + 2 * p for start in range(0, i + 2 * p, s))


def _room(i, k, p, d):
    return i + 2 * p - d * (k - 1) - 1


EXERCISES["inputs"] = Exercise(
    right={31, 32},
    mistakes={
        "One is missing: with stride 2 each output size belongs to two input sizes.": {31},
        "One is missing: with stride 2 each output size belongs to two inputs, one of them odd.": {32},
        "These give 15, 16 or 17: keep only those that give exactly 16.": {29, 30, 31, 32, 33, 34},
        "This is what comes *out* of input 16. Look for what goes *in*.": {8},
        "One too many: 33 gives 17.": {31, 32, 33},
        "30 gives 15, one too small.": {30, 31},
        "33 gives 17, one too large.": {32, 33},
        "Without padding, 33 and 34 give 16. Here p = 1.": {33, 34},
    },
    hints=(
        "let the cell above print every input with its output, and read the rows with 16.",
        "solve 16 = ⌊(i − 1) / 2⌋ + 1: both even and odd i are possible.",
    ),
)
EXERCISES["padding"] = Exercise(
    right=lambda dilation: dilation,
    cases=tuple((dilation,) for dilation in (6, 12, 18, 24)),
    mistakes={
        "1 is right only for dilation 1: the kernel now reaches further.": lambda dilation: 1,
        "d − 1 counts the cells skipped between two taps. The outer tap is d cells from the centre.": lambda d: d - 1,
        "2d is the padding of both sides together. `padding` is added on each side.": lambda d: 2 * d,
        "k − 1 belongs into d(k−1)/2, not k.": lambda d: 3 * d // 2,
        "k − 1 is 2: in d(k−1)/2 both halves cancel.": lambda d: d // 2,
        "This would be 2 for dilation 1, where 1 is right.": lambda d: d + 1,
        "2d + 1 is the reach of the kernel. Half of what it is too long, on each side.": lambda d: 2 * d + 1,
    },
    hints=(
        "solve i = i + 2p − d(k−1) for k = 3.",
        "p = d(k−1)/2, and k − 1 is 2.",
    ),
)
EXERCISES["out-size"] = Exercise(
    right=_out_size,
    cases=GRID,
    core=lambda i, k, s, p, d: _room(i, k, p, d) >= d,  # where it fits well: there, wrong laws show
    mistakes={
        "Right where the kernel fits. Where it does not, return 0.": lambda i, k, s, p, d: _room(i, k, p, d) // s + 1,
        "The floor is missing: a size is a whole number. Use `//`.": lambda i, k, s, p, d: _room(i, k, p, d) / s + 1,
        "The + 1 stands inside the floor: first ⌊(… − 1) / s⌋, the number of steps; then + 1, the first window.": (
            lambda i, k, s, p, d: (_room(i, k, p, d) + 1) // s
        ),
        "The + 1 is missing: a kernel that never moves still gives one value.": (
            lambda i, k, s, p, d: _room(i, k, p, d) // s
        ),
        "The − 1 is missing: count the steps *behind* the first window.": (
            lambda i, k, s, p, d: (_room(i, k, p, d) + 1) // s + 1
        ),
        "The dilated kernel is d(k−1) + 1 long, not d·k.": lambda i, k, s, p, d: (i + 2 * p - d * k) // s + 1,
        "This ignores the dilation.": lambda i, k, s, p, d: (i + 2 * p - k) // s + 1,
        "This rounds up: a window that hangs over the edge does not count.": (
            lambda i, k, s, p, d: -(-_room(i, k, p, d) // s) + 1
        ),
        "The padding is on both sides: 2p.": lambda i, k, s, p, d: (i + p - d * (k - 1) - 1) // s + 1,
        "This ignores the stride.": lambda i, k, s, p, d: _room(i, k, p, d) + 1,
    },
    hints=(
        "start from the stride-1 size, i + 2p − d(k−1), and ask how many steps of s fit behind the first window.",
        "(i + 2p − d(k−1) − 1) // s + 1, and 0 where i + 2p is smaller than the kernel.",
    ),
)
