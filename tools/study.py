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
import os
import shutil
import subprocess
import sys
from pathlib import Path

import console  # noqa: F401  characters that the console cannot show

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
    """README.md of the copies: new versions laid beside them, then the series, with links to the copies."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    series = readme.partition("## The series")[2].partition("\n## ")[0]
    text = f"# Your copies of the series\n{new_versions(folder)}{series.replace('](notebooks/', '](')}"
    folder.mkdir(exist_ok=True)
    (folder / "README.md").write_text(text, encoding="utf-8")
    for page in (ROOT / "notebooks").glob("*.md"):
        shutil.copy(page, folder)


def new_versions(folder):
    """The notebooks that have changed since the copies were made, for the top of the contents page; "" if none has."""
    fresh = [path.name for path in sorted(folder.glob("*.new.ipynb"))]
    rows = [f"- [{name}]({name}), beside your {name.replace('.new', '')}\n" for name in fresh]
    told = (
        f"\nNew versions, in {folder.name}/. Your copies are untouched; delete the new one if you do not want it.\n\n"
    )
    return told + "".join(rows) if rows else ""


def as_root():
    """JupyterLab refuses to run as root (in containers, on some hubs) unless it is told."""
    if getattr(os, "geteuid", lambda: 1)() != 0:
        return []
    print("You are root here, as in many containers, so JupyterLab gets its option --allow-root.")
    return ["--allow-root"]


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
    """Let JupyterLab save what widgets show, for the next day, and open pages such as Contents to be read."""
    settings = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    try:
        wanted = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
        wanted["@jupyter-widgets/jupyterlab-manager:plugin"] = {"saveState": True}
        wanted["@jupyterlab/docmanager-extension:plugin"] = {"defaultViewers": {"markdown": "Markdown Preview"}}
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
    originals = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for original in originals:
        lay(original, folder, wanted.teacher)
    contents(folder)
    if wanted.teacher:
        print_routes(folder, originals)
    fresh = new_versions(folder)
    if wanted.copy_only:
        print(fresh, end="")
        return 0
    keep_widgets()
    options = [
        f"--ServerApp.root_dir={ROOT}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/{folder.name}/{'README.md' if fresh else '00_start_here.ipynb'}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    options += as_root()
    print(fresh, end="", flush=True)  # the last lines before JupyterLab's own, and on the page that opens
    try:
        return subprocess.run([sys.executable, "-m", "jupyter", "lab", *options, *lab_options]).returncode
    except KeyboardInterrupt:  # the usual way to leave JupyterLab
        return 0


if __name__ == "__main__":
    sys.exit(main())
