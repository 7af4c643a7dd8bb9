"""What the notebook runs need: a patient nbval, and a reader who plays after the last cell."""

from collections import defaultdict
from itertools import groupby

import pytest
from nbval.plugin import IPyNbCell
from play import ROOT, played

import helpers  # noqa: F401  before anything that imports torchvision


def pytest_collection_modifyitems(items):
    """In each notebook's own kernel: every open cell twice, at the end all widgets moved and every tweak tried."""
    played_items = []
    for notebook, group in groupby(items, key=lambda item: item.parent if isinstance(item, IPyNbCell) else None):
        own = list(group)
        played_items += played(notebook, own) if notebook else own
    items[:] = played_items


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
