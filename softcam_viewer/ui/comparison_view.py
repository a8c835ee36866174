"""Before and after: the figures of two models under their panes, and what becomes of the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.comparing import Comparing
from softcam_viewer.model.job_words import name_of_job
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.row_table import read_by_rows
from softcam_viewer.ui.theme import current_theme

if TYPE_CHECKING:
    from softcam_core.training.comparison import Comparison, Estimate, FigureChange

COLUMNS = ("Figure", "Images", "Before", "After", "Change", "")
VERDICTS = {"better": ("✓ better", "ok"), "worse": ("✕ worse", "error"), "unsure": ("· not sure", "muted")}
"""Whether a change is sure to be for the better, in words and as a colour of the theme."""
ROW, HEADER, HIGHEST = 40, 30, 244
HINT = "Below each figure its 95 % interval. “Not sure”: that of the change includes 0, or images are too few for one."


class ComparisonView(QWidget):
    """Hidden while nothing is compared.

    Parameters
    ----------
    comparing : Comparing
    """

    def __init__(self, comparing: Comparing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparison")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._comparing = comparing
        self._title, self._models = QLabel("BEFORE AND AFTER"), ElidedLabel()
        self._remark = ElidedLabel("muted")
        self._lines, self.table = QStandardItemModel(0, len(COLUMNS), self), QTableView()
        self.fold = QToolButton()
        self.accept, self.discard, self.leave = QPushButton("Accept"), QPushButton("Discard"), QPushButton("Close")
        self._shown: Comparison | None = None
        self._build()
        self.fold.toggled.connect(self._fold)
        self.accept.clicked.connect(comparing.accept)
        self.discard.clicked.connect(comparing.discard)
        self.leave.clicked.connect(comparing.leave)
        comparing.changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        self._title.setObjectName("panelTitle")
        self.fold.setObjectName("small")
        self.fold.setText("Figures")
        self.fold.setCheckable(True)
        self.fold.setChecked(True)
        self.fold.setToolTip("Show or hide the figures of both models")
        self.accept.setObjectName("primary")
        self.accept.setToolTip("Use the new model from now on; the one before stays open to compare with")
        self.discard.setToolTip("Close the new model; its file stays until its job is forgotten")
        self.leave.setToolTip("Decide later: both models stay open")
        table = self.table
        table.setModel(self._lines)
        read_by_rows(table, "Figures before and after")
        table.verticalHeader().setDefaultSectionSize(ROW)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = table.horizontalHeader()
        header.setFixedHeight(HEADER)
        header.setStretchLastSection(False)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._title)
        head.addWidget(self._models, 1)
        for widget in (self.fold, self.leave, self.discard, self.accept):
            head.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 14, 10)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.table)
        column.addWidget(self._remark)

    @property
    def rows(self) -> list[list[str]]:
        """What the table says, row by row."""
        count = range(self._lines.rowCount())
        return [[self._lines.item(row, column).text() for column in range(len(COLUMNS))] for row in count]

    def refresh(self) -> None:
        """Show what is compared."""
        comparing = self._comparing
        self.setVisible(comparing.is_active)
        job, before, after = comparing.job, comparing.before, comparing.after
        if job is None:
            return
        is_there = before is not None and after is not None
        names = "Loading the models…" if not is_there else f"{before.card.name}  →  {after.card.name}"  # type: ignore[union-attr]
        self._models.setText(f"{name_of_job(job)}   ·   {names}")
        self.accept.setEnabled(is_there)
        self.discard.setEnabled(is_there)
        figures = comparing.figures
        self.fold.setVisible(figures is not None)
        if figures is not self._shown:
            self._shown = figures
            self._fill(figures.rows if figures is not None else ())
        why = comparing.why_no_figures
        notes = () if figures is None else figures.notes
        self._remark.setText(" ".join((HINT, *notes)) if figures is not None else f"No figures: {why}" if why else "")
        self._fold()

    def _fill(self, rows: tuple[FigureChange, ...]) -> None:
        theme, lines = current_theme(), self._lines
        lines.clear()
        lines.setHorizontalHeaderLabels(list(COLUMNS))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for place in range(1, 5):
            lines.horizontalHeaderItem(place).setTextAlignment(right)
        lines.horizontalHeaderItem(0).setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for figure in rows:
            words, role = VERDICTS[figure.verdict] if figure.better != "neither" else ("", "muted")
            is_share = figure.group == "evidence"
            title, _, images = figure.title.partition(", ")
            texts = (
                title,
                f"{figure.images:,}\n{images or 'images'}",
                with_interval(figure.before, is_share=is_share),
                with_interval(figure.after, is_share=is_share),
                with_interval(figure.change, is_share=is_share, is_change=True),
                words,
            )
            items = [QStandardItem(text) for text in texts]
            for item in items[1:5]:
                item.setTextAlignment(right)
            items[0].setToolTip(f"{figure.title}, {figure.images:,} of them")
            items[1].setForeground(QColor(theme.muted))
            items[5].setForeground(QColor(getattr(theme, role)))
            items[5].setToolTip("" if figure.better == "neither" else f"{figure.better.capitalize()} is better")
            lines.appendRow(items)
        header = self.table.horizontalHeader()
        for place in range(len(COLUMNS)):
            mode = QHeaderView.ResizeMode.Stretch if place == 0 else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(place, mode)
        self._fit()

    def _fit(self) -> None:
        """Be as high as the rows, up to a limit."""
        self.table.setFixedHeight(HEADER + min(HIGHEST, ROW * self._lines.rowCount()) + 4)

    def _fold(self) -> None:
        has_figures = self._comparing.figures is not None
        is_shown = has_figures and self.fold.isChecked()
        self.table.setVisible(is_shown)
        self._remark.setVisible(is_shown or bool(self._comparing.why_no_figures))


def with_interval(estimate: Estimate, *, is_share: bool, is_change: bool = False) -> str:
    """A figure over its interval, "0.941" over "0.912 to 0.966", or both in percent; "–" where there is none."""
    if estimate.value is None:
        return "–"
    told = _number(estimate.value, is_share=is_share, is_change=is_change)
    ends = [end for end in (estimate.low, estimate.high) if end is not None]
    if len(ends) < 2:
        return told + _unit(is_share=is_share, is_change=is_change)
    low, high = (_number(end, is_share=is_share, is_change=is_change) for end in ends)
    return f"{told}{_unit(is_share=is_share, is_change=is_change)}\n{low} to {high}"


def _number(value: float, *, is_share: bool, is_change: bool) -> str:
    sign = "+" if is_change else ""
    return (f"{100 * value:{sign}.1f}" if is_share else f"{value:{sign}.3f}").replace("-", "−")


def _unit(*, is_share: bool, is_change: bool) -> str:
    """Shares are in percent, their differences in percentage points."""
    return "" if not is_share else " pp" if is_change else " %"
