"""Agreeing: how far the reviewers of a store agree, computed beside the rest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_viewer.model.annotation_book import AnnotationBook

if TYPE_CHECKING:
    from softcam_core.annotations.agreement import Agreement
    from softcam_viewer.jobs.lanes import Lane

DELAY_MS = 2000
"""After the last change, until it is computed anew."""
FEW = 500
"""Cases up to which that is done unasked."""


class Agreeing(QObject):
    """Agreement of reviewers, each with each other.

    Parameters
    ----------
    book : AnnotationBook
    lane : Lane
        For the computation, which must not hold up what is being saved.
    """

    changed = Signal()

    def __init__(self, book: AnnotationBook, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._book, self._lane = book, lane
        self.found: tuple[Agreement, ...] = ()
        self.problem = ""
        self.is_computing = self.is_outdated = False
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.compute)
        book.written.connect(self._on_written)

    @property
    def reviewers(self) -> tuple[str, ...]:
        """All who have said something, by name."""
        return self._book.reviewers

    def compute(self) -> None:
        """Compute it now."""
        path = self._book.path
        if path is None or self.is_computing:
            return
        self._timer.stop()
        self.is_computing, self.is_outdated = True, False
        self._lane.submit(partial(agreement_in, path), self._on_computed, self._on_failed)
        self.changed.emit()

    def stop(self) -> None:
        """The session ends."""
        self._timer.stop()

    def _on_written(self) -> None:
        if len(self.reviewers) < 2:
            self.found = ()
            self.changed.emit()
            return
        self.is_outdated = True
        if len(self._book.summaries) <= FEW:
            self._timer.start()
        self.changed.emit()

    def _on_computed(self, found: tuple[Agreement, ...]) -> None:
        self.found, self.problem, self.is_computing = found, "", False
        self.changed.emit()

    def _on_failed(self, message: str) -> None:
        self.problem, self.is_computing = message, False
        self.changed.emit()


def agreement_in(path: Path) -> tuple[Agreement, ...]:
    """How far the reviewers of a store agree, read by a connection of its own; raises AnnotationError."""
    from softcam_core.annotations.agreement import agreement
    from softcam_core.annotations.store import AnnotationStore

    with AnnotationStore(path, read_only=True) as store:
        return agreement(store)
