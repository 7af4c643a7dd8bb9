"""Break a helper on purpose: a notebook must notice. One for each notebook here; all with LONG_TESTS=1."""

import os
import shutil
import subprocess
import sys

import pytest
from play import ROOT

MUTANTS = {  # file: (right, broken, notebook that notices)
    "scores.py": ("sum(dim=1) - intersection)", "sum(dim=1))", "00_start_here"),
    "networks.py": ("[skips.pop(), up(x)]", "[skips.pop() * 0, up(x)]", "00_start_here"),
    "training.py": ("optimizer.step()", "pass", "00_start_here"),
    "datasets/photographs.py": ("label[window].flip(flips)", "label[window]", "00_start_here"),
    "lessons/start_here.py": (
        '"mean IoU": scores.mean_iou(matrix)',
        '"mean IoU": scores.mean_accuracy(matrix)',
        "00_start_here",
    ),
    "lessons/output_sizes.py": ("stride * place for", "place for", "01_output_sizes"),
    "tracing/reach.py": ("* dilation - padding", "* dilation", "02_receptive_fields"),
    "tracing/probing.py": ("func = _open_max_pool", "pass", "02_receptive_fields"),
    "practice.py": ("elif given and _same(", "elif given and not _same(", "00_start_here"),
}


QUICK = ("scores.py", "lessons/output_sizes.py", "tracing/reach.py")


@pytest.mark.parametrize("file", MUTANTS if os.environ.get("LONG_TESTS") else QUICK)
def test_a_notebook_notices(file, tmp_path):
    right, broken, notebook = MUTANTS[file]
    for folder in ("helpers", "data", "notebooks", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    mutated = tmp_path / "helpers" / file
    text = mutated.read_text(encoding="utf-8")
    assert text.count(right) == 1, f"{right!r} must occur once in {file}"
    mutated.write_text(text.replace(right, broken), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"]
    command += ["--nbval-sanitize-with", "tests/sanitize.cfg", f"notebooks/{notebook}.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "FAILED" in done.stdout, done.stdout[-2000:]
