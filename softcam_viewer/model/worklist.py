"""The worklist: which of the cases are shown, in which order, under which headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, QTimer, Signal

from softcam_viewer.model.case_filter import CaseFilter, FilterError, parse_filter, probability_of
from softcam_viewer.model.cases import AnyIndex, Case, CaseList, Status
from softcam_viewer.model.grouping import Groups, Heading, Key

REFRESH_MS = 500
"""Between a change of what is sorted or filtered by and a new order: a scan changes ten cases a second."""

PROBABILITY = "probability:"
"""Before the name of a class, to sort by its probability."""

_STATUS: dict[Status, int] = {"wrong": 0, "open": 1, "reviewed": 2, "error": 3}
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Order:
    """Something to sort by.

    Attributes
    ----------
    name, short, title : str
        For programs, and for people with little and with more room.
    falls : bool
        Highest first, unless turned round.
    key : callable
        What is compared; cases where it is None come last either way.
    fields : frozenset of str
        Of `Case`, that it looks at.
    """

    name: str
    short: str
    title: str
    falls: bool
    key: Callable[[Case], Any]
    fields: frozenset[str]


ORDERS: tuple[Order, ...] = (
    Order("opened", "Sort", "The order in which they were opened", False, lambda case: 0, frozenset()),
    Order("name", "Name", "Name", False, lambda case: _natural(case.name), frozenset({"name"})),
    Order("uncertainty", "Uncertain", "Uncertainty (entropy)", True, lambda case: case.entropy, frozenset({"entropy"})),
    Order("border", "Border", "Evidence in the border", True, lambda case: case.border, frozenset({"border"})),
    Order("flags", "Flags", "Number of flags", True, lambda case: case.flags or None, frozenset({"flags"})),
    Order("label", "Label", "Label", False, lambda case: case.label.casefold() or None, frozenset({"label"})),
    Order(
        "status",
        "Status",
        "Status (wrong first)",
        False,
        lambda case: _STATUS[case.status],
        frozenset({"reviewed", "error", "refusal", "prediction", "label"}),
    ),
)


class Worklist(QAbstractListModel):
    """Headings and cases, line by line, as Qt's views read them.

    Parameters
    ----------
    cases : CaseList
    """

    HEADING_ROLE = CaseList.CASE_ROLE + 1

    order_changed = Signal()  # other cases, another order or other headings; after Qt's own signals
    settings_changed = Signal()  # sort, filter, grouping, folding or identity

    def __init__(self, cases: CaseList, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cases = cases
        self.sorted_by = "opened"
        self.is_turned = False
        self.filter_text = ""
        self.filter_error = ""
        self.is_grouped = True
        self.shows_identity = False
        self._filter = CaseFilter()
        self._groups = Groups()
        self._folded: set[Key] = set()
        self._to_fold: tuple[tuple[int, int], ...] = ()
        self._lines: list[Heading | int] = []
        self._line_of: dict[int, int] = {}
        self._shown: list[int] = []
        self._place_of: dict[int, int] = {}
        self._matching = 0
        self._natural: list[Any] = []
        self._in_series: list[int] = []
        self._refresh = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._refresh.timeout.connect(self.refresh)
        cases.modelReset.connect(self._on_cases_reset)
        cases.case_changed.connect(self._on_case_changed)
        cases.facts_changed.connect(self._on_facts_changed)

    # What is shown

    @property
    def shown(self) -> list[int]:
        """Rows of the cases in view, in order; none under folded headings."""
        return self._shown

    @property
    def matching(self) -> int:
        """How many cases the filter lets through."""
        return self._matching

    @property
    def filter_needs_model(self) -> bool:
        """Whether the filter asks for what only explained cases have."""
        return self._filter.needs_model

    @property
    def has_headings(self) -> bool:
        """Whether there are headings between the cases."""
        return len(self._lines) > len(self._shown)

    def line_of(self, row: int) -> int | None:
        """Line of a case, None where it is not in view."""
        return self._line_of.get(row)

    def row_at(self, line: int) -> int | None:
        """Case in a line, None for a heading."""
        item = self._lines[line] if 0 <= line < len(self._lines) else None
        return item if isinstance(item, int) else None

    def neighbour(self, row: int, by: int) -> int | None:
        """The case so many lines further down; of a case that is not in view any more, from where it was last."""
        place = self._place_of.get(row)
        if place is None:
            return self._shown[0 if by > 0 else -1] if self._shown else None
        if not (place < len(self._shown) and self._shown[place] == row):  # it has left the list
            by -= by > 0
        target = place + by
        return self._shown[target] if 0 <= target < len(self._shown) else None

    # How it is shown

    def sort_by(self, name: str, *, is_turned: bool = False) -> None:
        """Sort by one of `ORDERS`, or by "probability:" and a class; turned round for the lowest first or last."""
        self.sorted_by, self.is_turned = name, is_turned
        self.refresh()
        self.settings_changed.emit()

    def filter_by(self, text: str) -> None:
        """Show what meets a line of words and facts; of a line that is no filter, `filter_error` tells why."""
        self.filter_text = text
        self._read_filter()
        self.refresh()
        self.settings_changed.emit()

    def _headings_tell_nothing(self) -> bool:
        return self._groups.are_one or (self._groups.are_single and not self.shows_identity)

    def group(self, *, on: bool) -> None:
        """Put headings of patients, studies, series and folders between the cases, or not."""
        self.is_grouped = on
        self.refresh()
        self.settings_changed.emit()

    def fold(self, key: Key, *, on: bool) -> None:
        """Hide the cases under a heading, or show them again."""
        (self._folded.add if on else self._folded.discard)(key)
        self.refresh()
        self.settings_changed.emit()

    @property
    def folded(self) -> tuple[tuple[int, int], ...]:
        """Folded headings, or those that will be: the first case under each, and its level. Keys may tell of people."""
        if not self._folded:
            return self._to_fold
        found: dict[Key, tuple[int, int]] = {}
        for row, headings in enumerate(self._groups.above):
            for heading in headings:
                if heading.key in self._folded:
                    found.setdefault(heading.key, (row, heading.level))
        return tuple(found.values())

    def put_back_folded(self, places: Iterable[tuple[int, int]]) -> None:
        """Fold what `folded` told, now or as soon as it is known what belongs together."""
        self._to_fold = tuple(places)
        self._folded.clear()
        if self._groups.above:
            self._fold_known()
        self.refresh()

    def _fold_known(self) -> None:
        above, places = self._groups.above, self._to_fold
        self._folded |= {above[row][level].key for row, level in places if level < len(above[row])}
        self._to_fold = ()

    def set_groups(self, groups: Groups) -> None:
        """Tell what belongs together; groups of other cases, which were made too late, are passed over."""
        if len(groups.ranks) == len(self.cases):
            self._groups = groups
            self._in_series = [_number_in_series(case) for case in self.cases.snapshot]
            self._fold_known()
            self.refresh()

    def show_identity(self, *, on: bool) -> None:
        """Show names, identifiers and dates of patients in headings, or not."""
        self.shows_identity = on
        self.refresh()
        if self._lines:
            self.dataChanged.emit(self.index(0), self.index(len(self._lines) - 1))
        self.settings_changed.emit()

    @property
    def orders(self) -> tuple[Order, ...]:
        """All there is to sort by now."""
        of_classes = tuple(
            Order(
                PROBABILITY + name,
                "Probability",
                f"Probability of {name}",
                True,
                probability_of(k),
                frozenset({"probabilities"}),
            )
            for k, name in enumerate(self.cases.class_names)
        )
        return ORDERS[:2] + of_classes + ORDERS[2:]

    @property
    def order(self) -> Order:
        """What it is sorted by."""
        return next((order for order in self.orders if order.name == self.sorted_by), ORDERS[0])

    # Making it

    def refresh(self) -> None:
        """Filter, sort and group anew."""
        self._refresh.stop()
        cases, is_grouped = self.cases, self.is_grouped and not self._headings_tell_nothing()
        rows = [row for row in range(len(cases)) if self._filter(cases[row])] if self._filter.tests else None
        matching = self._sorted(list(range(len(cases))) if rows is None else rows)
        if is_grouped:
            if self.order.name == "opened":
                matching.sort(key=self._in_series.__getitem__, reverse=self.is_turned)
            matching.sort(key=self._groups.ranks.__getitem__)
        self.beginResetModel()
        self._matching = len(matching)
        self._lines = self._with_headings(matching) if is_grouped else list(matching)
        self._line_of = {item: line for line, item in enumerate(self._lines) if isinstance(item, int)}
        self._shown = list(self._line_of)
        # Where a case that has left was, the next one is; so places of old are kept.
        self._place_of |= {row: place for place, row in enumerate(self._shown)}
        self.endResetModel()
        self.order_changed.emit()

    def _sorted(self, rows: list[int]) -> list[int]:
        cases, order = self.cases, self.order
        if order.name == "opened":
            return rows[::-1] if self.is_turned else rows
        rows.sort(key=self._natural.__getitem__)
        if order.name == "name":
            return rows[::-1] if self.is_turned else rows
        keys = {row: order.key(cases[row]) for row in rows}
        known = [row for row in rows if keys[row] is not None]
        known.sort(key=keys.__getitem__, reverse=order.falls != self.is_turned)
        return known + [row for row in rows if keys[row] is None]

    def _with_headings(self, rows: list[int]) -> list[Heading | int]:
        lines: list[Heading | int] = []
        above: tuple[Heading, ...] = ()
        at: dict[Key, int] = {}
        counts: dict[Key, int] = {}
        for row in rows:
            for heading in self._groups.above[row]:
                counts[heading.key] = counts.get(heading.key, 0) + 1
        for row in rows:
            headings = self._groups.above[row]
            if headings is not above:
                for heading in headings:
                    if any(h.key in self._folded for h in headings[: heading.level]):
                        break
                    if heading.key not in at:
                        at[heading.key] = len(lines)
                        is_folded = heading.key in self._folded
                        lines.append(replace(heading, count=counts[heading.key], is_folded=is_folded))
                above = headings
            if not any(heading.key in self._folded for heading in headings):
                lines.append(row)
        return lines

    def _read_filter(self) -> None:
        try:
            self._filter, self.filter_error = parse_filter(self.filter_text, self.cases.class_names), ""
        except FilterError as error:
            self._filter, self.filter_error = CaseFilter(), str(error)

    # What the cases say

    def _on_cases_reset(self) -> None:
        self._folded.clear()
        self._to_fold = ()
        self._place_of.clear()
        self._natural = [_natural(self.cases[row].name) for row in range(len(self.cases))]
        self._groups = Groups()
        self.refresh()

    def _on_case_changed(self, row: int, fields: frozenset[str]) -> None:
        line = self._line_of.get(row)
        if line is not None:
            self.dataChanged.emit(self.index(line), self.index(line))
        told = fields - {"thumbnail"}
        if not self._refresh.isActive() and ((told and self._filter.facts) or not told.isdisjoint(self.order.fields)):
            self._refresh.start()

    def _on_facts_changed(self) -> None:
        """Labels, or the classes of another model."""
        self._read_filter()
        self.refresh()
        self.settings_changed.emit()

    # Qt

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: number of lines."""
        return 0 if parent.isValid() else len(self._lines)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Qt: all lines can be gone to, headings to fold them."""
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable if index.isValid() else Qt.ItemFlag.NoItemFlags

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: of a case what `CaseList` says of it; of a heading its title, and itself as HEADING_ROLE."""
        if not index.isValid():
            return None
        item = self._lines[index.row()]
        if isinstance(item, int):
            return None if role == self.HEADING_ROLE else self.cases.data_of(item, role)
        if role == self.HEADING_ROLE:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.title_of(item)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{self.title_of(item)}, {'folded' if item.is_folded else 'unfolded'}"
        return None

    def title_of(self, heading: Heading) -> str:
        """What a heading says, with identity where that is to be shown."""
        noun = "image" if heading.count == 1 else "images"
        identity = heading.identity if self.shows_identity else ""
        return " · ".join(filter(None, (heading.title, identity, f"{heading.count} {noun}")))


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Key by which IMG_9 comes before IMG_10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name.casefold()) if part)


def _number_in_series(case: Case) -> int:
    """Images of a series are looked at in the order of their numbers, whatever their files are called."""
    number = case.header.instance_number if case.header is not None else None
    return -1 if number is None else number
