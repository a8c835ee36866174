"""Above the annotations: what is not saved, and who reviews."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from softcam_viewer.model.annotating import Annotating

LONGEST_NAME = 120


class SavingBanner(QWidget):
    """Says why edits wait in memory, with what can be done; hidden while all is well.

    Parameters
    ----------
    annotating : Annotating
    """

    copy_wanted = Signal()
    appeared = Signal()

    def __init__(self, annotating: Annotating, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._annotating = annotating
        self.setObjectName("message")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        mark, self._text = QLabel("▲"), QLabel()
        mark.setObjectName("messageMark")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self.retry, self.copy = QPushButton("Retry"), QPushButton("Save a copy elsewhere…")
        self.retry.setAccessibleName("Try again to save the annotations")
        head = QHBoxLayout()
        head.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._text, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.retry)
        buttons.addWidget(self.copy, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 10)
        column.addLayout(head)
        column.addLayout(buttons)
        self.retry.clicked.connect(annotating.retry)
        self.copy.clicked.connect(self.copy_wanted)
        annotating.saved_changed.connect(self.refresh)
        self.refresh()

    @property
    def text(self) -> str:
        """What it says, "" where hidden."""
        return "" if self.isHidden() else self._text.text()

    def refresh(self) -> None:
        """Show what waits, and why."""
        count, problem = self._annotating.unsaved, self._annotating.problem
        waits = f"{count} {'edit is' if count == 1 else 'edits are'} not saved. " if count else ""
        kept = " It is tried again every few seconds." if count else ""
        # Where a path has no blanks, a line may break behind its parts.
        self._text.setText(f"{waits}{problem}{kept}".replace("/", "/\u200b"))
        self._text.setToolTip(problem)
        self.copy.setVisible(count > 0)
        show_or_hide(self, self.appeared, on=bool(problem))


class ReviewerQuestion(QWidget):
    """Asks once who reviews, where something was said and nobody's name is known.

    Parameters
    ----------
    annotating : Annotating
    """

    appeared = Signal()

    def __init__(self, annotating: Annotating, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._annotating = annotating
        self.name, self.sign, self.later = QLineEdit(), QPushButton("Sign"), QPushButton("Later")
        self.name.setPlaceholderText("Your name or initials")
        self.name.setMaxLength(LONGEST_NAME)
        self.name.setAccessibleName("Who reviews")
        self.later.setToolTip("The name can be given in the settings")
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.name, 1)
        row.addWidget(self.sign)
        row.addWidget(self.later)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(QLabel("Who reviews?"))
        column.addLayout(row)
        self.name.returnPressed.connect(self._sign)
        self.sign.clicked.connect(self._sign)
        self.later.clicked.connect(lambda: annotating.name_reviewer(""))
        annotating.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the question, or hide it."""
        show_or_hide(self, self.appeared, on=self._annotating.wants_reviewer)

    def _sign(self) -> None:
        if self.name.text().strip():
            self._annotating.name_reviewer(self.name.text())


def show_or_hide(notice: QWidget, appeared: SignalInstance, *, on: bool) -> None:
    """Show a notice, and tell of it where it was hidden."""
    was_hidden = notice.isHidden()
    notice.setVisible(on)
    if on and was_hidden:
        appeared.emit()
