"""The stored results and what is drawn from them."""

import json
import sys

import pytest
import torch
from conftest import ROOT

from helpers import scoreboard
from helpers.drawing.style import png

sys.path.insert(0, str(ROOT / "tools"))
import results
import targets

torch.set_num_threads(1)
FOLDER = ROOT / "data" / "results"


def test_every_experiment_is_stored_as_it_is_defined():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(results.EXPERIMENTS)
    for name, experiment in results.EXPERIMENTS.items():
        stored = scoreboard.stored(name)
        assert all(stored[key] == value for key, value in experiment.described().items()), name
        seeds = stored["seeds"]
        assert seeds == list(range(len(seeds))) and 2 <= len(seeds) <= experiment.seeds
        assert set(stored["versions"]) == {"python", "torch"}
        assert all(len(stored[key]) == len(seeds) for key in ("seconds", "mean_iou", "coin_iou") if key in stored)


def test_one_seed_again():
    """The cheapest experiment, trained anew, lands in its band."""
    experiment = results.EXPERIMENTS["gridding_123"]
    result = experiment.run(experiment.network, 0, **experiment.settings)
    assert scoreboard.expected(result["mean_iou"], "gridding_123")
    assert not scoreboard.expected(result["mean_iou"], "gridding_222")


def test_results_are_resumed(tmp_path, monkeypatch):
    calls = []

    def run(network, seed, **settings):
        calls.append(seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return {"mean_iou": seed / 3, "iou": {"a": 1.0}}

    experiment = results.EXPERIMENTS["gridding_123"]
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setitem(results.EXPERIMENTS, "x", results.Experiment("x", experiment.network, run, {"size": 8}))
    with pytest.raises(KeyboardInterrupt):
        results.run("x")
    assert json.loads((tmp_path / "x.json").read_text())["mean_iou"] == [0.0, 0.3333]
    steps = []
    stored = results.run("x", step=lambda: steps.append(1))
    assert calls == [0, 1, 2, 2, 3, 4] and len(steps) == 5 and stored["seeds"] == [0, 1, 2, 3, 4]
    assert stored == json.loads((tmp_path / "x.json").read_text()) and stored["iou"] == {"a": [1.0] * 5}
    results.run("x", again=True, seeds=1)
    assert calls[6:] == [0]
    monkeypatch.setitem(results.EXPERIMENTS, "x", results.Experiment("x", experiment.network, run, {"size": 16}))
    assert results.run("x", seeds=2)["settings"] == {"size": 16} and calls[7:] == [0, 1]


def test_scoreboard():
    with pytest.raises(ValueError, match=r"there are no results 'nothing'; there are .*unet"):
        scoreboard.stored("nothing")
    low, mean, high = scoreboard.band("fcn_8s")
    assert low <= mean <= high and scoreboard.expected(low - 0.02, "fcn_8s") and not scoreboard.expected(0, "fcn_8s")
    assert scoreboard.separate("fcn_8s", "fcn_16s", "fcn_32s") and not scoreboard.separate("unet", "unet")
    lines = scoreboard.table("unet", "fcn_8s", live={"unet": 0.5}).splitlines()
    assert lines[2].startswith("FCN-8s") and lines[3].startswith("U-Net") and lines[3].endswith("0.500")
    assert len(set(map(len, lines))) == 1 and "your run" not in scoreboard.table("unet")
    assert png(scoreboard.picture(*scoreboard.ENTRIES, live={"unet": 0.9}))
    sentence = scoreboard.finding("unet", "fcn_8s")
    assert f"U-Net {scoreboard.band('unet')[1]:.3f}" in sentence and "every seed gives this order" in sentence
    assert "overlap" in scoreboard.finding("unet", "unet")


def test_readme_is_what_the_results_say():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert text == targets.readme(results.EXPERIMENTS)
    for what, values, least, most in targets.targets():
        assert targets.holds(values, least, most).all(), what
