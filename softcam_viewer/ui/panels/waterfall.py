"""Waterfall: contributions one after the other, from nothing to the sum."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from softcam_viewer.model.ledger_lines import Line, rounded
from softcam_viewer.ui.canvas.color_bar import decimals_for, signed_number
from softcam_viewer.ui.theme import current_theme

ROW, LABEL, NUMBER = 24, 120, 56


class Waterfall(QWidget):
    """A bar a line, each beginning where the one before ended; the last goes from zero to the sum."""

    hovered = Signal(object)  # a Line, or None
    clicked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._lines: tuple[Line, ...] = ()

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show contributions, with their sum last; the offset comes first, because everything stands on it."""
        offset = [line for line in lines if line.title == "Offset"]
        self._lines = (*offset, *(line for line in lines if line.title != "Offset"))
        text = ", ".join(f"{line.title} {signed_number(line.contribution, 2)}" for line in self._lines)
        self.setAccessibleName(f"Waterfall of the ledger: {text}")
        self.updateGeometry()
        self.update()

    def line_at(self, y: float) -> Line | None:
        """The line at a height."""
        row = int(y // ROW)
        return self._lines[row] if 0 <= row < len(self._lines) else None

    def spans(self) -> list[tuple[float, float]]:
        """Where each bar begins and ends, in the unit of the contributions."""
        found, level = [], 0.0
        for line in self._lines:
            if line.kind == "sum":
                found.append((0.0, line.contribution))
            else:
                found.append((level, level + line.contribution))
                level += line.contribution
        return found

    # Qt events

    def sizeHint(self) -> QSize:
        """Qt: a row a line."""
        return QSize(220, max(1, len(self._lines)) * ROW)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: the mouse is over a line."""
        self.hovered.emit(self.line_at(event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:
        """Qt: the mouse has left."""
        self.hovered.emit(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: look at the place."""
        self.clicked.emit(self.line_at(event.position().y()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        spans = self.spans()
        if not spans:
            return
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ends = [0.0, *(end for span in spans for end in span)]
        lowest, extent = min(ends), max(max(ends) - min(ends), 1e-12)
        room = self.width() - LABEL - NUMBER - 8
        decimals = decimals_for(max(abs(line.contribution) for line in self._lines), 3)

        def x(value: float) -> float:
            return LABEL + room * (value - lowest) / extent

        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(QPointF(x(0), 0), QPointF(x(0), self.height()))
        shown = rounded(self._lines, decimals)
        for row, (line, (start, end)) in enumerate(zip(self._lines, spans, strict=True)):
            top = row * ROW
            font = QFont(self.font())
            font.setWeight(QFont.Weight.DemiBold if line.kind == "sum" else QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(QColor(theme.text if line.is_counted else theme.muted))
            name = painter.fontMetrics().elidedText(line.title, Qt.TextElideMode.ElideRight, LABEL - 8)
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, top, LABEL, ROW), Qt.AlignmentFlag.AlignLeft | middle, name)
            number = signed_number(shown[row], decimals)
            place = QRectF(self.width() - NUMBER, top, NUMBER, ROW)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | middle, number)
            for_it, against = theme.evidence_for, theme.evidence_against
            color = QColor(theme.muted if line.kind == "sum" else for_it if line.contribution >= 0 else against)
            color.setAlphaF(1.0 if line.is_counted else 0.3)
            left, right = sorted((x(start), x(end)))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawRoundedRect(QRectF(left, top + 6, max(right - left, 1.5), ROW - 12), 2, 2)
            if row + 1 < len(spans) and self._lines[row + 1].kind != "sum":
                painter.setPen(QPen(QColor(theme.muted), 1, Qt.PenStyle.DotLine))
                painter.drawLine(QPointF(x(end), top + ROW - 6), QPointF(x(end), top + ROW + 6))
