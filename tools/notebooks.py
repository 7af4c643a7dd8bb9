"""Execute the notebooks whose code, helpers or data changed, and save them in one canonical form.

python tools/notebooks.py           those that changed since the last run
python tools/notebooks.py --all     all of them
python tools/notebooks.py NAME …    these
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import console  # noqa: F401  characters that the console cannot show
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ROOT / ".cache" / "executed.json"  # {notebook: hash of all that its outputs depend on}
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(path):
    """Run a notebook from a clean kernel, as CI does: one torch thread, no optional data. ValueError on stderr."""
    os.environ.update(OMP_NUM_THREADS="1", PYTHONHASHSEED="0")
    os.environ.pop("CAMVID_ROOT", None)
    notebook = nbformat.read(path, as_version=4)
    volatile = [cell for cell in notebook.cells if "volatile" in tags(cell)]
    stored = {cell.id: cell.outputs for cell in volatile if cell.metadata.get("measured") == measured(notebook)}
    NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        coalesce_streams=True,  # however the prints arrive
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    for cell in volatile:
        cell.outputs = stored.get(cell.id) or cell.outputs
        cell.metadata["measured"] = measured(notebook)
    return canonical(notebook)


def measured(notebook):
    """Hash of the code of all volatile cells: what they measured is kept until one of them is changed."""
    code = [cell.source for cell in notebook.cells if "volatile" in tags(cell)]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:12]


def canonical(notebook):
    """The same notebook without what changes from run to run or machine to machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {
            key: cell.metadata[key] for key in ("tags", "tweaks", "short", "measured") if key in cell.metadata
        }
        if "hide-input" in tags(cell):  # Jupyter Book's word for it; the next line is JupyterLab's
            cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := _canonical_output(output, cell))]
    return notebook


def _canonical_output(output, cell):
    if output.get("name") == "stderr":
        raise ValueError(f"cell {cell.id} writes to stderr: {output.text[:200]}")
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]  # its id changes on every run; the still picture beside it stays
        if set(output.data) <= {"text/plain"}:
            return None  # a progress bar
    return output


def tags(cell):
    return cell.metadata.get("tags", [])


def fingerprint(path):
    """Hash of what a notebook's outputs depend on: its code, helpers, data, versions."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    if not all(cell.execution_count for cell in code):
        return "outputs were cleared"
    digest = hashlib.sha256("\0".join(cell.source for cell in code).encode())
    files = [*ROOT.glob("helpers/**/*.py"), *ROOT.glob("data/**/*"), ROOT / "constraints.txt", Path(__file__)]
    for file in sorted(file for file in files if file.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("names", nargs="*", help="such as 00_start_here")
    wanted = parser.parse_args()
    executed = json.loads(EXECUTED.read_text()) if EXECUTED.exists() else {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        chosen = (
            path.stem in wanted.names if wanted.names else wanted.all or executed.get(path.name) != fingerprint(path)
        )
        if not chosen:
            continue
        start = time.time()
        try:
            text = nbformat.writes(execute(path)) + "\n"
        except Exception as error:  # a cell that fails, or stderr: the notebook stays as it was
            print(f"{path.name}: not saved\n{error}", file=sys.stderr)
            return 1
        fresh = path.with_suffix(".tmp")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
        executed[path.name] = fingerprint(path)
        EXECUTED.parent.mkdir(exist_ok=True)
        EXECUTED.write_text(json.dumps(executed, indent=1))
        print(f"{path.name}: {time.time() - start:.0f} s, {path.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
