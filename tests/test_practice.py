"""`check` and `predict`: one clear line for every answer, right, wrong or absurd."""

import importlib
import pkgutil
import re

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances

from helpers import explore, lessons, practice
from helpers.practice import EXERCISES, check, predict

for lesson in pkgutil.iter_modules(lessons.__path__):  # each registers its exercises
    importlib.import_module(f"helpers.lessons.{lesson.name}")

NONSENSE = {
    "None": None,
    "text": "seven",
    "list": [1, 2],
    "tensor": torch.zeros(3, 3),
    "class": dict,
    "returns None": lambda *_: None,
    "returns text": lambda *_: "text",
    "wrong shape": lambda *_: torch.zeros(1, 1, 7),
    "raises": lambda *_: 1 / 0,
    "raises nothing to say": lambda *_: (_ for _ in ()).throw(KeyError()),
    "wrong arguments": lambda: 3,
    "not a number": float("nan"),
}


@pytest.fixture(autouse=True)
def first_try():
    practice._tries.clear()


@pytest.fixture
def said(capsys):
    def line(name, answer):
        capsys.readouterr()
        check(name, answer)
        # without a notebook, a displayed picture prints its short form
        lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(("<IPython", "{'image"))]
        assert len(lines) == 1, lines
        return lines[0]

    return line


@pytest.mark.parametrize("name", EXERCISES)
def test_right_and_unfilled(name, said):
    assert said(name, EXERCISES[name].right) == f"✓ Right. {EXERCISES[name].insight}".strip()
    assert said(name, ...).startswith("○ Not answered yet")
    if EXERCISES[name].cases:
        assert said(name, lambda *_: ...).startswith("○ Not answered yet")


@pytest.mark.parametrize("name", EXERCISES)
def test_each_mistake_is_named(name, said):
    exercise = EXERCISES[name]
    assert len(exercise.mistakes) >= 2
    for text, answer in exercise.mistakes.items():
        line = said(name, answer)
        assert line.startswith(f"✗ {text} Hint: "), line


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_gets_one_clear_line(name, kind, said):
    assert re.match(r"✗ .+ Hint: .+", said(name, NONSENSE[kind]))


@pytest.mark.parametrize("name", EXERCISES)
def test_hints_get_stronger(name, said):
    weak, strong = EXERCISES[name].hints
    assert weak != strong
    assert [said(name, None).endswith(hint) for hint in (weak, strong, strong)] == [True] * 3


@pytest.mark.parametrize("name", EXERCISES)
def test_a_learner_cannot_change_the_cases(name, said):
    exercise = EXERCISES[name]
    if not any(isinstance(value, torch.Tensor) for case in exercise.cases for value in case):
        pytest.skip("no tensors in its cases")

    def destroys(*arguments):
        for value in arguments:
            value.zero_() if isinstance(value, torch.Tensor) else None

    said(name, destroys)
    assert said(name, exercise.right).startswith("✓ Right.")


def test_no_case_can_be_changed(said, monkeypatch):
    """A list that a learner empties or turns round is a copy."""
    length = practice.Exercise(right=len, cases=(([1, 2, 3],),), mistakes={}, hints=("a", "b"))
    monkeypatch.setitem(EXERCISES, "length", length)
    assert said("length", lambda net: net.clear()).startswith("✗")
    assert said("length", lambda net: 0).startswith("✗")
    assert said("length", lambda net: (net.reverse(), len(net))[1]) == "✓ Right."
    assert said("length", len) == "✓ Right."


@pytest.mark.parametrize("name", EXERCISES)
def test_hints_do_not_print_the_solution(name):
    exercise = EXERCISES[name]
    if not exercise.cases:
        assert str(exercise.right) not in " ".join(exercise.hints)


def test_messages_name_the_kind_of_mistake(said):
    assert "is a `return` missing" in said("coin-iou", lambda matrix: None)
    assert "stopped with ZeroDivisionError: division by zero." in said("coin-iou", lambda matrix: 1 / 0)
    assert "should be a function, but it is float" in said("coin-iou", 0.7)
    assert "shape (3, 3), but it is (7,)" in said("outline", lambda label: torch.zeros(7))


def test_unknown_exercise():
    with pytest.raises(ValueError, match=r"there is no exercise 'nothing'; there are .*'shift'"):
        check("nothing", 1)
    with pytest.raises(ValueError, match="there is no exercise"):
        check(["shift"], 8)


def test_predict_remembers_and_reveals_only_when_asked(capsys):
    before = set(_instances)
    guess = predict("Which?", "a", "b <c>")
    shown = [_instances[key] for key in set(_instances) - before]
    buttons = next(widget for widget in shown if isinstance(widget, ipywidgets.ToggleButtons))
    assert guess.choice is None and buttons.value is None
    capsys.readouterr()
    guess.reveal("a")
    assert capsys.readouterr().out == "Answer: a.\n"
    buttons.value = "b <c>"
    assert guess.choice == "b <c>" and any(
        "b &lt;c&gt;" in getattr(widget, "value", None) or "" for widget in shown if isinstance(widget, ipywidgets.HTML)
    )
    guess.reveal("a")
    guess.reveal("b <c>")
    assert capsys.readouterr().out == "Answer: a. You said b <c>.\nAnswer: b <c>. You said b <c>: right.\n"
    again = predict("Which?", "a", "b <c>")  # its cell is run a second time
    assert again.choice == "b <c>"
    for options in [(), ("a",), ("a", "a"), (1, 2)]:
        with pytest.raises(ValueError, match="at least two different options"):
            predict("Which?", *options)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (0.9761, "Answer: 0.976 (over 0.95)."),
        (0.9, "Answer: 0.9 (0.8 to 0.95)."),
        (0.1, "Answer: 0.1 (under 0.8)."),
        (7, "Answer: 7."),
        (12, "Answer: 12. That was none of the options."),
        ("by nothing", "Answer: by nothing."),
        ("by luck", "Answer: by luck. That was none of the options."),
    ],
)
def test_reveal_finds_the_option(answer, said, capsys):
    options = ("7", "by nothing") if answer in (7, 12) or isinstance(answer, str) else ()
    guess = predict(f"Which is {answer}?", *(options or ("under 0.8", "0.8 to 0.95", "over 0.95")))
    capsys.readouterr()
    guess.reveal(answer)
    assert capsys.readouterr().out == said + "\n"


def test_widgets_show_with_ipywidgets_7(monkeypatch):
    """Version 7, which Colab has, gives its widgets no _repr_mimebundle_."""
    shown = []
    monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_", raising=False)
    for module in (practice, explore):
        monkeypatch.setattr(module, "display", lambda data, **options: shown.append(data))
    predict("Which?", "a", "b")
    explore.frame(lambda size: f"<svg>{size}</svg>", [explore.slider("size", 1, 3)], "One.")
    for data in (shown[0], shown[1]):
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] in _instances
