"""A reader who plays, in nbval's own kernel: every open cell twice, every widget moved, every change that the text
invites."""

import copy
from collections import defaultdict
from pathlib import Path

import nbformat
from nbval.plugin import IPyNbCell
from notebook_text import change, is_open, is_training, sections

ROOT = Path(__file__).resolve().parent.parent
SWEEP = (ROOT / "tests" / "sweep.py").read_text(encoding="utf-8")
PATIENCE = 60  # seconds for a cell's output; nbval's own 5 are too short on a busy machine


def played(notebook, items):
    """nbval's items of one notebook: each open cell a second time, and at the end the sweep and the tweaks."""
    result = []
    for item in items:
        item.output_timeout = PATIENCE
        result.append(item)
        if is_open(item.cell) and not is_training(item.cell):
            result.append(_item(IPyNbCell, notebook, f"{item.name} again", item.cell, item.options))
    result.append(_item(IPyNbCell, notebook, "Sweep of the widgets", nbformat.v4.new_code_cell(SWEEP, id="sweep")))
    for section in sections(notebook.nb.cells):
        code = [cell for cell in section if cell.cell_type == "code" and not is_training(cell)]
        for place, cell in enumerate(code):
            for old, new in cell.metadata.get("tweaks", []):
                item = _item(Tweak, notebook, f"Tweak {old!r} to {new!r}", cell)
                item.cells = [copy.deepcopy(cell), *code[place + 1 :]]
                item.cells[0].source = change(cell.source, old, new)
                item.restored = code[place:]
                result.append(item)
    return result


def _item(kind, notebook, name, cell, options=None):
    item = kind.from_parent(notebook, name=name, cell_num=0, cell=cell, options=options or defaultdict(bool))
    item.output_timeout = PATIENCE
    return item


class Tweak(IPyNbCell):
    """Apply one change, run the cell and the rest of its section, and then the section as it was.

    Fails on an error, and when no output of the section shows that something was changed.
    """

    def runtest(self):
        changed = False
        for cell in self.cells:
            changed |= _shown(self.run_cell(cell)) != _shown(cell.outputs)
        for cell in self.restored:
            self.run_cell(cell)
        assert changed, "the change shows nowhere in its section"

    def run_cell(self, cell):
        self.cell = cell
        super().runtest()
        return self.test_outputs


def _shown(outputs):
    """What a reader sees of some outputs."""
    shown = []
    for output in outputs:
        shown.append(output.get("text", ""))
        shown += [value for kind, value in sorted(output.get("data", {}).items()) if "widget" not in kind]
    return [value.strip() for value in shown if isinstance(value, str)]
