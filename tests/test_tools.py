"""Set-up, study copies, canonical form: what `make` runs."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from packaging.requirements import Requirement
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
    assert kept["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"] == {"markdown": "Markdown Preview"}
    settings.write_text("damaged")
    study.keep_widgets()
    assert settings.read_text() == "damaged", "what cannot be read is left alone"


@pytest.fixture
def lab(original, tmp_path, monkeypatch):
    """A small series; a function that does what `make lab` does and returns JupyterLab's options."""
    (tmp_path / "notebooks").mkdir()
    original.rename(tmp_path / "notebooks" / original.name)
    (tmp_path / "README.md").write_text("## The series\n[Title](notebooks/00_title.ipynb)\n")
    started = []

    def run(command):
        started.append(command[4:])
        return subprocess.CompletedProcess(command, 0)

    def start(*arguments):
        monkeypatch.setattr(study.sys, "argv", ["study.py", *arguments])
        assert study.main() == 0
        return started.pop()

    monkeypatch.setattr(study, "ROOT", tmp_path)
    monkeypatch.setattr(study, "keep_widgets", lambda: None)
    monkeypatch.setattr(study.subprocess, "run", run)
    return start


@pytest.mark.parametrize(
    ("user", "allowed"), [(0, True), (1000, False), (None, False)], ids=["root", "user", "Windows"]
)
def test_root_may_start_jupyterlab(lab, monkeypatch, capsys, user, allowed):
    if user is None:
        monkeypatch.delattr(study.os, "geteuid", raising=False)
    else:
        monkeypatch.setattr(study.os, "geteuid", lambda: user, raising=False)
    options, said = lab(), capsys.readouterr().out
    assert ("--allow-root" in options) == allowed == ("You are root" in said) and said.count("\n") == allowed


@pytest.mark.parametrize("folder", ["my", "class"])
def test_new_versions_are_seen(lab, tmp_path, capsys, monkeypatch, folder):
    """Last on the console, and at the top of Contents, which then is the page that opens."""
    monkeypatch.setattr(study.os, "geteuid", lambda: 1000, raising=False)
    arguments = ["--class"] * (folder == "class")
    assert f"--LabApp.default_url=/lab/tree/{folder}/00_start_here.ipynb" in lab(*arguments)
    assert "New versions" not in (tmp_path / folder / "README.md").read_text() + capsys.readouterr().out
    change(tmp_path / "notebooks" / "00_title.ipynb", "# Better title")
    for _ in range(2):  # and the next time too
        assert f"--LabApp.default_url=/lab/tree/{folder}/README.md" in lab(*arguments)
        page = (tmp_path / folder / "README.md").read_text()
        assert page.index("[00_title.new.ipynb](00_title.new.ipynb)") < page.index("[Title](00_title.ipynb)")
        assert capsys.readouterr().out.endswith("00_title.new.ipynb), beside your 00_title.ipynb\n")
    (tmp_path / folder / "00_title.new.ipynb").rename(tmp_path / folder / "00_title.ipynb")
    assert "README.md" not in str(lab(*arguments)), "taken: nothing is new"


def test_setup_notices_a_moved_folder(monkeypatch, tmp_path):
    before = setup.stamp("auto")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    assert setup.stamp("auto")[0] != before[0] and setup.stamp("auto")[1:] == before[1:]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_setup_notices_changed_lists(monkeypatch, tmp_path, name):
    for file in ("pyproject.toml", "constraints.txt"):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "CONSTRAINTS", tmp_path / "constraints.txt")
    before = setup.stamp("auto")
    with (tmp_path / name).open("a") as file:
        file.write("# changed\n")
    assert setup.stamp("auto")[2] != before[2]


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


def test_execute_keeps_volatile_outputs_of_the_same_code_and_fails_on_errors(tmp_path):
    path = tmp_path / "x.ipynb"
    stored = [new_output("stream", name="stdout", text="3 seconds\n")]
    cells = [
        new_code_cell("print('4 seconds')", outputs=stored, metadata={"tags": ["volatile"]}),
        new_code_cell("print('same')"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    first, second = notebooks.execute(path).cells
    assert first.outputs[0].text == "4 seconds\n", "measured by code that nobody knows"
    first.outputs = stored
    nbformat.write(new_notebook(cells=[first, second]), path)
    first, second = notebooks.execute(path).cells
    assert first.outputs[0].text == "3 seconds\n" and second.outputs[0].text == "same\n"
    first.source = "print('5 seconds')"
    nbformat.write(new_notebook(cells=[first, second]), path)
    assert notebooks.execute(path).cells[0].outputs[0].text == "5 seconds\n"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.execute(path)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_stored_measurements_are_of_the_code_on_the_page(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "volatile" in cell.metadata.get("tags", []):
            assert cell.metadata["measured"] == notebooks.measured(notebook), f"{cell.id}: run `make notebooks`"


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


def listed():
    """The requirements of pyproject.toml, and the versions of constraints.txt: {name: version}."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    exact = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    both = project["dependencies"], project["optional-dependencies"]["test"]
    return [[Requirement(text) for text in texts] for texts in both], exact


def test_pyproject_has_ranges_and_constraints_the_exact_versions():
    (needed, for_tests), exact = listed()
    assert list(dict.fromkeys(each.name for each in needed + for_tests)) == list(exact), "in the same order"
    for requirement in needed + for_tests:
        assert requirement.specifier.contains(exact[requirement.name]), requirement
        assert {part.operator for part in requirement.specifier} <= {">=", "<"}, f"{requirement} is no range"


@pytest.mark.parametrize(
    "there",
    [
        {"torch": "2.8.0+cu126", "torchvision": "0.23.0", "numpy": "2.0.2", "matplotlib": "3.10.0", "pillow": "11.3.0"},
        {"torch": "2.14.1", "torchvision": "0.29.1", "numpy": "2.4.6", "ipywidgets": "8.1.5", "jupyterlab": "4.2.5"},
        {"ipywidgets": "7.7.1", "tqdm": "4.67.1", "numpy": "1.26.4", "matplotlib": "3.8.4"},
    ],
    ids=["older", "newer", "with old widgets"],
)
def test_an_environment_that_exists_keeps_its_versions(there):
    needed = {requirement.name: requirement.specifier for requirement in listed()[0][0]}
    assert [name for name, version in there.items() if not needed[name].contains(version)] == []


def test_torch_pins_come_from_the_constraints():
    pins = setup.torch_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    assert pins == {name: listed()[1][name] for name in ("torch", "torchvision")}


@pytest.mark.skipif(not setup.up_to_date("auto"), reason=".venv was not made by make setup")
def test_setup_installed_the_exact_versions():
    exact = listed()[1]
    assert {name: metadata.version(name).partition("+")[0] for name in exact} == exact


def test_constraints_are_used_everywhere():
    assert 'pip_install("-c", CONSTRAINTS, ' in (ROOT / "tools/setup.py").read_text(encoding="utf-8")
    assert 'pip install -c constraints.txt -e ".[test]"' in (ROOT / ".github/workflows/ci.yml").read_text()


def test_environment_carries_no_second_list():
    """As repo2docker reads it: a name, channels, and only python, pip and this package with its tests."""
    text = (ROOT / "environment.yml").read_text()
    entries = [line.strip("- ") for line in text.partition("dependencies:")[2].splitlines() if line.strip()]
    assert [re.split(r"[=<>]", entry)[0] for entry in entries[:2]] == ["python", "pip"]
    index = "extra-index-url https://download.pytorch.org/whl/cpu"
    assert entries[2:] == ["pip:", index, "constraint constraints.txt", "editable .[test]"]
    assert "- conda-forge" in text and not (ROOT / "requirements.txt").exists()


def test_makefile_works_with_make_3_81():
    """The make of macOS: nothing that came later."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    newer = r"::?:=|^\w+ *!=|&:|\$\((file|guile|let|intcmp) |^\.(ONESHELL|RECIPEPREFIX|WAIT)|^(undefine|private) "
    assert not re.search(newer, text, re.MULTILINE)


def test_workflow_and_ci_run_the_same():
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "bash .ci/run" in (ROOT / ".github/workflows/ci.yml").read_text()


# A compiled library, as far as it matters here: it brings its operators, or it does not load.
LIBRARY = """
import sys
import torch
operators = torch.library.Library("torchvision", "FRAGMENT")
loaded = []
def load_library(path):
    assert "torchvision" in str(path)
    if {works} and not loaded:
        loaded.append(path)
        operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # twice is an error
        operators.define("_cuda_version() -> int")
        operators.impl("_cuda_version", lambda: -1, "CompositeExplicitAutograd")
    elif not {works}:
        raise OSError("libcudart.so.13: cannot open shared object file")
torch.ops.load_library = load_library
"""
LOADER = """
import torch
def _has_ops(): return loads
try:
    torch.ops.load_library(__file__.replace("extension.py", "{library}.so"))
    loads = True
except OSError:
    loads = False
"""
USE = """
import helpers
assert (helpers._torchvision_operators is None) == {works} and "torchvision" not in sys.modules
import torchvision
assert torchvision.extension._has_ops() == {works} and hasattr(torch.ops.torchvision, "nms")
"""
FIRST = """
try:
    import torchvision
except RuntimeError as error:
    assert "nms does not exist" in str(error)
else:
    raise AssertionError("torchvision alone works here")
"""
MODEL = "assert torchvision.models.resnet18(weights=None).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)\n"


def run_python(code, *folders):
    path = os.pathsep.join(map(str, [*folders, ROOT]))
    command, environment = [sys.executable, "-c", code], os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize("works", [True, False], ids=["the library loads", "it does not"])
@pytest.mark.parametrize("library", ["_C", "_C_stable"])
def test_operators_are_declared_only_when_the_library_does_not_load(tmp_path, library, works):
    """A torchvision of our own, whose library has the name of 0.28 or of 0.29."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("import torch\nfrom . import extension\ntorch.ops.torchvision.nms\n")
    (package / "extension.py").write_text(LOADER.format(library=library))
    (package / f"{library}.so").write_bytes(b"")
    done = run_python(LIBRARY.format(works=works) + USE.format(works=works), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "code",
    [
        LIBRARY.format(works=False) + USE.format(works=False) + MODEL,
        LIBRARY.format(works=False) + FIRST + USE.format(works=False) + MODEL,
        "import helpers, torch, torchvision\n" + MODEL,
    ],
    ids=["the library does not load", "it does not, and torchvision was tried first", "as it is here"],
)
def test_torchvision_imports_after_helpers(code):
    """The torchvision of this environment, with a library that is replaced, and as it is."""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("encoding", "printed"), [("cp949", "? ? done ×"), ("cp1252", "? – done ×")])
def test_tools_print_on_every_console(encoding, printed):
    """Korean and western Windows have no ✓, the first no –, either."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import setup; print('✓ – done ×')"
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(encoding)
    assert done.stdout.decode(encoding).strip() == printed
    for path in (ROOT / "tools").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "\nimport console" in text or "print(" not in text, f"{path.name} prints: it must import console"
