"""The made-up tasks isolate what they say."""

import pytest
import torch

from helpers.datasets import tasks


def test_items():
    for make, classes in ((tasks.neighbours, 2), (tasks.evidence_anywhere, 3)):
        data, again = make(20, 40, seed=3), make(5, 40, seed=3)
        assert all(a.equal(b) for (a, _), (b, _) in zip(again, data, strict=False))
        assert not make(1, 40, seed=4)[0][0].equal(data[0][0])
        for image, label in data:
            assert image.dtype == torch.float32 and image.shape == (3, 40, 40) and 0 <= image.min() < image.max() <= 1
            assert label.dtype == torch.int64 and label.shape == (40, 40)
        assert set(torch.stack([label for _, label in data]).unique().tolist()) == set(range(classes))


def test_pairs_are_all_that_tells_the_textures_apart():
    images, labels = tasks.neighbours(200, seed=1).tensors
    grey = images[:, 0] - 0.5
    same = labels[:, :, 1:] == labels[:, :, :-1]
    two_apart = labels[:, :, 2:] == labels[:, :, :-2]
    for index, sign in ((0, 1), (1, -1)):
        assert grey[labels == index].mean().abs() < 0.005
        assert (grey[labels == index].std() - 12**-0.5).abs() < 0.005
        beside = (grey[:, :, 1:] * grey[:, :, :-1])[same & (labels[:, :, 1:] == index)].mean() * 12
        assert (beside - sign / 2).abs() < 0.02  # every second pair of neighbours is one of ours
        further = (grey[:, :, 2:] * grey[:, :, :-2])[two_apart & (labels[:, :, 2:] == index)].mean() * 12
        assert further.abs() < 0.02


def test_mark_tells_the_pond():
    images, labels = tasks.evidence_anywhere(100, seed=1).tensors
    kinds = labels.flatten(1).amax(1)
    assert 30 < (kinds == 1).sum() < 70
    blue = images[:, 2].flatten(1)
    assert ((blue > 0.75).sum(1) > 20).equal(kinds == 2)  # the white mark
    pond = labels > 0
    for channel in range(3):  # the water is the same
        one, two = (images[:, channel][pond & (kinds == kind)[:, None, None]].mean() for kind in (1, 2))
        assert (one - two).abs() < 0.005


@pytest.mark.parametrize("make", [tasks.neighbours, tasks.evidence_anywhere])
def test_refusals(make):
    with pytest.raises(ValueError, match="n must be a whole number ≥ 1, got 0"):
        make(0)
    with pytest.raises(ValueError, match="size must be a whole number ≥"):
        make(1, size=4)
    with pytest.raises(ValueError, match="seed must be a whole number ≥ 0, got 'train'"):
        make(1, seed="train")
