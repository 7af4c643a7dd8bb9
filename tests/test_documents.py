"""The notebooks as documents: what a reader, a teacher and a reviewer may rely on in every one of them."""

import ast
import html
import importlib
import itertools
import re
import subprocess

import pytest
from notebook_text import Document, anchor, bound_names, change, is_open, is_training, sections, tags, words
from play import ROOT

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = [
    "Setup",
    "Predict first",
    "By hand",
    "With torch",
    "Over a range",
    "Explore",
    "Where it breaks",
    "Misconceptions",
    "In a real network",
    "Exercises",
    "What you can do now",
    "Quiz",
    "Going deeper",
    "References",
    "What this does not show",
    "For the teacher",
]
OPTIONAL = {"With torch"}  # may be one section with By hand
SERIES = [
    "00_start_here", "01_output_sizes", "02_receptive_fields", "03_classifier_to_fcn", "04_upsampling", "05_fcn_skips",
    "06_unet_odd_sizes", "07_dilated_convolution", "08_parameter_counts", "09_deeplab", "10_side_by_side",
]  # fmt: skip
# Which claims of the lecture note belong to which notebook.
CLAIMS = {
    "00": [2, 3],
    "02": [10],
    "03": [4, 5, 6],
    "04": [7],
    "05": [8, 9],
    "06": [11, 12, 13, 14, 15, 16],
    "07": [19, 20, 21, 22, 23, 24],
    "08": [25, 26, 27, 28, 29],
    "09": [17, 18],
}


@pytest.fixture(params=PATHS, ids=[path.stem for path in PATHS])
def document(request):
    return Document(request.param)


def test_there_is_a_notebook():
    assert PATHS


def test_headings(document):
    levels = [level for level, _ in document.headings()]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_sections_in_order(document):
    titles = [title.split(":")[0] for level, title in document.headings() if level == 2]
    assert [title for title in SECTIONS if title in titles or title not in OPTIONAL] == titles


def test_contract(document):
    title = document.cells[0].source
    question = re.search(r"^\*\*Question\.\*\* (.+)$", title, re.M)
    assert question and question[1].count("?") == 1, "the question is one sentence"
    objectives = re.findall(r"^\d\. (.+)$", title, re.M)
    assert 3 <= len(objectives) <= 5
    assert all(objective.startswith("**") for objective in objectives), "each objective begins with its verb"
    assert re.search(r"\*\*Before you start:\*\* .*\]\(", title), "prerequisites are links"
    closing = document.section("What you can do now", "Quiz")[0].source
    assert len(re.findall(r"^\d\. ", closing, re.M)) == len(objectives), "each objective is answered"


def test_minutes(document):
    stated = re.search(r"\*\*Time:\*\* (\d+) minutes \(estimated\)", document.cells[0].source)
    assert stated and 20 <= int(stated[1]) <= 50, "minutes are called estimated: nobody timed readers"


def test_navigation_and_links(document):
    linked = "\n".join(cell.source for cell in document.prose)
    for text, target in re.findall(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", linked):
        assert text.lower() not in {"here", "link", "this"}, f"a link says where it goes: {target}"
        if not target.startswith("http"):
            assert (document.path.parent / target.partition("#")[0]).exists(), target
    place = PATHS.index(document.path)
    for neighbour in ["../README.md"] + [p.name for p in PATHS[max(place - 1, 0) : place + 2] if p != document.path]:
        assert all(f"]({neighbour})" in end for end in (first_prose(document), document.cells[-1].source)), neighbour


def first_prose(document):
    """The prose above Setup."""
    return "\n".join(cell.source for cell in sections(document.cells)[0])


def test_pictures_have_words(document):
    pictures = 0
    for cell in document.code:
        for place, output in enumerate(cell.outputs):
            kinds = {"image/png", "image/svg+xml"} & set(output.get("data", {}))
            for kind in kinds:
                pictures += 1
                alt = output.metadata.get(kind, {}).get("alt", "")
                assert len(alt.split()) >= 5, f"{cell.id}: alt text states the finding"
                below = cell.outputs[place + 1].data["text/html"]
                assert html.escape(alt) in below, f"{cell.id}: the same sentence stands below the picture"
            assert not (output.get("data", {}).get("text/plain", "").startswith("<Figure")), cell.id
    assert pictures >= 3


def test_executed_in_order_without_errors(document):
    assert [cell.execution_count for cell in document.code] == list(range(1, len(document.code) + 1))
    for cell in document.code:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.id


def core(document):
    """The cells from the title to the exercises, without proofs."""
    last = document.cells.index(document.section("Exercises")[0])
    return [cell for cell in document.cells[:last] if "proof" not in tags(cell)]


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def test_core_is_short(document):
    cells = core(document)
    opened = sum(len(lines(cell)) for cell in cells if is_open(cell))
    figures = f"{len(cells)} cells, {opened} open lines, {words(cells)} words"
    assert len(cells) <= 40 and opened <= 130 and words(cells) <= 1100, figures


def test_cells_have_a_kind(document):
    for cell in document.code:
        kinds = tags(cell)
        assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == ("hide-input" in kinds), cell.id
        assert not kinds & {"proof", "answer"} or "hide-input" in kinds, f"{cell.id}: folded"
        assert not kinds & {"training", "volatile"} or "nbval-ignore-output" in kinds, cell.id
        if is_open(cell):
            asserts = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Assert)]
            assert not asserts, f"{cell.id}: a reader who changes a number meets an assert"
            assert len(lines(cell)) <= 22, f"{cell.id}: {len(lines(cell))} lines"


def test_proofs(document):
    proofs = document.tagged("proof")
    assert proofs
    for cell in proofs:
        assert cell.source.startswith("# Proof: "), cell.id
        assert len(lines(cell)) <= 15, f"{cell.id}: {len(lines(cell))} lines"
        printed = "".join(output.get("text", "") for output in cell.outputs)
        assert "nbval-ignore-output" in tags(cell) or re.fullmatch("✓ .+\n", printed), f"{cell.id}: one line, ✓ …"


def test_the_text_invites_to_play(document):
    """Every section of the core with open code has a change that the play test tries."""
    for section in sections(core(document))[1:]:
        title, opened = section[0].source.splitlines()[0], [cell for cell in section if is_open(cell)]
        if opened and not title.startswith("## Setup"):
            assert any(cell.metadata.get("tweaks") for cell in opened), f"{title}: nothing to change"
    for cell in document.code:
        for old, new in cell.metadata.get("tweaks", []) + cell.metadata.get("short", []):
            change(cell.source, old, new)
        assert not is_training(cell) or cell.metadata.get("short"), f"{cell.id}: how is this training shortened?"


def test_names_are_bound_in_one_section(document):
    """So that running one section again leaves the others as they were."""
    seen = {}
    for number, section in enumerate(sections(document.cells)):
        for cell in section:
            if cell.cell_type != "code" or "answer" in tags(cell):
                continue
            for name in bound_names(cell.source):
                assert seen.setdefault(name, number) == number, f"{cell.id}: {name} is bound in another section too"


def test_routes_name_sections(document):
    anchors = {anchor(title) for level, title in document.headings() if level == 2}
    for minutes in (50, 30):
        route = document.route(minutes)
        assert len(route) >= 3 and set(route) <= anchors, set(route) - anchors


def test_small_and_portable(document):
    text = document.path.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"(?<![\w/.])/(?:home|root|work|tmp|Users|usr)/|[A-Z]:\\\\", text), "absolute path"
    assert "filterwarnings" not in text and "import matplotlib" not in text


def test_numbers_in_prose_are_proven(document):
    assert document.unproven_numbers() == []


def test_predictions_are_resolved(document):
    source = "\n".join(cell.source for cell in document.code)
    guesses = re.findall(r"^(\w+) = predict\(", source, re.M)
    assert len(guesses) >= 3
    for guess in guesses:
        asked, told = source.index(f"{guess} = predict("), source.index(f"{guess}.reveal(")
        assert asked < told


def test_exercises(document):
    section = document.section("Exercises", "What you can do now")
    kinds = re.findall(r"^### \d (Twiddle|Tweak|Make)", "\n".join(cell.source for cell in section), re.M)
    assert {"Twiddle", "Tweak", "Make"} <= set(kinds)
    answers = [cell for cell in section if "answer" in cell.metadata.get("tags", [])]
    checks = [(cell in answers, re.findall(r'check\("([\w-]+)"', cell.source)) for cell in section]
    asked = [name for is_answer, names in checks for name in names if not is_answer]
    assert asked == [name for is_answer, names in checks for name in names if is_answer] and len(asked) >= 3
    for cell in section:
        printed = "".join(output.get("text", "") for output in cell.get("outputs", []))
        if cell in answers:
            assert "✓" in printed, cell.id
        elif "check(" in cell.source:
            assert "○ Not answered yet" in printed, cell.id


def test_explorer_tasks_are_within_bounds(document):
    ranges = dict(re.findall(r"<b>(\w+)</b> ([^;<]+?)(?:;|\.</p>)", document.output_text()))
    tasks = re.findall(
        r"[Ss]et \*\*(\w+)\*\*|\*\*(\w+)\*\* to ([\w.−-]+?)[.,;]?\s", "\n".join(c.source for c in document.prose)
    )
    named = {first or second for first, second, _ in tasks}
    assert ranges and named == set(ranges), "one task for each control"
    for _, name, value in tasks:
        if not name:
            continue
        low, dots, high = ranges[name].partition(" … ")
        if dots:
            assert float(low) <= float(value.replace("−", "-")) <= float(high), (name, value)
        else:
            assert value in ranges[name].split(" / "), (name, value)


def test_explorer_is_short(document):
    cells = [cell for cell in document.code if ".explore(" in cell.source]
    assert cells and all(len(cell.source.splitlines()) <= 5 and "hide-input" in tags(cell) for cell in cells)


def test_names_from_helpers_exist(document):
    modules = {}
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in document.code))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "helpers":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                modules[alias.asname or alias.name] = getattr(module, alias.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}"


def test_every_claim_has_its_notebook():
    """29 claims of the lecture note: the first is the glossary's, the others belong to one notebook each."""
    assert sorted(number for numbers in CLAIMS.values() for number in numbers) == list(range(2, 30))
    assert {path.name[:2] for path in PATHS} >= set(CLAIMS)


def test_claims_of_the_lecture_note(document):
    for number in CLAIMS.get(document.path.name[:2], []):
        assert len(document.tagged(f"claim-{number}")) == 1, f"claim {number}"


def test_close(document):
    quiz = document.section("Quiz", "Going deeper")
    answers = re.findall(r"<details><summary>", "\n".join(cell.source for cell in quiz))
    assert 4 <= len(answers) <= 6
    references = re.findall(r"^- .+\]\(http", document.section("References")[0].source, re.M)
    assert 3 <= len(references) <= 6
    assert len(document.tagged("teacher")) >= 1


def test_canonical_form(document):
    text = document.path.read_text(encoding="utf-8")
    assert "widget-view" not in text and '"execution"' not in text and '"version"' not in text
    ids = [cell.id for cell in document.cells]
    assert len(set(ids)) == len(ids)


def test_readme_table():
    """Each notebook stands in README with its own title and question."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in PATHS:
        title = Document(path).cells[0].source
        heading = re.match(r"# (.+)", title)[1]
        question = re.search(r"\*\*Question\.\*\* (.+)", title)[1]
        assert f"| [{heading}](notebooks/{path.name}) | {question} |" in readme
    listed = re.findall(r"\(notebooks/(\w+\.ipynb)\)", readme)
    assert set(listed) == {path.name for path in PATHS}, "README links to notebooks that exist"


def needs(path):
    """The notebooks that this one asks for before you start, directly or through others."""
    line = re.search(r"\*\*Before you start:\*\*.+", Document(path).cells[0].source)
    names = re.findall(r"\((\d\d_\w+)\.ipynb\)", line[0]) if line else []
    direct = [path.with_name(f"{name}.ipynb") for name in names]
    return {other.name[:2] for other in direct}.union(*map(needs, direct))


def test_every_message_of_the_readme_stands_in_its_notebook():
    rows = re.findall(
        r"^\| `(.+?)` \| \[[^]]+\]\(notebooks/(\w+)\.ipynb\)", (ROOT / "README.md").read_text("utf-8"), re.M
    )
    messages = [(part, name) for message, name in rows for part in message.split(" … ")]
    assert len(messages) > 12
    for message, name in messages:
        document = Document(ROOT / "notebooks" / f"{name}.ipynb")
        said = document.output_text() + "".join(cell.source for cell in document.cells)
        assert (message.partition("Error: ")[2] or message) in said, (message, name)


def test_map_of_the_series():
    """README and the first notebook draw one map, and it is what "Before you start" says."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = re.findall(r"```mermaid.+?```", readme, re.S)
    first = "\n".join(cell.source for cell in Document(PATHS[0]).cells)
    assert drawn == re.findall(r"```mermaid.+?```", first, re.S) and len(drawn) == 1
    arrows = re.findall(r"n(\d\d)(?:\[.+?\])? --> n(\d\d)", drawn[0])
    assert len(arrows) == drawn[0].count("-->")
    needed = {path.name[:2]: set() for path in PATHS}
    for path in PATHS:  # in the order of the series: what a notebook needs stands before it
        before = [start for start, end in arrows if end == path.name[:2]]
        needed[path.name[:2]] = set(before).union(*(needed[start] for start in before))
        assert needed[path.name[:2]] == needs(path), path.name
        column = re.search(rf"\| {path.name[:2]} \| .+ \| (.+?) \|", readme)[1]
        assert set(re.findall(r"\d\d", column)) <= needs(path), path.name


def test_readme_links():
    for name in ("README.md", "data/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith(("http", "#")):
                assert (ROOT / name).parent.joinpath(target.partition("#")[0]).exists(), target


def test_budgets():
    """A module over its budget is a question about the design."""
    count = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in (ROOT / "helpers").rglob("*.py")}
    lessons = {path.stem: number for path, number in count.items() if path.parent.name == "lessons"}
    tracing = sum(number for path, number in count.items() if path.parent.name == "tracing")
    others = sum(count.values()) - sum(lessons.values()) - tracing
    assert max(lessons.values()) <= 280, max(lessons, key=lessons.get)
    assert tracing <= 1390, f"{tracing} lines follow networks and explain their sizes"
    assert others <= 2320, f"{others} lines outside of tracing and lessons: 440 of them are networks and their results"
    assert {path.stem[3:] for path in PATHS} == set(lessons) - {"__init__"}, "one lesson for each notebook"


def test_no_module_shadows_a_function():
    for init in (ROOT / "helpers").rglob("__init__.py"):
        module = importlib.import_module(".".join(init.parent.relative_to(ROOT).parts))
        for path in init.parent.glob("[a-z]*"):
            assert not callable(getattr(module, path.stem, None)), f"{path.name} shadows {path.stem}()"


def test_glossary():
    """Each term is found in the notebook that teaches it."""
    text = (ROOT / "notebooks" / "glossary.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "](" in line]
    assert len(rows) >= 25 and "sementic segmantation" in text  # claim 1: how the note spelt it
    for row in rows:
        words, target = re.match(r"\| (.+?) \| .+\]\((\d\d_\w+)\.ipynb\) \|$", row).groups()
        cells = Document(ROOT / "notebooks" / f"{target}.ipynb").cells
        taught = re.sub(r"[-_*\s]+", " ", " ".join(cell.source for cell in cells)).lower()
        names = re.sub(r" \(.+?\)", "", words).lower().replace("-", " ").split(", ")
        assert any(name in taught for name in names), (words, target)


def test_nothing_generated_is_tracked():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    assert not re.search(r"^(my|class|\.venv|\.cache)/|__pycache__|\.egg-info", tracked, re.M)
