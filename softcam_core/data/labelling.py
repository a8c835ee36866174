"""Labels as written -> classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_WHOLE_NUMBER = re.compile(r"\d+(\.0+)?")


def whole_number(text: str) -> int | None:
    """Whole number that a label stands for; tables made with pandas write 1 as 1.0."""
    return int(text.split(".")[0]) if _WHOLE_NUMBER.fullmatch(text) else None


def canonical(label: str) -> str:
    """The label without a fraction of zero: 1.0 is 1."""
    number = whole_number(label)
    return label if number is None else str(number)


def distinct_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Each label once, sorted; by value where all of them are numbers."""
    distinct = set(labels)
    numbers = {whole_number(label) for label in distinct}
    if None in numbers:
        return tuple(sorted(distinct))
    return tuple(str(number) for number in sorted(number for number in numbers if number is not None))


def rarer_kind(labels: Sequence[str]) -> str | None:
    """Kind ("number" or "word") that fewer labels are of; None where all are of one."""
    kinds = Counter(kind_of(label) for label in labels)
    return min(kinds, key=lambda kind: (kinds[kind], kind)) if len(kinds) > 1 else None


def kind_of(label: str) -> str:
    """Tell whether a label is a "number" or a "word"."""
    return "word" if whole_number(label) is None else "number"


def class_index(label: str, names: Sequence[str], mapping: Mapping[str, str]) -> int | None:
    """Index of the class that a label names or numbers; None where it does neither.

    Parameters
    ----------
    label : str
        As written.
    names : sequence of str
        Of the classes.
    mapping : mapping of str to str
        Label -> name, for labels that are called otherwise.
    """
    plain = canonical(label)
    label = mapping.get(label, mapping.get(plain, label))
    if label in names:
        return names.index(label)
    number = whole_number(label)
    if number is None:
        return None
    if str(number) in names:
        return names.index(str(number))
    # Where the names themselves are numbers ("1", "2"), another number is a slip and not an index.
    named_by_number = all(whole_number(name) is not None for name in names)
    return number if number < len(names) and not named_by_number else None
