"""Brush and eraser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.shapes import Bitmap, Bounds, Point
from softcam_viewer.model.brush import Patch, Stroke
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.drawing import TEXT, haloed, polygon_path
from softcam_viewer.ui.canvas.pens import Pen
from softcam_viewer.ui.canvas.reach import place_on

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

PREVIEW_ALPHA = 110


class BrushPen(Pen):
    """Paints a stroke, which is put to a mark or taken from one when it ends.

    Parameters
    ----------
    view : ImageView
    tools : Tools
        Say how large the brush is.
    """

    def __init__(self, view: ImageView, tools: Tools) -> None:
        super().__init__(view)
        self._tools = tools
        self._stroke: Stroke | None = None
        self._way: list[Point] = []

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return self._stroke is not None

    @property
    def color(self) -> str:
        """Of the stroke while it is painted."""
        return self.look.color

    def press(self, position: QPointF) -> None:
        """Set the brush down."""
        point = place_on(self.view, position)
        self._stroke = Stroke(self.view.image_size, self._tools.brush_radius / self.view.scale_factor, point)
        self._way = [point]

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Paint to the cursor."""
        if self._stroke is not None and pressed:
            point = place_on(self.view, position)
            if point != self._way[-1]:
                self._stroke.paint_to(point)
                self._way.append(point)

    def release(self, position: QPointF) -> None:
        """Take the brush off."""
        if self._stroke is not None:
            self.move(position, pressed=True)
            patch = self._stroke.patch
            self.give_up()
            self.apply(patch)

    def apply(self, patch: Patch) -> None:
        """Put what is painted to the selected mark where it is a painted one that it touches, or make one of it."""
        marks, size = self.view.marks, self.view.image_size
        chosen, painted = marks.chosen, patch.bitmap
        if painted is None:
            return
        if chosen is not None and isinstance(chosen.shape, Bitmap) and chosen.verdict == marks.verdict:
            before = Patch.of(chosen.shape, size)
            if before.touches(patch):
                if (joined := before.joined(patch).bitmap) is not None and joined != chosen.shape:
                    self.view.reshaped.emit(chosen.id, joined)
                return
        self.view.drawn.emit(painted)

    def give_up(self) -> None:
        """Forget what is begun."""
        self._stroke, self._way = None, []

    def paint(self, painter: QPainter) -> None:
        """Draw the stroke, and the brush where the cursor is."""
        if self._stroke is not None:
            color = QColor(self.color)
            color.setAlpha(PREVIEW_ALPHA)
            width = 2 * self._stroke.radius * self.view.scale_factor
            pen = QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
            places = [self.view.widget_position(*point) for point in self._way]
            painter.save()
            painter.setClipRect(self.view.image_area)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            if len(places) > 1:
                painter.drawPath(polygon_path(places))
            else:
                painter.drawPoint(places[0])
            painter.restore()
        if self.view.cursor_position is not None:
            path = polygon_path([])
            path.addEllipse(self.view.cursor_position, self._tools.brush_radius, self._tools.brush_radius)
            haloed(painter, path, self.color, 1.2)


class EraserPen(BrushPen):
    """Takes what it goes over from the selected mark, or else from the topmost one that it meets."""

    @property
    def color(self) -> str:
        """Of the stroke while it is painted."""
        return TEXT

    def apply(self, patch: Patch) -> None:
        """Take away what was gone over; a mark of which nothing is left goes."""
        size = self.view.image_size
        for mark in self._in_turn():
            if not _boxes_meet(mark.shape.bounds, patch):
                continue
            before = Patch.of(mark.shape, size)
            if before.meets(patch):
                rest = before.without(patch).bitmap
                if rest is None:
                    self.view.mark_removed.emit(mark.id)
                else:
                    self.view.reshaped.emit(mark.id, rest)
                return
        self.view.show_remark("Nothing is erased: there is no annotation.")

    def _in_turn(self) -> list[Annotation]:
        marks = self.view.marks
        topmost_first = marks.marks[::-1]
        return sorted(topmost_first, key=lambda mark: mark.id != marks.selected)


def _boxes_meet(bounds: Bounds, patch: Patch) -> bool:
    (top, left, bottom, right), (height, width) = bounds, patch.mask.shape
    return top < patch.top + height and bottom > patch.top and left < patch.left + width and right > patch.left
