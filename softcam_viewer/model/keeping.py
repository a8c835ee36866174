"""Keeping: writes the session to its file, or to the recovery file, soon after each change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_viewer.model.look import Look
from softcam_viewer.model.session_file import SUFFIX, SessionFile, with_digests, write_session
from softcam_viewer.model.snapshot import take_snapshot

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session import Session

DELAY_MS = 1000


class Keeping(QObject):
    """The session's file.

    Parameters
    ----------
    session : Session
    files : Lane
        That writes.
    recovery : Path or None
        Where a session without a file goes; None for nowhere.
    """

    saved = Signal(object)  # the user's wish was done: the Path
    changed = Signal()  # the file, or whether it has all changes
    failed = Signal(str)

    def __init__(self, session: Session, files: Lane, recovery: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self.is_automatic = True  # save without being asked
        self.is_paused = False  # while a session is being brought back, half of it is not to be saved
        self.is_dirty = False
        self.look: Callable[[], Look] = Look
        self._session, self._files, self._recovery = session, files, recovery
        self._is_incomplete = False
        self._written: dict[Path, SessionFile] = {}
        self._digests: dict[Path, str] = {}
        self._followed: set[PaneState] = set()
        # Not begun anew at each change: while a hand drags a slider, or cases are scanned, something is saved too.
        self._timer = QTimer(self, interval=DELAY_MS, singleShot=True)
        self._timer.timeout.connect(self._on_time)
        self._connect()

    def _connect(self) -> None:
        session, panes = self._session, self._session.panes
        cases = session.cases
        for signal in (
            *(session.row_changed, session.model_changed, session.compared_changed),
            *(session.film.image_changed, session.film.window_changed),
            *(cases.modelReset, cases.case_changed, session.worklist.settings_changed, session.weighing.changed),
            *(panes.active_changed, panes.overlay_changed, panes.views_linked),
        ):
            signal.connect(self.touch)
        panes.layout_changed.connect(self._follow_panes)
        self._follow_panes()

    def _follow_panes(self) -> None:
        for pane in self._session.panes.made:
            if pane not in self._followed:
                self._followed.add(pane)
                for signal in (pane.chosen, pane.overlay_changed, pane.film_changed):
                    signal.connect(self.touch)
        self.touch()

    # When

    def touch(self) -> None:
        """Something may have changed."""
        if not self.is_paused and not self._timer.isActive():
            self._timer.start()

    def begin(self, path: Path) -> None:
        """A session file is being opened: it is the one to write to."""
        self._timer.stop()
        self.is_paused = True
        self.path = None if path == self._recovery else path
        self._is_incomplete = self.is_dirty = False
        self.changed.emit()

    def leave(self) -> None:
        """Other cases are opened: that is another session, which has no file yet."""
        self.path, self.is_paused = None, False
        self._is_incomplete = self.is_dirty = False
        self.changed.emit()

    def resume(self, complete: bool) -> None:
        """All of it is open that can be. What is missing is not taken out of the file until the user saves it."""
        self.is_paused = False
        self._is_incomplete = not complete
        if self.path is not None:  # also of what is missing nobody has changed anything yet
            self._written[self.path] = self._snapshot()
        self.touch()

    def _on_time(self) -> None:
        content, target = self._snapshot(), self._target
        is_dirty = self.path is not None and content != self._written.get(self.path)
        if is_dirty != self.is_dirty:
            self.is_dirty = is_dirty
            self.changed.emit()
        if self.is_automatic and target is not None:
            self._write(target, content)

    @property
    def _target(self) -> Path | None:
        return self._recovery if self.path is None or self._is_incomplete else self.path

    # What

    def _snapshot(self) -> SessionFile:
        return take_snapshot(self._session, self.look())

    def _write(self, path: Path, content: SessionFile) -> None:
        # Nothing open is nothing to keep, and nothing to lose what was kept for.
        if content.is_empty or content == self._written.get(path):
            return
        self._files.submit(
            partial(self._write_file, path, content), partial(self._on_written, path, content), self._on_failed
        )

    def _write_file(self, path: Path, content: SessionFile) -> None:
        write_session(path, with_digests(content, self._digests))

    def _on_written(self, path: Path, content: SessionFile, _nothing: None) -> None:
        self._written[path] = content
        if path == self.path:
            self._mark_clean()

    def _on_failed(self, message: str) -> None:
        self.failed.emit(message)

    def _mark_clean(self) -> None:
        self.is_dirty = False
        self.changed.emit()

    # What the user asks for

    def save(self) -> None:
        """Write the session to its file now."""
        if self.path is not None:
            self.save_as(self.path)

    def save_as(self, path: Path) -> None:
        """Write the session to a file, which is its own from then on."""
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        content = self._snapshot()
        work = partial(self._write_file, path.absolute(), content)
        self._files.submit(work, partial(self._on_saved, path.absolute(), content), self._on_failed)

    def _on_saved(self, path: Path, content: SessionFile, _nothing: None) -> None:
        self._written[path] = content
        self.path, self._is_incomplete = path, False
        self._mark_clean()
        self.saved.emit(path)

    @property
    def has_unsaved(self) -> bool:
        """True where the session's own file lacks changes, and nobody but the user will save them."""
        # While it is being brought back, the file has all of it.
        if self.path is None or self.is_automatic or self.is_paused:
            return False
        return self._snapshot() != self._written.get(self.path)

    def close(self, *, save: bool = False) -> None:
        """Write what there was no time for; the window is gone, and nobody waits. Raises SessionFileError.

        With `save` the session's own file is written, wanted by the user.
        """
        self._timer.stop()
        content, target = self._snapshot(), self.path if save else self._target
        if target is None or content.is_empty or self.is_paused or not (self.is_automatic or save):
            return
        if content != self._written.get(target):
            self._write_file(target, content)
            self._written[target] = content
