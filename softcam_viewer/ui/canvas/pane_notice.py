"""Over a pane's image: why there is no map."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

MARGIN = 16
WIDEST = 460


class PaneNotice(QWidget):
    """A message at the lower edge of the image, with a button where something can be done.

    Parameters
    ----------
    over : QWidget
        What it lies over.
    """

    retried = Signal()

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self.setObjectName("paneNotice")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._over = over
        self._mark, self._text = QLabel("▲"), QLabel()
        self._mark.setObjectName("messageMark")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = QPushButton("Compute")
        self.button.clicked.connect(self.retried)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        row.addWidget(self.button)
        over.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """The message shown, "" where hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_message(self, text: str, *, is_error: bool) -> None:
        """Show a message, or hide for an empty one; what is no error can be computed again."""
        self._text.setText(text)
        self._mark.setVisible(is_error)
        self.button.setVisible(not is_error)
        self.setVisible(bool(text))
        self._place()

    def _place(self) -> None:
        width = min(WIDEST, self._over.width() - 2 * MARGIN)
        height = min(self.heightForWidth(width), self._over.height() - 2 * MARGIN)
        left = (self._over.width() - width) // 2
        self.setGeometry(left, self._over.height() - height - MARGIN, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: stay where it belongs."""
        if watched is self._over and event.type() == QEvent.Type.Resize:
            self._place()
        return False
