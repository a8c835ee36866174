"""All jobs: how each stands, its curves, the end of its log, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QFontDatabase,
    QResizeEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.job import Job
from softcam_viewer.model.job_words import DECISIONS, name_of_job, progress_text, standing_of, strip_text, when
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.job_buttons import JobButtons
from softcam_viewer.ui.job_curves import JobCurves
from softcam_viewer.ui.row_table import read_by_rows
from softcam_viewer.ui.theme import current_theme

if TYPE_CHECKING:
    from softcam_viewer.model.training_jobs import TrainingJobs

COLUMNS = ("Job", "State", "Started")
ID = Qt.ItemDataRole.UserRole + 1
STEPS = 1000
ROW, HEADER, MOST_ROWS = 32, 38, 5
EMPTY = "No job yet. Train → Fine-tune on flags… starts one."


class LogTail(QPlainTextEdit):
    """Stays at the end of its text where it was there, also when the text grows or there is less room."""

    def show_text(self, text: str) -> None:
        """Show another text."""
        is_at_end = self._is_at_end
        self.setPlainText(text)
        if is_at_end:
            self._go_to_end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: there may be less room."""
        is_at_end = self._is_at_end
        super().resizeEvent(event)
        if is_at_end:
            self._go_to_end()

    @property
    def _is_at_end(self) -> bool:
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum() - 4

    def _go_to_end(self) -> None:
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())


class JobsDialog(QDialog):
    """A list of all jobs, and the one that is chosen in full.

    Parameters
    ----------
    jobs : TrainingJobs
    """

    compare_wanted = Signal(object)  # the Job

    def __init__(self, jobs: TrainingJobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Jobs")
        self.resize(1120, 760)
        self._jobs, self._chosen = jobs, ""
        self._lines = QStandardItemModel(0, len(COLUMNS), self)
        self.table, self.log = QTableView(), LogTail()
        self._name, self._state, self._message, self._figures = ElidedLabel("strong"), QLabel(), QLabel(), QLabel()
        self.bar, self.curves, self.buttons = QProgressBar(), JobCurves(), JobButtons(jobs)
        self.folder_button, self.forget_button, self.close_button = map(
            QPushButton, ("Open folder", "Forget…", "Close")
        )
        self._empty = QLabel(EMPTY)
        self._detail = QWidget()
        self._build()
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.buttons.compare_wanted.connect(self._compare)
        self.folder_button.clicked.connect(self._open_folder)
        self.forget_button.clicked.connect(self._forget)
        self.close_button.clicked.connect(self.close)
        jobs.jobs_changed.connect(self.refresh)
        jobs.reported.connect(self._on_reported)
        self.refresh()

    @property
    def job(self) -> Job | None:
        """The job that is chosen."""
        return next((job for job in self._jobs.jobs if job.id == self._chosen), None)

    def choose(self, id_: str) -> None:
        """Show a job in full."""
        self._chosen = id_
        self.refresh()

    def _build(self) -> None:
        table = self.table
        table.setModel(self._lines)
        read_by_rows(table, "Jobs")
        table.verticalHeader().setDefaultSectionSize(ROW)
        self._lines.setHorizontalHeaderLabels(list(COLUMNS))
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for place, mode in enumerate(("Stretch", "ResizeToContents", "ResizeToContents")):
            header.setSectionResizeMode(place, QHeaderView.ResizeMode[mode])
        self._empty.setObjectName("muted")
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._figures.setObjectName("muted")
        self._figures.setWordWrap(True)
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Progress of the job")
        self.log.setReadOnly(True)
        self.log.setAccessibleName("End of the log")
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setStyleSheet("font-size: 12px;")
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setTabChangesFocus(True)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._name, 1)
        head.addWidget(self._state)
        detail = QVBoxLayout(self._detail)
        detail.setContentsMargins(0, 0, 0, 0)
        detail.setSpacing(10)
        detail.addLayout(head)
        for widget in (self.bar, self._figures, self._message, self.curves):
            detail.addWidget(widget)
        detail.addWidget(self.log, 1)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.buttons)
        foot.addWidget(self.folder_button)
        foot.addWidget(self.forget_button)
        foot.addStretch()
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(14)
        column.addWidget(self.table)
        column.addWidget(self._empty)
        column.addWidget(self._detail, 1)
        column.addLayout(foot)

    # What is shown

    def refresh(self) -> None:
        """Show all jobs, and the chosen one in full."""
        jobs = self._jobs.jobs
        if self.job is None:
            self._chosen = jobs[0].id if jobs else ""
        self._lines.setRowCount(len(jobs))
        for row, job in enumerate(jobs):
            standing = standing_of(job)
            state = " · ".join(filter(None, (f"{standing.sign} {standing.word}", DECISIONS[job.decision])))
            for column, text in enumerate((name_of_job(job), state, when(job.started or job.created))):
                item = self._lines.item(row, column) or QStandardItem()
                item.setText(text)
                item.setData(job.id, ID)
                if column == 1:
                    item.setForeground(QColor(getattr(current_theme(), standing.role)))
                self._lines.setItem(row, column, item)
            if job.id == self._chosen and self.table.currentIndex().row() != row:
                self.table.selectRow(row)
        self.table.setVisible(bool(jobs))
        self.table.setFixedHeight(HEADER + ROW * min(MOST_ROWS, len(jobs)))
        self._empty.setVisible(not jobs)
        self._show_job()

    def _show_job(self) -> None:
        job = self.job
        self._detail.setVisible(job is not None)
        for button in (self.folder_button, self.forget_button):
            button.setVisible(job is not None)
        self.buttons.show_job(job)
        if job is None:
            return
        standing, role = standing_of(job), getattr(current_theme(), standing_of(job).role)
        self._name.setText(name_of_job(job))
        self._state.setText(f"{standing.sign} {standing.word}")
        self._state.setStyleSheet(f"color: {role}; font-weight: 600;")
        self._message.setText(job.message)
        self._message.setStyleSheet(f"color: {role};" if standing.role in ("warning", "error") else "")
        self._message.setVisible(bool(job.message))
        self.forget_button.setEnabled(not job.is_active)
        self.forget_button.setToolTip(
            "" if not job.is_active else "A job that runs cannot be forgotten; cancel it first"
        )
        self._show_progress()

    def _show_progress(self) -> None:
        job = self.job
        assert job is not None
        progress = self._jobs.progress(job.id)
        told = progress_text(progress) if job.is_active else ""
        told = strip_text(job, progress) if job.state == "finished" else told
        facts = job.facts
        said = (
            told,
            f"{facts.images:,} training images" if facts.images else "",
            f"on {progress.device}" if progress.device else "",
        )
        self._figures.setText("  ·  ".join(filter(None, said)))
        self._figures.setVisible(any(said))
        self.bar.setVisible(bool(progress.steps) or job.is_active)
        self.bar.setValue(STEPS if job.state == "finished" else round(progress.share * STEPS))
        self.curves.show_curves(progress.curves)
        text = (
            "\n".join((*(f"▲ {warning}" for warning in progress.warnings), *progress.log_tail)) or "The log is empty."
        )
        if text != self.log.toPlainText():
            self.log.show_text(text)

    def _on_row(self, now: QModelIndex, before: QModelIndex) -> None:
        id_ = now.data(ID)
        if id_ is not None and id_ != self._chosen:
            self._chosen = str(id_)
            self._show_job()

    def _on_reported(self, id_: str) -> None:
        if id_ == self._chosen and self.job is not None:
            self._show_progress()

    # What can be done

    def _compare(self, job: Job) -> None:
        self.compare_wanted.emit(job)
        self.close()

    def _open_folder(self) -> None:
        if self.job is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._jobs.run_folder(self.job.id).parent)))

    def _forget(self) -> None:
        job = self.job
        if job is None:
            return
        text = f"Delete {name_of_job(job)}, with its model, curves and log?"
        if job.decision == "accepted":
            text += "\n\nIts model was accepted. Sessions that use its file will no longer find it."
        keys = QMessageBox.StandardButton
        if QMessageBox.question(self, "Jobs", text, keys.Discard | keys.Cancel, keys.Cancel) == keys.Discard:
            self._jobs.forget(job.id)
