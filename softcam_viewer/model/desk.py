"""Desk: what lies around a session: settings, what was open of late, and the session's file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from softcam_core.errors import BorderError
from softcam_viewer.model.comparing import Comparing
from softcam_viewer.model.fine_tuning import FineTuningPlan
from softcam_viewer.model.keeping import Keeping
from softcam_viewer.model.recent import RecentStore
from softcam_viewer.model.restoring import Restoring
from softcam_viewer.model.settings import SettingsStore
from softcam_viewer.model.training_jobs import TrainingJobs

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane, Lanes
    from softcam_viewer.model.session import Session
    from softcam_viewer.model.user_folders import UserFolders

log = logging.getLogger(__name__)


class Desk(QObject):
    """Brings the parts together.

    Parameters
    ----------
    session : Session
    lanes : Lanes
        The session's own.
    files : Lane
        For all files here.
    folders : UserFolders or None
        None to keep nothing: for tests, measurements and pictures.
    """

    failed = Signal(str)

    def __init__(
        self,
        session: Session,
        lanes: Lanes,
        files: Lane,
        folders: UserFolders | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.folders = session, folders
        recovery = None if folders is None else folders.recovery
        self.settings = SettingsStore(None if folders is None else folders.settings, files, self)
        self.recent = RecentStore(None if folders is None else folders.recent, recovery, files, self)
        self.keeping = Keeping(session, files, recovery, self)
        self.restoring = Restoring(session, lanes, files, self)
        self.jobs = TrainingJobs(None if folders is None else folders.jobs, parent=self)
        self.comparing = Comparing(session, self.jobs, lanes.training, self)
        self._training = lanes.training
        self._recovery = recovery
        self._awaited_images: list[Path] = []
        for part in (self.settings, self.recent, self.keeping, self.restoring, self.jobs, self.comparing):
            part.failed.connect(self.failed)
        self.restoring.started.connect(self._on_session_found)
        self.restoring.finished.connect(self.keeping.resume)
        self.keeping.saved.connect(self._on_saved)
        self.settings.changed.connect(self._apply)
        session.annotating.reviewer_named.connect(self._on_reviewer_named)
        session.cases.modelReset.connect(self._on_images_opened)
        session.film.preferred_changed.connect(self._on_windows_chosen)
        self._apply()
        session.panes.set_layout(self.settings.settings.layout)

    def open_images(self, paths: list[Path]) -> None:
        """Open images: a session of their own."""
        self.restoring.give_up()
        self.keeping.leave()
        self._awaited_images = paths
        self.session.open_paths(paths)

    def open_session(self, path: Path) -> None:
        """Open a session file."""
        self._awaited_images = []
        self.restoring.open(path)

    def open_model(self, path: Path) -> None:
        """Open a model in place of the main one."""
        self.recent.note("model", path)
        self.session.open_model(path)

    def add_model(self, path: Path) -> None:
        """Open a model to compare with."""
        self.recent.note("model", path)
        self.session.add_model(path)

    def plan_fine_tuning(self) -> FineTuningPlan:
        """What a fine-tuning of the model in use would do; it belongs to whoever asks."""
        return FineTuningPlan(self.session, self.jobs, self._training)

    def close(self) -> None:
        """Write what the lanes had no time for, and stop the jobs that are not to go on; the lanes have ended."""
        for write in (self.session.annotating.book.close, self.keeping.close, self.settings.close, self.recent.close):
            try:
                write()
            except BorderError as error:
                # Without the path, which may tell of a patient.
                log.warning("At the end something could not be saved: %s", error.reason)
        self.jobs.close()

    def _apply(self) -> None:
        settings = self.settings.settings
        self.session.film.preferred = dict(settings.windows)
        self.session.worklist.show_identity(on=settings.show_identity)
        self.session.annotating.use_reviewer(settings.reviewer)
        self._use_store()
        self.keeping.is_automatic = settings.autosave
        self.keeping.touch()

    def _use_store(self) -> None:
        chosen, book = self.settings.settings.annotation_store, self.session.annotating.book
        if chosen:
            book.use_store(Path(chosen).expanduser())
        else:
            book.use_store(None if self.folders is None else self.folders.annotations, makes_folder=True)

    def _on_reviewer_named(self, name: str) -> None:
        self.settings.change(reviewer=name)

    def _on_windows_chosen(self) -> None:
        self.settings.change(windows=dict(self.session.film.preferred))

    def _on_session_found(self, path: Path) -> None:
        self.keeping.begin(path)
        if path != self._recovery:
            self.recent.note("session", path)

    def _on_saved(self, path: Path) -> None:
        self.recent.note("session", path)

    def _on_images_opened(self) -> None:
        opened, self._awaited_images = self._awaited_images, []
        if opened:
            self.recent.note_images(opened)
