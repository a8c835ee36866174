"""Agreement: how far reviewers say the same of cases and of places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from softcam_viewer.model.session import Session
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.panels.section import Section

if TYPE_CHECKING:
    from softcam_core.annotations.agreement import Agreement

MOST = 6
"""Pairs of reviewers that are shown."""
HEADS: tuple[tuple[str, str], ...] = (
    ("Cases", "Cases that both have been on"),
    ("Labels κ", "Cohen's kappa of the labels that both gave to cases: 1 is always, 0 no more often than by chance"),
    ("Places IoU", "What both marked by what either marked, in pixels, mean over places: 1 is the same, 0 none of it"),
)


class AgreementPanel(Section):
    """A line for each pair of reviewers; hidden where the store knows fewer than two.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Agreement", parent)
        self._session, self._agreeing = session, session.agreeing
        self._table, self._why = QWidget(), QLabel()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        for column, (title, tip) in enumerate(HEADS, 1):
            self._put(0, column, title, tip, "muted")
        self._cells: list[list[QLabel]] = []
        self._why.setObjectName("muted")
        self._why.setWordWrap(True)
        self.compute = QPushButton("Compare reviewers")
        self.content.addWidget(self._table)
        self.content.addWidget(self._why)
        self.content.addWidget(self.compute, 0, Qt.AlignmentFlag.AlignLeft)
        self.compute.clicked.connect(self._agreeing.compute)
        self._agreeing.changed.connect(self.refresh)
        session.annotating.changed.connect(self.refresh)
        self.refresh()

    @property
    def pairs(self) -> tuple[Agreement, ...]:
        """What is shown: pairs with the reviewer at work first, of the others those with most cases."""
        own = self._session.annotating.reviewer
        found = sorted(self._agreeing.found, key=lambda a: (own not in (a.reviewer_a, a.reviewer_b), -a.cases))
        return tuple(found[:MOST])

    def refresh(self) -> None:
        """Show what is known."""
        agreeing = self._agreeing
        self.setVisible(len(agreeing.reviewers) > 1)
        if self.isHidden():
            return
        pairs = self.pairs
        self.remark.setText(
            "comparing…" if agreeing.is_computing else f"{len(agreeing.reviewers)} reviewers" if pairs else ""
        )
        while len(self._cells) < len(pairs):
            self._cells.append(self._make_row(len(self._cells) + 1))
        for row, cells in enumerate(self._cells):
            texts, tips = _texts_of(pairs[row]) if row < len(pairs) else (("",) * 4, ("",) * 4)
            for cell, text, tip in zip(cells, texts, tips, strict=True):
                cell.setText(text)
                cell.setToolTip(tip)
                cell.setVisible(row < len(pairs))
        self._table.setVisible(bool(pairs))
        self._why.setText(agreeing.problem)
        self._why.setVisible(bool(agreeing.problem))
        self.compute.setVisible(agreeing.is_outdated or not pairs)
        self.compute.setEnabled(not agreeing.is_computing)

    def _make_row(self, row: int) -> list[QLabel]:
        name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self._grid.addWidget(name, row, 0)
        return [name, *(self._put(row, column, "", "", "") for column in range(1, len(HEADS) + 1))]

    def _put(self, row: int, column: int, text: str, tip: str, name: str) -> QLabel:
        label = QLabel(text)
        label.setObjectName(name)
        label.setToolTip(tip)
        label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._grid.addWidget(label, row, column)
        return label


def _texts_of(pair: Agreement) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands in a line, and more about each."""
    names = f"{pair.reviewer_a or 'no name'} – {pair.reviewer_b or 'no name'}"
    by_class = [f"{name}: κ {_number(kappa)}" for name, kappa in pair.kappa_by_class.items()]
    labels = [f"{pair.labelled} cases that both gave labels to", *by_class]
    if pair.kappa is None:
        labels.append("κ is not defined: no common cases, or both always said the same")
    reviews = f"{pair.reviews} cases that both reviewed, how far they are: κ {_number(pair.status_kappa)}"
    places = f"{pair.places} places, {pair.places_of_both} marked by both; over these IoU {_number(pair.iou_of_both)}"
    return (
        (names, str(pair.cases), _number(pair.kappa), _number(pair.iou)),
        (names, reviews, "\n".join(labels), places),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
