"""The image and the evidence over it, with the mouse: window/level, pan, zoom, probe, tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, lookup_table
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.contours import ContourItem, mask_path
from softcam_viewer.ui.canvas.film import FilmItem
from softcam_viewer.ui.canvas.layers import (
    Annotations,
    Box,
    Cells,
    Highlight,
    Hint,
    Layer,
    Outline,
    Removed,
    Shapes,
    area_of,
)
from softcam_viewer.ui.canvas.pan_zoom import PanZoomView
from softcam_viewer.ui.canvas.pointer import Crosshair, Lens
from softcam_viewer.ui.canvas.tool_mouse import LEAST_DRAG, ToolMouse
from softcam_viewer.ui.theme import DARK

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


class ImageView(PanZoomView):
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

    def __init__(self, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.setRenderHint(QPainter.RenderHint.Antialiasing)  # smooth contours
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._film = FilmItem()
        # Levels are given, so that pyqtgraph does not look through the data at each change of colour.
        self._overlay = pg.ImageItem(axisOrder="row-major", levels=(0, 255), autoDownsample=False)
        self._contour = ContourItem()
        self._outline = QGraphicsRectItem()
        for z, item in enumerate((self._film, self._overlay, self._contour, self._outline)):
            item.setZValue(z)
            self.add_item(item)
        pen = QPen(QColor(DARK.muted), 1.0, Qt.PenStyle.DashLine)
        pen.setCosmetic(True)
        self._outline.setPen(pen)
        self._drag: QPointF | None = None
        self._pressed: QPointF | None = None
        self._cursor: QPointF | None = None
        self._map: OverlayMap | None = None
        self._settings = OverlaySettings()
        self._removed_mask: npt.NDArray[np.bool_] | None = None
        self._tools, self._mouse = tools, ToolMouse(self, tools)
        self._highlight, self._removed, self._shapes = Highlight(), Removed(), Shapes()
        self._annotations, self._cells, self._hint = Annotations(), Cells(), Hint()
        self._crosshair, self._lens = Crosshair(), Lens()
        self._layers: tuple[Layer, ...] = (
            *(self._removed, self._annotations, self._shapes, self._highlight, self._cells),
            *(self._mouse, self._lens, self._crosshair, self._hint),
        )
        tools.tool_changed.connect(self._on_tool_changed)
        tools.shown_changed.connect(self._on_shown_changed)
        tools.measures_changed.connect(self.viewport().update)
        self._on_tool_changed()

    # What is shown

    def show_image(self, image: MedicalImage | None) -> None:
        """Show another image; keeps the view where the size is the same (frames, follow-ups of one device)."""
        self._film.set_film(None if image is None else image.presentation)
        key: tuple[Path, int] | None = None if image is None else (image.source, image.frame)
        if key != self._mouse.image:
            self._mouse.give_up()
            self._mouse.image = key
            self.show_annotations(())  # those of the case before
        self.show_pointer(None)
        self.highlight(None)
        if image is None:
            self.show_overlay(None, OverlaySettings())
            return
        self._mouse.spacing = image.spacing
        self.set_image_size(image.size)
        self.viewport().update()

    def show_window(self, window: Window, *, inverted: bool) -> None:
        """Show the image under a window."""
        self._film.set_window(window, inverted=inverted)
        self.viewport().update()

    def show_overlay(self, overlay: OverlayMap | None, settings: OverlaySettings) -> None:
        """Lay a map over the image, or none; nothing of it is taken out."""
        visible = overlay is not None
        for item in (self._overlay, self._contour, self._outline):
            item.setVisible(visible)
        self._map, self._settings = overlay, settings
        self._removed_mask = self._removed.path = None
        if overlay is None:
            self._contour.show_map(None)
            self.viewport().update()
            return
        area = area_of(overlay.box)
        whole = (0.0, 0.0, float(self.image_size[0]), float(self.image_size[1]))
        self._outline.setRect(area)
        self._outline.setVisible(bool(np.abs(np.subtract(overlay.box, whole)).max() > 1e-6))
        self._show_map()

    def recolor(self, settings: OverlaySettings) -> None:
        """Apply threshold, opacity, colours and sign to the map that is shown."""
        self._settings = settings
        if self._map is None:
            return
        self._overlay.setLookupTable(lookup_table(self._map, settings))
        self._contour.show_settings(settings)
        self.viewport().update()

    def _show_map(self) -> None:
        overlay, removed = self._map, self._removed_mask
        assert overlay is not None
        # What is taken out is drawn as the nothing that then counts there: 128 is the least above zero.
        nothing = np.uint8(128 if overlay.signed else 0)
        index = overlay.index if removed is None else np.where(removed, nothing, overlay.index)
        self._overlay.setImage(index, autoLevels=False)
        self._overlay.setRect(area_of(overlay.box))
        self._contour.show_map(overlay, removed)
        self.recolor(self._settings)

    def highlight(self, place: Box | QPainterPath | None) -> None:
        """Point out a box (top, left, bottom, right) or a path (x, y) on the image, or nothing."""
        if place is None and self._highlight.path is None:
            return
        if place is None or isinstance(place, QPainterPath):
            self._highlight.path = place
        else:
            self._highlight.path = QPainterPath()
            self._highlight.path.addRect(area_of(place))
        self.viewport().update()

    def show_removed(self, mask: npt.NDArray[np.bool_] | None) -> None:
        """Show what does not count without its map, hatched: (h, w) as the values of the map, or None."""
        overlay = self._map
        if overlay is None or (mask is None and self._removed_mask is None):
            return
        if mask is not None and mask.shape != overlay.values.shape:
            raise ValueError(f"a mask of {mask.shape} for a map of {overlay.values.shape}")
        self._removed_mask = mask
        self._removed.set_mask(mask, overlay.box)
        self._show_map()
        self.viewport().update()

    @property
    def shapes(self) -> tuple[Outline, ...]:
        """Places drawn by hand that are shown."""
        return self._shapes.shapes

    def show_shapes(self, shapes: Sequence[Outline]) -> None:
        """Show places drawn by hand, with their names."""
        if tuple(shapes) != self._shapes.shapes:
            self._shapes.shapes = tuple(shapes)
            self.viewport().update()

    def show_annotations(
        self,
        boxes: Sequence[tuple[float, float, float, float]],
        mask: npt.NDArray[np.bool_] | None = None,
        name: str = "known",
    ) -> None:
        """Show what is known of the case beforehand.

        Parameters
        ----------
        boxes : sequence of (float, float, float, float)
            x, y, width and height in pixels of the image, as manifests have them.
        mask : ndarray, (h, w) bool, optional
            Covers the whole image, at any size.
        name : str
            Of what was found.
        """
        height, width = self.image_size
        whole = (0.0, 0.0, float(height), float(width))
        self._annotations.boxes = tuple((y, x, y + h, x + w) for x, y, w, h in boxes)
        self._annotations.mask = None if mask is None or not mask.any() else mask_path(mask, whole)
        self._annotations.name = name
        self.viewport().update()

    def show_hint(self, text: str) -> None:
        """Say what would happen if something was let go here; "" for nothing."""
        if text != self._hint.text:
            self._hint.text = text
            self.viewport().update()

    def show_pointer(
        self, at: tuple[float, float] | None, text: str = "", boxes: tuple[Box, Box | None] | None = None
    ) -> None:
        """Show where the cursor is, in this pane or another.

        Parameters
        ----------
        at : (float, float) or None
            Row and column on the image.
        text : str
            What the map says there.
        boxes : (box, box or None) or None
            Grid cell, and what the network sees from there.
        """
        region = self._crosshair.region(self) + self._lens.region(self)
        point = None if at is None else QPointF(at[1], at[0])
        self._crosshair.at, self._crosshair.text = (point if self._tools.shows_crosshair else None), text
        self._lens.at = point if self._tools.active.name == "magnifier" else None
        cell, field = boxes or (None, None)
        if (cell, field) != (self._cells.cell, self._cells.field):
            self._cells.cell, self._cells.field = cell, field
            region += QRect(self.viewport().rect())
        region += self._crosshair.region(self) + self._lens.region(self)
        self.viewport().update(region)

    def paint_image(self, painter: QPainter, transform: QTransform) -> None:
        """Draw film, map and contours once more, transformed from where they are on the widget."""
        for item in (self._film, self._overlay, self._contour):
            if item.isVisible():
                painter.setWorldTransform(item.sceneTransform() * self.viewportTransform() * transform)
                item.paint(painter, None)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Qt: draw the marks, in pixels of the widget."""
        painter.resetTransform()
        for layer in self._layers:
            layer.paint(painter, self)

    def _on_tool_changed(self) -> None:
        draws = self._tools.active.name in ("ruler", "angle", "lasso")
        self.viewport().setCursor(Qt.CursorShape.CrossCursor if draws else Qt.CursorShape.ArrowCursor)
        self.show_pointer(None)
        self.viewport().update()

    def _on_shown_changed(self) -> None:
        self._annotations.is_shown = self._tools.shows_annotations
        self._lens.factor = self._tools.magnification
        if not self._tools.shows_crosshair:
            self._crosshair.at = None
        if not self._tools.shows_cells:
            self._cells.cell = self._cells.field = None
        self.viewport().update()

    # Qt events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: start dragging, or drawing."""
        self.setFocus()
        self._drag = self._pressed = event.position()
        if event.button() == Qt.MouseButton.LeftButton and self._mouse.draws:
            self._mouse.press(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: left drag windows or draws, middle drag pans, right drag zooms; always probe."""
        here = self._cursor = event.position()
        is_left = bool(event.buttons() & Qt.MouseButton.LeftButton)
        if self._mouse.draws:
            self._mouse.move(here, pressed=is_left)
        if self._drag is not None and event.buttons() != Qt.MouseButton.NoButton:
            moved = here - self._drag
            self._drag = here
            if is_left and not self._mouse.draws:
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
            if self._mouse.draws:
                self._mouse.release(event.position())
            elif self._tools.active.name == "magnifier" and self._is_click(event.position()):
                self._tools.magnify_more()
        self._drag = self._pressed = None
        event.accept()

    def _is_click(self, released: QPointF) -> bool:
        return self._pressed is not None and (released - self._pressed).manhattanLength() < LEAST_DRAG

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt: a double click; while a tool draws, it is two clicks."""
        if self._mouse.draws:
            self.mousePressEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt: the wheel steps, with Ctrl it zooms around the cursor."""
        turns = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(ZOOM_STEP**turns, self.image_position(event.position()))
        elif abs(turns) >= 1:
            self.stepped.emit(-1 if turns > 0 else 1)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: Space, held, hides the overlay; Escape puts the tool away, Delete removes a mark, arrows pan."""
        key = event.key()
        if key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self.held.emit(True)
        elif key == Qt.Key.Key_Escape and self._mouse.is_drawing:
            self._mouse.give_up()
        elif key == Qt.Key.Key_Escape and self._tools.active.name != "window":
            self._tools.use("window")
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._cursor is not None:
            event.setAccepted(self._mouse.delete(self._cursor))
        elif key in ARROWS and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            across, down = ARROWS[key]
            self.pan(QPointF(-across * PAN_STEP * self.width(), -down * PAN_STEP * self.height()))
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Qt: the space bar was let go."""
        if event.key() != Qt.Key.Key_Space:
            event.ignore()
        elif not event.isAutoRepeat():
            self.held.emit(False)

    def leaveEvent(self, event: QEvent) -> None:
        """Qt: the cursor has left."""
        self._cursor = None
        self.left.emit()
        super().leaveEvent(event)
