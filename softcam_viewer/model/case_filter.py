"""The filter of the worklist: one line of words and facts, all of which a case must meet."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from softcam_viewer.model.cases import Case

UNCERTAIN = 0.8
"""Entropy from which a prediction is called uncertain; of two classes the likelier one has at most 76 % there."""

Test = Callable[[Case], bool]

FLAGS: dict[str, tuple[str, Test]] = {
    "wrong": ("The prediction is not the label", lambda case: case.is_wrong is True),
    "correct": ("The prediction is the label", lambda case: case.is_wrong is False),
    "uncertain": (
        f"The prediction has an entropy of {UNCERTAIN:.0%} or more of the largest there is",
        lambda case: case.entropy is not None and case.entropy >= UNCERTAIN,
    ),
    "reviewed": ("Marked as reviewed", lambda case: case.reviewed),
    "flagged": ("Something was said of its evidence", lambda case: case.flags > 0),
    "labelled": ("A label is known", lambda case: bool(case.label)),
    "explained": ("The model has been asked", lambda case: case.entropy is not None),
    "boxed": ("Boxes or a mask are known", lambda case: bool(case.boxes or case.mask)),
    "error": ("Cannot be read or explained", lambda case: bool(case.error or case.refusal)),
}
NUMBERS: dict[str, tuple[str, Callable[[Case], float | None]]] = {
    "p": ("Probability of the predicted class", lambda case: case.prediction[1] if case.prediction else None),
    "border": ("Positive evidence in the outer eighth of the image", lambda case: case.border),
    "entropy": ("Uncertainty, of the largest there is", lambda case: case.entropy),
    "frames": ("Number of frames", lambda case: case.frames),
    "flags": ("Number of annotations", lambda case: case.flags),
}
TEXTS = ("label", "predicted", "verdict", "reviewer")
NEED_MODEL = ("wrong", "correct", "uncertain", "explained", "p", "entropy", "border", "predicted")
"""Facts that only explained cases have."""

EXAMPLES: tuple[tuple[str, str], ...] = (
    ("wrong", "Wrong predictions"),
    ("uncertain", "Uncertain predictions"),
    ("border>30%", "Over 30 % of the evidence in the border"),
    ("not reviewed", "Not yet reviewed"),
    ("reviewed", "Reviewed"),
    ("flagged", "Flagged"),
    ("verdict:wrong", "With wrong evidence"),
    ("boxed", "With boxes or a mask"),
    ("error", "With an error"),
)

_COMPARISONS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "=": operator.eq}
_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_COMPARED = re.compile(r'([A-Za-z]+)(?::("[^"]*"|[^<>=]+?))?(>=|<=|>|<|=)(\d+(?:\.\d+)?|\.\d+)(%?)')


class FilterError(ValueError):
    """A line that is no filter; says what would be one."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What a case must be to be shown.

    Attributes
    ----------
    tests : tuple of callable
        All of them must be true of it.
    facts : frozenset of str
        Names of the facts that are asked for.
    """

    tests: tuple[Test, ...] = ()
    facts: frozenset[str] = frozenset()

    def __call__(self, case: Case) -> bool:
        """Whether a case is shown."""
        return all(test(case) for test in self.tests)

    @property
    def needs_model(self) -> bool:
        """Whether it asks for what only explained cases have."""
        return not self.facts.isdisjoint(NEED_MODEL)


def parse_filter(text: str, class_names: Sequence[str] = ()) -> CaseFilter:
    """Read a line of words and facts.

    Parameters
    ----------
    text : str
        Words, which names must contain, and facts (`wrong`, `label:drusen`, `p>0.9`, `p:drusen<20%`), separated by
        spaces; "not" turns what follows into its contrary. What is in quotes is a word, or the value of a fact.
    class_names : sequence of str
        Of the model in use, for the probabilities of its classes.

    Raises
    ------
    FilterError
        For facts there are not, and "not" with nothing behind it.
    """
    tests: list[Test] = []
    facts: set[str] = set()
    is_denied = False
    for token in _TOKEN.findall(text):
        if token.lower() == "not":
            is_denied = not is_denied
            continue
        name, test = _parse(token, class_names)
        facts.add(name)
        tests.append(_contrary(test) if is_denied else test)
        is_denied = False
    if is_denied:
        raise FilterError("“not” needs something behind it, as in: not reviewed")
    return CaseFilter(tuple(tests), frozenset(facts - {""}))


def _contrary(test: Test) -> Test:
    return lambda case: not test(case)


def _parse(token: str, class_names: Sequence[str]) -> tuple[str, Test]:
    """Name of the fact ("" for a word), and its test."""
    if token.startswith('"'):
        return "", _contains(token.strip('"'))
    flag = FLAGS.get(token.lower())
    if flag is not None:
        return token.lower(), flag[1]
    compared = _COMPARED.fullmatch(token)
    if compared is not None:
        name, of, sign, number, percent = compared.groups()
        value = float(number) / (100 if percent else 1)
        return name.lower(), _compare(name.lower(), (of or "").strip('"'), sign, value, class_names)
    name, colon, wanted = token.partition(":")
    if colon and name.lower() in TEXTS:
        return name.lower(), _holds(name.lower(), wanted.strip('"').casefold())
    if colon or any(sign in token for sign in "<>"):
        raise FilterError(f"“{token}” is not known. {what_there_is()}")
    return "", _contains(token)


def _contains(word: str) -> Test:
    folded = word.casefold()
    return lambda case: folded in case.name.casefold()


def _holds(name: str, wanted: str) -> Test:
    if name == "label":
        return lambda case: bool(case.label) and wanted in case.label.casefold()
    if name == "verdict":
        return lambda case: wanted in case.verdicts
    if name == "reviewer":
        return lambda case: any(wanted in reviewer.casefold() for reviewer in case.reviewers)
    return lambda case: case.prediction is not None and wanted in case.prediction[0].casefold()


def _compare(name: str, of: str, sign: str, number: float, class_names: Sequence[str]) -> Test:
    if name not in NUMBERS or (of and name != "p"):
        raise FilterError(f"“{name}{':' + of if of else ''}” is not a number that is known. {what_there_is()}")
    holds, value_of = _COMPARISONS[sign], NUMBERS[name][1]
    if of:
        folded = [class_name.casefold() for class_name in class_names]
        if of.casefold() not in folded:
            known = ", ".join(class_names) or "known once a model is open"
            raise FilterError(f"There is no class “{of}”. Classes are {known}.")
        value_of = probability_of(folded.index(of.casefold()))

    def test(case: Case) -> bool:
        value = value_of(case)
        return value is not None and bool(holds(value, number))

    return test


def probability_of(index: int) -> Callable[[Case], float | None]:
    """What tells the probability of a class."""
    return lambda case: case.probabilities[index] if index < len(case.probabilities) else None


def what_there_is() -> str:
    """All facts, a sentence."""
    numbers = ", ".join(f"{name}>…" for name in NUMBERS)
    return f"There are {', '.join(FLAGS)}, {', '.join(f'{name}:…' for name in TEXTS)}, p:class>… and {numbers}."
