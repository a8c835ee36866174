"""Iso-lines of a map at its threshold."""

from __future__ import annotations

from functools import cache
from typing import Any

import contourpy
import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, color_table

# Traced on every second pixel of the map: still finer than the screen shows, and fast enough to drag.
STEP = 2
HALO = QColor(0, 0, 0, 120)
AROUND = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
WITHIN = ((-0.25, -0.25), (0.25, 0.25))
"""Where the lines of a halo, and of what it lies around, are drawn: pixels of the screen at 1x."""
AROUND_FINE = (*AROUND, (-0.75, -0.75), (0.75, -0.75), (-0.75, 0.75), (0.75, 0.75))
WITHIN_FINE = ((-0.3, -0.3), (0.3, -0.3), (-0.3, 0.3), (0.3, 0.3))
"""The same where a line of one pixel is thinner than at 1x."""
FINE = 1.5
"""Pixels of the screen for each at 1x, from which on they are fine."""
DASHES = (6.0, 4.0)
"""Of lines around evidence against, in pixels of the screen at 1x: colour is not the only carrier."""


def line_colors(settings: OverlaySettings, *, signed: bool) -> tuple[str, str]:
    """Colours of lines around what is positive and what is negative ("#rrggbb").

    Each is the one of its half of the colour table that stands out best over dark and light film alike: saturated and
    not dark.
    """
    return _line_colors(settings.colormap, signed=signed)


@cache
def _line_colors(colormap: str, *, signed: bool) -> tuple[str, str]:
    table = color_table(OverlaySettings(colormap=colormap), signed=signed).astype(np.float64)
    luminance = table @ (0.2126, 0.7152, 0.0722) / 255
    merit = (table.max(axis=1) - table.min(axis=1)) / 255 + 1.5 * np.minimum(luminance, 0.65)
    middle = len(table) // 2
    positive = table[middle + int(merit[middle:].argmax())]
    negative = table[int(merit[:middle].argmax())]
    first, second = (QColor(*(int(v) for v in color)).name() for color in (positive, negative))
    return first, second


class ContourItem(pg.GraphicsObject):
    """Lines around what is above the threshold: solid where positive, dashed where negative, on a dark halo."""

    def __init__(self) -> None:
        super().__init__()
        self._map: OverlayMap | None = None
        self._generator: Any = None
        self._positive, self._negative = QPainterPath(), QPainterPath()
        self._colors = ("#ffffff", "#ffffff")
        self._traced: tuple[float, bool, bool] | None = None
        self._bounds = QRectF()

    def show_map(self, overlay: OverlayMap | None, removed: npt.NDArray[np.bool_] | None = None) -> None:
        """Trace another map, without what is taken out: (h, w) as the map's values."""
        self.prepareGeometryChange()
        self._map, self._generator, self._traced = overlay, None, None
        self._positive, self._negative = QPainterPath(), QPainterPath()
        if overlay is None:
            self._bounds = QRectF()
            return
        top, left, bottom, right = overlay.box
        height, width = overlay.values.shape
        self.setTransform(QTransform.fromTranslate(left, top).scale((right - left) / width, (bottom - top) / height))
        self._bounds = QRectF(0, 0, width, height)
        if overlay.has_regions:
            values = overlay.values if removed is None else np.where(removed, np.float32(0), overlay.values)
            # A rim just below the threshold closes regions that touch the border.
            self._generator = contourpy.contour_generator(
                z=np.pad(values[::STEP, ::STEP], 1),
                name="serial",
                line_type=contourpy.LineType.ChunkCombinedNan,
            )

    def show_settings(self, settings: OverlaySettings) -> None:
        """Trace at another threshold, or draw in other colours."""
        overlay = self._map
        level = 0.0 if overlay is None else settings.threshold * overlay.scale
        if overlay is None or settings.style == "fill" or not settings.visible or level <= 0:
            self.setVisible(False)
            return
        self.setVisible(True)
        wanted = (
            level,
            settings.sign != "negative" or not overlay.signed,
            settings.sign != "positive" and overlay.signed,
        )
        if wanted != self._traced:  # opacity and colours change no line
            self._traced = wanted
            self._positive = self._trace(level) if wanted[1] else QPainterPath()
            self._negative = self._trace(-level) if wanted[2] else QPainterPath()
        self._colors = line_colors(settings, signed=overlay.signed)
        self.update()

    @property
    def is_empty(self) -> bool:
        """True where no line is drawn."""
        return not self.isVisible() or (self._positive.isEmpty() and self._negative.isEmpty())

    def _trace(self, level: float) -> QPainterPath:
        lines = self._generator.lines(level)[0][0] if self._generator is not None else None
        if lines is None:
            return QPainterPath()
        # Undo the rim and the step; samples stand for the centres of their pixels.
        points = (lines - 1) * STEP + 0.5
        path: QPainterPath = pg.arrayToQPath(points[:, 0], points[:, 1], connect="finite")
        return path

    def boundingRect(self) -> QRectF:
        """Qt: the map's extent."""
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem | None, widget: QWidget | None = None) -> None:
        """Qt: draw the halo below the lines."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        placed, ratio = painter.worldTransform(), painter.device().devicePixelRatioF()
        around, within = (AROUND, WITHIN) if ratio < FINE else (AROUND_FINE, WITHIN_FINE)
        for path, color, dashes in (
            (self._negative, self._colors[1], DASHES),
            (self._positive, self._colors[0], None),
        ):
            if path.isEmpty():
                continue
            # Qt draws lines one pixel wide ten times as fast as wider ones, so wide ones are made of several.
            for pen_color, places, is_dashed in ((HALO, around, False), (QColor(color), within, True)):
                pen = QPen(pen_color, 1)
                pen.setCosmetic(True)
                if dashes is not None and is_dashed:
                    pen.setDashPattern([length * ratio for length in dashes])
                painter.setPen(pen)
                for x, y in places:
                    painter.setWorldTransform(placed * QTransform.fromTranslate(x, y))
                    painter.drawPath(path)
        painter.setWorldTransform(placed)


def mask_path(mask: npt.NDArray[np.bool_], box: tuple[float, float, float, float]) -> QPainterPath:
    """Outline of a mask, in image coordinates.

    Parameters
    ----------
    mask : ndarray, (h, w) bool
    box : (float, float, float, float)
        Where it lies on the image: top, left, bottom, right.
    """
    generator = contourpy.contour_generator(
        z=np.pad(mask.astype(np.float32), 1), name="serial", line_type=contourpy.LineType.ChunkCombinedNan
    )
    points = generator.lines(0.5)[0][0]
    if points is None:
        return QPainterPath()
    top, left, bottom, right = box
    height, width = mask.shape
    points = points - 0.5
    path: QPainterPath = pg.arrayToQPath(
        left + points[:, 0] * ((right - left) / width), top + points[:, 1] * ((bottom - top) / height), connect="finite"
    )
    return path
