"""Make copies of the notebooks to work in, and open them in JupyterLab.

    python tools/study.py                for study: my/, without the teacher's cells
    python tools/study.py --class        for the projector: class/, with them in front
    python tools/study.py --copy-only    make the copies and stop

Other options go to JupyterLab. A copy starts without outputs, so that nothing spoils a prediction. Your files are
never overwritten: when an original has changed since, a fresh copy is laid beside yours as NAME.new.ipynb.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import nbformat
    from nbconvert.filters import markdown2html
except ImportError:
    sys.exit("Not installed here: run tools/setup.py first, then this with the Python in .venv")

ROOT = Path(__file__).resolve().parent.parent


def study_copy(original, teacher=False):
    """The notebook at `original`, outputs cleared, the teacher's cells in front, or left out unless `teacher`."""
    notebook = nbformat.read(original, as_version=4)
    front, rest = split(notebook.cells)
    notebook.cells = front + rest if teacher else rest
    for cell in notebook.cells:
        cell.source = cell.source.replace("](../README.md)", "](README.md)")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata["study_copy"] = digest(notebook)
    return notebook


def split(cells):
    """(the teacher's cells, the others)"""
    front = [cell for cell in cells if "teacher" in cell.metadata.get("tags", [])]
    return front, [cell for cell in cells if cell not in front]


def digest(notebook):
    """Hash of the cells' text."""
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()


def lay(original, folder, teacher=False):
    """Put a copy of `original` into `folder` unless it is there; return the path written, or None."""
    fresh = study_copy(original, teacher)
    target = folder / original.name
    if target.exists():
        if _made_from(target) == fresh.metadata["study_copy"]:
            return None
        target = folder / f"{original.stem}.new.ipynb"
        if target.exists() and _made_from(target) != _digest_of(target):
            print(f"{target.name} has work of yours in it and stays; move it to get the newest version")
            return None
        if target.exists() and _made_from(target) == fresh.metadata["study_copy"]:
            return None
    folder.mkdir(exist_ok=True)
    nbformat.write(fresh, target)
    return target


def _read(path):
    """The notebook at `path`, or an empty one where it is damaged."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return nbformat.v4.new_notebook()


def _made_from(path):
    return _read(path).metadata.get("study_copy")


def _digest_of(path):
    return digest(_read(path))


def contents(folder):
    """README.md of the copies: the series, with links to the copies."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    series = readme.partition("## The series")[2].partition("\n## ")[0]
    text = f"# Your copies of the series\n{series.replace('](notebooks/', '](')}"
    folder.mkdir(exist_ok=True)
    (folder / "README.md").write_text(text, encoding="utf-8")
    for page in (ROOT / "notebooks").glob("*.md"):
        shutil.copy(page, folder)


def print_routes(folder, originals):
    """One page with the teacher's cells of all notebooks, to be printed: routes.html."""
    parts = []
    for original in originals:
        front, rest = split(nbformat.read(original, as_version=4).cells)
        title = rest[0].source.splitlines()[0]
        parts += [title, *(cell.source for cell in front)]
    body = markdown2html("\n\n".join(parts))
    style = "body{font:12pt sans-serif;max-width:46em;margin:auto}h1{page-break-before:always}"
    page = f"<!doctype html><meta charset='utf-8'><title>Routes</title><style>{style}</style>{body}"
    (folder / "routes.html").write_text(page, encoding="utf-8")


def keep_widgets():
    """Let JupyterLab save what widgets show, so that a notebook opened the next day has its pictures."""
    settings = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    try:
        wanted = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
        wanted["@jupyter-widgets/jupyterlab-manager:plugin"] = {"saveState": True}
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(wanted), encoding="utf-8")
    except (OSError, ValueError):  # an environment that is not ours to write to: JupyterLab's default holds
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--class", dest="teacher", action="store_true")
    parser.add_argument("--copy-only", action="store_true")
    wanted, lab_options = parser.parse_known_args()
    folder = ROOT / ("class" if wanted.teacher else "my")
    contents(folder)
    originals = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if wanted.teacher:
        print_routes(folder, originals)
    for original in originals:
        target = lay(original, folder, wanted.teacher)
        if target and target.name.endswith(".new.ipynb"):
            print(f"{original.name} has changed: the new version is {folder.name}/{target.name}, yours is untouched")
    if wanted.copy_only:
        return 0
    keep_widgets()
    options = [
        f"--ServerApp.root_dir={ROOT}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/{folder.name}/00_start_here.ipynb",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    try:
        return subprocess.run([sys.executable, "-m", "jupyter", "lab", *options, *lab_options]).returncode
    except KeyboardInterrupt:  # the usual way to leave JupyterLab
        return 0


if __name__ == "__main__":
    sys.exit(main())
