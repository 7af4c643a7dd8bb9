"""run_route.py NAME MINUTES: run Setup and a route's sections; behind the route of 50 minutes, the other cells too."""

import os
import sys

import nbformat
from nbclient import NotebookClient
from notebook_text import Document, anchor, sections, shortened
from play import ROOT


def main(name, minutes):
    os.environ.update(OMP_NUM_THREADS="1")
    document = Document(ROOT / "notebooks" / f"{name}.ipynb")
    by_anchor = {anchor(section[0].source.splitlines()[0][3:]): section for section in sections(document.cells)[1:]}
    route = [document.section("Setup", "Predict first"), *(by_anchor[link] for link in document.route(int(minutes)))]
    cells = [cell for section in route for cell in section if cell.cell_type == "code"]
    if minutes == "50":
        on_route = {cell.id for cell in cells}
        cells += [cell for cell in document.code if cell.id not in on_route]
    code = [nbformat.v4.new_code_cell(shortened(cell)) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=code)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    print("ran")


if __name__ == "__main__":
    main(*sys.argv[1:])
