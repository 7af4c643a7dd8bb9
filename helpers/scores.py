"""How good is a label map? The scores of FCN §5 (Long et al. 2015), and a boundary score.

All but the boundary score are read off one confusion matrix; matrices of several pictures may be added first.
A class that occurs neither in the labels nor in the predictions has no score (NaN in `iou`) and no part in a
mean. A matrix without a single labelled pixel has no score at all: ValueError.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from helpers.checks import whole_number

VOID = 255  # the label of pixels that have no class: they count nowhere


def confusion_matrix(predictions, labels, classes, ignore_index=VOID):
    """Counts (classes, classes), int64: row = true class, column = predicted class.

    `predictions` and `labels`: integer tensors of one shape, (H, W) or (N, H, W). Pixels whose label is
    `ignore_index` (void; None for no such label) are not counted. ValueError for another shape, type, or a value
    outside 0…classes−1.
    """
    classes = whole_number("classes", classes)
    _check_maps(predictions=predictions, labels=labels)
    if predictions.shape != labels.shape:
        raise ValueError(f"predictions {tuple(predictions.shape)} and labels {tuple(labels.shape)} differ in shape")
    void = _is_void(labels, ignore_index)
    for name, values in {"predictions": predictions, "labels": labels}.items():
        outside = ((values < 0) | (values >= classes)) & ~void
        if outside.any():
            void_too = "" if ignore_index is None else f" (or be {ignore_index}, void)"
            raise ValueError(f"{name} must lie in 0…{classes - 1}{void_too}, got {values[outside][0].item()}")
    pairs = torch.where(void, classes**2, classes * labels.long() + predictions.long())  # void: one bin more
    return torch.bincount(pairs.flatten(), minlength=classes**2 + 1)[:-1].reshape(classes, classes)


def pixel_accuracy(matrix):
    """Share of the labelled pixels that have the right class, 0…1."""
    matrix = _checked(matrix)
    return (matrix.trace() / matrix.sum()).item()


def class_accuracy(matrix):
    """Per class, the share of its pixels that were found (recall): float64 (classes,), NaN where it has none."""
    matrix = _checked(matrix)
    return matrix.diagonal() / matrix.sum(dim=1)


def mean_accuracy(matrix):
    """Mean of `class_accuracy` over the classes that the labels contain, 0…1."""
    return class_accuracy(matrix).nanmean().item()


def iou(matrix):
    """Per class, intersection over union of prediction and label: float64 (classes,), NaN where both lack it."""
    matrix = _checked(matrix)
    intersection = matrix.diagonal()
    return intersection / (matrix.sum(dim=0) + matrix.sum(dim=1) - intersection)


def mean_iou(matrix):
    """Mean of `iou` over the classes that occur, 0…1."""
    return iou(matrix).nanmean().item()


def frequency_weighted_iou(matrix):
    """Mean of `iou`, each class weighted by its share of the labelled pixels, 0…1."""
    share = _checked(matrix).sum(dim=1) / matrix.sum()
    return (share * iou(matrix).nan_to_num()).sum().item()


def boundary_f_score(prediction, label, tolerance=2, ignore_index=VOID):
    """How well the outlines agree, 0…1: mean over classes of the F-score of boundary pixels (Csurka et al. 2013, §3).

    `prediction` and `label`: integer (H, W). A boundary pixel is right when the other map has a boundary pixel of
    the same class within `tolerance` pixels (Euclidean). The frame of the picture and the edge of void regions are
    no boundaries. A class with a boundary in one map only scores 0; without any boundary in both maps, the score is 1.
    """
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance must be a distance ≥ 0 in pixels, got {tolerance}")
    _check_maps(prediction=prediction, label=label)
    if prediction.shape != label.shape or label.ndim != 2:
        raise ValueError(f"prediction and label must be (H, W), got {tuple(prediction.shape)}, {tuple(label.shape)}")
    void = _is_void(label, ignore_index)
    if void.all():
        raise ValueError("every pixel is void: there is nothing to score")
    scores = []
    highest = max(prediction.masked_fill(void, 0).max(), label.masked_fill(void, 0).max())
    for index in range(highest + 1):
        ours = _boundary((prediction == index) & ~void, void)
        theirs = _boundary((label == index) & ~void, void)
        if ours.any() or theirs.any():
            # F = 2PR / (P + R), with P and R shares of pixels that lie near the other boundary
            precision = (ours & _near(theirs, tolerance)).sum() / ours.sum().clamp(min=1)
            recall = (theirs & _near(ours, tolerance)).sum() / theirs.sum().clamp(min=1)
            scores.append((2 * precision * recall / (precision + recall).clamp(min=1e-12)).item())
    return sum(scores) / len(scores) if scores else 1.0


def spoil(label, shift=0, grow=0, drop=None):
    """A prediction with a known fault, made from the label map, (H, W) or (N, H, W); void becomes background (class 0).

    Class `drop` turns into background; then objects grow by `grow` pixels in all directions (shrink if negative);
    then everything moves `shift` pixels to the right, and background comes in from the left.
    """
    shift, grow = whole_number("shift", shift, 0), whole_number("grow", grow, -255, 255)
    _check_maps(label=label)
    prediction = label.clone()
    prediction[(label == VOID) | (label == (-1 if drop is None else drop))] = 0
    if grow > 0:
        grown = _largest(prediction, grow)
        prediction = torch.where(prediction == 0, grown, prediction)
    elif grow < 0:
        prediction[_largest(prediction == 0, -grow) > 0] = 0
    return F.pad(prediction, (shift, 0))[..., : prediction.shape[-1]]


def _largest(values, reach):
    """The largest value in the square of ±`reach` pixels around each pixel: along the rows, then down the columns."""
    rows = F.max_pool2d(values[..., None, :, :].float(), (1, 2 * reach + 1), 1, (0, reach))
    return F.max_pool2d(rows, (2 * reach + 1, 1), 1, (reach, 0))[..., 0, :, :].long()


def _check_maps(**maps):
    for name, values in maps.items():
        if not isinstance(values, torch.Tensor):
            raise ValueError(f"{name} must be a tensor of whole numbers, not a {type(values).__name__}")
        if values.is_floating_point() or values.is_complex():
            raise ValueError(f"{name} must hold whole numbers (class indices), got {values.dtype}")


def _is_void(label, ignore_index):
    return torch.zeros_like(label, dtype=torch.bool) if ignore_index is None else label == ignore_index


def _checked(matrix):
    """The matrix in float64, after a look at it."""
    if not isinstance(matrix, torch.Tensor):
        raise ValueError(f"a confusion matrix is a tensor, as `confusion_matrix` gives, not a {type(matrix).__name__}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a confusion matrix is square, got {tuple(matrix.shape)}")
    if not matrix.isfinite().all() or (matrix < 0).any():
        raise ValueError("a confusion matrix holds counts, but this one has negative or infinite entries or NaN")
    if matrix.sum() == 0:
        raise ValueError("no labelled pixel was counted: every label is void, so there is nothing to score")
    return matrix.double()


def _boundary(mask, void):
    """Pixels of `mask` with one of their 8 neighbours outside of it (void and the picture's frame do not count)."""
    outside = ~(mask | void)
    return mask & _near(outside, 1.5)


def _near(mask, distance):
    """Pixels within `distance` (Euclidean) of a pixel of `mask`."""
    reach, (height, width) = int(distance), mask.shape
    framed = np.pad(mask.numpy(), reach)
    result = np.zeros((height, width), dtype=bool)
    for y, x in itertools.product(range(-reach, reach + 1), repeat=2):
        if x * x + y * y <= distance**2:
            result |= framed[reach + y : reach + y + height, reach + x : reach + x + width]
    return torch.from_numpy(result)
