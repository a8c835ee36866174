"""Small icons, drawn in the colours of the theme."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QToolButton, QWidget

from softcam_viewer.ui.theme import current_theme


class OptionsButton(QToolButton):
    """Opens options: three sliders; a dot says that some are not the standard."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("iconButton")
        self.setAccessibleName("Options of the method")
        self._is_changed = False

    def mark(self, *, is_changed: bool) -> None:
        """Say whether options are not the standard."""
        self._is_changed = is_changed
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: a square."""
        return QSize(28, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        super().paintEvent(event)
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QRectF(self.rect()).center()
        color = QColor(theme.text if self.isEnabled() else theme.line)
        for row, knob in ((-4.5, 2.5), (0.0, -2.5), (4.5, 1.0)):
            y = middle.y() + row
            painter.setPen(QPen(color, 1.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(middle.x() - 6, y), QPointF(middle.x() + 6, y))
            painter.setBrush(color)
            painter.drawEllipse(QPointF(middle.x() + knob, y), 1.6, 1.6)
        if self._is_changed:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.accent))
            painter.drawEllipse(QPointF(self.width() - 5, 5), 3, 3)


class LayoutButton(QToolButton):
    """A layout of panes, drawn as its grid."""

    def __init__(self, rows: int, columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("iconButton")
        self.setCheckable(True)
        self._rows, self._columns = rows, columns

    def sizeHint(self) -> QSize:
        """Qt: a little wider than high."""
        return QSize(32, 26)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        super().paintEvent(event)
        painter, theme = QPainter(self), current_theme()
        color = QColor(theme.accent if self.isChecked() else theme.muted)
        painter.setPen(QPen(color, 1.2))
        area = QRectF((self.width() - 16) / 2, (self.height() - 13) / 2, 16, 13)
        painter.drawRect(area)
        for column in range(1, self._columns):
            x = area.left() + area.width() * column / self._columns
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        for row in range(1, self._rows):
            y = area.top() + area.height() * row / self._rows
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))


class LinkButton(QToolButton):
    """Links views: two rings of a chain, apart where they are not linked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("iconButton")
        self.setCheckable(True)

    def sizeHint(self) -> QSize:
        """Qt: as the layouts beside it."""
        return QSize(32, 26)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        super().paintEvent(event)
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(QRectF(self.rect()).center())
        color = theme.line if not self.isEnabled() else theme.accent if self.isChecked() else theme.muted
        painter.setPen(QPen(QColor(color), 1.4, c=Qt.PenCapStyle.RoundCap))
        apart = 0.0 if self.isChecked() else 1.5
        rings = QPainterPath()
        for side in (-1, 1):
            rings.addRoundedRect(QRectF(side * (3.5 + apart) - 5, -3, 10, 6), 3, 3)
        painter.drawPath(rings)
