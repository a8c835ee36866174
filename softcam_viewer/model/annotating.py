"""Annotating: what is said about the case in view, by whom, and every way to change it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from softcam_core.annotations.annotation import VERDICTS, Annotation, Change, Edit, Record, Review, Verdict
from softcam_core.annotations.shapes import Shape
from softcam_viewer.model.annotation_book import AnnotationBook
from softcam_viewer.model.case_in_view import CaseInView
from softcam_viewer.model.case_keys import CaseKeys, uid_of
from softcam_viewer.model.case_records import annotations_in, record_id, reviews_in
from softcam_viewer.model.edit_history import EditHistory
from softcam_viewer.model.judged import (
    UnsayableError,
    context_of,
    is_said_of_same,
    region_at,
    region_of,
    why_nothing,
)
from softcam_viewer.model.said import annotation_change, review_change
from softcam_viewer.model.signing import signed
from softcam_viewer.model.worklist_marks import WorklistMarks

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.film import Film
    from softcam_viewer.model.session import Session

TITLES = {"shape": "Move or reshape", "class_name": "Change the class of", "against": "Change the class of"}
"""Of edits to a field; others are changed by their own name."""


class Annotating(QObject):
    """Annotations and reviews of the case in view.

    What is said of a case before it is known by what it is kept under waits until then, also where another case has
    come into view meanwhile.

    Parameters
    ----------
    session : Session
    lane : Lane
        For the store.
    ahead : Lane
        For what can wait.
    """

    changed = Signal()  # annotations or review of the case in view, what is chosen, what drawing says, or who reviews
    saved_changed = Signal()  # what is not saved yet, or why
    store_changed = Signal()  # anything anywhere was written
    told = Signal(str)  # what was done that may not be seen
    failed = Signal(str)
    reviewer_named = Signal(str)  # the user said who reviews, which is for the settings to keep

    def __init__(self, session: Session, lane: Lane, ahead: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.reviewer = ""
        self.verdict: Verdict = "wrong"
        self.selected = ""
        self.has_asked_reviewer = False
        self.history = EditHistory()
        self.book = AnnotationBook(lane, self)
        self.keys = CaseKeys(session.cases, ahead, self)
        self.marks = WorklistMarks(session.cases, self.keys, self.book, self)
        self.in_view = CaseInView(session.film, self.book, self.keys, self)
        self._shown: dict[str, Record] = {}
        self._to_select = ""
        self._expected: Annotation | None = None
        self._summaries: object = None
        self.book.changed.connect(self._on_records_changed)
        self.book.saved_changed.connect(self.saved_changed)
        self.book.written.connect(self._on_written)
        self.book.refused.connect(self._on_refused)
        self.book.replaced.connect(self.history.clear)
        self.book.failed.connect(self.failed)
        self.in_view.changed.connect(self._refresh)
        self.in_view.failed.connect(self.failed)

    # Saving

    @property
    def unsaved(self) -> int:
        """How many edits are not in the store yet."""
        return self.book.unsaved

    @property
    def problem(self) -> str:
        """Why edits cannot be saved or annotations not be read, "" where they can."""
        return self.book.problem

    def retry(self) -> None:
        """Try again to save and to read."""
        self.book.retry()

    @property
    def store_path(self) -> Path | None:
        """File that annotations are kept in; None where they are thrown away in the end."""
        return self.book.path

    # What is there

    @property
    def film(self) -> Film:
        """Of the image that the annotations are of."""
        return self._session.film

    @property
    def case(self) -> str:
        """Key of the case in view, "" where it is not known yet, or none is in view."""
        return self.in_view.key

    @property
    def frame(self) -> int:
        """Of the case in view, from 0."""
        return self.in_view.frame

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """On the image in view, its case and frame, in the order in which they were made."""
        return tuple(a for a in annotations_in(self._shown) if a.frame == self.frame)

    @property
    def elsewhere(self) -> int:
        """How many annotations other frames of the case in view have."""
        return len(annotations_in(self._shown)) - len(self.annotations)

    @property
    def reviews(self) -> tuple[Review, ...]:
        """What reviewers say of the case in view."""
        return reviews_in(self._shown)

    @property
    def review(self) -> Review | None:
        """What the reviewer who is at work says of it."""
        return next((review for review in self.reviews if review.reviewer == self.reviewer), None)

    @property
    def wants_reviewer(self) -> bool:
        """Whether it is time to ask who reviews: something was said, and nobody's name is known."""
        return not self.reviewer and not self.has_asked_reviewer and bool(self.history.done)

    def get(self, id: str) -> Annotation | None:
        """An annotation of the case in view."""
        found = self._shown.get(id)
        return found if isinstance(found, Annotation) else None

    def select(self, id: str) -> None:
        """Choose an annotation of the case in view; "" for none."""
        selected = id if self.get(id) is not None else ""
        if selected != self.selected:
            self.selected = selected
            self.changed.emit()

    def select_later(self, annotation: Annotation) -> None:
        """Choose an annotation of a case that is about to come into view, and go to its frame."""
        self._to_select, self._expected = annotation.id, annotation

    def step(self, by: int) -> None:
        """Choose the next (1) or the previous (-1) annotation on the image in view, from the other end again."""
        ids = [annotation.id for annotation in self.annotations]
        if ids:
            self.select(
                ids[(ids.index(self.selected) + by) % len(ids) if self.selected in ids else (0 if by > 0 else -1)]
            )

    def set_verdict(self, verdict: Verdict) -> None:
        """What drawing says from now on."""
        self.verdict = verdict
        self.changed.emit()

    # Annotations

    def draw(self, shape: Shape, verdict: Verdict | None = None) -> None:
        """Annotate a place of the image in view, as evidence of what the active pane shows."""
        self._add(shape, verdict or self.verdict, "Draw")

    def flag_at(self, row: float, column: float, verdict: Verdict | None = None) -> None:
        """Annotate the region of the active pane's map under a place of the image, in its pixels."""
        if self.in_view.opened is not None:
            find = partial(region_at, self._session.weighing, self._session.film, row, column)
            self._flag(find, verdict or self.verdict)

    def flag_region(self, number: int, verdict: Verdict) -> None:
        """Annotate a region of the ledger."""
        self._flag(partial(region_of, self._session.weighing, number), verdict)

    def _flag(self, find: Callable[[], Shape | None], verdict: Verdict) -> None:
        try:
            shape = find()
        except UnsayableError as error:
            self.failed.emit(str(error))
            return
        if shape is not None and self._session.panes.active.film is self._session.film:
            self._add(shape, verdict, "Flag")

    def may_change(self, annotation: Annotation) -> bool:
        """Whether an annotation is the reviewer's own, or nobody's."""
        return annotation.reviewer in ("", self.reviewer)

    def _own(self, id: str) -> Annotation | None:
        found = self.get(id)
        if found is not None and not self.may_change(found):
            self.failed.emit(f"This is what {found.reviewer} said. Say what you think of it beside it.")
            self.changed.emit()  # what shows it may have changed it already
            return None
        return found

    def change(self, id: str, **fields: Any) -> None:  # noqa: ANN401 - fields of Annotation
        """Change an annotation of the case in view."""
        before = self._own(id)
        if before is None:
            return
        try:
            change = annotation_change(before, fields, self.in_view.size)
        except UnsayableError as error:
            self.failed.emit(str(error))
            self.changed.emit()  # what shows it may have changed it already
            return
        if change is not None:
            name = next(iter(fields))
            title = f"{TITLES.get(name, f'Change the {name} of')} {VERDICTS[before.verdict].lower()}"
            self._edit(title, [change], joins=name in ("shape", "confidence"))

    def remove(self, id: str) -> None:
        """Take an annotation away."""
        before = self._own(id)
        if before is not None:
            self._edit(f"Delete {VERDICTS[before.verdict].lower()}", [Change(before=before, after=None)])

    def _add(self, shape: Shape, verdict: Verdict, how: str) -> None:
        size = self.in_view.size
        if size is None:
            return
        why = why_nothing(shape, size)
        if why:
            self.failed.emit(why)
            return
        fields = {**context_of(self._session.panes.active), "shape": shape, "verdict": verdict}
        fields |= {"reviewer": self.reviewer, "frame": self.frame}
        self.in_view.when_known(partial(self._add_now, fields, f"{how} {VERDICTS[verdict].lower()}"))

    def _add_now(self, fields: dict[str, Any], title: str, case: str) -> None:
        there = annotations_in(self.book.records(case))
        known = next((annotation for annotation in there if is_said_of_same(annotation, fields)), None)
        if known is None:
            annotation = Annotation(case=case, **fields)
            self._to_select = annotation.id
            self._edit(title, [Change(before=None, after=annotation)])
        elif known.verdict != fields["verdict"]:
            self._to_select = known.id
            self.change(known.id, verdict=fields["verdict"])
        else:
            self.select(known.id)
            self.told.emit("This was said of this region already; it is chosen.")

    # Reviews

    def set_review(self, **fields: Any) -> None:  # noqa: ANN401 - fields of Review
        """Say something of the case in view as a whole: its `status`, `labels` or `comment`."""
        self.in_view.when_known(partial(self._review_now, fields))

    def set_reviewed(self, row: int, *, on: bool) -> None:
        """Say of a case of the worklist that it is reviewed, or not."""
        case, status = self._session.cases[row], "reviewed" if on else "open"
        self._session.cases.set_reviewed([case.path], on=on)
        opened = self.in_view.opened
        if opened is not None and opened.image.source == case.path:
            self.set_review(status=status)
        else:
            learnt = partial(self._on_unseen_read, row, partial(self._review_now, {"status": status}))
            self.book.read_unseen(case.path, uid_of(case), learnt, self.failed.emit)

    def _on_unseen_read(self, row: int, then: Callable[[str], None], key: str) -> None:
        if row < len(self._session.cases):
            self.keys.learn(self._session.cases[row].path, key)
        then(key)

    def _review_now(self, fields: dict[str, Any], case: str) -> None:
        try:
            change = review_change(self.book.records(case), case, self.reviewer, fields)
        except UnsayableError as error:
            self.failed.emit(str(error))
            return
        if change is not None:
            what = {"status": "review", "labels": "labels", "comment": "remark"}[next(iter(fields))]
            self._edit(f"Change the {what} of the case", [change])

    # Who

    def use_reviewer(self, name: str) -> None:
        """Whose annotations and reviews the next ones are."""
        if name != self.reviewer:
            self.reviewer = name
            self.marks.use_reviewer(name)
            self.changed.emit()

    def name_reviewer(self, name: str) -> None:
        """The user says who reviews, or with "" that it does not matter; what was said so far is signed."""
        self.has_asked_reviewer = True
        name = name.strip()
        if name:
            self.use_reviewer(name)
            self.reviewer_named.emit(name)
            changes = signed(self.history.done, self.book, name)
            if changes:
                self._edit("Sign what was said so far", changes)
        self.changed.emit()

    # Undo

    @property
    def undo_title(self) -> str:
        """What `undo` takes back, "" for nothing."""
        return self.history.undo_title

    @property
    def redo_title(self) -> str:
        """What `redo` does again, "" for nothing."""
        return self.history.redo_title

    def undo(self) -> None:
        """Take back the last edit, of whichever case, and bring that into view."""
        self._do(self.history.undo(), "Undone")

    def redo(self) -> None:
        """Do again what was undone last."""
        self._do(self.history.redo(), "Done again")

    def _do(self, edit: Edit | None, how: str) -> None:
        if edit is None:
            return
        self.book.put(edit)
        where = self._bring_into_view(edit)
        self.told.emit(f"{how}: {edit.title[:1].lower()}{edit.title[1:]}{where}.")

    def _bring_into_view(self, edit: Edit) -> str:
        """Show what was changed; tells where it is, where that is not in view."""
        record = edit.changes[0].after or edit.changes[0].before
        assert record is not None
        is_place = isinstance(record, Annotation)
        frame = record.frame if isinstance(record, Annotation) else 0
        if record.case == self.case and (not is_place or frame == self.frame):
            if is_place and edit.changes[0].after is not None:
                self.select(record_id(record))
            return ""
        rows = self.keys.rows_of(record.case)
        if not rows:
            return ", on a case that is not open"
        self._to_select = record_id(record) if is_place else ""
        self._session.select(rows[0], frame)
        return f", on {self._session.cases[rows[0]].name}"

    def _edit(self, title: str, changes: list[Change], *, joins: bool = False) -> None:
        edit = Edit(title=title, changes=tuple(changes))
        self.history.push(edit, joins=joins)
        self.book.put(edit)

    # What is shown

    def _refresh(self) -> None:
        self._shown = dict(self.book.records(self.case)) if self.case else {}
        if self._to_select in self._shown:
            self.selected, self._to_select = self._to_select, ""
        elif self.selected not in self._shown:
            self.selected = ""
        self.changed.emit()
        expected = self._expected
        if expected is not None and self.case == expected.case:
            self._expected = None
            if self.frame != expected.frame:
                self._session.select(self._session.row, expected.frame)

    def _on_records_changed(self, keys: tuple[str, ...]) -> None:
        if self.case in keys:
            self._refresh()

    def _on_written(self) -> None:
        if self.book.summaries is not self._summaries:
            self._summaries = self.book.summaries
            self.know_cases()
        self.store_changed.emit()

    def know_cases(self) -> None:
        """Find out which of the open files anything is said of; their headers are known."""
        if self.book.summaries:  # else nothing is said of any, and none needs to be looked into
            self.keys.find_all()

    def _on_refused(self, edit: Edit, why: str) -> None:
        self.history.drop(edit)
        self._refresh()
        self.failed.emit(f"{edit.title}: somebody else has changed it meanwhile, so this was not done. {why}")
