"""Small icons of `resources/icons`, in the colours of the theme."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QToolButton, QWidget

from softcam_core.resources import resource
from softcam_viewer.ui.theme import current_theme

SIDE = 16


@cache
def icon(name: str, color: str) -> QSvgRenderer:
    """Drawing of an icon whose lines have a colour."""
    drawing = resource(f"icons/{name}.svg").read_bytes().replace(b"currentColor", color.encode())
    return QSvgRenderer(QByteArray(drawing))


class IconButton(QToolButton):
    """A button with a picture; its name is for those who cannot see it.

    Parameters
    ----------
    name : str
        Of the icon, a file of `resources/icons` without its suffix.
    checked : str, optional
        Another one, for when it is checked.
    """

    def __init__(self, name: str, parent: QWidget | None = None, *, checked: str | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("iconButton")
        self._icons = name, checked or name
        self._is_marked = False

    def mark(self, *, is_marked: bool) -> None:
        """Show a dot in the corner, or none."""
        self._is_marked = is_marked
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: room around the picture."""
        return QSize(SIDE + 12, SIDE + 10)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        super().paintEvent(event)
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = theme.accent if self.isChecked() else theme.text if self.underMouse() else theme.muted
        place = QRectF(0, 0, SIDE, SIDE)
        place.moveCenter(QRectF(self.rect()).center())
        icon(self._icons[self.isChecked()], color if self.isEnabled() else theme.line).render(painter, place)
        if self._is_marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.accent))
            painter.drawEllipse(QPointF(self.width() - 5, 5), 3, 3)
