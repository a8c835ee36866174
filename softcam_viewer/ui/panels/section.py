"""A titled part of a side panel."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from softcam_viewer.ui.elided_label import ElidedLabel


class Section(QWidget):
    """Title in small capitals, a remark on its right, and content below.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("section")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        name, self.remark = QLabel(title.upper()), ElidedLabel("muted")
        name.setObjectName("panelTitle")
        self.remark.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        head = QHBoxLayout()
        head.addWidget(name)
        head.addWidget(self.remark, 1)
        self.content = QVBoxLayout(self)
        self.content.setContentsMargins(14, 14, 14, 14)
        self.content.setSpacing(8)
        self.content.addLayout(head)
