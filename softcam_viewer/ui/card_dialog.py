"""The model card, to read."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from softcam_core.notice import NOTICE
from softcam_viewer.model.backend import describe
from softcam_viewer.model.loaded_model import LoadedModel


class CardDialog(QDialog):
    """What a model is, how it is fed, what its cells see and where it comes from.

    Parameters
    ----------
    model : LoadedModel
    """

    def __init__(self, model: LoadedModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About this model")
        self.resize(640, 620)
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        for title, lines in {"File": [("path", str(model.path))], **describe(model)}.items():
            row = grid.rowCount()
            grid.setRowMinimumHeight(row, 10 if row > 1 else 0)
            heading = QLabel(title.upper())
            heading.setObjectName("panelTitle")
            grid.addWidget(heading, row + 1, 0, 1, 2)
            for offset, (key, value) in enumerate(lines, row + 2):
                grid.addWidget(_label(key, "muted"), offset, 0, Qt.AlignmentFlag.AlignTop)
                grid.addWidget(_label(value), offset, 1)
        page = QWidget()
        page.setLayout(grid)
        grid.setContentsMargins(0, 0, 12, 0)
        area = QScrollArea()
        area.setAccessibleName("What the model is")
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        name, notice = _label(model.network.card.name, "emptyTitle"), _label(NOTICE, "notice")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        for widget in (name, notice):
            column.addWidget(widget)
        column.addWidget(area, 1)
        column.addWidget(buttons)


def _label(text: str, name: str = "") -> QLabel:
    # Zero-width spaces let paths and hashes, which have no blanks, go on in the next line.
    label = QLabel("\u200b".join(text[i : i + 16] for i in range(0, len(text), 16)) if " " not in text else text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
