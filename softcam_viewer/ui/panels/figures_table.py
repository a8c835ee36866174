"""The table of figures: one row a pane, or, where there is little room, one column a pane."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView, QWidget

from softcam_viewer.model.figure_columns import COLUMNS, Cell
from softcam_viewer.model.figure_rows import FigureRow
from softcam_viewer.ui.theme import current_theme

AnyIndex = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 22


class FiguresModel(QAbstractTableModel):
    """Rows of figures as Qt's views read them.

    Parameters
    ----------
    wide : bool
        Whether there is room for names of methods and one more digit.
    """

    def __init__(self, *, wide: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wide = wide
        self._rows: tuple[FigureRow, ...] = ()

    def show_rows(self, rows: tuple[FigureRow, ...]) -> None:
        """Show figures; what is selected stays so while there are as many."""
        if len(rows) != len(self._rows):
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        self._rows = rows
        if rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
            self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, len(rows) - 1)

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: one a pane."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: one a figure."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: the number; as tool tip why there is none, or what it is."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], COLUMNS[index.column()]
        cell: Cell = row.cells[column.name]
        text = cell.text(column, wide=self._wide)
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ToolTipRole:
            return cell.why or column.tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and cell.value is None:
            return QBrush(QColor(current_theme().muted))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            said = text if cell.value is not None else "being computed" if cell.is_waiting else f"none. {cell.why}"
            return f"{column.short}, pane {row.number}, {row.title}: {said}"
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: figures with what they are, and panes."""
        if orientation == Qt.Orientation.Horizontal:
            column = COLUMNS[section]
            if role == Qt.ItemDataRole.DisplayRole:
                return column.title
            if role == Qt.ItemDataRole.TextAlignmentRole:
                right = Qt.AlignmentFlag.AlignRight if self._wide else Qt.AlignmentFlag.AlignLeft
                return right | Qt.AlignmentFlag.AlignVCenter
            return column.tip if role == Qt.ItemDataRole.ToolTipRole else None
        row = self._rows[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{row.number}  {row.title}" if self._wide else str(row.number)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            right = Qt.AlignmentFlag.AlignLeft if self._wide else Qt.AlignmentFlag.AlignRight
            return right | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(filter(None, (row.title, row.target, row.model)))
        return None


class FiguresView(QTableView):
    """A table that is as high as its rows.

    Parameters
    ----------
    model : QAbstractItemModel
        `FiguresModel`, or its transposed.
    name_width : int
        Of the column of names.
    font_pixels : int
    """

    def __init__(
        self, model: QAbstractItemModel, name_width: int, font_pixels: int = 12, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._font_pixels = font_pixels
        self._restyle()
        self.setModel(model)
        self.setAccessibleName("Figures of the maps shown")
        self.setShowGrid(False)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)  # half a number is worse than a narrow margin
        self.setTabKeyNavigation(False)  # Tab leaves the table; arrows move within
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCornerButtonEnabled(False)
        across, down = self.horizontalHeader(), self.verticalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        across.setMinimumSectionSize(24)
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setDefaultSectionSize(ROW_HEIGHT)
        down.setFixedWidth(name_width)
        for header in (across, down):
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
        across.setFixedHeight(ROW_HEIGHT + 4)
        for signal in (model.modelReset, model.rowsInserted, model.rowsRemoved):
            signal.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        """Qt: all rows."""
        return QSize(240, self.horizontalHeader().height() + ROW_HEIGHT * self.model().rowCount() + 2)

    def minimumSizeHint(self) -> QSize:
        """Qt: all rows."""
        return QSize(160, self.sizeHint().height())

    def changeEvent(self, event: QEvent) -> None:
        """Qt: take over another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()

    def _restyle(self) -> None:
        theme = current_theme()
        sheet = f"""
QTableView {{ background: transparent; border: none; font-size: {self._font_pixels}px; outline: none;
    selection-background-color: {theme.raised}; selection-color: {theme.text}; }}
QTableView:focus {{ selection-background-color: {theme.accent}; selection-color: {theme.on_accent}; }}
QTableView::item {{ border: none; border-top: 1px solid {theme.line}; padding: 0; }}
QTableCornerButton::section {{ background: transparent; border: none; }}
QHeaderView {{ background: transparent; border: none; }}
QHeaderView::section {{ background: transparent; border: none; color: {theme.muted}; font-size: 12px;
    padding: 0 3px; }}
QHeaderView::section:vertical {{ border-top: 1px solid {theme.line}; padding: 0; }}
"""
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)
