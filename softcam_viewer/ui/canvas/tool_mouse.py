"""What the left button draws: rulers, angles and shapes."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from softcam_viewer.model.measure import Measure, Point, Spacing, reading
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.drawing import HALO, MEASURE, TEXT, chip, chip_place, haloed, polygon_path
from softcam_viewer.ui.canvas.layers import path_of
from softcam_viewer.ui.canvas.reach import LEAST_DRAG, OUTLINE_STEP, REACH, distance, distance_to_line, place_on

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

HANDLE = 3.5


class ToolMouse:
    """Draws with the tool in use, and shows what was drawn.

    Parameters
    ----------
    view : ImageView
    tools : Tools
    """

    def __init__(self, view: ImageView, tools: Tools) -> None:
        self._view, self._tools = view, tools
        self.image: Hashable = None  # whose measures are shown
        self.spacing: Spacing | None = None
        self._draft: Measure | None = None
        self._lasso: list[Point] = []
        self._moving: tuple[int, int] | None = None  # which point of which measure
        self._pressed = QPointF()
        tools.tool_changed.connect(self.give_up)

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return self._draft is not None or bool(self._lasso) or self._moving is not None

    @property
    def draws(self) -> bool:
        """True where the left button belongs to the tool."""
        return self.image is not None and self._tools.active.name in ("ruler", "angle", "lasso")

    def give_up(self) -> None:
        """Forget what is begun."""
        self._draft, self._lasso, self._moving = None, [], None
        self._view.viewport().update()

    # The left button

    def press(self, position: QPointF) -> None:
        """Begin, or end an angle's second arm."""
        point, name = place_on(self._view, position), self._tools.active.name
        self._pressed = position
        if name == "lasso":
            self._lasso = [point]
        elif self._draft is not None and len(self._draft.points) == 3:
            self._keep(self._draft.moved(2, point))
        elif (found := self._end_at(position)) is not None:
            self._moving = found
        else:
            self._draft = Measure("angle" if name == "angle" else "ruler", (point, point))

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Follow the cursor."""
        point = place_on(self._view, position)
        if self._lasso and pressed:
            last = self._view.widget_position(*self._lasso[-1])
            if distance(last, position) >= OUTLINE_STEP:
                self._lasso.append(point)
        elif self._moving is not None and pressed:
            index, end = self._moving
            self._tools.replace(self.image, index, self._measures[index].moved(end, point))
        elif self._draft is not None:
            self._draft = self._draft.moved(len(self._draft.points) - 1, point)
        else:
            return
        self._view.viewport().update()

    def double_click(self, position: QPointF) -> None:
        """Take it as two clicks."""
        self.press(position)

    def release(self, position: QPointF) -> None:
        """End what a drag draws."""
        if self._lasso:
            outline, self._lasso = tuple(self._lasso), []
            area = self._view.to_widget.map(path_of(outline)).boundingRect()
            if len(outline) > 2 and min(area.width(), area.height()) >= LEAST_DRAG:
                self._view.outlined.emit(outline)
        self._moving = None
        draft = self._draft
        if draft is not None and len(draft.points) == 2:
            if distance(self._pressed, position) < LEAST_DRAG:
                self._draft = None
            elif draft.kind == "ruler":
                self._keep(draft)
            else:
                self._draft = Measure("angle", (*draft.points, draft.points[1]))
        self._view.viewport().update()

    def delete(self, position: QPointF) -> bool:
        """Remove the measure or the shape under the cursor; False where there is none."""
        found = self._measure_at(position)
        if found is not None:
            self._tools.remove(self.image, found)
            return True
        at = self._view.image_position(position)
        for shape in reversed(self._view.shapes):
            if path_of(shape.points).contains(at):
                self._view.shape_removed.emit(shape.name)
                return True
        return False

    def _keep(self, measure: Measure) -> None:
        self._draft = None
        self._tools.add(self.image, measure)

    # What is where

    @property
    def _measures(self) -> tuple[Measure, ...]:
        return self._tools.measures_of(self.image)

    def _end_at(self, position: QPointF) -> tuple[int, int] | None:
        for index in reversed(range(len(self._measures))):
            for end, point in enumerate(self._measures[index].points):
                if distance(self._view.widget_position(*point), position) <= REACH:
                    return index, end
        return None

    def _measure_at(self, position: QPointF) -> int | None:
        for index in reversed(range(len(self._measures))):
            places = [self._view.widget_position(*point) for point in self._measures[index].points]
            if any(distance_to_line(position, a, b) <= REACH for a, b in pairwise(places)):
                return index
        return None

    # What is seen

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw the measures of the image and what is begun."""
        handles = self._tools.active.name in ("ruler", "angle")
        for measure in (*self._measures, *([self._draft] if self._draft else [])):
            self._paint_measure(painter, measure, handles=handles)
        if self._lasso:
            haloed(painter, view.to_widget.map(path_of(self._lasso)), TEXT, 1.6, (3, 2))

    def _paint_measure(self, painter: QPainter, measure: Measure, *, handles: bool) -> None:
        view = self._view
        places = [view.widget_position(*point) for point in measure.points]
        path = polygon_path(places)
        if measure.kind == "ruler":
            for end in (0, 1):
                path.addPath(_tick(places[end], places[1 - end]))
        haloed(painter, path, MEASURE, 1.5)
        for place in places if handles else []:
            painter.setBrush(QColor(MEASURE))
            painter.setPen(QPen(HALO, 1.5))
            painter.drawEllipse(place, HANDLE, HANDLE)
        text = reading(measure, self.spacing)
        if text:
            area = QRectF(view.rect())
            chip(painter, chip_place(places[1], text, area, 8), text, MEASURE)


def _tick(at: QPointF, towards: QPointF) -> QPainterPath:
    """A short line across the end of a ruler."""
    path, length = QPainterPath(), distance(at, towards)
    if length > 0:
        across = QPointF(at.y() - towards.y(), towards.x() - at.x()) * (6.0 / length)
        path.moveTo(at - across)
        path.lineTo(at + across)
    return path
