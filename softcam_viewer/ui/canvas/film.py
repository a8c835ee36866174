"""The film: a grey or colour image under a window, drawn sharp and without moiré at any zoom."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from softcam_core.imaging.image import Pixels, Window

# Enlarged further than this, pixels are drawn as squares so that single values can be told apart.
SMOOTH_UP_TO = 6.0


class FilmItem(pg.GraphicsObject):
    """A film in image coordinates: (x, y) = (column, row), the first pixel spans [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self._levels: list[Pixels] = []
        self._window = Window.from_limits(0, 1)
        self._inverted = False
        self._drawn: tuple[int, QImage] | None = None

    def set_film(self, presentation: Pixels | None) -> None:
        """Show another film, (H, W) float32 or (H, W, 3) uint8, or none."""
        self.prepareGeometryChange()
        self._levels = [] if presentation is None else [presentation]
        self._drawn = None
        self.update()

    def set_window(self, window: Window, *, inverted: bool) -> None:
        """Map values to grey."""
        self._window, self._inverted = window, inverted
        self._drawn = None
        self.update()

    def boundingRect(self) -> QRectF:
        """Qt: the film's extent."""
        if not self._levels:
            return QRectF()
        height, width = self._levels[0].shape[:2]
        return QRectF(0, 0, width, height)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Qt: draw the halved copy that is just finer than the screen."""
        if not self._levels:
            return
        scale = option.levelOfDetailFromTransform(painter.deviceTransform())
        level = max(0, int(np.floor(-np.log2(scale) + 1e-6))) if scale > 0 else 0
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < SMOOTH_UP_TO)
        painter.drawImage(self.boundingRect(), self._image(level))

    def _image(self, level: int) -> QImage:
        while len(self._levels) <= level and min(self._levels[-1].shape[:2]) > 1:
            height, width = self._levels[-1].shape[:2]
            half = (max(1, width // 2), max(1, height // 2))
            self._levels.append(cv2.resize(self._levels[-1], half, interpolation=cv2.INTER_AREA))
        level = min(level, len(self._levels) - 1)
        if self._drawn is None or self._drawn[0] != level:
            self._drawn = level, to_image(grey_levels(self._levels[level], self._window, inverted=self._inverted))
        return self._drawn[1]


def grey_levels(presentation: Pixels, window: Window, *, inverted: bool) -> npt.NDArray[np.uint8]:
    """Window values into 0 to 255; the shape stays."""
    if window.function == "SIGMOID":
        grey = np.rint(window.apply(presentation) * 255).astype(np.uint8)
    else:
        lower, upper = window.limits
        gain = 255 / (upper - lower)
        # One pass that saturates; thrice as fast as numpy on large films.
        grey = np.asarray(
            cv2.addWeighted(presentation, gain, presentation, 0, -lower * gain, dtype=cv2.CV_8U),
            dtype=np.uint8,
        )
    return np.asarray(cv2.bitwise_not(grey), dtype=np.uint8) if inverted else grey


def to_image(pixels: npt.NDArray[np.uint8]) -> QImage:
    """Copy (H, W) or (H, W, 3) uint8 into a QImage."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    kind = QImage.Format.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format.Format_RGB888
    return QImage(pixels.data, width, height, pixels.strides[0], kind).copy()
