"""Shapes as people change them with the mouse: between two corners, by their handles, and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from softcam_core.annotations.shapes import Bitmap, Ellipse, Point, Polygon, Rectangle, Shape

FEWEST = 3
"""Corners of a polygon."""


def box_between(
    kind: Literal["rectangle", "ellipse"], begin: Point, end: Point, image_size: tuple[int, int], *, even: bool = False
) -> Rectangle | Ellipse | None:
    """The rectangle or the ellipse that a drag draws from corner to corner; None where it has no height or no width.

    Parameters
    ----------
    kind : {"rectangle", "ellipse"}
    begin, end : (float, float)
        Row and column, within the image.
    image_size : (int, int)
    even : bool
        A square or a circle, as large as the longer side where the image has room for it.
    """
    down, across = end[0] - begin[0], end[1] - begin[1]
    if even:
        room = [
            size - start if by >= 0 else start
            for start, by, size in zip(begin, (down, across), image_size, strict=True)
        ]
        side = min(max(abs(down), abs(across)), *room)
        down, across = (side if by >= 0 else -side for by in (down, across))
    rows, columns = sorted((begin[0], begin[0] + down)), sorted((begin[1], begin[1] + across))
    return _box(kind, rows[0], columns[0], rows[1], columns[1])


def _box(
    kind: Literal["rectangle", "ellipse"], top: float, left: float, bottom: float, right: float
) -> Rectangle | Ellipse | None:
    height, width = bottom - top, right - left
    if not (height / 2 > 0 and width / 2 > 0):  # half of the smallest number there is is 0
        return None
    if kind == "rectangle":
        return Rectangle(top=top, left=left, height=height, width=width)
    return Ellipse(row=top + height / 2, column=left + width / 2, down=height / 2, across=width / 2)


def handles_of(shape: Shape) -> tuple[Point, ...]:
    """Places by which a shape is changed: corners, or the ends of an ellipse's axes; a bitmap has none."""
    if isinstance(shape, Bitmap):
        return ()
    if isinstance(shape, Polygon):
        return shape.points
    top, left, bottom, right = shape.bounds
    if isinstance(shape, Rectangle):
        return (top, left), (top, right), (bottom, right), (bottom, left)
    return (top, shape.column), (shape.row, right), (bottom, shape.column), (shape.row, left)


def with_handle(shape: Shape, index: int, to: Point) -> Shape | None:
    """The same with one handle elsewhere, and the one opposite where it was; None where nothing would be left."""
    if isinstance(shape, Polygon):
        points = (*shape.points[:index], to, *shape.points[index + 1 :])
        return shape.model_copy(update={"points": points})
    if isinstance(shape, Bitmap):
        return None
    top, left, bottom, right = shape.bounds
    if isinstance(shape, Rectangle):
        opposite = handles_of(shape)[(index + 2) % 4]
        rows, columns = sorted((opposite[0], to[0])), sorted((opposite[1], to[1]))
    else:
        rows = sorted((bottom if index == 0 else top, to[0])) if index % 2 == 0 else [top, bottom]
        columns = sorted((left if index == 1 else right, to[1])) if index % 2 else [left, right]
    return _box(shape.kind, rows[0], columns[0], rows[1], columns[1])


def with_corner(polygon: Polygon, side: int, at: Point) -> Polygon:
    """A polygon with one more corner on the side that begins at a corner's index."""
    points = (*polygon.points[: side + 1], at, *polygon.points[side + 1 :])
    return polygon.model_copy(update={"points": points})


def without_corner(polygon: Polygon, index: int) -> Polygon | None:
    """A polygon without one of its corners; None where it would have fewer than three."""
    if len(polygon.points) <= FEWEST:
        return None
    return polygon.model_copy(update={"points": polygon.points[:index] + polygon.points[index + 1 :]})


def move_within(shape: Shape, down: float, across: float, image_size: tuple[int, int]) -> tuple[float, float]:
    """How far a shape can be moved of what is wanted, so that it still touches the image.

    Parameters
    ----------
    shape : Shape
        Painted ones move by whole pixels.
    down, across : float
        Pixels of the image.
    image_size : (int, int)
    """
    top, left, bottom, right = shape.bounds
    moves = []
    for low, high, by, size in ((top, bottom, down, image_size[0]), (left, right, across, image_size[1])):
        least = min(1.0, high - low)
        moves.append(min(max(by, least - high), size - least - low))
    if is_painted(shape):
        moves = [float(round(by)) for by in moves]
    return moves[0], moves[1]


def is_painted(shape: Shape) -> bool:
    """True for a bitmap whose raster is the image's own."""
    if not isinstance(shape, Bitmap):
        return False
    top, left, bottom, right = shape.bounds
    is_whole = all(float(edge).is_integer() for edge in shape.bounds)
    return is_whole and shape.size == (round(bottom - top), round(right - left))


def thickness(points: Sequence[Point]) -> float:
    """Extent of points across their longest direction, 0 where they lie on one line."""
    centred = np.asarray(points, dtype=np.float64) - np.mean(points, axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1]
    return float(np.ptp(centred @ axes[:, 0]))
