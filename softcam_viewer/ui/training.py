"""Training in the window: the strip of jobs, the comparison, and the dialogs that lead to them."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox, QWidget

from softcam_viewer.model.desk import Desk
from softcam_viewer.model.job import Job
from softcam_viewer.model.job_words import name_of_job
from softcam_viewer.ui.comparison_view import ComparisonView
from softcam_viewer.ui.fine_tuning_dialog import FineTuningDialog
from softcam_viewer.ui.job_strip import JobStrip
from softcam_viewer.ui.jobs_dialog import JobsDialog
from softcam_viewer.ui.notification import Notifier


class Training(QObject):
    """What the menu Train does, and the parts of the window that tell of it.

    Parameters
    ----------
    desk : Desk
    window : QWidget
        Over which dialogs appear.
    """

    def __init__(self, desk: Desk, window: QWidget) -> None:
        super().__init__(window)
        self._desk, self._window = desk, window
        self._notifier = Notifier(window)
        self.strip, self.comparison = JobStrip(desk.jobs), ComparisonView(desk.comparing)
        self.strip.opened.connect(self.show_jobs)
        self.strip.compare_wanted.connect(desk.comparing.compare)
        desk.comparing.changed.connect(self._on_comparing)
        desk.jobs.ended.connect(self._on_ended)

    def fine_tune(self) -> FineTuningDialog:
        """Ask how to fine-tune the model in use."""
        known = self._window.findChild(FineTuningDialog)
        dialog = known or FineTuningDialog(self._desk.plan_fine_tuning(), self._window)
        # Not exec(): the window stays alive behind it.
        dialog.open()
        return dialog

    def show_jobs(self, id_: str = "") -> JobsDialog:
        """Show all jobs, and one of them in full."""
        dialog = self._window.findChild(JobsDialog)
        if dialog is None:
            dialog = JobsDialog(self._desk.jobs, self._window)
            dialog.compare_wanted.connect(self._desk.comparing.compare)
        if id_:
            dialog.choose(id_)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def compare_latest(self) -> None:
        """Show the model of the last job that finished beside the one before."""
        job = self._desk.comparing.latest
        if job is not None:
            self._desk.comparing.compare(job)

    def may_close(self) -> bool:
        """Ask what becomes of jobs that run; False where the window is to stay."""
        jobs = self._desk.jobs
        if not jobs.running:
            return True
        answer = ask_what_becomes_of(jobs.running, self._window)
        jobs.wants_to_keep_running = answer == KEEP
        return answer != STAY

    def _on_comparing(self) -> None:
        job = self._desk.comparing.job
        if job is not None:
            self.strip.put_away(job.id)

    def _on_ended(self, id_: str) -> None:
        job = next((job for job in self._desk.jobs.jobs if job.id == id_), None)
        if job is not None:
            self._notifier.tell(job)


KEEP, STOP, STAY = "Keep training", "Stop and keep what is done", "Cancel"


def ask_what_becomes_of(jobs: tuple[Job, ...], parent: QWidget) -> str:
    """Ask whether jobs go on without a window; KEEP, STOP or STAY."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("SoftCAM viewer")
    names = ", ".join(map(name_of_job, jobs))
    box.setText(f"{names} {'is' if len(jobs) == 1 else 'are'} still training.")
    box.setInformativeText(
        "Training can go on without the window: it is found again when the viewer is opened. "
        "Stopped, it can be resumed where it was."
    )
    roles = QMessageBox.ButtonRole
    buttons = {
        KEEP: box.addButton(KEEP, roles.AcceptRole),
        STOP: box.addButton(STOP, roles.DestructiveRole),
        STAY: box.addButton(STAY, roles.RejectRole),
    }
    box.setDefaultButton(buttons[KEEP])
    box.setEscapeButton(buttons[STAY])
    box.exec()
    pressed = box.clickedButton()
    box.deleteLater()
    return next((name for name, button in buttons.items() if button is pressed), STAY)
