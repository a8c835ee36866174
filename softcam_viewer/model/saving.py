"""Saving: hands edits of annotations to the store, and keeps them until they are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_viewer.model.store_access import Entry, StoreAccess, Written

if TYPE_CHECKING:
    from softcam_core.annotations.annotation import CaseRecord, Edit
    from softcam_viewer.jobs.lanes import Lane

RETRY_MS = 5000


class Saving(QObject):
    """Edits on their way to the store, in their order.

    Parameters
    ----------
    access : StoreAccess
    lane : Lane
        That writes.
    """

    changed = Signal()  # what is not saved yet, or why
    written = Signal(object)  # edits that are in the store now: a tuple of Edit
    refused = Signal(object, str)  # an Edit that somebody else came before with, and why

    def __init__(self, access: StoreAccess, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._access, self._lane = access, lane
        self._pending: list[Entry] = []
        self.problem = ""
        self._is_asked = False
        self._retry = QTimer(self, singleShot=True, interval=RETRY_MS)
        self._retry.timeout.connect(self.retry)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What is not saved yet, in its order."""
        return tuple(entry.edit for entry in self._pending)

    def put(self, edit: Edit, records: tuple[CaseRecord, ...]) -> None:
        """Save an edit; `records` are of its cases, as far as they are known."""
        entry = Entry(edit, records)
        self._pending.append(entry)
        self._access.put(entry)
        self.retry()
        self.changed.emit()

    def retry(self) -> None:
        """Try again to save what is not saved yet."""
        self._retry.stop()
        if self._pending and not self._is_asked:  # one at a time: a store that is locked is waited for
            self._is_asked = True
            self._lane.submit(self._access.write, self._on_written, self._on_failed)

    def finish(self) -> None:
        """Save what the lane had no time for; it has ended, and the window is gone."""
        self._retry.stop()
        if self._access.waiting:
            self.problem = self._access.write().problem
        # What the lane had written last, it could not report any more.
        waiting = self._access.waiting
        self._pending = [entry for entry in self._pending if entry in waiting]

    def run(
        self, work: Callable[[StoreAccess], Any], done: Callable[[Any], None], failed: Callable[[str], None]
    ) -> None:
        """Do something else with the store, after what is to be saved."""
        self._lane.submit(lambda: work(self._access), done, failed)

    def _on_written(self, outcome: Written) -> None:
        self._is_asked = False
        settled = {*outcome.done, *(entry for entry, _ in outcome.refused)}
        self._pending = [entry for entry in self._pending if entry not in settled]
        self.problem = outcome.problem
        if self.problem:
            self._retry.start()
        else:
            self.retry()  # what came while it wrote
        if outcome.done:
            self.written.emit(tuple(entry.edit for entry in outcome.done))
        for entry, why in outcome.refused:
            self.refused.emit(entry.edit, why)
        self.changed.emit()

    def _on_failed(self, message: str) -> None:
        self._is_asked = False
        self.problem = message
        self._retry.start()
        self.changed.emit()
