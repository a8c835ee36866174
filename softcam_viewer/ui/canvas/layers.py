"""What is marked over an image besides its map: places that are pointed out, left out or known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from softcam_viewer.ui.canvas.contours import mask_path
from softcam_viewer.ui.canvas.drawing import (
    ACCENT,
    CHIP,
    CHIP_HEIGHT,
    CHIP_PADDING,
    KNOWN,
    TEXT,
    chip,
    chip_place,
    haloed,
    mark_font,
    polygon_path,
)

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

MARGIN = 10.0
"""Of words in the view to its edge."""
Box = tuple[float, float, float, float]
"""Top, left, bottom and right on the image, in pixels."""


class Outline(Protocol):
    """A place drawn by hand; see `softcam_viewer.model.weighing.Shape`."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def points(self) -> Sequence[tuple[float, float]]:
        """Corners as (row, column) in pixels of the image."""
        ...


class Layer(Protocol):
    """Marks over an image."""

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw in coordinates of the widget."""
        ...


def area_of(box: Box) -> QRectF:
    """A box as a rectangle in image coordinates."""
    top, left, bottom, right = box
    return QRectF(left, top, right - left, bottom - top)


def path_of(points: Sequence[tuple[float, float]]) -> QPainterPath:
    """A closed line through points (row, column), in image coordinates."""
    return polygon_path([QPointF(column, row) for row, column in points], closed=True)


def label(painter: QPainter, view: ImageView, corner: QPointF, text: str, color: str) -> None:
    """Words on a plate that stands on a corner of a shape, within the view."""
    width = QFontMetricsF(mark_font(bold=True)).horizontalAdvance(text) + 2 * CHIP_PADDING
    x = max(2.0, min(corner.x(), view.width() - width - 2))
    y = max(2.0, min(corner.y() - CHIP_HEIGHT - 3, view.height() - CHIP_HEIGHT - 2))
    chip(painter, QRectF(x, y, width, CHIP_HEIGHT), text, color)


class Highlight:
    """A place that is pointed out."""

    def __init__(self) -> None:
        self.path: QPainterPath | None = None

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw its outline, and tint it a little."""
        if self.path is not None:
            path = view.to_widget.map(self.path)
            painter.fillPath(path, QColor(86, 184, 255, 38))
            haloed(painter, path, ACCENT, 2)


class Removed:
    """What does not count: hatched within a dashed line, the image unobscured."""

    def __init__(self) -> None:
        self.path: QPainterPath | None = None

    def set_mask(self, mask: npt.NDArray[np.bool_] | None, box: Box) -> None:
        """Mark what is True in a mask that lies in a box of the image, or nothing."""
        self.path = None if mask is None or not mask.any() else mask_path(mask, box)

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw it."""
        if self.path is None:
            return
        path = view.to_widget.map(self.path)
        hatch = QBrush(QColor(255, 255, 255, 95), Qt.BrushStyle.BDiagPattern)
        # The lines move with the image.
        painter.setBrushOrigin(view.to_widget.map(QPointF(0, 0)).toPoint())
        painter.fillPath(path, hatch)
        haloed(painter, path, TEXT, 1.4, (4, 3))


class Shapes:
    """Places drawn by hand, with their names."""

    def __init__(self) -> None:
        self.shapes: tuple[Outline, ...] = ()

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw them."""
        for shape in self.shapes:
            path = view.to_widget.map(path_of(shape.points))
            haloed(painter, path, TEXT, 1.6)
            label(painter, view, path.boundingRect().topLeft(), shape.name, TEXT)


class Annotations:
    """Boxes and a mask that are known of the case."""

    def __init__(self) -> None:
        self.boxes: tuple[Box, ...] = ()
        self.mask: QPainterPath | None = None
        self.name = ""
        self.is_shown = True

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw them: thin, with corners that no contour has, and a label."""
        if not self.is_shown:
            return
        for box in self.boxes:
            area = view.to_widget.mapRect(area_of(box))
            path = QPainterPath()
            path.addRect(area)
            haloed(painter, path, KNOWN, 1.2)
            haloed(painter, _corners(area), KNOWN, 3)
            label(painter, view, area.topLeft(), self.name, KNOWN)
        if self.mask is not None:
            path = view.to_widget.map(self.mask)
            haloed(painter, path, KNOWN, 1.4, (1, 3))
            if not self.boxes:
                label(painter, view, path.boundingRect().topLeft(), self.name, KNOWN)


def _corners(area: QRectF) -> QPainterPath:
    path = QPainterPath()
    arm = min(10.0, area.width() / 3, area.height() / 3)
    for x, inward in ((area.left(), arm), (area.right(), -arm)):
        for y, down in ((area.top(), arm), (area.bottom(), -arm)):
            path.moveTo(x + inward, y)
            path.lineTo(x, y)
            path.lineTo(x, y + down)
    return path


class Cells:
    """The grid cell under the cursor, and what the network sees of the image from there."""

    def __init__(self) -> None:
        self.cell: Box | None = None
        self.field: Box | None = None

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw both."""
        for box, dashes, width in ((self.field, (2, 3), 1.2), (self.cell, (), 1.6)):
            if box is not None:
                path = QPainterPath()
                path.addRect(view.to_widget.mapRect(area_of(box)))
                haloed(painter, path, ACCENT, width, dashes)


class Hint:
    """What would happen if something was let go here."""

    def __init__(self) -> None:
        self.text = ""

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Tint the view, and say it in the middle."""
        if not self.text:
            return
        area = QRectF(view.rect()).adjusted(3, 3, -3, -3)
        path = QPainterPath()
        path.addRoundedRect(area, 6, 6)
        painter.fillPath(path, QColor(86, 184, 255, 60))
        haloed(painter, path, ACCENT, 2, (4, 3))
        place = chip_place(QPointF(0, 0), self.text, area, 0)
        place.moveCenter(area.center())
        chip(painter, place, self.text)


class Remark:
    """What there is to say about what was done last."""

    def __init__(self) -> None:
        self.text = ""

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Say it below in the middle, in as many lines as it takes."""
        if not self.text:
            return
        area = QRectF(view.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        room = area.adjusted(CHIP_PADDING, 0, -CHIP_PADDING, 0)
        words = QFontMetricsF(mark_font()).boundingRect(room, int(flags), self.text)
        plate = words.adjusted(-CHIP_PADDING - 2, -5, CHIP_PADDING + 2, 5)
        plate.moveCenter(QPointF(area.center().x(), area.bottom() - plate.height() / 2))
        painter.setPen(QPen(QColor(255, 255, 255, 40), 1))
        painter.setBrush(CHIP)
        painter.drawRoundedRect(plate, 4, 4)
        painter.setFont(mark_font())
        painter.setPen(QColor(TEXT))
        painter.drawText(plate, int(flags), self.text)
