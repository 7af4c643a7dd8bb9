"""What the notebook runs need: a patient nbval, and one more cell that moves every widget."""

from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import IPyNbCell

import helpers  # noqa: F401  before anything that imports torchvision

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    """Give nbval's cells time for their output, and let each notebook end with the sweep of its widgets."""
    last = {}
    for place, item in enumerate(items):
        if isinstance(item, IPyNbCell):
            item.output_timeout = 60  # nbval's own 5 s is too short on a busy machine
            last[item.parent] = place
    sweep = (ROOT / "tests" / "sweep.py").read_text()
    for notebook, place in sorted(last.items(), key=lambda pair: -pair[1]):
        cell = nbformat.v4.new_code_cell(sweep)
        cell.id = "sweep"
        number = items[place].cell_num + 1
        item = IPyNbCell.from_parent(
            notebook,
            name=f"Sweep of the widgets (cell {number})",
            cell_num=number,
            cell=cell,
            options=defaultdict(bool),
        )
        item.output_timeout = 60
        items.insert(place + 1, item)


def pytest_terminal_summary(terminalreporter):
    """The time budget, reported: seconds that each notebook took."""
    seconds = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if ".ipynb::" in getattr(report, "nodeid", ""):
                seconds[report.nodeid.partition("::")[0]] += getattr(report, "duration", 0)
    for name, spent in sorted(seconds.items()):
        terminalreporter.write_line(f"{name}: {spent:.0f} s")


@pytest.fixture(scope="session")
def root():
    return ROOT
