"""Messages for the user, above the image; they stay until dismissed or followed by another."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget


class MessageBar(QWidget):
    """One message with a mark; hidden where there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        frame = QWidget()
        frame.setObjectName("message")
        frame.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        mark = QLabel("▲")
        mark.setObjectName("messageMark")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setObjectName("flat")
        close.setText("✕")
        close.setAccessibleName("Dismiss the message")
        close.clicked.connect(self.hide)
        row = QHBoxLayout(frame)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        margin = QVBoxLayout(self)
        margin.setContentsMargins(10, 10, 10, 0)
        margin.addWidget(frame)
        self.hide()

    @property
    def text(self) -> str:
        """The message shown, "" where hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_message(self, text: str) -> None:
        """Show a message."""
        self._text.setText(text)
        self.show()
