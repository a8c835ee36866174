"""Buttons that say what is thought of a region of the ledger, or of the annotation that is chosen."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from softcam_core.annotations.annotation import VERDICTS, Verdict
from softcam_viewer.model.annotating import Annotating

TITLES: dict[Verdict, str] = {"wrong": "Flag as wrong", "correct": "Correct", "missed": "Missed"}


class VerdictButtons(QWidget):
    """They are about the region that was chosen in the ledger, or else about the annotation that is chosen.

    Parameters
    ----------
    annotating : Annotating
    """

    said = Signal(str)

    def __init__(self, annotating: Annotating, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._annotating, self._region = annotating, ""
        self.buttons: dict[Verdict, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 0)
        row.setSpacing(8)
        for verdict, title in TITLES.items():
            button = QPushButton(title)
            button.setObjectName("primary" if verdict == "wrong" else "")
            button.setStyleSheet("QPushButton { padding-left: 4px; padding-right: 4px; }")
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _checked=False, verdict=verdict: self.said.emit(verdict))
            row.addWidget(button, 5 if verdict == "wrong" else 4)
            self.buttons[verdict] = button

    def be_about(self, region: str) -> None:
        """Say it of a region, or of the annotation that is chosen where that is ""."""
        self._region = region
        chosen = self._annotating.get(self._annotating.selected)
        can_be_said = bool(region) or (chosen is not None and self._annotating.may_change(chosen))
        for verdict, button in self.buttons.items():
            what = region or "the annotation that is chosen"
            button.setEnabled(can_be_said)
            button.setToolTip(
                f"Say of {what}: {VERDICTS[verdict].lower()}"
                if can_be_said
                else "Choose a region above, or an annotation, to say what you think of it"
            )
            button.setAccessibleName(f"{VERDICTS[verdict]}: {what}")
