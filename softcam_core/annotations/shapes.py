"""Places on an image, exactly as they were drawn or taken over from a map.

All positions are in pixels of the image, rows before columns, with pixel edges at whole numbers. A shape may reach
beyond the image; what counts of it is what lies within.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from softcam_core.imaging.polygon import polygon_mask

FloatArray = npt.NDArray[np.float64]
Coverage = npt.NDArray[np.float32]
Bounds = tuple[float, float, float, float]
"""Top, left, bottom, right."""
Point = tuple[float, float]
"""Row, column."""

ELLIPSE_CORNERS = 180
"""Of the polygon that an ellipse is filled as; its area is 0.02 % smaller."""
FARTHEST = 1e6
"""Pixels from the image's corner that a shape may reach."""

Position = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
Length = Annotated[float, Field(gt=0, le=2 * FARTHEST)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rectangle(_Shape):
    """A box along the image's sides."""

    kind: Literal["rectangle"] = "rectangle"
    top: Position
    left: Position
    height: Length
    width: Length

    @property
    def bounds(self) -> Bounds:
        """Top, left, bottom, right."""
        return self.top, self.left, self.top + self.height, self.left + self.width

    @property
    def outline(self) -> tuple[tuple[Point, ...], ...]:
        """Closed lines around it, as corners."""
        top, left, bottom, right = self.bounds
        return (((top, left), (top, right), (bottom, right), (bottom, left)),)

    def moved(self, down: float, across: float) -> Rectangle:
        """The same elsewhere."""
        return self.model_copy(update={"top": self.top + down, "left": self.left + across})

    def scaled(self, down: float, across: float) -> Rectangle:
        """The same with all positions multiplied."""
        return self.model_copy(
            update={
                **{"top": self.top * down, "height": self.height * down},
                **{"left": self.left * across, "width": self.width * across},
            }
        )

    def coverage(self, image_size: tuple[int, int]) -> Coverage:
        """How much of each pixel lies within, (H, W) 0 to 1."""
        return _box_coverage(np.ones((1, 1), np.float32), self.bounds, image_size)


class Ellipse(_Shape):
    """An ellipse along the image's sides.

    Attributes
    ----------
    row, column : float
        Of its centre.
    down, across : float
        Half its height and half its width.
    """

    kind: Literal["ellipse"] = "ellipse"
    row: Position
    column: Position
    down: Length
    across: Length

    @property
    def bounds(self) -> Bounds:
        """Top, left, bottom, right."""
        return self.row - self.down, self.column - self.across, self.row + self.down, self.column + self.across

    @property
    def outline(self) -> tuple[tuple[Point, ...], ...]:
        """A closed line around it, as corners."""
        angles = [2 * math.pi * i / ELLIPSE_CORNERS for i in range(ELLIPSE_CORNERS)]
        return (tuple((self.row + self.down * math.sin(a), self.column + self.across * math.cos(a)) for a in angles),)

    def moved(self, down: float, across: float) -> Ellipse:
        """The same elsewhere."""
        return self.model_copy(update={"row": self.row + down, "column": self.column + across})

    def scaled(self, down: float, across: float) -> Ellipse:
        """The same with all positions multiplied."""
        return self.model_copy(
            update={
                **{"row": self.row * down, "down": self.down * down},
                **{"column": self.column * across, "across": self.across * across},
            }
        )

    def coverage(self, image_size: tuple[int, int]) -> Coverage:
        """How much of each pixel lies within, (H, W) 0 to 1."""
        return polygon_mask(self.outline[0], image_size)


class Polygon(_Shape):
    """A closed outline.

    Attributes
    ----------
    points : tuple of (float, float)
        At least three corners; the last is joined to the first. Where the outline crosses itself, places that it goes
        around an even number of times are outside.
    is_freehand : bool
        True where it was drawn in one go, corner by corner otherwise.
    """

    kind: Literal["polygon"] = "polygon"
    points: Annotated[tuple[tuple[Position, Position], ...], Field(min_length=3)]
    is_freehand: bool = False

    @property
    def bounds(self) -> Bounds:
        """Top, left, bottom, right."""
        rows, columns = zip(*self.points, strict=True)
        return min(rows), min(columns), max(rows), max(columns)

    @property
    def outline(self) -> tuple[tuple[Point, ...], ...]:
        """The outline itself."""
        return (self.points,)

    @property
    def crosses_itself(self) -> bool:
        """True where two of its sides meet other than at a common corner."""
        return _crosses_itself(np.asarray(self.points, dtype=np.float64))

    def moved(self, down: float, across: float) -> Polygon:
        """The same elsewhere."""
        return self.model_copy(update={"points": tuple((row + down, column + across) for row, column in self.points)})

    def scaled(self, down: float, across: float) -> Polygon:
        """The same with all positions multiplied."""
        return self.model_copy(update={"points": tuple((row * down, column * across) for row, column in self.points)})

    def coverage(self, image_size: tuple[int, int]) -> Coverage:
        """How much of each pixel lies within, (H, W) 0 to 1."""
        return polygon_mask(self.points, image_size)


class Bitmap(_Shape):
    """Cells of a raster that lies in a box of the image: a brush's strokes, or a region of a map.

    Attributes
    ----------
    top, left, bottom, right : float
        The box. A brush's raster is the image's own: a box of whole numbers, and one cell a pixel.
    size : (int, int)
        Cells along rows and columns.
    counts : tuple of int
        Lengths of runs, row by row, of cells that are not in it and that are, in turn, beginning with those that are
        not.
    """

    kind: Literal["bitmap"] = "bitmap"
    top: Position
    left: Position
    bottom: Position
    right: Position
    size: tuple[Annotated[int, Field(ge=1, le=16384)], Annotated[int, Field(ge=1, le=16384)]]
    counts: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not (self.bottom > self.top and self.right > self.left):
            raise ValueError("the box of a bitmap must not be empty")
        if sum(self.counts) != self.size[0] * self.size[1]:
            raise ValueError("the runs of a bitmap must add up to its cells")
        return self

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_], box: Bounds) -> Bitmap | None:
        """Cells that are True, cut down to where there are any; None where there are none.

        Parameters
        ----------
        mask : ndarray, (h, w) bool
        box : (float, float, float, float)
            Where the mask lies on the image.
        """
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return None
        first_row, last_row, first, last = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        top, left, bottom, right = box
        down, across = (bottom - top) / mask.shape[0], (right - left) / mask.shape[1]
        cut = mask[first_row:last_row, first:last]
        changes = np.flatnonzero(np.diff(np.concatenate(([False], cut.ravel()))))
        counts = np.diff(np.concatenate(([0], changes, [cut.size])))
        return cls(
            top=top + first_row * down,
            left=left + first * across,
            bottom=top + last_row * down,
            right=left + last * across,
            size=(cut.shape[0], cut.shape[1]),
            counts=tuple(int(count) for count in counts),
        )

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(h, w) bool, True for cells that are in it."""
        flat = np.repeat(np.arange(len(self.counts)) % 2 == 1, self.counts)
        return np.asarray(flat.reshape(self.size))

    @property
    def bounds(self) -> Bounds:
        """Top, left, bottom, right."""
        return self.top, self.left, self.bottom, self.right

    def moved(self, down: float, across: float) -> Bitmap:
        """The same elsewhere."""
        return self.model_copy(
            update={
                **{"top": self.top + down, "bottom": self.bottom + down},
                **{"left": self.left + across, "right": self.right + across},
            }
        )

    def scaled(self, down: float, across: float) -> Bitmap:
        """The same with all positions multiplied."""
        return self.model_copy(
            update={
                **{"top": self.top * down, "bottom": self.bottom * down},
                **{"left": self.left * across, "right": self.right * across},
            }
        )

    def coverage(self, image_size: tuple[int, int]) -> Coverage:
        """How much of each pixel lies within, (H, W) 0 to 1."""
        return _box_coverage(self.mask.astype(np.float32), self.bounds, image_size)


Shape = Annotated[Rectangle | Ellipse | Polygon | Bitmap, Field(discriminator="kind")]
SHAPES: TypeAdapter[Shape] = TypeAdapter(Shape)
"""Reads and writes shapes as JSON."""


def area_of(shape: Shape, image_size: tuple[int, int]) -> float:
    """Pixels of the image that a shape covers."""
    return float(shape.coverage(image_size).sum(dtype=np.float64))


def _box_coverage(cells: Coverage, box: Bounds, image_size: tuple[int, int]) -> Coverage:
    """Spread cells (h, w) that lie in a box over the image's pixels."""
    top, left, bottom, right = box
    (first_row, last_row), (first, last) = (
        (max(0, math.floor(low)), min(size, math.ceil(high)))
        for low, high, size in ((top, bottom, image_size[0]), (left, right, image_size[1]))
    )
    out = np.zeros(image_size, np.float32)
    if first_row < last_row and first < last:
        rows = _spread(np.asarray(cells, np.float64), top, bottom, first_row, last_row)
        part = _spread(rows.T, left, right, first, last).T
        # Sums of parts of one pixel may exceed it by rounding.
        out[first_row:last_row, first:last] = np.clip(part, 0, 1)
    return out


def _spread(cells: FloatArray, low: float, high: float, first: int, last: int) -> FloatArray:
    """What each pixel from `first` to before `last` takes of cells (n, m) that tile low to high: (pixels, m)."""
    count = len(cells)
    step = (high - low) / count
    position = np.clip((np.arange(first, last + 1) - low) / step, 0, count)
    whole = np.minimum(position.astype(np.intp), count - 1)
    before = np.concatenate((np.zeros((1, cells.shape[1])), np.cumsum(cells, axis=0)))
    up_to = before[whole] + (position - whole)[:, None] * cells[whole]
    return np.asarray(np.diff(up_to, axis=0) * step)


def _crosses_itself(corners: FloatArray) -> bool:
    count = len(corners)
    starts, ends = corners, np.roll(corners, -1, axis=0)
    for i in range(count - 2):
        last = count - 1 if i == 0 else count  # the last side ends where the first begins
        others = slice(i + 2, last)
        if _cross(starts[i], ends[i], starts[others], ends[others]).any():
            return True
    return False


def _cross(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> npt.NDArray[np.bool_]:
    """Which of the lines from c to d the line from a to b crosses or touches."""

    def side(p: FloatArray, q: FloatArray, r: FloatArray) -> FloatArray:
        along, aside = q - p, r - p
        return np.asarray(np.sign(along[..., 0] * aside[..., 1] - along[..., 1] * aside[..., 0]))

    apart = (side(a, b, c) * side(a, b, d) > 0) | (side(c, d, a) * side(c, d, b) > 0)
    # On one line: they meet where their boxes do.
    boxes_meet = (np.minimum(a, b) <= np.maximum(c, d)).all(-1) & (np.minimum(c, d) <= np.maximum(a, b)).all(-1)
    return np.asarray(~apart & boxes_meet)
