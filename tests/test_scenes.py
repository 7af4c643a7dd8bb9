"""The scenes keep what their table promises: each class differs from its twin in one property only."""

import numpy as np
import pytest
import torch
from skimage.measure import label as components
from skimage.measure import regionprops

from helpers.datasets import scenes

GROUND, LAKE, RESERVOIR, HOUSE, HALL, TREE, ROAD = range(7)


@pytest.fixture(scope="module")
def many():
    return scenes.make(200, 96, seed=77)


@pytest.fixture(scope="module")
def distances(many):
    return torch.stack([many.bank_distance(i) for i in range(len(many))])


def pixels(data, mask):
    return data.images.permute(0, 2, 3, 1)[mask]


def interior(mask):
    """Pixels whose 3 × 3 neighbours all belong to the mask (n, H, W)."""
    outside = torch.nn.functional.max_pool2d((~mask)[:, None].float(), 3, 1, 1)[:, 0]
    return outside == 0


@pytest.mark.parametrize("size", [32, 64, 97, 128])
def test_items(size):
    data = scenes.make(3, size)
    assert len(data) == 3
    for image, label in data:
        assert image.shape == (3, size, size) and image.dtype == torch.float32
        assert label.shape == (size, size) and label.dtype == torch.int64
        assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.05
        assert label.max() < len(scenes.CLASSES)


def test_batches_for_training():
    images, labels = next(iter(torch.utils.data.DataLoader(scenes.make(4, 32), batch_size=4)))
    assert images.shape == (4, 3, 32, 32) and labels.shape == (4, 32, 32)


def test_the_same_for_the_same_seed_and_independent_of_n():
    few, more = scenes.make(3, 64, seed=5), scenes.make(6, 64, seed=5)
    for a, b in ((few.images, more.images), (few.labels, more.labels), (few.banks, more.banks)):
        assert torch.equal(a, b[:3])
    assert not torch.equal(few.images[0], few.images[1])


def test_named_seeds_are_different_scenes():
    assert set(scenes.SEEDS) == {"train", "validation", "test"}
    first = [scenes.make(2, 64, seed).images for seed in scenes.SEEDS]
    assert torch.equal(first[0], scenes.make(2, 64, scenes.SEEDS["train"]).images)
    for a in range(3):
        for b in range(a):
            assert not torch.equal(first[a], first[b])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n": 0}, "n must be a whole number ≥ 1, got 0"),
        ({"n": 2.0}, "n must be"),
        ({"n": True}, "n must be"),
        ({"n": 1, "size": 16}, "size must be a whole number ≥ 32, got 16"),
        ({"n": 1, "size": (96, 96)}, "size must be"),
        ({"n": 1, "seed": -1}, "seed must be a whole number ≥ 0, got -1"),
        ({"n": 1, "seed": "valid"}, "seed must be .* got 'valid'"),
        ({"n": 1, "seed": None}, "seed must be"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        scenes.make(**arguments)


@pytest.mark.parametrize("size", [64, 96, 128])
def test_every_class_occurs_often_enough(size):
    labels = scenes.make(100, size).labels
    share = torch.bincount(labels.flatten(), minlength=7) / labels.numel()
    assert 0.55 < share[GROUND] < 0.8
    assert (share[1:] > 0.025).all() and (share[1:] < 0.12).all(), share
    present = torch.stack([(labels == c).flatten(1).sum(1) > 8 for c in range(7)]).float().mean(1)
    assert (present > torch.tensor([0.99, 0.5, 0.5, 0.9, 0.9, 0.9, 0.99])).all(), present


def test_the_label_is_the_drawing():
    """Paint one object on grey: inside is its colour, outside stays grey, the edge is between the two."""
    scene = scenes._Scene(np.random.default_rng(0), 40)
    scene.image = np.full((40, 40, 3), 0.5, np.float32)
    outline = scenes._box(scene.y - 20.3, scene.x - 19.1, angle=0.4, u=9, v=6)
    scene.paint(outline, (1, 0, 0), "hall")
    assert ((scene.label == HALL) == (scene.image[..., 0] > 0.75)).all()
    assert (scene.image[outline < -0.5] == (1, 0, 0)).all() and (scene.image[outline > 0.5] == 0.5).all()
    assert abs(scene.image[..., 0].sum() / 0.5 - 1600 - 18 * 12) < 8  # blended edges keep the area


def test_classes_look_like_their_label(many):
    colour = {c: pixels(many, interior(many.labels == c)).mean(0) for c in (GROUND, LAKE, HOUSE, TREE)}
    assert colour[LAKE].argmax() == 2 and colour[TREE].argmax() == 1 and colour[HOUSE].argmax() == 0
    assert colour[TREE].sum() < 0.7 * colour[GROUND].sum()


def test_lake_and_reservoir_share_the_water(many, distances):
    for nearest in (1.5, 6):
        far = distances > nearest
        lake, reservoir = (pixels(many, (many.labels == c) & far) for c in (LAKE, RESERVOIR))
        assert len(lake) > 5000 and len(reservoir) > 5000
        assert (lake.mean(0) - reservoir.mean(0)).abs().max() < 0.02  # ⅓ of the spread within one class
        assert (lake.std(0) / reservoir.std(0) - 1).abs().max() < 0.25


@pytest.mark.parametrize("water_only", [False, True])
def test_lake_and_reservoir_differ_in_the_bank_and_in_nothing_else(water_only, monkeypatch):
    """Exchange the two names in the drawing: every pixel that is not a bank's stays the same."""
    a = scenes.make(20, 64, 3, water_only)
    monkeypatch.setattr(scenes, "BANKS", {name: scenes.BANKS[name] for name in ("reservoir", "lake")})
    b = scenes.make(20, 64, 3, water_only)
    exchanged = torch.tensor([GROUND, RESERVOIR, LAKE, HOUSE, HALL, TREE, ROAD])
    assert torch.equal(exchanged[a.labels], b.labels)
    assert (a.labels == LAKE).any() and (b.labels == LAKE).any()
    differ = (a.images - b.images).abs().amax(1) > 1e-4
    away = interior(a.banks == 0)
    assert differ[away].float().mean() < 2e-4  # rims of banks just off the frame, or under a crown
    assert (pixels(a, a.banks > 0) - pixels(b, a.banks > 0)).abs().amax(1).mean() > 0.2


def test_banks_are_two_to_three_pixels_wide_and_differ(many):
    sand, concrete = (pixels(many, interior(many.banks == c)) for c in (LAKE, RESERVOIR))
    if not len(sand) or not len(concrete):  # narrow banks have no interior
        sand, concrete = (pixels(many, many.banks == c) for c in (LAKE, RESERVOIR))
    assert sand[:, 0].mean() - sand[:, 2].mean() > 0.2
    assert (concrete.mean(0).max() - concrete.mean(0).min()) < 0.12
    assert (many.labels[many.banks > 0] == GROUND).all()
    for i in range(30):  # area over length: about the width
        bank, label = many.banks[i].numpy() > 0, many.labels[i].numpy()
        reach = scenes._distance_to((label == LAKE) | (label == RESERVOIR))[bank]
        if len(reach):
            assert reach.min() == 1 and 1.9 <= reach.max() <= 4.2


def test_bank_distance_against_brute_force(many):
    for i in (0, 1, 2):
        found, label, bank = many.bank_distance(i), many.labels[i], many.banks[i]
        assert found.dtype == torch.float32 and found.shape == label.shape
        assert torch.equal(found.isnan(), (label != LAKE) & (label != RESERVOIR))
        for water in (LAKE, RESERVOIR):
            here, there = (label == water).nonzero().double(), (bank == water).nonzero().double()
            if len(here) and len(there):
                expected = torch.cdist(here, there).amin(1).float()
                torch.testing.assert_close(found[label == water], expected, rtol=0, atol=1e-4)


def test_bank_distance_without_a_bank_in_sight():
    label, bank = torch.zeros(1, 5, 7, dtype=torch.int64), torch.zeros(1, 5, 7, dtype=torch.int64)
    label[0, :, 3:] = RESERVOIR
    bank[0, :, 2] = LAKE  # of another water
    found = scenes.Scenes(torch.zeros(1, 3, 5, 7), label, bank).bank_distance(0)
    assert found[:, 3:].isinf().all() and found[:, :3].isnan().all()
    bank[0, 0, 2] = RESERVOIR
    found = scenes.Scenes(torch.zeros(1, 3, 5, 7), label, bank).bank_distance(0)
    assert found[0, 3] == 1 and found[4, 5] == 5


def test_house_and_hall_share_the_roof(many):
    house, hall = (pixels(many, interior(many.labels == c)) for c in (HOUSE, HALL))
    assert (house.mean(0) - hall.mean(0)).abs().max() < 0.03
    assert (house.std(0) / hall.std(0) - 1).abs().max() < 0.1


def roofs(data, cls):
    """The visible roofs that no tree hides: their properties."""
    tree = torch.nn.functional.max_pool2d((data.labels == TREE)[:, None].float(), 3, 1, 1)[:, 0].bool()
    for label, hidden in zip(data.labels.numpy(), tree.numpy(), strict=True):
        for roof in regionprops(components(label == cls, connectivity=1)):
            if not hidden[tuple(roof.coords.T)].any():
                yield roof


def test_house_and_hall_differ_in_size(many):
    axes = [[(r.axis_minor_length, r.axis_major_length) for r in roofs(many, c)] for c in (HOUSE, HALL)]
    sides = (np.array(a).T * np.sqrt(3) / 2 for a in axes)  # from an ellipse to a box
    (house_short, house), (hall_short, hall) = sides
    assert len(house) > 300 and len(hall) > 60
    assert house.min() > 6 and house.max() < 12 and hall.min() > 15 and hall.max() < 27
    assert house_short.max() < hall_short.min() + 0.5
    house, hall = (house_short / house).mean(), (hall_short / hall).mean()
    assert abs(house - hall) < 0.08  # the same proportions


def test_roads_are_narrow_and_run_to_the_frame():
    """Width of an oblique strip from its runs across and down: 1/w² = 1/across² + 1/down²."""
    widths = []
    for i in range(120):
        scene = scenes._Scene(np.random.default_rng([9, i]), 96)
        scene.ground()
        scene.roads()
        road = scene.label == ROAD
        assert road[0].any() + road[-1].any() + road[:, 0].any() + road[:, -1].any() >= 1
        across, down = runs(road), runs(road.T).T
        widths.append(np.median(1 / np.sqrt(1 / across[road] ** 2 + 1 / down[road] ** 2)))
    assert min(widths) >= 1 and max(widths) <= 3.6, (min(widths), max(widths))
    assert 1.7 < np.mean(widths) < 2.9, np.mean(widths)


def runs(mask):
    """For every pixel of a mask the length of the horizontal run it lies in."""
    lengths = np.zeros(mask.shape)
    for row, line in zip(mask, lengths, strict=True):
        edges = np.flatnonzero(np.diff(np.pad(row.astype(int), 1)))
        for start, stop in edges.reshape(-1, 2):
            line[start:stop] = stop - start
    return lengths


def test_one_road_has_the_width_that_was_drawn():
    """Area over length, of straight and bent roads of known width."""
    y, x = np.mgrid[:200, :200].astype(np.float32)
    for bend in (0, 20):
        along = np.arange(200)
        length = np.hypot(1, np.gradient(bend * np.sin(along / 25))).sum()
        for width in (1.5, 2.2, 3):
            outline = abs(scenes._distance(y - 100.4 - bend * np.sin(x / 25))) - width / 2
            assert abs((outline < 0).sum() / length - width) < (0.55 if bend == 0 else 0.12)


def test_water_only():
    data = scenes.make(40, 64, seed=8, water_only=True)
    assert set(data.labels.unique().tolist()) == {GROUND, LAKE, RESERVOIR}
    share = (data.labels != GROUND).float().mean()
    assert share > 0.2 and share < 0.5
    deep = torch.cat([d[d.isfinite()] for d in map(data.bank_distance, range(40))])
    assert (deep > 8).float().mean() > 0.2


def test_a_public_table_names_every_class():
    for name in scenes.CLASSES:
        assert f"| {name:<9} |" in scenes.__doc__
