"""All settings of a training as text, for those who want to change more than the dialog offers."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

INTRO = "All settings as `softcam train` takes them. They are checked when the job starts."
EDITED = "Changed by hand: these settings count, not the choices on the page before."


class SettingsPage(QWidget):
    """YAML that can be edited, and what is wrong with it."""

    edited = Signal()  # by hand, or not any more
    dropped = Signal()  # what was edited is not wanted

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.is_edited = False
        self.editor, self.drop = QPlainTextEdit(), QPushButton("Undo my changes")
        self._intro, self.problem = QLabel(INTRO), QLabel()
        self._intro.setObjectName("muted")
        self._intro.setWordWrap(True)
        self.problem.setObjectName("failure")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.editor.setAccessibleName("All settings")
        self.editor.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.editor.setStyleSheet("font-size: 12px;")
        self.editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.editor.setTabChangesFocus(True)
        self.editor.setMinimumHeight(330)
        self.editor.setPlaceholderText("Writing them out…")
        head = QHBoxLayout()
        head.addWidget(self._intro, 1)
        head.addWidget(self.drop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.editor, 1)
        column.addWidget(self.problem)
        self.editor.textChanged.connect(self._on_typed)
        self.drop.clicked.connect(self._drop)
        self._show_state()

    @property
    def text(self) -> str:
        """The settings as they stand there."""
        return self.editor.toPlainText()

    def show_text(self, text: str) -> None:
        """Show settings, unless somebody is editing them."""
        if not self.is_edited:
            with QSignalBlocker(self.editor):
                self.editor.setPlainText(text)

    def say(self, message: str) -> None:
        """Say what is wrong with them; "" for nothing."""
        self.problem.setText(message)
        self.problem.setVisible(bool(message))

    def _on_typed(self) -> None:
        if not self.is_edited:
            self.is_edited = True
            self._show_state()

    def _drop(self) -> None:
        self.is_edited = False
        self.say("")
        self._show_state()
        self.dropped.emit()

    def _show_state(self) -> None:
        self._intro.setText(EDITED if self.is_edited else INTRO)
        self._intro.setObjectName("warning" if self.is_edited else "muted")
        self._intro.style().polish(self._intro)
        self.drop.setVisible(self.is_edited)
        self.problem.setVisible(bool(self.problem.text()))
        self.edited.emit()
