"""Where the cursor is: a crosshair with the map's value there, and a lens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QRegion, QTransform

from softcam_viewer.ui.canvas.drawing import HALO, TEXT, chip, chip_place

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

GAP = 7
"""Of the crosshair around the place itself, which stays free."""
LENS = 180
"""Diameter on the screen, where the view is large enough."""


class Crosshair:
    """Thin dashed lines through a place, and a chip that says its value."""

    def __init__(self) -> None:
        self.at: QPointF | None = None  # on the image
        self.text = ""

    def region(self, view: ImageView) -> QRegion:
        """What of the widget it covers: little, so that moving it draws little of the film again."""
        if self.at is None:
            return QRegion()
        here, area = view.to_widget.map(self.at), self._area(view)
        x, y = round(here.x()), round(here.y())
        region = QRegion(QRect(x - 2, round(area.top()), 5, round(area.height()) + 1))
        region += QRegion(QRect(round(area.left()), y - 2, round(area.width()) + 1, 5))
        if self.text:
            region += QRegion(chip_place(here, self.text, QRectF(view.rect())).toAlignedRect().adjusted(-1, -1, 1, 1))
        return region

    @staticmethod
    def _area(view: ImageView) -> QRectF:
        return view.image_area.intersected(QRectF(view.rect()))

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw it."""
        if self.at is None:
            return
        here, area = view.to_widget.map(self.at), self._area(view)
        x, y = round(here.x()) + 0.5, round(here.y()) + 0.5
        arms = (
            (QPointF(x, y - GAP), QPointF(x, area.top())),
            (QPointF(x, y + GAP), QPointF(x, area.bottom())),
            (QPointF(x - GAP, y), QPointF(area.left(), y)),
            (QPointF(x + GAP, y), QPointF(area.right(), y)),
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # thin lines, drawn quickly
        for color, dashes in ((QColor(0, 0, 0, 110), None), (QColor(255, 255, 255, 210), (4, 4))):
            pen = QPen(color, 1)
            if dashes:
                pen.setDashPattern(dashes)
            painter.setPen(pen)
            for begin, end in arms:
                painter.drawLine(begin, end)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        if self.text:
            chip(painter, chip_place(here, self.text, QRectF(view.rect())), self.text)


class Lens:
    """Film and map enlarged in a circle around a place."""

    def __init__(self) -> None:
        self.at: QPointF | None = None  # on the image
        self.factor = 2

    def circle(self, view: ImageView) -> QRectF:
        """Where it lies on the widget."""
        if self.at is None:
            return QRectF()
        size = min(LENS, 0.6 * min(view.width(), view.height()))
        here = view.to_widget.map(self.at)
        return QRectF(here.x() - size / 2, here.y() - size / 2, size, size)

    def region(self, view: ImageView) -> QRegion:
        """What of the widget it covers."""
        if self.at is None:
            return QRegion()
        return QRegion(self.circle(view).toAlignedRect().adjusted(-8, -8, 8, 8))

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw what lies below it once more."""
        if self.at is None:
            return
        circle, here = self.circle(view), view.to_widget.map(self.at)
        path = QPainterPath()
        path.addEllipse(circle)
        painter.save()
        painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
        painter.fillPath(path, view.backgroundBrush())
        enlarged = QTransform.fromTranslate(here.x(), here.y()).scale(self.factor, self.factor)
        view.paint_image(painter, enlarged.translate(-here.x(), -here.y()))
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in ((HALO, 4.0), (QColor(TEXT), 1.5)):
            painter.setPen(QPen(color, width))
            painter.drawEllipse(circle)
        # On the rim at the lower left, where neither the crosshair nor its chip is.
        edge = circle.center() + QPointF(-1, 1) * (circle.width() / 2**1.5)
        place = chip_place(edge, f"{self.factor}×", QRectF(view.rect()), 0)
        place.moveCenter(edge)
        chip(painter, place, f"{self.factor}×")
