"""Pens: how each tool draws a place on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter

from softcam_core.annotations.shapes import Point, Polygon, Shape
from softcam_viewer.model.shape_editing import FEWEST, box_between, thickness
from softcam_viewer.ui.canvas.drawing import haloed, polygon_path
from softcam_viewer.ui.canvas.reach import LEAST_DRAG, OUTLINE_STEP, REACH, distance, place_on
from softcam_viewer.ui.canvas.shape_path import path_of_shape
from softcam_viewer.ui.canvas.verdict_looks import LOOKS, VerdictLook

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

DRAFT_WIDTH = 1.8
CROSSES = "The outline crosses itself: places that it goes around twice are outside."
Kind = Literal["rectangle", "ellipse"]


class Pen:
    """Draws with one tool; nothing is told before it is done.

    Parameters
    ----------
    view : ImageView
    """

    def __init__(self, view: ImageView) -> None:
        self.view = view
        self.is_even = False
        """Shift is held: what is drawn is as high as it is wide."""

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return False

    @property
    def look(self) -> VerdictLook:
        """How what is drawn will look."""
        return LOOKS[self.view.marks.verdict]

    def press(self, position: QPointF) -> None:
        """Begin."""

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Follow the cursor."""

    def release(self, position: QPointF) -> None:
        """End what a drag draws."""

    def double_click(self, position: QPointF) -> None:
        """Take it as two clicks, where it is nothing else."""
        self.press(position)

    def press_key(self, key: int) -> bool:
        """Do what a key says; False where it says nothing."""
        return False

    def release_key(self, key: int) -> None:
        """End what a key does while it is held."""

    def give_up(self) -> None:
        """Forget what is begun."""

    def paint(self, painter: QPainter) -> None:
        """Draw what is begun."""


class BoxPen(Pen):
    """Rectangles and ellipses, from corner to corner."""

    def __init__(self, view: ImageView, kind: Kind) -> None:
        super().__init__(view)
        self._kind: Kind = kind
        self._begin: Point | None = None
        self._draft: Shape | None = None

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return self._begin is not None

    def press(self, position: QPointF) -> None:
        """Begin in a corner."""
        self._begin, self._draft = place_on(self.view, position), None

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Draw to the cursor."""
        if self._begin is not None and pressed:
            end = place_on(self.view, position)
            self._draft = box_between(self._kind, self._begin, end, self.view.image_size, even=self.is_even)

    def release(self, position: QPointF) -> None:
        """Keep it, where it is more than a click."""
        if self._begin is None:
            return
        self.move(position, pressed=True)
        draft = self._draft
        self.give_up()
        if draft is not None:
            top, left, bottom, right = draft.bounds
            if min(bottom - top, right - left) * self.view.scale_factor >= LEAST_DRAG:
                self.view.drawn.emit(draft)
                return
        self.view.show_remark("Nothing is drawn: drag from one corner to the opposite one.")

    def give_up(self) -> None:
        """Forget what is begun."""
        self._begin = self._draft = None

    def paint(self, painter: QPainter) -> None:
        """Draw what is begun."""
        if self._draft is not None:
            path = self.view.to_widget.map(path_of_shape(self._draft))
            haloed(painter, path, self.look.color, DRAFT_WIDTH, self.look.dashes)


class FreehandPen(Pen):
    """An outline in one go."""

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self._points: list[Point] = []

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return bool(self._points)

    def press(self, position: QPointF) -> None:
        """Begin."""
        self._points = [place_on(self.view, position)]

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Draw to the cursor."""
        if (
            self._points
            and pressed
            and distance(self.view.widget_position(*self._points[-1]), position) >= OUTLINE_STEP
        ):
            point = place_on(self.view, position)
            if point != self._points[-1]:
                self._points.append(point)

    def release(self, position: QPointF) -> None:
        """Close it."""
        points = self._points
        self.give_up()
        if points:
            keep_outline(self.view, points, is_freehand=True, otherwise="Nothing is drawn: draw around a place.")

    def give_up(self) -> None:
        """Forget what is begun."""
        self._points = []

    def paint(self, painter: QPainter) -> None:
        """Draw what is begun."""
        if len(self._points) > 1:
            path = polygon_path([self.view.widget_position(*point) for point in self._points])
            haloed(painter, path, self.look.color, DRAFT_WIDTH)


class CornerPen(Pen):
    """Polygons, corner by corner."""

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self._points: list[Point] = []
        self._cursor: QPointF | None = None

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return bool(self._points)

    def press(self, position: QPointF) -> None:
        """Add a corner, or close it at the first."""
        if len(self._points) >= FEWEST and distance(self.view.widget_position(*self._points[0]), position) <= REACH:
            self._close()
        else:
            point = place_on(self.view, position)
            if not self._points or point != self._points[-1]:
                self._points.append(point)
            self._cursor = position

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Lead the next side to the cursor."""
        self._cursor = position

    def double_click(self, position: QPointF) -> None:
        """Close it: its first click has added the last corner."""
        if self._points:
            self._close()

    def press_key(self, key: int) -> bool:
        """Enter closes it, Backspace takes back the last corner."""
        if not self._points:
            return False
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._close()
        elif key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._points.pop()
        else:
            return False
        return True

    def _close(self) -> None:
        if len(self._points) < FEWEST:
            self.view.show_remark(f"A polygon needs {FEWEST} corners: it has {len(self._points)} so far.")
            return
        points = self._points
        self.give_up()
        keep_outline(self.view, points, is_freehand=False, otherwise="Nothing is drawn: the corners lie on one line.")

    def give_up(self) -> None:
        """Forget what is begun."""
        self._points, self._cursor = [], None

    def paint(self, painter: QPainter) -> None:
        """Draw what is begun, and where a click closes it."""
        if not self._points:
            return
        places = [self.view.widget_position(*point) for point in self._points]
        path = polygon_path([*places, *([self._cursor] if self._cursor is not None else [])])
        for place in places:
            path.addEllipse(place, 2.0, 2.0)
        if len(places) >= FEWEST:
            path.addEllipse(places[0], REACH, REACH)
        haloed(painter, path, self.look.color, DRAFT_WIDTH)


def keep_outline(view: ImageView, points: list[Point], *, is_freehand: bool, otherwise: str) -> None:
    """Tell of an outline that encloses something on the screen; say what is wrong with others."""
    if len(points) < FEWEST or thickness(points) * view.scale_factor < LEAST_DRAG / 2:
        view.show_remark(otherwise)
        return
    polygon = Polygon(points=tuple(points), is_freehand=is_freehand)
    view.drawn.emit(polygon)
    if polygon.crosses_itself:
        view.show_remark(CROSSES)
