"""The film: a grey or colour image under a window, drawn sharp and without moiré at any zoom."""

from __future__ import annotations

from collections import OrderedDict
from weakref import WeakValueDictionary

import cv2
import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from softcam_core.imaging.image import Pixels, Window

# Enlarged further than this, pixels are drawn as squares so that single values can be told apart.
SMOOTH_UP_TO = 6.0
MOST_DRAWN = 3
"""Pictures of a film that are kept: panes may show it at two sizes, and a lens at a third."""


class Pyramid:
    """A film, its halved copies and what they look like under the last windows.

    Panes that show the same film share it, so that a change of its window is computed once for all of them.

    Parameters
    ----------
    presentation : ndarray, (H, W) float32 or (H, W, 3) uint8
    """

    def __init__(self, presentation: Pixels) -> None:
        self._levels = [presentation]
        self._drawn: OrderedDict[tuple[int, Window, bool], QImage] = OrderedDict()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the film."""
        height, width = self._levels[0].shape[:2]
        return height, width

    def image(self, level: int, window: Window, *, inverted: bool) -> QImage:
        """The film, or the copy halved so many times, under a window."""
        while len(self._levels) <= level and min(self._levels[-1].shape[:2]) > 1:
            height, width = self._levels[-1].shape[:2]
            half = (max(1, width // 2), max(1, height // 2))
            self._levels.append(cv2.resize(self._levels[-1], half, interpolation=cv2.INTER_AREA))
        level = min(level, len(self._levels) - 1)
        wanted = level, window, inverted
        if wanted not in self._drawn:
            self._drawn[wanted] = to_image(grey_levels(self._levels[level], window, inverted=inverted))
            if len(self._drawn) > MOST_DRAWN:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(wanted)
        return self._drawn[wanted]


# By the id of the film, which no other can have for as long as its pyramid holds it.
_pyramids: WeakValueDictionary[int, Pyramid] = WeakValueDictionary()


def pyramid_of(presentation: Pixels) -> Pyramid:
    """The pyramid of a film: one for all that show it."""
    pyramid = _pyramids.get(id(presentation))
    if pyramid is None:
        pyramid = _pyramids[id(presentation)] = Pyramid(presentation)
    return pyramid


class FilmItem(pg.GraphicsObject):
    """A film in image coordinates: (x, y) = (column, row), the first pixel spans [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self._pyramid: Pyramid | None = None
        self._window = Window.from_limits(0, 1)
        self._inverted = False
        self._picture = QImage()
        self._shown: tuple[object, ...] = ()

    def set_film(self, presentation: Pixels | None) -> None:
        """Show another film, (H, W) float32 or (H, W, 3) uint8, or none."""
        self.prepareGeometryChange()
        self._pyramid = None if presentation is None else pyramid_of(presentation)
        self.update()

    def set_window(self, window: Window, *, inverted: bool) -> None:
        """Map values to grey."""
        self._window, self._inverted = window, inverted
        self.update()

    def boundingRect(self) -> QRectF:
        """Qt: the film's extent."""
        if self._pyramid is None:
            return QRectF()
        height, width = self._pyramid.size
        return QRectF(0, 0, width, height)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem | None, widget: QWidget | None = None) -> None:
        """Qt: draw the halved copy that is just finer than the screen."""
        if self._pyramid is None:
            return
        scale = QStyleOptionGraphicsItem.levelOfDetailFromTransform(painter.deviceTransform())
        level = max(0, int(np.floor(-np.log2(scale) + 1e-6))) if scale > 0 else 0
        image = self._pyramid.image(level, self._window, inverted=self._inverted)
        if widget is None:
            self._draw(painter, image, scale)
        else:
            self._draw_again(painter, image, scale, widget)

    def _draw(self, painter: QPainter, image: QImage, scale: float) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < SMOOTH_UP_TO)
        painter.drawImage(self.boundingRect(), image)

    def _draw_again(self, painter: QPainter, image: QImage, scale: float, widget: QWidget) -> None:
        """As it was drawn last, where only the map over it has changed: in pixels of the screen, so it is sharp."""
        device = painter.deviceTransform()
        from_widget = painter.worldTransform().inverted()[0] * device
        room = from_widget.mapRect(QRectF(widget.rect())).toAlignedRect()
        visible = device.mapRect(self.boundingRect()).toAlignedRect().intersected(room)
        if visible.isEmpty():
            return
        shown = image.cacheKey(), device, visible
        if shown != self._shown:
            self._picture = QImage(visible.size(), QImage.Format.Format_ARGB32_Premultiplied)
            self._picture.fill(0)
            inner = QPainter(self._picture)
            inner.setTransform(device * QTransform.fromTranslate(-visible.x(), -visible.y()))
            self._draw(inner, image, scale)
            inner.end()
            self._shown = shown
        painter.save()
        painter.setWorldTransform(from_widget.inverted()[0])
        painter.drawImage(visible.topLeft(), self._picture)
        painter.restore()


def grey_levels(presentation: Pixels, window: Window, *, inverted: bool) -> npt.NDArray[np.uint8]:
    """Window values into 0 to 255; the shape stays."""
    lower, upper = window.limits
    if window.function == "SIGMOID" or not lower < upper:  # a curve, or a step
        grey = np.rint(window.apply(presentation) * 255).astype(np.uint8)
    else:
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
