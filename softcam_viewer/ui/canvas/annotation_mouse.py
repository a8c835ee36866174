"""What the left button does with the tools that annotate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPolygonF

from softcam_core.annotations.annotation import Annotation
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.brush_pen import BrushPen, EraserPen
from softcam_viewer.ui.canvas.edit_pen import EditPen
from softcam_viewer.ui.canvas.pens import BoxPen, CornerPen, FreehandPen, Pen

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

EDGE = 3.0
"""Of the line around the brush."""


class AnnotationMouse:
    """Hands the mouse to the pen of the tool in use.

    Parameters
    ----------
    view : ImageView
    tools : Tools
    """

    def __init__(self, view: ImageView, tools: Tools) -> None:
        self._view, self._tools = view, tools
        self._pens: dict[str, Pen] = {
            "rectangle": BoxPen(view, "rectangle"),
            "ellipse": BoxPen(view, "ellipse"),
            "polygon": CornerPen(view),
            "freehand": FreehandPen(view),
            "brush": BrushPen(view, tools),
            "eraser": EraserPen(view, tools),
            "edit": EditPen(view),
        }
        tools.tool_changed.connect(self.give_up)

    @property
    def pen(self) -> Pen | None:
        """Of the tool in use; None where that draws no annotations."""
        return self._pens.get(self._tools.active.name)

    @property
    def draws(self) -> bool:
        """True where the left button belongs to the tool."""
        return self.pen is not None and self._view.has_image

    @property
    def is_drawing(self) -> bool:
        """True while something is begun and not done."""
        return any(pen.is_drawing for pen in self._pens.values())

    @property
    def held(self) -> Annotation | None:
        """The annotation that is being changed."""
        return next((pen.mark for pen in self._pens.values() if isinstance(pen, EditPen)), None)

    def give_up(self) -> None:
        """Forget what is begun."""
        for pen in self._pens.values():
            pen.give_up()
        self._view.viewport().update()

    def press(self, position: QPointF) -> None:
        """Begin, or say why the image cannot be annotated here."""
        if self._can_begin() and self.pen is not None:
            self.pen.press(position)
            self._view.viewport().update()

    def move(self, position: QPointF, *, pressed: bool) -> None:
        """Follow the cursor."""
        if self.pen is not None and self.pen.is_drawing:
            self.pen.move(position, pressed=pressed)
            if not isinstance(self.pen, BrushPen):  # whose way is drawn by `hover`
                self._view.viewport().update()

    def hover(self, before: QPointF | None, here: QPointF | None) -> None:
        """Draw the brush where the cursor is now: little, so that moving it draws little of the film again."""
        if isinstance(self.pen, BrushPen):
            area = QPolygonF([place for place in (before, here) if place is not None]).boundingRect()
            reach = self._tools.brush_radius + EDGE
            self._view.viewport().update(area.adjusted(-reach, -reach, reach, reach).toAlignedRect())

    def release(self, position: QPointF) -> None:
        """End what a drag draws."""
        if self.pen is not None:
            self.pen.release(position)
            self._view.viewport().update()

    def double_click(self, position: QPointF) -> None:
        """Do what a double click does with the tool."""
        if self._can_begin() and self.pen is not None:
            self.pen.double_click(position)
            self._view.viewport().update()

    def flag(self, position: QPointF) -> None:
        """Ask for the region under a position to be flagged, where that is on the image."""
        at, (height, width) = self._view.image_position(position), self._view.image_size
        if self._can_begin() and 0 <= at.y() < height and 0 <= at.x() < width:
            self._view.flagged.emit(at.y(), at.x())

    def press_key(self, key: int, modifiers: Qt.KeyboardModifier) -> bool:
        """Do what a key says to the tool; False where it says nothing."""
        others = modifiers & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if others or self.pen is None or self._view.why_not_marked:
            return False
        self.hold_shift(modifiers)
        done = self.pen.press_key(key)
        self._view.viewport().update()
        return done

    def release_key(self, key: int) -> None:
        """End what a key does while it is held."""
        if self.pen is not None:
            self.pen.release_key(key)
            self._view.viewport().update()

    def hold_shift(self, modifiers: Qt.KeyboardModifier) -> None:
        """Note whether Shift is held."""
        if self.pen is not None:
            self.pen.is_even = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)

    def _can_begin(self) -> bool:
        if self._view.why_not_marked:
            self._view.show_remark(self._view.why_not_marked)
        return not self._view.why_not_marked

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw what is begun."""
        if self.draws and self.pen is not None:
            self.pen.paint(painter)
