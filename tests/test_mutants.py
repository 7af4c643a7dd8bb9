"""Break a helper on purpose: a notebook must notice. One for each notebook here; all with LONG_TESTS=1."""

import os
import shutil
import subprocess
import sys

import pytest
from play import ROOT

MUTANTS = {  # file: (right, broken, notebook that notices)
    "scores.py": ("sum(dim=1) - intersection)", "sum(dim=1))", "00_start_here"),
    "practice.py": ("elif given and _same(", "elif given and not _same(", "00_start_here"),
    "training.py": ("optimizer.step()", "pass", "00_start_here"),
    "datasets/photographs.py": ('f"{name}_label.png"', '"cat_label.png"', "00_start_here"),
    "networks.py": ("maps[stage]) + self.skip_scores", "maps[stage]) - self.skip_scores", "05_fcn_skips"),
    "scoreboard.py": ("return min(values), ", "return max(values), ", "05_fcn_skips"),
    "explore.py": ("{control.min} … {control.max}", "{control.max} … {control.min}", "04_upsampling"),
    "drawing/svg.py": ('viewBox="-8 -8 ', 'viewBox="0 0 ', "04_upsampling"),
    "tracing/reach.py": ("* dilation - padding", "* dilation", "02_receptive_fields"),
    "tracing/probing.py": ("func = _open_max_pool", "pass", "02_receptive_fields"),
    "lessons/start_here.py": ("right=8,", "right=9,", "00_start_here"),
    "lessons/output_sizes.py": ("right={31, 32}", "right={31}", "01_output_sizes"),
    "lessons/receptive_fields.py": ("right=202", "right=203", "02_receptive_fields"),
    "lessons/classifier_to_fcn.py": ("right={116, 117, 118, 119}", "right={116}", "03_classifier_to_fcn"),
    "lessons/upsampling.py": ("right={3, 6, 9}", "right={3, 6}", "04_upsampling"),
    "lessons/fcn_skips.py": ("right=(256, 21, 1)", "right=(256, 22, 1)", "05_fcn_skips"),
    "lessons/dilated_convolution.py": ("+ len(counts)] += counts", "+ len(counts)] = counts", "07_dilated_convolution"),
    "lessons/unet_odd_sizes.py": ("x = (x - shrink) // 2", "x = (x - shrink + 1) // 2", "06_unet_odd_sizes"),
    "lessons/deeplab.py": ("right={16, 17}", "right={16}", "09_deeplab"),
    "lessons/side_by_side.py": ("right=69,", "right=70,", "10_side_by_side"),
    "lessons/parameter_counts.py": ("(c, k * k), (n, c)]", "(n, k * k), (n, c)]", "08_parameter_counts"),
}
QUICK = ("scores.py", "tracing/reach.py", "lessons/output_sizes.py", "lessons/upsampling.py")


def test_each_mutant_has_its_place():
    for file, (right, broken, _) in MUTANTS.items():
        text = (ROOT / "helpers" / file).read_text(encoding="utf-8")
        assert text.count(right) == 1 and right != broken, f"{right!r} must occur once in {file}"


@pytest.mark.parametrize("file", MUTANTS if os.environ.get("LONG_TESTS") else QUICK)
def test_a_notebook_notices(file, tmp_path):
    right, broken, notebook = MUTANTS[file]
    for folder in ("helpers", "data", "notebooks", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    mutated = tmp_path / "helpers" / file
    text = mutated.read_text(encoding="utf-8")
    mutated.write_text(text.replace(right, broken), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"]
    command += ["--nbval-sanitize-with", "tests/sanitize.cfg", f"notebooks/{notebook}.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "FAILED" in done.stdout, done.stdout[-2000:]
