"""The worklist: cases with thumbnail and prediction."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, QSortFilterProxyModel, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.cases import Case, CaseList
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.film import to_image
from softcam_viewer.ui.panels.prediction import percent
from softcam_viewer.ui.theme import current_theme

ROW_HEIGHT = 70
THUMBNAIL = 50


class CaseDelegate(QStyledItemDelegate):
    """Draws a case: thumbnail, name, prediction or what keeps it from being read."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Qt: rows of one height."""
        return QSize(160, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Qt: draw a row."""
        theme, case = current_theme(), index.data(CaseList.CASE_ROLE)
        area, state = QRectF(option.rect).adjusted(8, 2, -8, -2), option.state
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(area, 5, 5)
        if chosen:
            painter.setBrush(QColor(theme.accent))
            painter.drawRoundedRect(QRectF(area.left(), area.top() + 8, 3, area.height() - 16), 1.5, 1.5)
        picture = QRectF(area.left() + 10, area.center().y() - THUMBNAIL / 2, THUMBNAIL, THUMBNAIL)
        self._draw_thumbnail(painter, picture, case)
        left = picture.right() + 12
        lines = [(case.path.stem, theme.text, chosen), self._second_line(case), self._third_line(case)]
        y = area.top() + (8 if lines[2][0] else 15)
        for text, color, strong in lines:
            font = QFont(option.font)
            font.setPixelSize(13 if text is lines[0][0] else 12)
            font.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(QColor(color))
            line = QRectF(left, y, area.right() - left - 6, 18)
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(line.width()))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)
            y += 17
        painter.restore()

    @staticmethod
    def _draw_thumbnail(painter: QPainter, area: QRectF, case: Case) -> None:
        clip = QPainterPath()
        clip.addRoundedRect(area, 4, 4)
        painter.save()
        painter.setClipPath(clip)
        if case.thumbnail is None:
            painter.fillRect(area, QColor(current_theme().line))
        else:
            painter.drawImage(area, to_image(case.thumbnail))
        painter.restore()

    @staticmethod
    def _second_line(case: Case) -> tuple[str, str, bool]:
        theme = current_theme()
        if case.error:
            return "▲ Cannot be read", theme.error, False
        if case.prediction is not None:
            name, probability = case.prediction
            return f"{name} {percent(probability)}", theme.muted, False
        return "", theme.muted, False

    @staticmethod
    def _third_line(case: Case) -> tuple[str, str, bool]:
        return (f"{case.frames} frames" if case.frames > 1 else ""), current_theme().muted, False


class WorklistPanel(QWidget):
    """List of cases with a filter by name."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        title, self._count = QLabel("WORKLIST"), QLabel()
        title.setObjectName("panelTitle")
        self._count.setObjectName("muted")
        head = QHBoxLayout()
        head.setContentsMargins(14, 14, 14, 0)
        head.addWidget(title)
        head.addStretch()
        head.addWidget(self._count)

        self._filter = QLineEdit()
        self._filter.setPlaceholderText("Filter by name")
        self._filter.setClearButtonEnabled(True)
        self._shown = QSortFilterProxyModel(self)
        self._shown.setSourceModel(session.cases)
        self._shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.list = QListView()
        self.list.setModel(self._shown)
        self.list.setItemDelegate(CaseDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Worklist")

        search = QHBoxLayout()
        search.setContentsMargins(8, 8, 8, 8)
        search.addWidget(self._filter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(search)
        column.addWidget(self.list, 1)

        self._filter.textChanged.connect(self._shown.setFilterFixedString)
        self._filter.textChanged.connect(self._on_rows_changed)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        session.cases.modelReset.connect(self._on_rows_changed)
        session.row_changed.connect(self._on_row_changed)
        self._on_rows_changed()

    def _on_rows_changed(self) -> None:
        shown, total = self._shown.rowCount(), len(self._session.cases)
        noun = "case" if total == 1 else "cases"
        counted = f"{total} {noun}" if shown == total else f"{shown} of {total}"
        self._count.setText(counted if total else "")
        self._filter.setEnabled(total > 0)

    def _on_current_changed(self, index: QModelIndex) -> None:
        row = self._shown.mapToSource(index).row()
        if index.isValid() and row != self._session.row:
            self._session.select(row)

    def _on_row_changed(self, row: int) -> None:
        index = self._shown.mapFromSource(self._session.cases.index(row))
        if index.isValid():
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)
