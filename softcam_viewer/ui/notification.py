"""A word on the desktop when a job has ended, for those who look elsewhere meanwhile."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from softcam_viewer.model.job import Job
from softcam_viewer.model.job_words import name_of_job

SHOWN_MS = 10_000
OUTCOMES = {
    "finished": "is done. Compare the model before and after.",
    "cancelled": "was cancelled.",
    "failed": "has failed.",
    "lost": "is gone.",
}


class Notifier:
    """Tells of the end of jobs: beside the clock where the desktop has such a place, else by the taskbar.

    Parameters
    ----------
    window : QWidget
        That wants attention.
    """

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._tray: QSystemTrayIcon | None = None

    def tell(self, job: Job) -> None:
        """Say that a job has ended, unless somebody is looking at the window."""
        if self._window.isActiveWindow():
            return
        if not self._show(name_of_job(job), outcome_of(job)):
            QApplication.alert(self._window)

    def _show(self, title: str, text: str) -> bool:
        if not (QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()):
            return False
        if self._tray is None:
            self._tray = QSystemTrayIcon(self._window.windowIcon(), self._window)
            self._tray.messageClicked.connect(self._come_forward)
        self._tray.show()
        self._tray.showMessage(title, text, self._window.windowIcon(), SHOWN_MS)
        QTimer.singleShot(SHOWN_MS, self._tray, self._tray.hide)
        return True

    def _come_forward(self) -> None:
        self._window.raise_()
        self._window.activateWindow()


def outcome_of(job: Job) -> str:
    """How a job has ended, a sentence."""
    said = OUTCOMES.get(job.state, "has ended.")
    return f"The training {said}" + (f" {job.message}" if job.message and job.state in ("failed", "lost") else "")
