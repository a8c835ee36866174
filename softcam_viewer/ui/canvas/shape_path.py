"""Shapes as Qt draws them."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainterPath

from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Shape
from softcam_viewer.ui.canvas.contours import mask_path
from softcam_viewer.ui.canvas.layers import path_of

KEPT = 512
"""Outlines, which all panes share: those of bitmaps take a while to trace."""


@lru_cache(KEPT)
def path_of_shape(shape: Shape) -> QPainterPath:
    """Outline of a shape, in image coordinates (x, y); it must not be changed."""
    if isinstance(shape, Bitmap):
        return mask_path(shape.mask, shape.bounds)
    if isinstance(shape, Polygon):
        return path_of(shape.points)
    top, left, bottom, right = shape.bounds
    path, area = QPainterPath(), QRectF(left, top, right - left, bottom - top)
    if isinstance(shape, Ellipse):
        path.addEllipse(area)
    else:
        path.addRect(area)
    return path
