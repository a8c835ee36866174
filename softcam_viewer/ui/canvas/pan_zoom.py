"""PanZoomView: a part of an image, which the user moves and magnifies."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtGui import QResizeEvent, QTransform
from PySide6.QtWidgets import QGraphicsItem, QGraphicsView, QWidget

from softcam_viewer.ui.canvas.view import View
from softcam_viewer.ui.theme import current_theme

FIT_MARGIN = 0.98
ZOOM_LIMITS = (0.02, 64.0)
CLOSE_UP = 0.6
"""Part of the view that a place takes when it is looked at."""


class PanZoomView(pg.GraphicsView):
    """Coordinates are those of the image: (x, y) = (column, row), the first pixel spans [0, 1].

    Centre and scale are kept here rather than in the ViewBox, so that they survive resizing and can be shared.
    """

    viewed = Signal()  # the user looks at another part of the image

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=current_theme().canvas)
        self._box = pg.ViewBox(lockAspect=True, invertY=True, enableMouse=False, enableMenu=False, defaultPadding=0)
        self._box.disableAutoRange()
        # Whoever changes something asks for the paint: what the scene would ask for may come after the paint that the
        # window's layout asks for, and all would be painted twice.
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self.setCentralItem(self._box)
        self._size = (1, 1)
        self._centre = QPointF(0.5, 0.5)
        self._scale = 1.0
        self._fitted = True

    @property
    def scale_factor(self) -> float:
        """Screen pixels per image pixel."""
        return self._scale

    @property
    def view(self) -> View:
        """What part of the image is shown."""
        return View(self._centre.x(), self._centre.y(), self._scale, self._fitted, self._size)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self._size

    def set_image_size(self, size: tuple[int, int]) -> None:
        """Tell the size of the image; one of another size is fitted."""
        if size != self._size:
            self._size = size
            self._fit()

    def add_item(self, item: QGraphicsItem) -> None:
        """Show something that is drawn in coordinates of the image."""
        self._box.addItem(item, ignoreBounds=True)

    @property
    def to_widget(self) -> QTransform:
        """From (x, y) on the image to the widget."""
        origin = QPointF(self.width() / 2, self.height() / 2) - self._centre * self._scale
        return QTransform(self._scale, 0, 0, self._scale, origin.x(), origin.y())

    @property
    def image_area(self) -> QRectF:
        """Where the image is on the widget."""
        height, width = self._size
        return self.to_widget.mapRect(QRectF(0, 0, width, height))

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

    def zoom_to(self, top: float, left: float, bottom: float, right: float) -> None:
        """Look closely at a box of the image."""
        room = CLOSE_UP * self.width() / max(right - left, 1.0), CLOSE_UP * self.height() / max(bottom - top, 1.0)
        self._centre = QPointF((left + right) / 2, (top + bottom) / 2)
        self._scale = float(np.clip(min(room), *ZOOM_LIMITS))
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
        self._box.updateMatrix()  # else it is done while painting, and all is painted twice
        self.viewport().update()

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
