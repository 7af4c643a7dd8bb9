"""Set-up, study copies, canonical form: what `make` runs."""

import json
import re
import subprocess
import sys
import tomllib

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from play import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import setup
import study

import notebooks


@pytest.fixture
def original(tmp_path):
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("1 + 1", execution_count=1, outputs=[new_output("stream", text="2")]),
        new_markdown_cell("secret", metadata={"tags": ["teacher"]}),
    ]
    path = tmp_path / "00_title.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def change(path, text):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = text
    nbformat.write(notebook, path)


def test_study_copy_has_no_outputs_and_no_teacher(original, tmp_path):
    copy = nbformat.read(study.lay(original, tmp_path / "my"), as_version=4)
    assert [cell.source for cell in copy.cells] == ["# Title", "1 + 1"]
    assert copy.cells[1].outputs == [] and copy.cells[1].execution_count is None
    teacher = nbformat.read(study.lay(original, tmp_path / "class", teacher=True), as_version=4)
    assert [cell.source for cell in teacher.cells] == ["secret", "# Title", "1 + 1"], "the teacher's cells come first"


def test_study_copy_is_never_overwritten(original, tmp_path):
    folder = tmp_path / "my"
    mine = study.lay(original, folder)
    change(mine, "my work")
    assert study.lay(original, folder) is None  # nothing new
    change(original, "# Better title")
    fresh = study.lay(original, folder)
    assert fresh.name == "00_title.new.ipynb" and "my work" in mine.read_text()
    assert study.lay(original, folder) is None  # offered once
    change(original, "# Best title")
    assert study.lay(original, folder) == fresh and "Best" in fresh.read_text()
    change(fresh, "work in the new one")
    change(original, "# Last title")
    assert study.lay(original, folder) is None and "work in the new one" in fresh.read_text()


def test_a_damaged_copy_does_not_stop_the_others(original, tmp_path):
    mine = study.lay(original, tmp_path / "my")
    mine.write_text("")
    assert study.lay(original, tmp_path / "my").name == "00_title.new.ipynb" and mine.read_text() == ""


def test_contents_of_the_study_copies(tmp_path):
    """In the copies, Contents leads to the copies, not to the originals with their answers."""
    study.contents(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "](00_start_here.ipynb)" in text and "notebooks/" not in text
    copy = study.study_copy(ROOT / "notebooks" / "00_start_here.ipynb")
    assert "](README.md)" in copy.cells[0].source and "](../README.md)" not in copy.cells[-1].source


def test_routes_on_one_page(tmp_path):
    study.print_routes(tmp_path, [ROOT / "notebooks" / "00_start_here.ipynb"])
    text = (tmp_path / "routes.html").read_text(encoding="utf-8")
    assert "<h1" in text and "50 minutes." in text


def test_jupyterlab_is_told_to_keep_widgets(tmp_path, monkeypatch):
    monkeypatch.setattr(study.sys, "prefix", str(tmp_path))
    settings = tmp_path / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"other": {"a": 1}}')
    study.keep_widgets()
    kept = json.loads(settings.read_text())
    assert kept["other"] == {"a": 1} and kept["@jupyter-widgets/jupyterlab-manager:plugin"]["saveState"]
    settings.write_text("damaged")
    study.keep_widgets()
    assert settings.read_text() == "damaged", "what cannot be read is left alone"


def test_setup_notices_a_moved_folder(monkeypatch, tmp_path):
    before = setup.stamp("auto")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    assert setup.stamp("auto")[0] != before[0] and setup.stamp("auto")[1:] == before[1:]


def test_canonical_form_drops_what_changes():
    widget = {notebooks.WIDGET: {"model_id": "1"}, "text/plain": "bar"}
    still = {notebooks.WIDGET: {"model_id": "1"}, "text/plain": "alt", "image/svg+xml": "<svg/>"}
    outputs = [new_output("display_data", data=data) for data in (widget, still)]
    cell = new_code_cell("x", outputs=outputs, metadata={"execution": {"t": "1"}, "tags": ["answer"]})
    notebook = notebooks.canonical(
        new_notebook(cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python", "version": "3"}})
    )
    assert (
        set(notebook.metadata) == {"kernelspec", "language_info"} and "version" not in notebook.metadata.language_info
    )
    assert dict(notebook.cells[0].metadata) == {"tags": ["answer"]}
    assert [set(output.data) for output in notebook.cells[0].outputs] == [{"text/plain", "image/svg+xml"}]


def test_canonical_form_refuses_stderr():
    cell = new_code_cell("x", outputs=[new_output("stream", name="stderr", text="Warning: old")])
    with pytest.raises(ValueError, match="writes to stderr: Warning: old"):
        notebooks.canonical(new_notebook(cells=[cell]))


def test_execute_keeps_volatile_outputs_and_fails_on_errors(tmp_path):
    path = tmp_path / "x.ipynb"
    stored = [new_output("stream", name="stdout", text="3 seconds\n")]
    cells = [
        new_code_cell("print('4 seconds')", outputs=stored, metadata={"tags": ["volatile"]}),
        new_code_cell("print('same')"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    first, second = notebooks.execute(path).cells
    assert first.outputs[0].text == "3 seconds\n" and second.outputs[0].text == "same\n"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.execute(path)


def test_fingerprint_follows_code_not_prose(original):
    before = notebooks.fingerprint(original)
    change(original, "# Other title")
    assert notebooks.fingerprint(original) == before
    original.write_text(original.read_text().replace("1 + 1", "1 + 2"))
    assert notebooks.fingerprint(original) != before
    original.write_text(original.read_text().replace('"execution_count": 1', '"execution_count": null'))
    assert notebooks.fingerprint(original) == "outputs were cleared"


@pytest.mark.skipif(not setup.up_to_date("auto"), reason=".venv was not made by make setup")
def test_setup_does_nothing_twice():
    done = subprocess.run([sys.executable, ROOT / "tools" / "setup.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("available", "wanted", "system", "card", "chosen"),
    [
        (["torch cpu", "torchvision cpu"], "auto", "Linux", None, "from your package index"),
        (["torch cpu"], "auto", "Linux", None, "torchvision: default build"),
        (["index"], "auto", "Linux", None, "from PyTorch's CPU index"),
        ([], "auto", "Linux", None, "the default build (large)"),
        (["torch cpu"], "auto", "Linux", "/usr/bin/nvidia-smi", "default build for this machine"),
        (["torch cpu"], "cpu", "Linux", "/usr/bin/nvidia-smi", "CPU build"),
        (["torch cpu"], "cuda", "Linux", None, "default build for this machine"),
        (["torch cpu"], "auto", "Darwin", None, "default build for this machine"),
    ],
)
def test_choice_of_torch(monkeypatch, capsys, available, wanted, system, card, chosen):
    def pip_install(*arguments, quiet=False):
        if "--index-url" in arguments:
            return "index" in available
        return all(f"{argument.split('==')[0]} cpu" in available for argument in arguments)

    monkeypatch.setattr(setup, "pip_install", pip_install)
    monkeypatch.setattr(setup.platform, "system", lambda: system)
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(setup.shutil, "which", lambda name: card)
    setup.install_torch({"torch": "2.13.0", "torchvision": "0.28.0"}, wanted)
    said = capsys.readouterr().out
    assert chosen in said and said.count("\n") == 1


def test_torch_pins_come_from_the_one_list():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)["project"]["dependencies"]
    pins = setup.torch_pins(text)
    assert set(pins) == {"torch", "torchvision"} and {f"{name}=={version}" for name, version in pins.items()} <= set(
        listed
    )


def test_environment_carries_no_second_list():
    """As repo2docker reads it: a name, channels, and only python, pip and this package."""
    text = (ROOT / "environment.yml").read_text()
    listed = [line.strip("- ") for line in text.partition("dependencies:")[2].splitlines() if line.strip()]
    assert [re.split(r"[=<>]", entry)[0] for entry in listed[:2]] == ["python", "pip"]
    assert listed[2:] == ["pip:", "extra-index-url https://download.pytorch.org/whl/cpu", "editable ."]
    assert "- conda-forge" in text and not (ROOT / "requirements.txt").exists()


def test_workflow_and_ci_run_the_same():
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "bash .ci/run" in (ROOT / ".github/workflows/ci.yml").read_text()


GUARD = """
import torch
tried = []
def load_library(path):
    tried.append(str(path))
    {outcome}
torch.ops.load_library = load_library
import helpers
assert len(tried) == 1 and "torchvision" in tried[0]
"""
DECLARED = """
import torchvision
assert torchvision.models.resnet18(weights=None).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
"""


@pytest.mark.parametrize(
    "code",
    [
        GUARD.format(outcome="pass") + "assert not hasattr(torch.ops.torchvision, 'nms')",
        GUARD.format(outcome="raise OSError('libcudart.so.13: cannot open shared object file')") + DECLARED,
    ],
    ids=["the library loads: nothing is declared", "it does not: the two operators are"],
)
def test_torchvision_imports_beside_a_cpu_torch(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
