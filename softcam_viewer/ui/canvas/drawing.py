"""What marks over an image are drawn with: lines and words that can be read on any film."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from softcam_viewer.ui.theme import DARK, FONT_FAMILIES

HALO = QColor(0, 0, 0, 165)
# Marks lie on film, which is dark in either theme: these are the dark theme's colours in both.
TEXT, ACCENT, MEASURE, KNOWN = DARK.text, DARK.accent, "#ffe066", DARK.ok
CHIP = QColor(18, 21, 26, 225)
CHIP_HEIGHT, CHIP_PADDING = 20.0, 7.0


def mark_font(*, bold: bool = False) -> QFont:
    """Of words over the image."""
    font = QFont()
    font.setFamilies(FONT_FAMILIES)
    font.setPixelSize(12)
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return font


def haloed(
    painter: QPainter, path: QPainterPath, color: str | QColor, width: float = 1.5, dashes: Sequence[float] = ()
) -> None:
    """Draw the lines of a path, in widget coordinates, on a dark halo."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(HALO, width + 2, c=Qt.PenCapStyle.RoundCap))
    painter.drawPath(path)
    pen = QPen(QColor(color), width)
    if dashes:
        pen.setDashPattern(dashes)
    painter.setPen(pen)
    painter.drawPath(path)


def polygon_path(points: Sequence[QPointF], *, closed: bool = False) -> QPainterPath:
    """Lines from point to point."""
    path = QPainterPath()
    path.addPolygon(QPolygonF(list(points)))
    if closed:
        path.closeSubpath()
    return path


def chip_place(at: QPointF, text: str, within: QRectF, distance: float = 12.0) -> QRectF:
    """Where a chip with a text lies beside a point: to its lower right where there is room, else on the other side."""
    width = QFontMetricsF(mark_font(bold=True)).horizontalAdvance(text) + 2 * CHIP_PADDING
    left, top = at.x() + distance, at.y() + distance
    if left + width > within.right() - 2:
        left = at.x() - distance - width
    if top + CHIP_HEIGHT > within.bottom() - 2:
        top = at.y() - distance - CHIP_HEIGHT
    left = max(within.left() + 2, min(left, within.right() - 2 - width))
    return QRectF(left, max(within.top() + 2, top), width, CHIP_HEIGHT)


def chip(painter: QPainter, place: QRectF, text: str, color: str = TEXT) -> None:
    """Words on a dark plate."""
    painter.setPen(QPen(QColor(255, 255, 255, 40), 1))
    painter.setBrush(CHIP)
    painter.drawRoundedRect(place, 4, 4)
    painter.setFont(mark_font(bold=True))
    painter.setPen(QColor(color))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
