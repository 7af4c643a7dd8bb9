"""The section "Your own pictures" of README, run as it stands: on twelve small pictures, and on real street scenes."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import scores
from helpers.datasets import CamVid
from helpers.training import History

CAMVID = Path(os.environ.get("CAMVID_ROOT", "nowhere"))


@pytest.fixture(scope="module")
def blocks(root):
    """The code blocks of the section, compiled."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Your own pictures\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(found) == 5
    return [compile(block, f"README.md, block {number}", "exec") for number, block in enumerate(found, 1)]


@pytest.fixture
def leaves(tmp_path, monkeypatch):
    """Twelve photographs of a green leaf on brown soil, 120×160 pixels, and their masks; the outline is void."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    Path("masks").mkdir()
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:120, :160]
    for number in range(12):
        y, x, tilt = random.uniform(35, 85), random.uniform(45, 115), random.uniform(0, np.pi)
        along = (columns - x) * np.cos(tilt) + (rows - y) * np.sin(tilt)
        across = (rows - y) * np.cos(tilt) - (columns - x) * np.sin(tilt)
        distance = np.hypot(along / 38, across / 16)
        mask = np.where(distance < 1, 1, 0)
        mask[abs(distance - 1) < 0.03] = 255
        colour = np.where(distance[..., None] < 1, (60, 120, 50), (110, 85, 60)) * random.uniform(0.7, 1.3)
        picture = (colour + random.normal(0, 18, colour.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture).save(f"pictures/leaf_{number:02}.jpg", quality=95)
        Image.fromarray(mask.astype(np.uint8)).save(f"masks/leaf_{number:02}.png")


def test_the_section_as_it_stands(blocks, leaves, capsys):
    state, threads = {}, torch.get_num_threads()
    try:
        for block in blocks:
            exec(block, state)
    finally:
        torch.set_num_threads(threads)
    assert len(state["training"]) == 9 and len(state["validation"]) == 3
    assert isinstance(state["history"], History) and len(state["history"].mean_iou) == 20
    printed = capsys.readouterr().out
    for part in ("training", "validation"):
        assert float(re.search(rf"{part} mean IoU (\d\.\d+)", printed)[1]) > 0.9
    assert "the same prediction: True" in printed
    assert 0 < state["wrong"] < 0.05 * state["label"].numel()
    assert Path("leaf.pt").stat().st_size < 1_000_000


@pytest.mark.skipif(not (CAMVID / "train").is_dir(), reason="no street scenes: CAMVID_ROOT is not set")
def test_the_section_on_street_scenes(blocks, leaves, capsys):
    """The same blocks, with the reader's data replaced by real pictures and eleven classes."""
    state, threads = {}, torch.get_num_threads()
    try:
        exec(blocks[0], state)
        state["data"] = CamVid(CAMVID, "train", size=(96, 128))
        state["training"] = list(state["data"][::10])
        state["validation"] = list(CamVid(CAMVID, "val", size=(96, 128))[::10])
        for block in blocks[1:]:
            exec(block, state)
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert "the same prediction: True" in printed
    matrix = scores.confusion_matrix(state["prediction"], state["label"], 11)
    assert scores.pixel_accuracy(matrix) > 0.6
