"""Select, move and change what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QTransform

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.shapes import Polygon, Shape
from softcam_viewer.model.shape_editing import FEWEST, move_within, with_corner, with_handle, without_corner
from softcam_viewer.ui.canvas.drawing import haloed
from softcam_viewer.ui.canvas.pens import CROSSES, Pen
from softcam_viewer.ui.canvas.reach import LEAST_DRAG, REACH, distance, distance_to_line, place_on
from softcam_viewer.ui.canvas.shape_path import path_of_shape
from softcam_viewer.ui.canvas.verdict_looks import LOOKS

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
"""Down and to the right."""
FAR = 10
"""Pixels of the image that an arrow key moves by with Shift, instead of one."""
DELETES = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class EditPen(Pen):
    """Selects with a click; drags a mark or one of its handles, which is told when it is let go."""

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self.mark: Annotation | None = None
        """That was pressed on, or is moved by keys."""
        self._handle: int | None = None
        self._pressed = QPointF()
        self._next = ""  # to select where it was but a click
        self._draft: Shape | None = None
        self._moved = (0.0, 0.0)
        self._is_dragged = False

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return self.mark is not None

    # The mouse

    def press(self, position: QPointF) -> None:
        """Take a handle of the selected mark, the selected mark, or another one."""
        self.give_up()
        marks = self.view.marks
        self._pressed = position
        if (handle := marks.handle_at(position, self.view)) is not None:
            self.mark, self._handle = marks.chosen, handle
            self._next = marks.selected
            return
        found = marks.at(position, self.view)
        if not found:
            if marks.selected:
                self.view.picked.emit("")
            return
        if found[0].id == marks.selected:
            # A second click at one place goes to what lies below.
            self.mark, self._next = found[0], found[1 % len(found)].id
        else:
            self.mark, self._next = found[0], found[0].id
            self.view.picked.emit(found[0].id)

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Drag what was taken."""
        if self.mark is None or not pressed:
            return
        self._is_dragged = self._is_dragged or distance(self._pressed, position) >= LEAST_DRAG
        if not self._is_dragged:
            return
        if self._handle is not None:
            self._draft = with_handle(self.mark.shape, self._handle, place_on(self.view, position)) or self._draft
        else:
            by = (position - self._pressed) / self.view.scale_factor
            self._moved = move_within(self.mark.shape, by.y(), by.x(), self.view.image_size)
        self.view.marks.hold(self.mark.id)

    def release(self, position: QPointF) -> None:
        """Tell what became of it."""
        if self.mark is None:
            return
        self.move(position, pressed=True)
        if not self._is_dragged:
            following = self._next
            self.give_up()
            if following != self.view.marks.selected:
                self.view.picked.emit(following)
        else:
            self._tell()

    def double_click(self, position: QPointF) -> None:
        """Add a corner on the side of the selected polygon that is under the cursor."""
        chosen = self.view.marks.chosen
        side = _side_at(self.view, chosen.shape, position) if chosen is not None else None
        if chosen is None or side is None or self.view.marks.handle_at(position, self.view) is not None:
            self.press(position)
            return
        self.give_up()
        assert isinstance(chosen.shape, Polygon)
        self.view.reshaped.emit(chosen.id, with_corner(chosen.shape, side, place_on(self.view, position)))

    # Keys

    def press_key(self, key: int) -> bool:
        """Arrows move the selected mark until they are let go; Delete removes a corner or a mark."""
        if key in ARROWS:
            return self._nudge(key)
        return key in DELETES and self._delete()

    def release_key(self, key: int) -> None:
        """Tell where arrows have moved it to."""
        if key in ARROWS and self.mark is not None and not self._is_dragged:
            self._tell()

    def _nudge(self, key: int) -> bool:
        chosen = self.view.marks.chosen
        if chosen is None or self._is_dragged:
            return chosen is not None
        if self.mark is None or self.mark.id != chosen.id:
            self.mark, self._moved = chosen, (0.0, 0.0)
        step = FAR if self.is_even else 1
        down, across = (so_far + step * by for so_far, by in zip(self._moved, ARROWS[key], strict=True))
        self._moved = move_within(chosen.shape, down, across, self.view.image_size)
        self.view.marks.hold(chosen.id)
        return True

    def _delete(self) -> bool:
        marks, cursor = self.view.marks, self.view.cursor_position
        chosen = marks.chosen
        if chosen is not None and isinstance(chosen.shape, Polygon) and cursor is not None:
            corner = marks.handle_at(cursor, self.view)
            if corner is not None:
                rest = without_corner(chosen.shape, corner)
                if rest is None:
                    self.view.show_remark(f"A polygon keeps {FEWEST} corners; Delete beside them removes it.")
                else:
                    self.view.reshaped.emit(chosen.id, rest)
                return True
        found = marks.at(cursor, self.view) if chosen is None and cursor is not None else ()
        target = chosen or (found[0] if found else None)
        if target is None:
            return False
        self.give_up()
        self.view.mark_removed.emit(target.id)
        return True

    # What becomes of it

    def _tell(self) -> None:
        mark, draft = self.mark, self._draft
        assert mark is not None
        if draft is None and self._moved != (0.0, 0.0):
            draft = mark.shape.moved(*self._moved)
        has_handle = self._handle is not None
        self.give_up()
        if draft is not None and draft != mark.shape:
            self.view.reshaped.emit(mark.id, draft)
            if has_handle and _crosses_now(mark.shape, draft):
                self.view.show_remark(CROSSES)

    def give_up(self) -> None:
        """Leave it as it was."""
        self.mark = self._handle = self._draft = None
        self._moved, self._is_dragged = (0.0, 0.0), False
        self.view.marks.hold("")

    def paint(self, painter: QPainter) -> None:
        """Draw what is dragged."""
        mark = self.mark
        if mark is None or (self._draft is None and self._moved == (0.0, 0.0)):
            return
        down, across = self._moved
        moved = QTransform.fromTranslate(across, down)
        outline = self.view.marks.path(mark) if self._draft is None else path_of_shape(self._draft)
        look = LOOKS[mark.verdict]
        haloed(painter, self.view.to_widget.map(moved.map(outline)), look.color, 2.0, look.dashes)


def _side_at(view: ImageView, shape: Shape, position: QPointF) -> int | None:
    """Which side of a polygon is under a position of the widget, by the corner that it begins at."""
    if not isinstance(shape, Polygon):
        return None
    places = [view.widget_position(*point) for point in shape.points]
    far = [distance_to_line(position, place, places[(i + 1) % len(places)]) for i, place in enumerate(places)]
    nearest = min(range(len(far)), key=far.__getitem__)
    return nearest if far[nearest] <= REACH else None


def _crosses_now(before: Shape, after: Shape) -> bool:
    """Whether a polygon did not cross itself before and does so now."""
    if not isinstance(before, Polygon) or not isinstance(after, Polygon):
        return False
    return after.crosses_itself and not before.crosses_itself
