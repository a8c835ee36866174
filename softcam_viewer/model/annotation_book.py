"""The book of annotations: what is said about cases, as the store held it last, with the edits on their way to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_core.annotations.annotation import CaseRecord, Edit
from softcam_core.errors import AnnotationError
from softcam_viewer.model.case_records import Records, cases_of, edited
from softcam_viewer.model.saving import Saving
from softcam_viewer.model.store_access import FoundCase, StoreAccess

if TYPE_CHECKING:
    from softcam_core.annotations.summary import CaseSummary
    from softcam_viewer.jobs.lanes import Lane

POLL_MS = 1500
"""Between two looks whether another viewer has written."""
KEPT = 64
"""Cases whose records stay in memory."""

Done = Callable[[Any], None]
Failed = Callable[[str], None]


class AnnotationBook(QObject):
    """Records of cases by their keys, read from a store in a lane and written to it at each edit.

    Parameters
    ----------
    lane : Lane
        For the store.
    """

    changed = Signal(object)  # records of these cases: a tuple of keys
    saved_changed = Signal()  # what is not saved yet, or why
    written = Signal()  # edits are in the store now, or in another one than before
    refused = Signal(object, str)  # an Edit that somebody else came before with, and why
    replaced = Signal()  # there is another store
    outdated = Signal()  # others have written, or there is another store: what is known is to be read again
    failed = Signal(str)

    def __init__(self, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lane = lane
        self._base: OrderedDict[str, Records] = OrderedDict()
        self._cases: dict[str, CaseRecord] = {}
        self.summaries: dict[str, CaseSummary] = {}
        self.reviewers: tuple[str, ...] = ()  # all who have said something, by name
        self.read_problem = ""
        self._next: StoreAccess | None = None
        self._is_looking = False
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self.look)
        self._use(StoreAccess(None))

    # Which store

    @property
    def path(self) -> Path | None:
        """Where annotations are kept; None for nowhere."""
        return self._path

    def use_store(self, path: Path | None, *, makes_folder: bool = False) -> None:
        """Keep annotations in another store: as soon as all edits are in the one before."""
        self._next = None if path == self._path else StoreAccess(path, makes_folder=makes_folder)
        if self._next is None:
            return
        if self.unsaved:
            self.failed.emit("Not all annotations are saved yet. The other file for them is used as soon as they are.")
        else:
            self._change_store()

    def _use(self, access: StoreAccess) -> None:
        self._path, self._access, self._is_used = access.path, access, False
        self._saving = Saving(self._access, self._lane, self)
        self._saving.changed.connect(self._on_saving_changed)
        self._saving.written.connect(self._on_written)
        self._saving.refused.connect(self._on_refused)

    def _change_store(self) -> None:
        assert self._next is not None
        before, access, self._next = self._saving, self._next, None
        if self._is_used:
            before.run(StoreAccess.close, _ignore, self.failed.emit)
        before.deleteLater()
        self._poll.stop()
        self._base.clear()
        self.summaries, self.reviewers, self.read_problem = {}, (), ""
        self._use(access)
        self.replaced.emit()
        self.outdated.emit()
        self.written.emit()

    # Saving

    @property
    def unsaved(self) -> int:
        """How many edits are not in the store yet."""
        return len(self._saving.edits)

    @property
    def problem(self) -> str:
        """Why edits cannot be saved or records not be read, "" where they can."""
        return self._saving.problem or self.read_problem

    def put(self, edit: Edit) -> None:
        """Make an edit, in memory at once and in the store soon."""
        keys = cases_of(edit)
        records = (self._cases.get(key) for key in keys)
        self._is_used = True
        self._saving.put(edit, tuple(record for record in records if record is not None))
        self.changed.emit(keys)

    def retry(self) -> None:
        """Try again to save and to read."""
        self._saving.retry()
        if self.read_problem:
            self.outdated.emit()

    def save_copy(self, path: Path, done: Done, failed: Failed) -> None:
        """Write what cannot be saved to another store, from which it can be merged."""
        self.run(partial(StoreAccess.copy_waiting, path=path), done, failed)

    def stop(self) -> None:
        """Look no more whether others write: the session ends."""
        self._poll.stop()

    def close(self) -> None:
        """Save what the lane had no time for, and let go of the store; the lanes have ended. Raises AnnotationError."""
        self._poll.stop()
        self._saving.finish()
        self._access.close()
        if self.unsaved:
            raise AnnotationError(self._path or "annotations", f"{self.unsaved} edits could not be saved")

    # Reading

    def records(self, key: str) -> Records:
        """All that is said about a case, as far as it has been read."""
        return edited(self._base.get(key, {}), self._saving.edits, key)

    def has(self, key: str) -> bool:
        """Whether a case has been read."""
        return key in self._base

    def note(self, case: CaseRecord) -> None:
        """Tell what image has a key, for the store."""
        self._cases[case.key] = case

    def read(self, path: Path, uid: str, key: str, done: Callable[[str], None], failed: Failed) -> None:
        """Read what is said about an image file, which need not be known by a key yet; `done` is given the key."""
        work = partial(StoreAccess.find_case, path=path, uid=uid, key=key)
        self.run(work, partial(self._on_read, done), failed)
        if not self._poll.isActive():
            self._poll.start()
            self.read_summaries()

    def read_unseen(self, path: Path, uid: str, done: Callable[[str], None], failed: Failed) -> None:
        """The same of a file that is not in view, whose size is not known yet."""
        work = partial(StoreAccess.record_of, path=path, uid=uid)
        self.run(work, partial(self._on_record, done, failed), failed)

    def read_summaries(self) -> None:
        """Read what is said about all cases in short."""
        self.run(StoreAccess.summaries, self._on_summaries, _ignore)

    def run(self, work: Callable[[StoreAccess], Any], done: Done, failed: Failed) -> None:
        """Ask the store for something, after all that is to be saved."""
        self._is_used = True
        self._saving.run(work, done, failed)

    def look(self) -> None:
        """See whether others have written."""
        if not self._is_looking:
            self._is_looking = True
            self.run(StoreAccess.look, self._on_looked, self._on_look_failed)

    def _on_record(self, done: Callable[[str], None], failed: Failed, case: CaseRecord) -> None:
        self.note(case)
        self.read(Path(case.path), case.sop_instance_uid, case.key, done, failed)

    def _on_read(self, done: Callable[[str], None], found: FoundCase) -> None:
        if not found.problem:
            self._base[found.key] = found.records
            self._base.move_to_end(found.key)
            while len(self._base) > KEPT:
                self._base.popitem(last=False)
        done(found.key)
        self.changed.emit((found.key,))
        self._tell_reading(found.problem)

    def _tell_reading(self, problem: str) -> None:
        if problem != self.read_problem:
            self.read_problem = problem
            self.saved_changed.emit()

    def _on_summaries(self, summaries: dict[str, CaseSummary]) -> None:
        self.summaries = summaries
        self.reviewers = tuple(sorted({name for summary in summaries.values() for name in summary.reviewers}))
        self.written.emit()

    # What becomes of edits

    def _on_saving_changed(self) -> None:
        if self._next is not None and not self.unsaved:
            self._change_store()
        self.saved_changed.emit()

    def _on_written(self, edits: tuple[Edit, ...]) -> None:
        for key in {key for edit in edits for key in cases_of(edit)}:
            if key in self._base:
                self._base[key] = edited(self._base[key], edits, key)
        said = {change.after.reviewer for edit in edits for change in edit.changes if change.after is not None}
        if not said <= set(self.reviewers):
            self.read_summaries()
        self.written.emit()

    def _on_refused(self, edit: Edit, why: str) -> None:
        self._forget_but(())
        self.refused.emit(edit, why)
        self.outdated.emit()
        self.read_summaries()

    def _on_looked(self, others_wrote: bool) -> None:
        self._is_looking = False
        if others_wrote:
            self._forget_but(tuple(self._base)[-1:])  # what is in view stays until it is read again
            self.outdated.emit()
            self.read_summaries()

    def _on_look_failed(self, message: str) -> None:
        self._is_looking = False
        self._tell_reading(message)

    def _forget_but(self, keys: tuple[str, ...]) -> None:
        for key in [key for key in self._base if key not in keys]:
            del self._base[key]


def _ignore(_outcome: object) -> None:
    """What came of it is told by other ways."""
