"""What the reviewer says of the case as a whole: how far the review is, and which classes it has."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from softcam_core.annotations.annotation import STATUSES
from softcam_viewer.model.session import Session
from softcam_viewer.ui.elided_label import ElidedLabel


class CaseReview(QWidget):
    """Status and labels of the case in view, and what other reviewers say.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.status, self.labels = QComboBox(), QToolButton()
        for name, title in STATUSES.items():
            self.status.addItem(title, name)
        self.status.setAccessibleName("Review of the case")
        self.status.setToolTip("How far the review of this case is; R marks it as reviewed")
        self.labels.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.labels.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.labels.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.labels.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._menu = QMenu(self.labels)
        self._menu.aboutToShow.connect(self._fill)
        self.labels.setMenu(self._menu)
        self._others = ElidedLabel("muted")
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.status, 1)
        row.addWidget(self.labels, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self._others)
        self.status.activated.connect(self._on_status_chosen)
        self.refresh()

    def refresh(self) -> None:
        """Show what is said."""
        annotating, row = self._session.annotating, self._session.row
        review = annotating.review
        is_marked = 0 <= row < len(self._session.cases) and self._session.cases[row].reviewed
        # A session file may say so of a case that nobody has said anything of in the store.
        status = review.status if review is not None else "reviewed" if is_marked else "open"
        with QSignalBlocker(self.status):
            self.status.setCurrentIndex(self.status.findData(status))
        labels = None if review is None else review.labels
        text = "Labels…" if labels is None else "No finding" if not labels else ", ".join(labels)
        metrics = self.labels.fontMetrics()
        room = max(self.labels.width() - 40, 60)
        self.labels.setText(f"{metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)}  ▾")
        self.labels.setAccessibleName(f"Labels of the case: {'not said' if labels is None else text}")
        self.labels.setToolTip("Which classes this case has, as you see it" + (f": {text}" if labels else ""))
        others = [r for r in annotating.reviews if r.reviewer != annotating.reviewer]
        said = []
        for other in others:
            named = "" if other.labels is None else f", {', '.join(other.labels) or 'no finding'}"
            said.append(f"{other.reviewer or 'no name'}: {STATUSES[other.status].lower()}{named}")
        self._others.setText("  ·  ".join(said))
        self._others.setVisible(bool(said))

    def _on_status_chosen(self, _index: int) -> None:
        row, status = self._session.row, self.status.currentData()
        if status == "in_review":
            self._session.annotating.set_review(status=status)
        elif 0 <= row < len(self._session.cases):
            self._session.annotating.set_reviewed(row, on=status == "reviewed")

    # Labels

    def _fill(self) -> None:
        self._menu.clear()
        review, model = self._session.annotating.review, self._session.model
        chosen = review.labels if review is not None else None
        names = model.card.class_names if model is not None else ()
        for name in dict.fromkeys((*names, *(chosen or ()))):
            self._add(name.replace("&", "&&"), chosen is not None and name in chosen, name)
        if self._menu.actions():
            self._menu.addSeparator()
        self._add("None of them", chosen == ()).triggered.connect(lambda: self._say(()))
        self._add("Not said", chosen is None).triggered.connect(lambda: self._say(None))

    def _add(self, title: str, is_on: bool, name: str = "") -> QAction:
        action = self._menu.addAction(title)
        action.setCheckable(True)
        action.setChecked(is_on)
        if name:
            action.toggled.connect(lambda on: self._toggle(name, on))
        return action

    def _toggle(self, name: str, on: bool) -> None:
        review, model = self._session.annotating.review, self._session.model
        known = review.labels or () if review is not None else ()
        is_one = model is not None and model.card.task == "single_label"
        if on:
            self._say((name,) if is_one else (*known, name))
        else:
            self._say(tuple(other for other in known if other != name))

    def _say(self, labels: tuple[str, ...] | None) -> None:
        self._session.annotating.set_review(labels=labels)
