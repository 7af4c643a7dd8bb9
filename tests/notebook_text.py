"""A notebook as a document: what test_documents.py looks at."""

import ast
import re
from functools import cached_property
from pathlib import Path

import nbformat

NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?")
# Numbers that name a place in a paper, a thread, a notebook, a date or a list item, and no result.
NAMES = re.compile(
    r"\]\([^)]*\)|§\s*[\d.]+|(?:Fig\.|Figure|Table|Tab\.|Eq\.|issue|notebook|layer|row|rel\.|cell) ?#?\d+(?:\.\d+)?"
    r"|(?:et al\.|and [A-Z]\w+|CVPR|MICCAI|BMVC|NeurIPS|ICLR|ECCV|PAMI|Distill),? \d{4}"
    r"|^\s*\d+\.\s|^#+ \d+ |<summary>\d+\.|\*\*\d+\. ",
    re.M,
)
FREE = {0.0, 1.0, 2.0}  # counting words more than results


class Document:
    def __init__(self, path):
        self.path, self.notebook = Path(path), nbformat.read(path, as_version=4)
        self.cells = self.notebook.cells

    @cached_property
    def code(self):
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @cached_property
    def prose(self):
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    def headings(self):
        """[(level, text)] in order."""
        lines = "\n".join(re.sub(r"```.*?```", "", cell.source, flags=re.S) for cell in self.prose).splitlines()
        found = (re.match(r"(#+) (.+)", line) for line in lines)
        return [(len(match[1]), match[2].strip()) for match in found if match]

    def section(self, start, stop=None):
        """The cells from the H2 that begins with `start` up to the one that begins with `stop`."""
        begin = next(i for i, cell in enumerate(self.cells) if cell.source.startswith(f"## {start}"))
        end = next((i for i, cell in enumerate(self.cells) if stop and cell.source.startswith(f"## {stop}")), None)
        return self.cells[begin:end]

    def route(self, minutes):
        """The anchors of the sections that the teacher's route of so many minutes links to, in order."""
        text = "\n\n".join(cell.source for cell in self.tagged("teacher"))
        paragraph = re.search(rf"^\*\*{minutes} minutes\.\*\*(.+?)(?:\n\n|\Z)", text, re.M | re.S)
        return re.findall(r"\]\(#(.+?)\)(?=[\s,;.:·→)]|$)", paragraph[1]) if paragraph else []

    def tagged(self, tag):
        return [cell for cell in self.cells if tag in cell.metadata.get("tags", [])]

    def output_text(self):
        texts = []
        for cell in self.code:
            for output in cell.outputs:
                texts.append(output.get("text", ""))
                for kind, value in output.get("data", {}).items():
                    if not kind.startswith("image/png"):
                        texts.append(
                            re.sub(r"base64,[\w+/=]*|<svg[^>]*>|(?:[xy\d]+|width|height)=\"[^\"]*\"", " ", value)
                        )
        return "\n".join(texts)

    def proven_numbers(self):
        """All numbers in asserts and outputs."""
        asserts = []
        for cell in self.code:
            asserts += [ast.unparse(node) for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Assert)]
        return numbers("\n".join(asserts)) | numbers(self.output_text())

    def unproven_numbers(self):
        """[(cell id, number)] of prose that no assert and no output of this notebook shows."""
        proven, code = self.proven_numbers(), numbers("\n".join(cell.source for cell in self.code))
        missing = []
        for cell in self.prose:
            if "teacher" in cell.metadata.get("tags", []) or cell.source.startswith("## References"):
                continue
            text = re.sub(r"```mermaid.+?```", " ", cell.source.split("**Time:**")[0], flags=re.S)
            text = NAMES.sub(" ", text)
            for snippet in re.findall(r"`[^`]*`", text):
                missing += [(cell.id, n) for n in numbers(snippet) - FREE if n not in code | proven]
            plain = re.sub(r"`[^`]*`", " ", text)
            for match in NUMBER.finditer(plain):
                value, shown = _value(match[0]), match[0]
                percent = re.match(r"\s?%", plain[match.end() :])
                if value not in FREE and not _is_proven(value, shown, percent, proven):
                    missing.append((cell.id, shown))
        return missing


def tags(cell):
    return set(cell.metadata.get("tags", []))


def is_open(cell):
    """A code cell that the reader sees, reads and changes."""
    return cell.cell_type == "code" and not tags(cell) & {"hide-input", "proof", "answer", "teacher"}


def is_training(cell):
    return "training" in tags(cell)


def change(source, old, new):
    """The source with a change that the notebook's metadata names; the old text must stand in it once."""
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the cell"
    return source.replace(old, new)


def shortened(cell):
    """The source of a cell, its training made short."""
    source = cell.source
    for old, new in cell.metadata.get("short", []):
        source = change(source, old, new)
    return source


def sections(cells):
    """The cells in lists, a new one at each H2."""
    found = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            found.append([])
        found[-1].append(cell)
    return found


def anchor(heading):
    """How a link in JupyterLab names a heading."""
    return heading.strip().replace(" ", "-")


def numbers(text):
    return {_value(found) for found in NUMBER.findall(text)}


def _value(shown):
    return float(shown.replace(",", "").replace("−", "-"))


def _is_proven(value, shown, percent, proven):
    """As shown, or a proven number that rounds to it; a percentage also as a fraction."""
    decimals = len(shown.partition(".")[2])
    wanted = {(value, decimals)} | ({(value / 100, decimals + 2)} if percent else set())
    return any(round(number, places) == round(v, places) for v, places in wanted for number in proven)


def words(cells):
    """Words of prose, without links' addresses and mathematics' commands."""
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return len(re.sub(r"\]\([^)]*\)|\\[a-z]+|[|#*_`$]", " ", text).split())


def bound_names(source):
    """Names that a cell binds at its top level: assignments, functions, classes; loop variables do not count."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        targets = getattr(node, "targets", [getattr(node, "target", None)] if isinstance(node, ast.AnnAssign) else [])
        for target in targets:
            names |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name) and _stores(part)}
    return names - {"_"}


def _stores(name):
    return isinstance(name.ctx, ast.Store)
