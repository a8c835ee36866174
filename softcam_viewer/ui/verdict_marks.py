"""Verdicts beside text: each has a shape, a colour of the theme and a word."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPixmap, QPolygonF

from softcam_core.annotations.annotation import Verdict
from softcam_viewer.ui.theme import Theme, current_theme

SHORT: dict[Verdict, str] = {"wrong": "Wrong", "correct": "Correct", "missed": "Missed", "unsure": "Unsure"}
"""For buttons."""
ICON = 12


def verdict_color(verdict: Verdict, theme: Theme) -> str:
    """Colour of a verdict's mark and words."""
    return {"wrong": theme.warning, "correct": theme.ok, "missed": theme.error, "unsure": theme.muted}[verdict]


def draw_verdict(painter: QPainter, middle: QPointF, verdict: Verdict, color: str) -> None:
    """Draw the mark of a verdict: triangle, disc, square or question mark, 9 pixels high."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    if verdict == "wrong":
        painter.drawPolygon(QPolygonF([middle + QPointF(*corner) for corner in ((-4.8, 4), (4.8, 4), (0, -4.5))]))
    elif verdict == "correct":
        painter.drawEllipse(middle, 4, 4)
    elif verdict == "missed":
        painter.drawRect(QRectF(middle.x() - 3.7, middle.y() - 3.7, 7.4, 7.4))
    else:
        font = QFont(painter.font())
        font.setPixelSize(12)
        font.setWeight(QFont.Weight.Bold)
        painter.setFont(font)
        painter.setPen(QColor(color))
        painter.drawText(QRectF(middle.x() - 8, middle.y() - 8, 16, 16), Qt.AlignmentFlag.AlignCenter, "?")


def verdict_icon(verdict: Verdict, scale: float = 2.0) -> QIcon:
    """The same as an icon, in the colours of the theme that is in use."""
    pixmap = QPixmap(int(ICON * scale), int(ICON * scale))
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    draw_verdict(painter, QPointF(ICON / 2, ICON / 2), verdict, verdict_color(verdict, current_theme()))
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # Qt would tint it
    return icon
