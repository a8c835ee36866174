"""Exporting: which files, of this case or of all, and where to."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.exporting import Exported, Exporting, ExportRequest
from softcam_viewer.model.session import Session
from softcam_viewer.ui.case_report import report_of
from softcam_viewer.ui.pictures import SCALES, as_array, picture_of

SINGLE: dict[str, tuple[str, str]] = {
    "picture": ("Picture of the panes (PNG)", "What is seen now, with colour bars, classes, thresholds and model"),
    "report": ("Case report (PDF)", "Picture, prediction, ledger and what the model is"),
}
"""Formats of one case alone: title and explanation."""
EACH: dict[str, tuple[str, str]] = {
    "overlay": ("Overlay of each map (PNG)", "The map over the image, with a colour bar"),
    "ledger": ("Evidence ledger (CSV)", "Regions and all the rest, which add up to the prediction"),
    "npz": ("Maps as numbers (.npz)", "On the model's own grid, of all classes"),
    "tiff": ("Map on the image's pixels (TIFF, float)", "The map of the class shown"),
    "nifti": ("Map on the image's pixels (NIfTI)", "The map of the class shown"),
    "seg": ("Regions (DICOM Segmentation)", "One segment a region that counts; of evidence alone"),
    "parametric-map": ("Map (DICOM Parametric Map)", "The map of the class shown, as real numbers"),
    "secondary-capture": ("Picture (DICOM Secondary Capture)", "The overlay as an image in the study"),
}
CHOSEN = ("picture", "report", "ledger")
NUMBERS = ("npz", "tiff", "nifti")
DICOM = ("seg", "parametric-map", "secondary-capture")
MOST_TOLD = 20
"""Problems that are told as the message's tool tip; the message itself has room for one."""


class ExportDialog(QDialog):
    """Asks what to export, shows how far it is, and says what came of it.

    Parameters
    ----------
    session : Session
    exporting : Exporting
    panes : QWidget
        The grid of panes, for pictures.
    folder : Path
        Where to, until another one is chosen.
    """

    def __init__(
        self, session: Session, exporting: Exporting, panes: QWidget, folder: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export")
        self.setMinimumWidth(620)
        self._session, self._exporting, self._panes = session, exporting, panes
        self.this_case = QRadioButton("The case in view")
        count = len(session.worklist.shown)
        self.all_cases = QRadioButton(f"All {count:,} cases in the worklist")
        self.this_case.setChecked(True)
        self.formats: dict[str, QCheckBox] = {}
        for name, (title, hint) in {**SINGLE, **EACH}.items():
            box = self.formats[name] = QCheckBox(title)
            box.setToolTip(hint)
            box.setChecked(name in CHOSEN)
        self.scale = QComboBox()
        self.scale.setAccessibleName("Size of the picture")
        for factor in SCALES:
            self.scale.addItem(f"{factor} ×", factor)
        self.scale.setCurrentIndex(1)
        self.folder = QLineEdit(str(folder))
        self.folder.setAccessibleName("Folder to export to")
        self.keep_names = QCheckBox("Name files after the images")
        self.keep_names.setToolTip("File names may tell of whom an image is; otherwise cases are numbered")
        self.keep_identity = QCheckBox("Keep the patient's identity in DICOM files")
        self.keep_identity.setToolTip("They join the study of the image. Otherwise a copy without identity comes along")
        self.progress, self.message = QProgressBar(), QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.export, self.close_button, self.show_folder = QPushButton("Export"), QPushButton("Close"), QPushButton()
        self.show_folder.setText("Open the folder")
        self.export.setObjectName("primary")
        self.export.setDefault(True)
        self._build()
        self.all_cases.toggled.connect(self._refresh)
        for box in self.formats.values():
            box.toggled.connect(self._refresh)
        self.folder.textChanged.connect(self._refresh)
        self.export.clicked.connect(self._on_export)
        self.close_button.clicked.connect(self._on_close)
        self.show_folder.clicked.connect(self._on_show_folder)
        exporting.progressed.connect(self._on_progressed)
        exporting.finished.connect(self._on_finished)
        exporting.failed.connect(self._on_failed)
        self._refresh()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 18)
        column.setSpacing(8)
        scope = QHBoxLayout()
        scope.setSpacing(18)
        for button in (self.this_case, self.all_cases):
            scope.addWidget(button)
        scope.addStretch()
        column.addLayout(scope)
        columns = QGridLayout()
        columns.setHorizontalSpacing(32)
        columns.setVerticalSpacing(14)
        for place, (title, names) in enumerate(
            (("TO READ", ("picture", "report", "overlay", "ledger")), ("NUMBERS", NUMBERS), ("DICOM", DICOM))
        ):
            part = QVBoxLayout()
            part.setSpacing(6)
            label = QLabel(title)
            label.setObjectName("panelTitle")
            part.addWidget(label)
            for name in names:
                part.addWidget(self.formats[name])
            part.addStretch()
            # What is read at the left, over both parts for other programs at the right.
            columns.addLayout(part, max(place - 1, 0), min(place, 1), 2 if place == 0 else 1, 1)
        column.addSpacing(6)
        column.addLayout(columns)
        size = QHBoxLayout()
        size.addWidget(QLabel("Size of the picture"))
        size.addWidget(self.scale)
        size.addStretch()
        column.addLayout(size)
        column.addSpacing(6)
        where = QHBoxLayout()
        browse = QPushButton("Choose…")
        browse.clicked.connect(self._on_browse)
        where.addWidget(QLabel("Folder"))
        where.addWidget(self.folder, 1)
        where.addWidget(browse)
        column.addLayout(where)
        column.addWidget(self.keep_names)
        column.addWidget(self.keep_identity)
        self.progress.setFixedHeight(6)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the export")
        keep = self.progress.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(keep)
        self.progress.hide()
        column.addWidget(self.progress)
        self.message.setMinimumHeight(38)
        column.addWidget(self.message)
        buttons = QHBoxLayout()
        buttons.addWidget(self.show_folder)
        buttons.addStretch()
        buttons.addWidget(self.export)
        buttons.addWidget(self.close_button)
        column.addLayout(buttons)
        self.show_folder.hide()

    @property
    def request(self) -> ExportRequest:
        """What is chosen."""
        names = [name for name, box in self.formats.items() if box.isChecked() and box.isEnabled()]
        return ExportRequest(
            Path(self.folder.text()).expanduser(),
            tuple(names),
            keep_names=self.keep_names.isChecked(),
            keep_identity=self.keep_identity.isChecked() and self.keep_identity.isEnabled(),
        )

    def _refresh(self) -> None:
        is_all = self.all_cases.isChecked()
        for name in SINGLE:
            self.formats[name].setEnabled(not is_all)
        formats = self.request.formats
        is_running = self._exporting.is_running
        self.scale.setEnabled("picture" in formats or "report" in formats)
        self.keep_identity.setEnabled(any(name in DICOM for name in formats))
        self.all_cases.setEnabled(self._session.model is not None and len(self._session.worklist.shown) > 0)
        self.this_case.setEnabled(self._session.film.image is not None)
        self.export.setEnabled(bool(formats) and bool(self.folder.text().strip()) and not is_running)
        self.close_button.setText("Cancel" if is_running else "Close")

    def _on_browse(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Export to", self.folder.text())
        if name:
            self.folder.setText(name)

    def _on_export(self) -> None:
        request = self.request
        self.message.setObjectName("muted")
        self._say("Writing…", "muted")
        self.show_folder.hide()
        self.progress.setRange(0, 0)
        self.progress.show()
        if self.all_cases.isChecked():
            self._exporting.export_all(request, self._session.worklist.shown)
        else:
            picture = picture_of(self._panes, self._session, float(self.scale.currentData()))
            image = self._session.film.image
            title = image.source.name if image is not None and request.keep_names else ""
            report = report_of(self._session, picture, title) if "report" in request.formats else None
            self._exporting.export_case(request, as_array(picture), report.write if report else None)
        self._refresh()

    def _on_progressed(self, done: int, count: int) -> None:
        self.progress.setRange(0, count if count > 1 else 0)
        self.progress.setValue(done)
        if count > 1:
            self._say(f"{done:,} of {count:,} cases", "muted")

    def _on_finished(self, exported: Exported) -> None:
        self.progress.hide()
        noun = "case" if exported.cases == 1 else "cases"
        text = f"{'Cancelled: ' if exported.cancelled else ''}{exported.cases:,} {noun} exported to {exported.folder}."
        if exported.problems:
            more = f" and {len(exported.problems) - 1:,} more" if len(exported.problems) > 1 else ""
            text += f"\n{exported.problems[0]}{more}"
        self._say(text, "warning" if exported.problems or exported.cancelled else "success")
        self.message.setToolTip("\n".join(exported.problems[:MOST_TOLD]))
        self.show_folder.setVisible(exported.cases > 0)
        self._refresh()

    def _on_failed(self, message: str) -> None:
        self.progress.hide()
        self._say(message, "failure")
        self._refresh()

    def _say(self, text: str, kind: str) -> None:
        self.message.setObjectName(kind)
        self.message.style().unpolish(self.message)
        self.message.style().polish(self.message)
        self.message.setText(text)
        self.message.setToolTip("")

    def _on_show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.request.folder)))

    def _on_close(self) -> None:
        if self._exporting.is_running:
            self._exporting.cancel()
        else:
            self.reject()

    def reject(self) -> None:
        """Qt: Escape does not lose sight of an export that is running."""
        if self._exporting.is_running:
            self._exporting.cancel()
        else:
            super().reject()
