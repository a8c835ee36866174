"""The strip above the status line: the job that matters now, how far it is, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from softcam_viewer.model.job import Job
from softcam_viewer.model.job_words import name_of_job, standing_of, strip_text
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.job_buttons import JobButtons
from softcam_viewer.ui.sparkline import Sparkline
from softcam_viewer.ui.theme import current_theme

if TYPE_CHECKING:
    from softcam_viewer.model.training_jobs import TrainingJobs

NAME_WIDTH = 300
STEPS = 1000


class JobStrip(QWidget):
    """Hidden while no job runs and none has just ended; a click on it opens all jobs.

    Parameters
    ----------
    jobs : TrainingJobs
    """

    opened = Signal(str)  # somebody wants to see more of a job
    compare_wanted = Signal(object)  # the Job

    def __init__(self, jobs: TrainingJobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._jobs = jobs
        self.job: Job | None = None
        self._ended: list[str] = []  # while this window was open, the last one at the end
        self.name, self._state, self._text = QPushButton("Jobs"), QLabel(), ElidedLabel("muted")
        self._more = QLabel()
        self.bar, self._line, self.buttons = QProgressBar(), Sparkline(), JobButtons(jobs)
        self.dismiss = QToolButton()
        self._build()
        self.name.clicked.connect(self._open)
        self.dismiss.clicked.connect(self._dismiss)
        self.buttons.compare_wanted.connect(self.compare_wanted)
        jobs.jobs_changed.connect(self.refresh)
        jobs.reported.connect(self._on_reported)
        jobs.ended.connect(self._on_ended)
        self.refresh()

    @property
    def text(self) -> str:
        """What is said of the job."""
        return f"{self._state.text()}  ·  {self._text.text()}"

    def _build(self) -> None:
        self.name.setObjectName("jobName")
        self.name.setToolTip("Show all jobs, with their curves and logs")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setRange(0, STEPS)
        self.bar.setAccessibleName("Progress of the job")
        self._more.setObjectName("muted")
        self.dismiss.setObjectName("flat")
        self.dismiss.setText("✕")
        self.dismiss.setAccessibleName("Put the job away")
        self.dismiss.setToolTip("Put the job away; it stays in the list of jobs")
        left = QWidget()
        left.setFixedWidth(NAME_WIDTH)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(self.name)
        column.addWidget(self.bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 7, 14, 7)
        row.setSpacing(16)
        row.addWidget(left)
        row.addWidget(self._state)
        row.addWidget(self._text, 1)
        row.addWidget(self._line)
        row.addWidget(self.buttons)
        row.addWidget(self._more)
        row.addWidget(self.dismiss)

    def refresh(self) -> None:
        """Show the job that matters most now, or nothing."""
        self.job = self._choose()
        self.setVisible(self.job is not None)
        if self.job is None:
            return
        job, standing = self.job, standing_of(self.job)
        name = name_of_job(job)
        self.name.setText(self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, NAME_WIDTH - 12))
        self.name.setAccessibleName(f"{name}: show all jobs")
        self._state.setText(f"{standing.sign} {standing.word}")
        self._state.setStyleSheet(f"color: {getattr(current_theme(), standing.role)}; font-weight: 600;")
        waiting = sum(other.state == "queued" and other.id != job.id for other in self._jobs.jobs)
        self._more.setText(f"{waiting} waiting" if waiting else "")
        self._more.setVisible(bool(waiting))
        self.bar.setVisible(job.state not in ("failed", "lost"))
        self.buttons.show_job(job)
        self.dismiss.setVisible(job.is_over)
        self._show_progress()

    def _show_progress(self) -> None:
        assert self.job is not None
        progress = self._jobs.progress(self.job.id)
        self._text.setText(strip_text(self.job, progress))
        self.bar.setValue(STEPS if self.job.state == "finished" else round(progress.share * STEPS))
        self._line.setVisible(bool(progress.curves))
        self._line.show_curves(progress.curves)

    def _choose(self) -> Job | None:
        jobs = self._jobs.jobs
        active = [job for job in jobs if job.is_active]
        ended = [job for id_ in reversed(self._ended) for job in jobs if job.id == id_ and job.is_over]
        queued = [job for job in reversed(jobs) if job.state == "queued"]
        return next(iter((*active, *ended, *queued)), None)

    def _on_reported(self, id_: str) -> None:
        if self.job is not None and self.job.id == id_:
            self._show_progress()

    def _on_ended(self, id_: str) -> None:
        self._ended = [*(other for other in self._ended if other != id_), id_]
        self.refresh()

    def put_away(self, id_: str) -> None:
        """Show a job that has ended no more."""
        self._ended = [other for other in self._ended if other != id_]
        self.refresh()

    def _dismiss(self) -> None:
        if self.job is not None:
            self.put_away(self.job.id)

    def _open(self) -> None:
        if self.job is not None:
            self.opened.emit(self.job.id)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt: a click anywhere opens the jobs."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self._open()
