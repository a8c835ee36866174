"""The image and the evidence over it, with the mouse: window/level, pan, zoom, probe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import contourpy
import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsPathItem, QGraphicsRectItem, QWidget

from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, lookup_table
from softcam_viewer.ui.canvas.film import FilmItem
from softcam_viewer.ui.theme import current_theme

FIT_MARGIN = 0.98
ZOOM_STEP = 1.2
ZOOM_LIMITS = (0.02, 64.0)
# Contours are traced on every second overlay pixel: still finer than the screen shows, and fast enough to drag.
CONTOUR_STEP = 2
CONTOUR_COLOR = "#ffe2a8"


class View(NamedTuple):
    """What part of an image is shown.

    Attributes
    ----------
    x, y : float
        Column and row in the middle.
    scale : float
        Screen pixels per image pixel.
    is_fitted : bool
        The whole image is shown, also after the next change of size.
    size : (int, int)
        Height and width of the image in pixels.
    """

    x: float
    y: float
    scale: float
    is_fitted: bool
    size: tuple[int, int]

    def on(self, size: tuple[int, int]) -> View:
        """The same part of an image of another size, by its share in height and width."""
        (height, width), (own_height, own_width) = size, self.size
        scale = self.scale * own_height / height
        return View(self.x * width / own_width, self.y * height / own_height, scale, self.is_fitted, size)


class ImageView(pg.GraphicsView):
    """One film with one overlay.

    Centre and scale are kept here rather than in the ViewBox, so that they survive resizing and can be shared.
    """

    windowed = Signal(float, float)  # left drag: (right, down) in pixels
    stepped = Signal(int)  # wheel: frames or cases
    pointed = Signal(float, float)  # cursor at (row, column) of the image
    left = Signal()  # cursor gone
    double_clicked = Signal()
    held = Signal(bool)  # space bar pressed or let go
    viewed = Signal()  # the user looks at another part of the image

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=current_theme().canvas)
        self.setObjectName("canvas")
        self.setRenderHint(QPainter.RenderHint.Antialiasing)  # smooth contours
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._box = pg.ViewBox(lockAspect=True, invertY=True, enableMouse=False, enableMenu=False, defaultPadding=0)
        self._box.disableAutoRange()
        self.setCentralItem(self._box)
        self._film = FilmItem()
        # Levels are given, so that pyqtgraph does not look through the data at each change of colour.
        self._overlay = pg.ImageItem(axisOrder="row-major", levels=(0, 255), autoDownsample=False)
        self._contour = QGraphicsPathItem()
        self._outline = QGraphicsRectItem()
        for z, item in enumerate((self._film, self._overlay, self._contour, self._outline)):
            item.setZValue(z)
            self._box.addItem(item, ignoreBounds=True)
        self._contour.setPen(self._pen(CONTOUR_COLOR, 1.4))
        self._outline.setPen(self._pen(current_theme().muted, 1.0, Qt.PenStyle.DashLine))
        self._size = (1, 1)
        self._centre = QPointF(0.5, 0.5)
        self._scale = 1.0
        self._fitted = True
        self._drag: QPointF | None = None
        self._map: OverlayMap | None = None

    # What is shown

    def show_image(self, image: MedicalImage | None) -> None:
        """Show another image; keeps the view where the size is the same (frames, follow-ups of one device)."""
        self._film.set_film(None if image is None else image.presentation)
        if image is None:
            self.show_overlay(None, OverlaySettings())
            return
        if image.size != self._size:
            self._size = image.size
            self._fit()

    def show_window(self, window: Window, *, inverted: bool) -> None:
        """Show the image under a window."""
        self._film.set_window(window, inverted=inverted)

    def show_overlay(self, overlay: OverlayMap | None, settings: OverlaySettings) -> None:
        """Lay a map over the image, or none."""
        visible = overlay is not None
        for item in (self._overlay, self._contour, self._outline):
            item.setVisible(visible)
        self._map = overlay
        if overlay is None:
            return
        top, left, bottom, right = overlay.box
        area = QRectF(left, top, right - left, bottom - top)
        self._overlay.setImage(overlay.index, autoLevels=False)
        self._overlay.setRect(area)
        height, width = overlay.values.shape
        self._contour.setTransform(
            QTransform.fromTranslate(left, top).scale(area.width() / width, area.height() / height)
        )
        whole = (0.0, 0.0, float(self._size[0]), float(self._size[1]))
        self._outline.setRect(area)
        self._outline.setVisible(bool(np.abs(np.subtract(overlay.box, whole)).max() > 1e-6))
        self.recolor(settings)

    def recolor(self, settings: OverlaySettings) -> None:
        """Apply threshold, opacity, colours and sign to the map that is shown."""
        if self._map is None:
            return
        self._overlay.setLookupTable(lookup_table(self._map, settings))
        self._contour.setPath(self._trace(settings))

    def _trace(self, settings: OverlaySettings) -> QPainterPath:
        path = QPainterPath()
        if self._map is None or settings.style == "fill" or not (settings.visible and self._map.has_regions):
            return path
        level = settings.threshold * self._map.scale
        if level <= 0:
            return path
        # A rim just below the threshold closes regions that touch the border.
        values = np.pad(self._map.values[::CONTOUR_STEP, ::CONTOUR_STEP], 1)
        generator = contourpy.contour_generator(z=values, name="serial", line_type=contourpy.LineType.Separate)
        if settings.sign != "negative" or not self._map.signed:
            self._add_lines(path, generator.lines(level))
        if settings.sign != "positive" and self._map.signed:
            self._add_lines(path, generator.lines(-level))
        return path

    @staticmethod
    def _add_lines(path: QPainterPath, lines: Iterable[Any]) -> None:
        for line in lines:
            # Undo the rim and the step; samples stand for the centres of their pixels.
            points = (line - 1) * CONTOUR_STEP + 0.5
            path.addPolygon(QPolygonF([QPointF(x, y) for x, y in points.tolist()]))

    @staticmethod
    def _pen(color: str, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
        pen = QPen(QColor(color), width, style)
        pen.setCosmetic(True)
        return pen

    # Where it is shown

    @property
    def scale_factor(self) -> float:
        """Screen pixels per image pixel."""
        return self._scale

    @property
    def view(self) -> View:
        """What part of the image is shown."""
        return View(self._centre.x(), self._centre.y(), self._scale, self._fitted, self._size)

    def show_view(self, view: View) -> None:
        """Show a part of the image as another view does; nobody is told."""
        if view.is_fitted:
            self._fit()
            return
        view = view.on(self._size)
        self._centre, self._scale, self._fitted = QPointF(view.x, view.y), view.scale, False
        self._apply_view()

    def fit(self) -> None:
        """Show the whole image, now and while the window is resized."""
        self._fit()
        self.viewed.emit()

    def _fit(self) -> None:
        height, width = self._size
        self._fitted = True
        self._centre = QPointF(width / 2, height / 2)
        self._scale = FIT_MARGIN * min(max(self.width(), 1) / width, max(self.height(), 1) / height)
        self._apply_view()

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Magnify around an image position (the centre of the view by default)."""
        fixed = around or self._centre
        scale = float(np.clip(self._scale * factor, *ZOOM_LIMITS))
        self._centre = fixed + (self._centre - fixed) * (self._scale / scale)
        self._scale = scale
        self._fitted = False
        self._apply_view()
        self.viewed.emit()

    def pan(self, by: QPointF) -> None:
        """Move the image by screen pixels."""
        self._centre -= by / self._scale
        self._fitted = False
        self._apply_view()
        self.viewed.emit()

    def image_position(self, position: QPointF) -> QPointF:
        """Position on this widget -> (column, row) on the image."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        return self._centre + (position - middle) / self._scale

    def widget_position(self, row: float, column: float) -> QPointF:
        """(row, column) on the image -> position on this widget."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        return middle + (QPointF(column, row) - self._centre) * self._scale

    def _apply_view(self) -> None:
        width, height = max(self.width(), 1) / self._scale, max(self.height(), 1) / self._scale
        area = QRectF(self._centre.x() - width / 2, self._centre.y() - height / 2, width, height)
        self._box.setRange(area, padding=0, disableAutoRange=True)

    # Qt events

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Qt: keep centre and scale, or the fit."""
        super().resizeEvent(event)
        if not hasattr(self, "_fitted"):
            return  # pyqtgraph resizes while it is being made
        if self._fitted:
            self._fit()
        else:
            self._apply_view()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: start dragging."""
        self.setFocus()
        self._drag = event.position()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: left drag windows, middle drag pans, right drag zooms; always probe."""
        here = event.position()
        if self._drag is not None and event.buttons() != Qt.MouseButton.NoButton:
            moved = here - self._drag
            self._drag = here
            if event.buttons() & Qt.MouseButton.LeftButton:
                self.windowed.emit(moved.x(), moved.y())
            elif event.buttons() & Qt.MouseButton.MiddleButton:
                self.pan(moved)
            elif event.buttons() & Qt.MouseButton.RightButton:
                self.zoom(float(np.exp(-moved.y() / 150)))
        at = self.image_position(here)
        self.pointed.emit(at.y(), at.x())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt: end dragging."""
        self._drag = None
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt: a double click."""
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
        """Qt: the space bar hides the overlay while it is held."""
        if event.key() != Qt.Key.Key_Space:
            event.ignore()
        elif not event.isAutoRepeat():
            self.held.emit(True)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Qt: the space bar was let go."""
        if event.key() != Qt.Key.Key_Space:
            event.ignore()
        elif not event.isAutoRepeat():
            self.held.emit(False)

    def leaveEvent(self, event: QEvent) -> None:
        """Qt: the cursor has left."""
        self.left.emit()
        super().leaveEvent(event)
