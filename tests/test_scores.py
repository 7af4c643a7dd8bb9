"""Scores against torchmetrics, FCN §5's definitions, and slow loops."""

import math

import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
)

from helpers import scores

WORKED = torch.tensor([[50, 10], [5, 35]])


def random_pair(seed, classes, void=True, shape=(23, 31)):
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, shape, generator=generator)
    prediction = torch.where(torch.rand(shape, generator=generator) < 0.3, (label + 1) % classes, label)
    if void:
        label[torch.rand(shape, generator=generator) < 0.1] = 255
    return prediction, label


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_against_torchmetrics(classes, seed):
    prediction, label = random_pair(seed, classes)
    ours = scores.confusion_matrix(prediction, label, classes)
    options = {"num_classes": classes, "ignore_index": 255}
    assert ours.equal(multiclass_confusion_matrix(prediction, label, **options))
    per_class = multiclass_jaccard_index(prediction, label, average="none", **options)
    assert torch.allclose(scores.iou(ours).float(), per_class, atol=1e-6)
    assert math.isclose(scores.mean_iou(ours), per_class.mean(), abs_tol=1e-6)
    micro = multiclass_accuracy(prediction, label, average="micro", **options)
    assert math.isclose(scores.pixel_accuracy(ours), micro, abs_tol=1e-6)
    macro = multiclass_accuracy(prediction, label, average="macro", **options)
    assert math.isclose(scores.mean_accuracy(ours), macro, abs_tol=1e-6)


def test_worked_example_of_fcn_section_5():
    found = [
        scores.pixel_accuracy(WORKED),
        scores.mean_accuracy(WORKED),
        scores.mean_iou(WORKED),
        scores.frequency_weighted_iou(WORKED),
    ]
    assert [round(value, 4) for value in found] == [0.85, 0.8542, 0.7346, 0.7415]


def test_all_background():
    matrix = torch.tensor([[99, 0], [1, 0]])
    assert scores.pixel_accuracy(matrix) == 0.99 and math.isclose(scores.mean_iou(matrix), 0.495)


def test_absent_class_has_no_part_in_a_mean():
    matrix = torch.zeros(3, 3, dtype=torch.long)
    matrix[:2, :2] = WORKED
    assert scores.iou(matrix)[2].isnan() and scores.class_accuracy(matrix)[2].isnan()
    assert scores.mean_iou(matrix) == scores.mean_iou(WORKED)
    assert scores.mean_accuracy(matrix) == scores.mean_accuracy(WORKED)
    assert scores.frequency_weighted_iou(matrix) == scores.frequency_weighted_iou(WORKED)


def test_predicted_but_absent_class_scores_zero():
    matrix = torch.tensor([[5, 0, 5], [0, 5, 0], [0, 0, 0]])
    assert scores.iou(matrix)[2] == 0 and not math.isnan(scores.mean_iou(matrix))


@pytest.mark.parametrize("score", [scores.pixel_accuracy, scores.mean_accuracy, scores.iou, scores.mean_iou])
def test_all_void_is_an_error(score):
    void = torch.full((4, 4), 255)
    matrix = scores.confusion_matrix(torch.zeros_like(void), void, 2)
    assert matrix.sum() == 0
    with pytest.raises(ValueError, match="every label is void"):
        score(matrix)


@pytest.mark.parametrize(
    ("prediction", "label", "message"),
    [
        (torch.zeros(2, 3).long(), torch.zeros(3, 2).long(), "differ in shape"),
        (torch.zeros(2, 2), torch.zeros(2, 2).long(), "whole numbers"),
        (torch.zeros(2, 2).long().numpy(), torch.zeros(2, 2).long(), "predictions must be a tensor .* not a ndarray"),
        (torch.zeros(2, 2).long(), [[0, 0], [0, 0]], "labels must be a tensor .* not a list"),
        (torch.full((2, 2), 2), torch.zeros(2, 2).long(), r"predictions must lie in 0…1 .* got 2"),
        (torch.zeros(2, 2).long(), torch.full((2, 2), -1), r"labels must lie in 0…1 .* got -1"),
    ],
)
def test_bad_input(prediction, label, message):
    with pytest.raises(ValueError, match=message):
        scores.confusion_matrix(prediction, label, 2)


def test_no_void_label():
    zeros = torch.zeros(2, 2).long()
    assert scores.confusion_matrix(zeros, zeros, 1, ignore_index=None).tolist() == [[4]]
    assert scores.boundary_f_score(zeros, zeros, ignore_index=None) == 1
    with pytest.raises(ValueError, match="labels must lie in 0…0, got 255"):
        scores.confusion_matrix(zeros, zeros + 255, 1, ignore_index=None)
    with pytest.raises(ValueError, match="classes must be a whole number ≥ 1, got 0"):
        scores.confusion_matrix(zeros, zeros, 0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[3, 0], [0, 3]], "is a tensor, .* not a list"),
        (torch.tensor([[3, -1], [0, 3]]), "holds counts, but this one has negative"),
        (torch.tensor([[3, math.nan], [0, 3]]), "holds counts, .* NaN"),
        (torch.ones(2, 3), r"is square, got \(2, 3\)"),
    ],
)
def test_what_is_no_confusion_matrix(matrix, message):
    for score in (scores.iou, scores.pixel_accuracy, scores.frequency_weighted_iou):
        with pytest.raises(ValueError, match=f"a confusion matrix {message}"):
            score(matrix)


@pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf])
def test_a_tolerance_is_a_distance(tolerance):
    with pytest.raises(ValueError, match="tolerance must be a distance ≥ 0 in pixels"):
        scores.boundary_f_score(torch.eye(5).long(), torch.eye(5).long(), tolerance)


def test_boundary_f_wants_maps_of_whole_numbers():
    with pytest.raises(ValueError, match="prediction must be a tensor of whole numbers"):
        scores.boundary_f_score(torch.eye(5).long().numpy(), torch.eye(5).long())
    with pytest.raises(ValueError, match="label must hold whole numbers"):
        scores.boundary_f_score(torch.eye(5).long(), torch.eye(5))


@pytest.mark.parametrize("fault", [{}, {"shift": 2}, {"grow": 1}, {"grow": -1}, {"drop": 1}])
def test_a_batch_is_spoilt_picture_by_picture(fault):
    labels = torch.zeros(2, 9, 7).long()
    labels[0, 3:6, 1:4], labels[1, 2:5, 3:6], labels[1, 0, 0] = 1, 2, 255
    assert scores.spoil(labels, **fault).equal(torch.stack([scores.spoil(label, **fault) for label in labels]))


def slow_boundary_f(prediction, label, tolerance):
    """By the definition, pixel by pixel."""
    height, width = label.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]

    def boundary(image, index):
        def other(y, x):
            near = [(y + b, x + a) for b in (-1, 0, 1) for a in (-1, 0, 1)]
            inside = [(b, a) for b, a in near if 0 <= b < height and 0 <= a < width]
            return any(image[b, a] != index and label[b, a] != 255 for b, a in inside)

        return [(y, x) for y, x in pixels if image[y, x] == index and label[y, x] != 255 and other(y, x)]

    def share(ours, theirs):
        near = [any(math.dist(a, b) <= tolerance for b in theirs) for a in ours]
        return sum(near) / max(len(near), 1)

    values = []
    for index in set(prediction.unique().tolist() + label.unique().tolist()) - {255}:
        ours, theirs = boundary(prediction, index), boundary(label, index)
        if ours or theirs:
            precision, recall = share(ours, theirs), share(theirs, ours)
            values.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return sum(values) / len(values)


@pytest.mark.parametrize("tolerance", [1, 1.5, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_boundary_f_by_its_definition(seed, tolerance):
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(3, (2, 4, 5), generator=generator)
    prediction, label = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)
    label[:2, :3] = 255
    expected = slow_boundary_f(prediction, label, tolerance)
    assert math.isclose(scores.boundary_f_score(prediction, label, tolerance), expected, abs_tol=1e-6)


def test_boundary_f_at_its_ends():
    flat = torch.zeros(6, 6).long()
    half = flat.clone()
    half[:, 3:] = 1
    assert scores.boundary_f_score(flat, flat) == 1  # no boundary in both
    assert scores.boundary_f_score(flat, half) == 0  # in one only
    assert scores.boundary_f_score(half, half) == 1
    with pytest.raises(ValueError, match="every pixel is void"):
        scores.boundary_f_score(flat, torch.full((6, 6), 255))
    with pytest.raises(ValueError, match=r"must be \(H, W\)"):
        scores.boundary_f_score(flat, half[:3])


def test_spoil():
    label = torch.zeros(9, 9).long()
    label[3:6, 3:6] = 1
    label[0, 0] = 255
    clean = label.masked_fill(label == 255, 0)
    assert scores.spoil(label).equal(clean)
    assert scores.spoil(label, shift=2)[3:6, 5:8].all() and scores.spoil(label, shift=2).sum() == 9
    assert scores.spoil(label, grow=1).sum() == 25 and scores.spoil(label, grow=-1).sum() == 1
    assert scores.spoil(label, drop=1).sum() == 0
    assert label[0, 0] == 255  # the label itself is untouched
    for fault in ({"shift": -1}, {"shift": 1.5}, {"grow": 0.5}):
        with pytest.raises(ValueError, match=f"{next(iter(fault))} must be a whole number"):
            scores.spoil(label, **fault)
    with pytest.raises(ValueError, match="label must be a tensor"):
        scores.spoil(label.numpy())
