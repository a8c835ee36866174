"""The image, the evidence over it and what is marked on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from softcam_core.annotations.annotation import Annotation, Verdict
from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, lookup_table
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.annotation_layer import Marks
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
    Remark,
    Removed,
    Shapes,
    area_of,
)
from softcam_viewer.ui.canvas.pan_zoom import PanZoomView
from softcam_viewer.ui.canvas.pointer import Crosshair, Lens
from softcam_viewer.ui.theme import DARK


class MarkedView(PanZoomView):
    """One film with one overlay and what is marked on them; `ImageView` adds the mouse.

    Parameters
    ----------
    tools : Tools
        Say what is shown beside the maps.
    """

    def __init__(self, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.setRenderHint(QPainter.RenderHint.Antialiasing)  # smooth contours
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
        self._map: OverlayMap | None = None
        self._settings = OverlaySettings()
        self._removed_mask: npt.NDArray[np.bool_] | None = None
        self._tools = tools
        self.marks = Marks()
        self._highlight, self._removed, self._shapes = Highlight(), Removed(), Shapes()
        self._annotations, self._cells, self._hint, self._remark = Annotations(), Cells(), Hint(), Remark()
        self._crosshair, self._lens = Crosshair(), Lens()
        self._below: tuple[Layer, ...] = (
            *(self._removed, self._annotations, self._shapes),
            *(self.marks, self._highlight, self._cells),
        )
        self._begun: tuple[Layer, ...] = ()  # what the mouse draws
        self._above: tuple[Layer, ...] = (self._lens, self._crosshair, self._remark, self._hint)
        tools.shown_changed.connect(self._on_shown_changed)

    # What is shown

    def show_image(self, image: MedicalImage | None) -> None:
        """Show another image; keeps the view where the size is the same (frames, follow-ups of one device)."""
        self._film.set_film(None if image is None else image.presentation)
        self.show_pointer(None)
        self.highlight(None)
        if image is None:
            self.show_overlay(None, OverlaySettings())
            return
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

    def show_marks(
        self, marks: Sequence[Annotation], selected: str = "", verdict: Verdict = "wrong", reviewer: str = ""
    ) -> None:
        """Show what people said about places of the image.

        Parameters
        ----------
        marks : sequence of Annotation
            From the lowest to the topmost.
        selected : str
            Id of the one that is chosen, "" for none.
        verdict : {"wrong", "correct", "missed", "unsure"}
            That drawing gives: what is being drawn looks like it.
        reviewer : str
            Whose marks are drawn as usual; those of others are thinner.
        """
        self.marks.show(marks, selected, verdict, reviewer)
        self.viewport().update()

    def show_remark(self, text: str) -> None:
        """Say something about what was done last; "" for nothing."""
        if text != self._remark.text:
            self._remark.text = text
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
        for layer in (*self._below, *self._begun, *self._above):
            layer.paint(painter, self)

    def _on_shown_changed(self) -> None:
        self._annotations.is_shown = self._tools.shows_annotations
        self.marks.is_shown = self._tools.shows_marks
        self._lens.factor = self._tools.magnification
        if not self._tools.shows_crosshair:
            self._crosshair.at = None
        if not self._tools.shows_cells:
            self._cells.cell = self._cells.field = None
        self.viewport().update()
