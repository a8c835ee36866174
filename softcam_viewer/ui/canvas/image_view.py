"""The image and the evidence over it, with the mouse: window/level, pan, zoom, probe, tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from softcam_core.annotations.annotation import Annotation, Verdict
from softcam_core.imaging.image import MedicalImage
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.annotation_mouse import AnnotationMouse
from softcam_viewer.ui.canvas.marked_view import MarkedView
from softcam_viewer.ui.canvas.reach import LEAST_DRAG
from softcam_viewer.ui.canvas.tool_mouse import ToolMouse

ZOOM_STEP = 1.2
PAN_STEP = 0.1
"""Part of the view that an arrow key moves it by."""
ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
"""To the right and down."""
BRUSHES = ("brush", "eraser")
CLICKED = ("magnifier", "flag")
"""Tools that are used by a click; a drag changes the window."""


class ImageView(MarkedView):
    """One film with one overlay and what is marked on them.

    Parameters
    ----------
    tools : Tools
        What the left button does.
    """

    windowed = Signal(float, float)  # left drag: (right, down) in pixels
    stepped = Signal(int)  # wheel: frames or cases
    pointed = Signal(float, float)  # cursor at (row, column) of the image
    left = Signal()  # cursor gone
    double_clicked = Signal()
    held = Signal(bool)  # space bar pressed or let go
    outlined = Signal(object)  # a place was drawn: corners (row, column) on the image
    shape_removed = Signal(str)  # name of a shape that is to go
    drawn = Signal(object)  # a place was drawn that is to be annotated: a Shape
    reshaped = Signal(str, object)  # an annotation's id, and its new Shape
    picked = Signal(str)  # id of the annotation that is selected, "" for none
    flagged = Signal(float, float)  # (row, column) where the region of the map is to be flagged
    mark_removed = Signal(str)  # id of an annotation that is to go

    def __init__(self, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(tools, parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.cursor_position: QPointF | None = None
        """On the widget; None where it is elsewhere."""
        self.why_not_marked = ""
        """Why what is shown cannot be annotated here, for people; "" where it can."""
        self._drag: QPointF | None = None
        self._pressed: QPointF | None = None
        self._mouse, self._pens = ToolMouse(self, tools), AnnotationMouse(self, tools)
        self._begun = (self._mouse, self._pens)
        tools.tool_changed.connect(self._on_tool_changed)
        tools.measures_changed.connect(self.viewport().update)
        tools.brush_changed.connect(self.viewport().update)
        self._on_tool_changed()

    @property
    def has_image(self) -> bool:
        """True where there is something to draw on."""
        return self._mouse.image is not None

    def show_image(self, image: MedicalImage | None) -> None:
        """Show another image; keeps the view where the size is the same (frames, follow-ups of one device)."""
        key: tuple[Path, int] | None = None if image is None else (image.source, image.frame)
        if key != self._mouse.image:
            self._mouse.give_up()
            self._pens.give_up()
            self._mouse.image = key
            self.show_annotations(())  # those of the case before
            self.show_marks(())
            self.show_remark("")
        if image is not None:
            self._mouse.spacing = image.spacing
        super().show_image(image)

    def show_marks(
        self, marks: Sequence[Annotation], selected: str = "", verdict: Verdict = "wrong", reviewer: str = ""
    ) -> None:
        """Show what people said about places of the image; gives up changing one that has changed otherwise."""
        held = self._pens.held
        if held is not None and not any(mark.id == held.id and mark.shape == held.shape for mark in marks):
            self._pens.give_up()
        super().show_marks(marks, selected, verdict, reviewer)

    @property
    def _drawer(self) -> ToolMouse | AnnotationMouse | None:
        """Whose the left button is; None where it is the window's."""
        return next((mouse for mouse in (self._mouse, self._pens) if mouse.draws), None)

    def _on_tool_changed(self) -> None:
        name = self._tools.active.name
        is_arrow = name in ("window", "magnifier", "edit")
        self.viewport().setCursor(Qt.CursorShape.ArrowCursor if is_arrow else Qt.CursorShape.CrossCursor)
        self.marks.has_handles = name == "edit"
        self.show_pointer(None)
        self.show_remark("")
        self.viewport().update()

    # Qt events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: start dragging, or drawing."""
        self.setFocus()
        self.show_remark("")
        self._drag = self._pressed = event.position()
        drawer = self._drawer
        if event.button() == Qt.MouseButton.LeftButton and drawer is not None:
            self._pens.hold_shift(event.modifiers())
            drawer.press(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: left drag windows or draws, middle drag pans, right drag zooms; always probe."""
        before, here, drawer = self.cursor_position, event.position(), self._drawer
        self.cursor_position = here
        is_left = bool(event.buttons() & Qt.MouseButton.LeftButton)
        if drawer is not None:
            self._pens.hold_shift(event.modifiers())
            drawer.move(here, pressed=is_left)
        self._pens.hover(before, here)
        if self._drag is not None and event.buttons() != Qt.MouseButton.NoButton:
            moved = here - self._drag
            self._drag = here
            if is_left and drawer is None and not (self._tools.active.name in CLICKED and self._is_click(here)):
                self.windowed.emit(moved.x(), moved.y())
            elif event.buttons() & Qt.MouseButton.MiddleButton:
                self.pan(moved)
            elif event.buttons() & Qt.MouseButton.RightButton:
                self.zoom(float(np.exp(-moved.y() / 150)))
        at = self.image_position(here)
        self.pointed.emit(at.y(), at.x())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt: end dragging, or drawing."""
        if event.button() == Qt.MouseButton.LeftButton:
            drawer = self._drawer
            if drawer is not None:
                self._pens.hold_shift(event.modifiers())
                drawer.release(event.position())
            elif self._is_click(event.position()):
                self._click(event.position())
        self._drag = self._pressed = None
        event.accept()

    def _is_click(self, released: QPointF) -> bool:
        return self._pressed is not None and (released - self._pressed).manhattanLength() < LEAST_DRAG

    def _click(self, position: QPointF) -> None:
        if self._tools.active.name == "magnifier":
            self._tools.magnify_more()
        elif self._tools.active.name == "flag" and self.has_image:
            self._pens.flag(position)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt: a double click; for many tools it is two clicks."""
        drawer = self._drawer
        if drawer is not None and event.button() == Qt.MouseButton.LeftButton:
            self.show_remark("")
            drawer.double_click(event.position())
        elif drawer is not None or self._tools.active.name == "flag":
            self.mousePressEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt: the wheel steps, with Ctrl it zooms around the cursor, with Shift a brush grows."""
        delta, modifiers = event.angleDelta(), event.modifiers()
        turns = delta.y() / 120
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self.zoom(ZOOM_STEP**turns, self.image_position(event.position()))
        elif self._tools.active.name in BRUSHES and modifiers & Qt.KeyboardModifier.ShiftModifier:
            # Some systems turn the wheel to the side while Shift is held.
            self._tools.step_brush(round((delta.y() or delta.x()) / 120))
        elif abs(turns) >= 1:
            self.stepped.emit(-1 if turns > 0 else 1)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: Space, held, hides the overlay; Escape puts the tool away, Delete removes a mark, arrows move or pan."""
        key = event.key()
        if key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self.held.emit(True)
        elif key == Qt.Key.Key_Escape and (self._mouse.is_drawing or self._pens.is_drawing):
            self._mouse.give_up()
            self._pens.give_up()
        elif key == Qt.Key.Key_Escape and self._tools.active.name != "window":
            self._tools.use("window")
        elif self._pens.press_key(key, event.modifiers()):
            event.accept()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.cursor_position is not None:
            event.setAccepted(self._mouse.delete(self.cursor_position))
        elif key in ARROWS and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            across, down = ARROWS[key]
            self.pan(QPointF(-across * PAN_STEP * self.width(), -down * PAN_STEP * self.height()))
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Qt: the space bar was let go, or an arrow key."""
        if event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_Space:
            self.held.emit(False)
        elif event.key() in ARROWS:
            self._pens.release_key(event.key())
        else:
            event.ignore()

    def leaveEvent(self, event: QEvent) -> None:
        """Qt: the cursor has left."""
        before, self.cursor_position = self.cursor_position, None
        self._pens.hover(before, None)
        self.left.emit()
        super().leaveEvent(event)
