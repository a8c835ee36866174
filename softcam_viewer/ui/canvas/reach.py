"""Distances on the screen: what is near enough to the cursor to be meant."""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF

from softcam_core.annotations.shapes import Point

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.pan_zoom import PanZoomView

REACH = 8.0
"""So near, on the screen, an end or a line is meant."""
LEAST_DRAG = 4.0
"""What is shorter on the screen was a click."""
OUTLINE_STEP = 2.0
"""Between two corners of an outline that is drawn in one go, on the screen."""


def distance(a: QPointF, b: QPointF) -> float:
    """From one position to another."""
    return hypot(a.x() - b.x(), a.y() - b.y())


def distance_to_line(position: QPointF, begin: QPointF, end: QPointF) -> float:
    """From a position to the line between two others."""
    along = end - begin
    square = QPointF.dotProduct(along, along)
    share = QPointF.dotProduct(position - begin, along) / square if square else 0.0
    return distance(position, begin + along * min(max(share, 0.0), 1.0))


def place_on(view: PanZoomView, position: QPointF) -> Point:
    """Row and column on the image under a position of the widget, held within the image."""
    at, (height, width) = view.image_position(position), view.image_size
    return min(max(at.y(), 0.0), float(height)), min(max(at.x(), 0.0), float(width))
