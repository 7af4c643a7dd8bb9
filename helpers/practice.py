"""`predict` before you look; `check` your answer. Both let the notebook run on when nothing is filled in.

    guess = predict("How many classes?", "1", "2")   # buttons; remembers, reveals nothing
    guess.reveal(classes)                            # later: the answer beside the guess
    check("mean-iou", answer)                        # not answered yet, a tick, or what kind of mistake it looks like

The exercises of a notebook stand in its lesson, `helpers.lessons`.
"""

import copy
import html
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import torch
from IPython.display import display

from helpers.drawing import show
from helpers.explore import live

NUMBER = r"[-−]?[\d,]*\.?\d+"
_said = {}  # {question: option}: a guess survives when its cell runs again


class Guess:
    """What the learner clicked, or None; made by `predict`."""

    def __init__(self, question, options):
        self.question, self.options = question, options

    @property
    def choice(self):
        return _said.get(self.question)

    def reveal(self, answer):
        """Print the answer beside the guess: a text, or a number that is looked up in the options.

        A number fits an option that shows it rounded ("0.50"), or a range: "under 0.8", "0.8 to 0.95", "over 0.95".
        An answer that fits none is printed all the same: a changed cell may give one.
        """
        fitting = next((option for option in self.options if _fits(answer, option)), None)
        shown = f"{answer:.3f}".rstrip("0").rstrip(".") if isinstance(answer, float) else str(answer)
        if fitting is None:
            line = f"Answer: {shown}. That was none of the options."
        elif isinstance(answer, str) or re.fullmatch(NUMBER, fitting):
            line = f"Answer: {fitting}."
        else:
            line = f"Answer: {shown} ({fitting})."
        if self.choice is not None:
            line += f" You said {self.choice}" + (": right." if self.choice == fitting else ".")
        print(line)


def _fits(answer, option):
    """Whether an answer is what an option says."""
    if isinstance(answer, str):
        return answer == option
    values = [float(found.replace(",", "").replace("−", "-")) for found in re.findall(NUMBER, option)]
    if re.fullmatch(NUMBER, option):
        return round(float(answer), len(option.partition(".")[2])) == values[0]
    if re.match(f"(under|below|less than) {NUMBER}", option):
        return answer < values[0]
    if re.match(f"(over|above|more than) {NUMBER}", option):
        return answer > values[0]
    if re.match(f"{NUMBER} to {NUMBER}", option):
        return values[0] <= answer <= values[1]
    return False


def predict(question, *options):
    """Show the question with a button for each option (texts); return a `Guess` that remembers the click."""
    if len(set(options)) < 2 or not all(isinstance(option, str) for option in options):
        raise ValueError("predict needs at least two different options, each a text")
    guess = Guess(question, options)
    before = guess.choice if guess.choice in options else None
    buttons = widgets.ToggleButtons(options=[(option, option) for option in options], value=before)
    buttons.style.button_width = "auto"
    said = widgets.HTML()

    def remember(_=None):
        if buttons.value is None:
            return
        _said[question] = buttons.value
        said.value = f"You say <b>{html.escape(buttons.value)}</b>. Run on to find out."

    buttons.observe(remember, "value")
    remember()
    title = widgets.HTML(f"<b>Predict.</b> {html.escape(question)}")
    box = widgets.VBox([title, buttons, said])
    choices = " · ".join(map(html.escape, options))
    static = f"<p><b>Predict.</b> {html.escape(question)}<br>{choices}</p>"
    bundle = {"text/html": static, "text/plain": f"Predict. {question} ({' · '.join(options)})"}
    display({**bundle, **live(box)}, raw=True)
    return guess


@dataclass(frozen=True)
class Exercise:
    """One exercise. `right` and the wrong answers are values, or functions that are compared on `cases`."""

    right: Any
    mistakes: dict  # what the mistake looks like: the answer that it gives
    hints: tuple  # a hint, then a stronger one; neither is the solution
    insight: str = ""  # what a right answer earns
    cases: tuple = ()  # tuples of arguments; empty when the answer is a value
    tolerance: float = 1e-6
    core: Any = None  # (*case) -> bool: mistakes are told apart on these cases only
    draw: Any = None  # (target, answer or None) -> (SVG, finding), of the last case


EXERCISES = {}
_tries = Counter()


def check(name, answer):
    """Print one line about `answer`: not answered yet, right, or what kind of mistake it looks like, and a hint."""
    if not isinstance(name, str) or name not in EXERCISES:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(map(repr, EXERCISES))}")
    exercise = EXERCISES[name]
    given, complaint = _results(exercise, answer)
    wanted, _ = _results(exercise, exercise.right)
    if exercise.draw:
        fits = given and isinstance(given[-1], torch.Tensor) and given[-1].shape == wanted[-1].shape
        show(*exercise.draw(wanted[-1], given[-1] if fits else None))
    if given and any(result is ... for result in given):
        print("○ Not answered yet: replace the three dots and run this cell again.")
    elif given and _same(given, wanted, exercise.tolerance):
        print(f"✓ Right. {exercise.insight}".rstrip())
    else:
        _tries[name] += 1
        print(f"✗ {complaint or _diagnosis(exercise, given)} Hint: {exercise.hints[min(_tries[name], 2) - 1]}")


def _results(exercise, answer):
    """What the answer gives on each case, or (None, complaint)."""
    if not exercise.cases:
        return [answer], None
    if answer is ...:
        return [...], None
    if not callable(answer):
        return None, f"This should be a function, but it is {type(answer).__name__}."
    results = []
    for case in exercise.cases:
        try:
            results.append(answer(*copy.deepcopy(case)))  # a learner's function may change what it is given
        except Exception as error:
            reason = (str(error).splitlines() or ["no message"])[0]
            return None, f"Your function stopped with {type(error).__name__}: {reason}."
    return results, None


def _diagnosis(exercise, given):
    if all(result is None for result in given):
        return "The answer is None: " + ("is a `return` missing?" if exercise.cases else "type a value.")
    if not exercise.cases and isinstance(exercise.right, int) and not isinstance(given[0], (int, float)):
        return f"One number is asked for, but this is a {type(given[0]).__name__}."
    core = [n for n, case in enumerate(exercise.cases or [()]) if exercise.core is None or exercise.core(*case)]
    for text, mistake in exercise.mistakes.items():
        looks = _results(exercise, mistake)[0]
        if _same([given[n] for n in core], [looks[n] for n in core], exercise.tolerance):
            return text
    wanted = _results(exercise, exercise.right)[0]
    for result, target in zip(given, wanted, strict=True):
        if isinstance(target, torch.Tensor) and getattr(result, "shape", None) != target.shape:
            shape = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
            return f"The result should be a tensor of shape {tuple(target.shape)}, but it is {shape}."
    return "Not this."


def _same(given, wanted, tolerance):
    return given is not None and all(_equal(a, b, tolerance) for a, b in zip(given, wanted, strict=True))


def _equal(given, wanted, tolerance):
    """Equal within `tolerance`; False for whatever cannot be compared."""
    try:
        if isinstance(wanted, torch.Tensor):
            given = torch.as_tensor(given)
            return given.shape == wanted.shape and torch.allclose(
                given.double(), wanted.double(), atol=tolerance, rtol=0
            )
        if isinstance(wanted, (int, float)):
            return math.isclose(float(given), wanted, abs_tol=tolerance, rel_tol=0)
        return type(wanted)(given) == wanted
    except Exception:
        return False
