"""Previews: thumbnails and predictions of the worklist, those in view first, then all where asked for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_viewer.model import backend
from softcam_viewer.model.cases import CaseList

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.loaded_model import LoadedModel

WANTED = 64
"""Rows that wait at most; those that were scrolled past before are asked for again when they come back."""
WAIT_MS = 50
"""Until a scan looks again whether the case in view still needs the machine."""


class Previews(QObject):
    """Makes previews one after the other in a lane of its own.

    Parameters
    ----------
    cases : CaseList
    lane : Lane
    may_scan : callable
        Whether nothing else is waited for; a scan stands back until then.
    """

    scan_changed = Signal()  # it started, went on, or ended

    def __init__(
        self, cases: CaseList, lane: Lane, may_scan: Callable[[], bool], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._cases, self._lane, self._may_scan = cases, lane, may_scan
        self._model: LoadedModel | None = None
        self._wanted: deque[int] = deque()
        self._to_scan: deque[int] = deque()
        self._job: object | None = None
        self._is_for_scan = False
        self._began, self._made = 0.0, 0
        self.is_scanning = False
        self._wait = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._wait.timeout.connect(self._next)
        cases.preview_wanted.connect(self.want)
        cases.modelReset.connect(self._forget)

    def use_model(self, model: LoadedModel) -> None:
        """Ask another model from now on."""
        self._model = model
        self._forget()

    def want(self, row: int) -> None:
        """Make the preview of a case soon: it is in view."""
        self._wanted.append(row)
        if len(self._wanted) > WANTED:
            self._cases.want_again(self._wanted.popleft())
        self._next()

    # Scan

    def start_scan(self, rows: list[int]) -> None:
        """Explain all cases that have not been yet, in this order."""
        if self._model is None or self.is_scanning:
            return
        self._to_scan = deque(row for row in rows if not self._cases[row].is_explained)
        self.is_scanning, self._began, self._made = True, time.monotonic(), 0
        self._next()
        self.scan_changed.emit()

    def stop_scan(self) -> None:
        """Leave the rest for later; what is known stays."""
        if self.is_scanning:
            self.is_scanning = False
            self._to_scan.clear()
            self._wait.stop()
            self.scan_changed.emit()

    @property
    def done(self) -> int:
        """How many cases need no explaining any more, while a scan runs."""
        return len(self._cases) - len(self._to_scan) - (self._job is not None and self._is_for_scan)

    @property
    def seconds_left(self) -> float | None:
        """How long a scan will take from now on, None before that can be told."""
        if self._made < 2:
            return None
        return (time.monotonic() - self._began) / self._made * len(self._to_scan)

    # One after the other

    def _next(self) -> None:
        if self._job is not None:
            return
        if self._wanted:
            self._make(self._wanted.pop(), is_for_scan=False)
            return
        while self._to_scan and self._cases[self._to_scan[0]].is_explained:
            self._to_scan.popleft()
        if not self._to_scan:
            self.stop_scan()
        elif self._may_scan():
            self._make(self._to_scan.popleft(), is_for_scan=True)
        else:
            self._wait.start()

    def _make(self, row: int, *, is_for_scan: bool) -> None:
        case, self._is_for_scan = self._cases[row], is_for_scan
        self._job = job = object()
        model = None if case.entropy is not None else self._model
        self._lane.submit(
            partial(backend.preview, case.path, model),
            partial(self._on_made, job, case.path),
            partial(self._on_failed, job, case.path),
        )

    def _on_made(self, job: object, path: Path, preview: backend.Preview) -> None:
        row = self._take(job, path)
        if row is None:
            return
        changes: dict[str, object] = {"frames": preview.frames, "error": "", "refusal": preview.refusal}
        if not self._is_for_scan or self._cases.has_room_for_thumbnails:
            changes["thumbnail"] = preview.thumbnail  # of a scan never in the place of one that is in view
        if preview.prediction is not None:
            changes |= {
                "prediction": preview.prediction,
                "probabilities": preview.probabilities,
                "entropy": preview.entropy,
                "border": preview.border,
            }
        self._cases.update_case(row, **changes)
        self._go_on()

    def _on_failed(self, job: object, path: Path, message: str) -> None:
        row = self._take(job, path)
        if row is not None:
            self._cases.update_case(row, error=message)
            self._go_on()

    def _take(self, job: object, path: Path) -> int | None:
        """Row of a preview that is still wanted."""
        if job is not self._job:
            return None
        self._job = None
        self._made += self.is_scanning and self._is_for_scan
        return self._cases.row_of(path)

    def _go_on(self) -> None:
        self._next()
        if self.is_scanning:
            self.scan_changed.emit()

    def _forget(self) -> None:
        """Other cases or another model: nothing that was asked for is wanted."""
        self._lane.clear()
        self._job = None
        self._wanted.clear()
        self.stop_scan()


def time_left(seconds: float | None) -> str:
    """How long something will take, for people: whole minutes from one on, and nothing where it cannot be told."""
    if seconds is None:
        return ""
    if seconds >= 90 * 60:
        return f"{seconds / 3600:.0f} h left"
    if seconds >= 90:
        return f"{seconds / 60:.0f} min left"
    return "a minute left" if seconds >= 45 else "under a minute left"
