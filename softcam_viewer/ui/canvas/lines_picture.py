"""Lines and labels of many marks, drawn once for all places to which they are panned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPixmap, QTransform

from softcam_core.annotations.annotation import Verdict
from softcam_viewer.ui.canvas.contours import AROUND, AROUND_FINE, FINE, WITHIN, WITHIN_FINE
from softcam_viewer.ui.canvas.drawing import HALO
from softcam_viewer.ui.canvas.verdict_looks import LOOKS, VerdictLook

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

Weight = Literal["thin", "usual", "thick"]
Lines = Mapping[tuple[Verdict, Weight], QPainterPath]
"""Paths in image coordinates by what they say and how thick they are, the topmost last."""

Labels = Callable[[float, float], Sequence[tuple[QPointF, QPixmap]]]
"""From screen pixels per image pixel, and device pixels per screen pixel, to labels and where they stand."""

AROUND_LINES = (-4, -30, 170, 4)
"""What lines and labels need around the places that they mark, on the screen."""
Offsets = tuple[tuple[float, float], ...]
THIN = ((0.0, 0.0),)
THICK = ((-0.8, 0.0), (0.8, 0.0), (0.0, -0.8), (0.0, 0.8), (0.0, 0.0))
AROUND_THICK = tuple((2.25 * x, 2.25 * y) for x, y in (*THICK, (-0.7, -0.7), (0.7, -0.7), (-0.7, 0.7), (0.7, 0.7)))
"""Where lines of other weights, and halos, are drawn: pixels of the screen at 1x; see `WITHIN`."""
SPARE = 0.25
"""Part of the view around it that is drawn as well, so that panning soon needs no more."""


class LinesPicture:
    """A picture of lines and labels at one magnification. They are slow to draw, a picture is not."""

    def __init__(self) -> None:
        self._lines: Lines | None = None
        self._scale = self._ratio = 0.0
        self._area = QRect()  # in pixels of the screen from the image's corner
        self._pixmap = QPixmap()

    def paint(self, painter: QPainter, view: ImageView, lines: Lines, labels: Labels) -> None:
        """Draw lines and labels; the lines must be another object where anything is to look otherwise."""
        transform, ratio = view.to_widget, painter.device().devicePixelRatioF()
        origin, scale = QPointF(transform.dx(), transform.dy()), transform.m11()
        bounds = QRectF()
        for path in lines.values():
            bounds |= path.boundingRect()
        room = QRectF(bounds.topLeft() * scale, bounds.size() * scale).adjusted(*AROUND_LINES)
        seen = QRectF(view.rect()).translated(-origin)
        if not room.intersects(seen):
            return
        is_same = lines is self._lines and (scale, ratio) == (self._scale, self._ratio)
        if not (is_same and QRectF(self._area).contains(seen & room)):
            across, down = SPARE * seen.width(), SPARE * seen.height()
            self._area = (seen.adjusted(-across, -down, across, down) & room).toAlignedRect()
            self._lines, self._scale, self._ratio = lines, scale, ratio
            self._draw(labels(scale, ratio))
        corner = origin + QPointF(self._area.topLeft())
        painter.drawPixmap(QPointF(round(corner.x() * ratio) / ratio, round(corner.y() * ratio) / ratio), self._pixmap)

    def _draw(self, labels: Sequence[tuple[QPointF, QPixmap]]) -> None:
        assert self._lines is not None
        self._pixmap = QPixmap(self._area.size() * self._ratio)
        self._pixmap.setDevicePixelRatio(self._ratio)
        self._pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        corner = self._area.topLeft()
        placed = QTransform(self._scale, 0, 0, self._scale, -corner.x(), -corner.y())
        for (verdict, weight), path in self._lines.items():
            _draw_lines(painter, path, placed, LOOKS[verdict], weight)
        painter.resetTransform()
        for place, label in labels:
            painter.drawPixmap(place - QPointF(corner), label)
        painter.end()


def _draw_lines(painter: QPainter, path: QPainterPath, placed: QTransform, look: VerdictLook, weight: Weight) -> None:
    """Draw lines on a dark halo, wide ones made of several; see `ContourItem`."""
    ratio = painter.device().devicePixelRatioF()
    around: Offsets
    within: Offsets
    around, within = (AROUND, WITHIN) if ratio < FINE else (AROUND_FINE, WITHIN_FINE)
    if weight == "thin":
        within = THIN
    elif weight == "thick":
        around, within = AROUND_THICK, THICK
    for color, places, dashes in ((HALO, around, ()), (QColor(look.color), within, look.dashes)):
        pen = QPen(color, 1)
        pen.setCosmetic(True)
        if dashes:
            pen.setDashPattern([length * ratio for length in dashes])
        painter.setPen(pen)
        for x, y in places:
            painter.setWorldTransform(placed * QTransform.fromTranslate(x, y))
            painter.drawPath(path)
