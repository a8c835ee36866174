"""Turning a file of weights into a model: a few questions, and how equal the two are at the end."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from softcam_core.notice import NOTICE
from softcam_viewer.model.backend import ConversionRequest, Convertible
from softcam_viewer.model.session import Session
from softcam_viewer.ui.elided_label import ElidedLabel

SIDES = 16, 4096
TASKS = (("single_label", "One class an image (softmax)"), ("multi_label", "Each class by itself (sigmoid)"))


class ConversionDialog(QDialog):
    """Asks what the file does not tell: classes, task, input size and a name for the model file.

    Parameters
    ----------
    session : Session
        Converts, and then uses the model.
    file : Convertible
    """

    def __init__(self, session: Session, file: Convertible, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Convert to a SoftCAM")
        self.setMinimumWidth(560)
        self._session, self._file = session, file
        self.architecture, self.task = QComboBox(), QComboBox()
        self.classes, self.side, self.target = QPlainTextEdit(), QLineEdit(), QLineEdit()
        self._count, self.outcome = QLabel(), QLabel()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.convert_button = QPushButton("Convert")
        self.convert_button.setObjectName("primary")
        self.buttons.addButton(self.convert_button, QDialogButtonBox.ButtonRole.ActionRole)
        self._fill()
        self._build()
        self.classes.textChanged.connect(self._refresh)
        self.target.textChanged.connect(self._refresh)
        self.side.textChanged.connect(self._refresh)
        self.task.currentIndexChanged.connect(self._refresh)
        self.convert_button.clicked.connect(self._convert)
        self.buttons.rejected.connect(self.reject)
        session.converted.connect(self._on_converted)
        session.conversion_failed.connect(self._on_failed)
        self._refresh()

    @property
    def names(self) -> tuple[str, ...]:
        """The class names given."""
        return tuple(line.strip() for line in self.classes.toPlainText().splitlines() if line.strip())

    def _fill(self) -> None:
        file = self._file
        self.architecture.addItems(list(file.architectures))
        self.architecture.setMaxVisibleItems(20)
        for key, text in TASKS:
            self.task.addItem(text, key)
        if file.outputs == 1:
            self.task.setCurrentIndex(1)
        self.classes.setPlainText("\n".join(f"class {k + 1}" for k in range(file.outputs or 2)))
        self.classes.setFixedHeight(124)
        self.classes.setTabChangesFocus(True)
        self.side.setValidator(QIntValidator(*SIDES))
        self.side.setText("512")
        self.side.setFixedWidth(80)
        self.target.setText(str(_free_name(file.path)))
        self.outcome.setWordWrap(True)
        self.outcome.setTextFormat(Qt.TextFormat.PlainText)
        self.outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _build(self) -> None:
        file = self._file
        name = ElidedLabel("strong")
        name.setText(file.path.name)
        fit = "all of its names and shapes fit" if file.fit == 1 else f"{file.fit:.0%} of its names and shapes fit"
        outputs = "" if file.outputs is None else f", {file.outputs} output{'s' * (file.outputs > 1)}"
        found = QLabel(f"A file of weights: {file.likeliest}, {fit}{outputs}.")
        found.setObjectName("muted")
        found.setWordWrap(True)
        browse = QPushButton("Browse…")
        browse.clicked.connect(self._browse)
        where = QHBoxLayout()
        where.setSpacing(8)
        where.addWidget(self.target, 1)
        where.addWidget(browse)
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(9)
        grid.setColumnStretch(1, 1)
        for row, (title, widget) in enumerate(
            (("Architecture", self.architecture), ("Classes", self.classes), ("", self._count), ("Task", self.task))
        ):
            label = QLabel(title)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop if widget is self.classes else Qt.AlignmentFlag(0))
            grid.addWidget(widget, row, 1)
            widget.setAccessibleName(title)
        self.side.setAccessibleName("Shorter side in pixels")
        self.target.setAccessibleName("Model file")
        grid.addWidget(QLabel("Shorter side"), 4, 0)
        side = QHBoxLayout()
        side.setSpacing(8)
        side.addWidget(self.side)
        side.addWidget(QLabel("px"))
        side.addStretch()
        grid.addLayout(side, 4, 1)
        grid.addWidget(QLabel("Model file"), 5, 0)
        grid.addLayout(where, 5, 1)
        self._count.setObjectName("muted")
        notice = QLabel(NOTICE)
        notice.setObjectName("notice")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addWidget(name)
        column.addWidget(found)
        column.addLayout(grid)
        column.addWidget(self.outcome)
        foot = QHBoxLayout()
        foot.addWidget(notice, 1)
        foot.addWidget(self.buttons)
        column.addLayout(foot)

    def _refresh(self) -> None:
        names, outputs = self.names, self._file.outputs
        problem = ""
        if len(set(names)) < len(names):
            problem = "two classes have the same name"
        elif outputs is not None and len(names) != outputs:
            problem = f"{outputs} are needed, in the order of the outputs"
        elif len(names) < 2 and self.task.currentData() == "single_label":
            problem = "softmax needs at least two"
        count = f"{len(names)} class{'es' * (len(names) != 1)}, one a line"
        self._count.setText(f"{count}: {problem}" if problem else count)
        is_side = self.side.hasAcceptableInput()
        self.side.setToolTip(
            "The size the network was trained with; the image's shorter side is resized to it"
            if is_side
            else f"{SIDES[0]} to {SIDES[1]} pixels"
        )
        is_target = Path(self.target.text()).suffix == ".safetensors"
        self.convert_button.setEnabled(not problem and bool(names) and is_target and is_side)
        self.target.setToolTip("" if is_target else "A model file ends in .safetensors")

    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Model file", self.target.text(), "SoftCAM models (*.safetensors)")
        if name:
            self.target.setText(name if name.endswith(".safetensors") else f"{name}.safetensors")

    def _convert(self) -> None:
        self._set_open(False)
        self.outcome.setObjectName("muted")
        self._say("Converting, and comparing with the black box…")
        self._session.convert(
            ConversionRequest(
                source=self._file.path,
                target=Path(self.target.text()),
                architecture=self.architecture.currentText(),
                class_names=self.names,
                task=self.task.currentData(),
                shorter_side=int(self.side.text()),
            )
        )

    def _on_converted(self, summary: str) -> None:
        self.outcome.setObjectName("success")
        self._say(f"{summary} The model is open." if summary else "The model is open.")
        self.buttons.button(QDialogButtonBox.StandardButton.Close).setFocus()

    def _on_failed(self, message: str) -> None:
        self._set_open(True)
        self.outcome.setObjectName("failure")
        self._say(message)

    def _say(self, text: str) -> None:
        self.outcome.setText(text)
        self.outcome.style().polish(self.outcome)  # its colour follows its name
        self.adjustSize()

    def _set_open(self, is_open: bool) -> None:
        for widget in (self.architecture, self.classes, self.task, self.side, self.target, self.convert_button):
            widget.setEnabled(is_open)


def _free_name(path: Path) -> Path:
    """A name for the model beside the weights that no file has yet."""
    target, number = path.with_suffix(".safetensors"), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.stem}-{number}.safetensors")
    return target
