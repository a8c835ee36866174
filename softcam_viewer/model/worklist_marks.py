"""Marks of the worklist: how much is said about each open case, and who has reviewed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from softcam_viewer.model.annotation_book import AnnotationBook
from softcam_viewer.model.case_records import annotations_in, reviews_in

if TYPE_CHECKING:
    from softcam_viewer.model.case_keys import CaseKeys
    from softcam_viewer.model.cases import CaseList


FEW = 20
"""Cases that are told of one by one; for more, all of the worklist is sorted anew at once."""


class WorklistMarks(QObject):
    """Tells the list of cases what the book of annotations says of them.

    A case that nobody has said anything of in the book keeps the mark that a session file gave it.

    Parameters
    ----------
    cases : CaseList
    keys : CaseKeys
    book : AnnotationBook
    """

    def __init__(self, cases: CaseList, keys: CaseKeys, book: AnnotationBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cases, self._keys, self._book = cases, keys, book
        self._reviewer = ""
        self._told: set[str] = set()
        self._marked: set[str] = set()  # reviewed because the book says so
        self._seen: object = None
        keys.found.connect(self._tell)
        book.changed.connect(self._tell)
        book.written.connect(self._on_written)

    def use_reviewer(self, name: str) -> None:
        """Show whose cases are reviewed."""
        self._reviewer = name
        self._tell_all()

    def _on_written(self) -> None:
        if self._book.summaries is not self._seen:  # else what was written is known already
            self._seen = self._book.summaries
            self._tell_all()

    def _tell_all(self) -> None:
        self._tell(tuple(self._told.union(self._book.summaries)))

    def _tell(self, keys: tuple[str, ...]) -> None:
        changes: dict[int, dict[str, Any]] = {}
        for key in keys:
            rows = self._keys.rows_of(key)
            if not rows:
                continue
            fields = self._fields(key)
            if fields["flags"] or key in self._book.summaries or self._book.has(key):
                self._told.add(key)
            for row in rows:
                case = self._cases[row]
                new = {name: value for name, value in fields.items() if getattr(case, name) != value}
                if new:
                    changes[row] = new
        if len(changes) <= FEW:
            for row, new in changes.items():
                self._cases.update_case(row, **new)
        else:
            self._cases.update_many(changes)

    def _fields(self, key: str) -> dict[str, Any]:
        """Fields of `Case`; without `reviewed` where nobody has said anything about that."""
        summary = self._book.summaries.get(key)
        if self._book.has(key) or summary is None:
            records = self._book.records(key)
            annotations = annotations_in(records)
            flags, verdicts = len(annotations), frozenset(a.verdict for a in annotations)
            reviews = {review.reviewer: review.status for review in reviews_in(records)}
            reviewers = frozenset(a.reviewer for a in annotations).union(reviews)
        else:
            flags, verdicts = summary.total, frozenset(summary.counts)
            reviews, reviewers = summary.statuses, frozenset(summary.reviewers)
        fields: dict[str, Any] = {"flags": flags, "verdicts": verdicts, "reviewers": reviewers}
        status = reviews.get(self._reviewer)
        was_marked = key in self._marked
        (self._marked.add if status == "reviewed" else self._marked.discard)(key)
        return {**fields, "reviewed": status == "reviewed"} if status is not None or was_marked else fields
