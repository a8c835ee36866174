"""What can be done with a job, as buttons: those that its state has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from softcam_viewer.model.job import Job

if TYPE_CHECKING:
    from softcam_viewer.model.training_jobs import TrainingJobs


class JobButtons(QWidget):
    """Pause, cancel, resume, compare and so on.

    Parameters
    ----------
    jobs : TrainingJobs
    """

    compare_wanted = Signal(object)  # the Job

    def __init__(self, jobs: TrainingJobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        does: tuple[tuple[str, str, str, Callable[[str], object]], ...] = (
            ("pause", "Pause", "Wait between two steps; nothing is lost", jobs.pause),
            ("unpause", "Go on", "Go on where it waits", jobs.unpause),
            ("resume", "Resume", "Go on where it stopped", jobs.resume),
            ("again", "Start again", "Begin anew with the same settings; nothing was kept to go on from", jobs.resume),
            ("cancel", "Cancel", "Stop; what is done is kept and can be resumed", jobs.cancel),
            ("compare", "Compare", "Show the model before and after side by side", self._compare),
        )
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for name, title, tip, do in does:
            button = self.buttons[name] = QPushButton(title)
            button.setToolTip(tip)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys where they are: it may be gone
            button.clicked.connect(lambda _checked=False, do=do: self._do(do))
            row.addWidget(button)
        self.buttons["compare"].setObjectName("primary")
        self.show_job(None)

    def show_job(self, job: Job | None) -> None:
        """Offer what can be done with a job."""
        self._job = job
        can = possible(job) if job is not None else frozenset()
        for name, button in self.buttons.items():
            button.setVisible(name in can)

    def _do(self, do: Callable[[str], object]) -> None:
        if self._job is not None:
            do(self._job.id)

    def _compare(self, _id: str) -> None:
        self.compare_wanted.emit(self._job)


def possible(job: Job) -> frozenset[str]:
    """What can be done with a job in its state."""
    can: set[str] = set()
    match job.state:
        case "running":
            can = {"pause", "cancel"}
        case "paused":
            can = {"unpause", "cancel"}
        case "stalled" | "queued":
            can = {"cancel"}
        case "finished":
            can = {"compare"} if job.facts.start is not None else set()
        case "cancelled" | "failed" | "lost":
            can = {"resume" if job.can_resume else "again"}
    return frozenset(can)
