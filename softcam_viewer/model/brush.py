"""Brush and eraser: places that are painted, on the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Self

import numpy as np
import numpy.typing as npt

from softcam_core.annotations.shapes import Bitmap, Ellipse, Point, Polygon, Shape

Mask = npt.NDArray[np.bool_]
Centres = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels of an image.

    Attributes
    ----------
    mask : ndarray, (h, w) bool
    top, left : int
        Row and column of its first pixel on the image.
    """

    mask: Mask
    top: int
    left: int

    @classmethod
    def of(cls, shape: Shape, image_size: tuple[int, int]) -> Self:
        """Pixels of the image whose centres lie within a shape."""
        top, left, bottom, right = shape.bounds
        first_row, last_row = _span(top, bottom, image_size[0])
        first, last = _span(left, right, image_size[1])
        rows: Centres = np.arange(first_row, last_row, dtype=np.float64) + 0.5
        columns: Centres = np.arange(first, last, dtype=np.float64) + 0.5
        if isinstance(shape, Bitmap):
            cells = [
                np.clip(((at - low) / (high - low) * count).astype(int), 0, count - 1)
                for at, low, high, count in zip((rows, columns), (top, left), (bottom, right), shape.size, strict=True)
            ]
            mask = shape.mask[np.ix_(*cells)]
        elif isinstance(shape, Ellipse):
            down, across = (rows - shape.row) / shape.down, (columns - shape.column) / shape.across
            mask = down[:, None] ** 2 + across**2 <= 1
        elif isinstance(shape, Polygon):
            mask = _even_odd(np.asarray(shape.points, dtype=np.float64), rows, columns)
        else:
            mask = np.ones((len(rows), len(columns)), dtype=bool)
        return cls(mask, first_row, first)

    @property
    def bitmap(self) -> Bitmap | None:
        """As a shape; None where it has no pixels."""
        bottom, right = self.top + self.mask.shape[0], self.left + self.mask.shape[1]
        return Bitmap.of(self.mask, (self.top, self.left, bottom, right))

    def joined(self, other: Patch) -> Patch:
        """Pixels of either."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.mask.shape[0], other.top + other.mask.shape[0])
        right = max(self.left + self.mask.shape[1], other.left + other.mask.shape[1])
        return Patch(
            self._within(top, left, bottom, right) | other._within(top, left, bottom, right),
            top,
            left,
        )

    def without(self, other: Patch) -> Patch:
        """Its own pixels that are not in another one."""
        return Patch(self.mask & ~self._of(other), self.top, self.left)

    def meets(self, other: Patch) -> bool:
        """True where they share a pixel."""
        return bool((self.mask & self._of(other)).any())

    def touches(self, other: Patch) -> bool:
        """True where they share a pixel, or have pixels side by side or corner to corner."""
        padded = np.pad(self.mask, 1)
        wide = padded.copy()
        wide[1:] |= padded[:-1]
        wide[:-1] |= padded[1:]
        grown = wide.copy()
        grown[:, 1:] |= wide[:, :-1]
        grown[:, :-1] |= wide[:, 1:]
        return Patch(grown, self.top - 1, self.left - 1).meets(other)

    def _of(self, other: Patch) -> Mask:
        """Pixels of another one in this one's box."""
        return other._within(self.top, self.left, self.top + self.mask.shape[0], self.left + self.mask.shape[1])

    def _within(self, top: int, left: int, bottom: int, right: int) -> Mask:
        """Its pixels in a box."""
        out = np.zeros((bottom - top, right - left), dtype=bool)
        first_row, last_row = max(top, self.top), min(bottom, self.top + self.mask.shape[0])
        first, last = max(left, self.left), min(right, self.left + self.mask.shape[1])
        if first_row < last_row and first < last:
            out[first_row - top : last_row - top, first - left : last - left] = self.mask[
                first_row - self.top : last_row - self.top, first - self.left : last - self.left
            ]
        return out


class Stroke:
    """What a round brush paints on its way.

    Parameters
    ----------
    image_size : (int, int)
    radius : float
        Pixels of the image. The pixel under the brush is painted also by one that reaches no pixel's centre.
    begin : (float, float)
        Row and column.
    """

    def __init__(self, image_size: tuple[int, int], radius: float, begin: Point) -> None:
        self.radius = radius
        self._mask = np.zeros(image_size, dtype=bool)
        self._box = (image_size[0], image_size[1], 0, 0)  # of what is painted
        self._last = begin
        self.paint_to(begin)

    def paint_to(self, point: Point) -> None:
        """Go on in a straight line."""
        (height, width), before, self._last = self._mask.shape, self._last, point
        ends, radius = np.array((before, point)), self.radius
        low, high = ends.min(axis=0) - radius, ends.max(axis=0) + radius
        first_row, last_row = max(0, floor(low[0])), min(height, ceil(high[0]))
        first, last = max(0, floor(low[1])), min(width, ceil(high[1]))
        if first_row < last_row and first < last:
            rows = np.arange(first_row, last_row)[:, None] + 0.5 - before[0]
            columns = np.arange(first, last) + 0.5 - before[1]
            down, across = ends[1] - ends[0]
            square = down**2 + across**2
            share = np.clip((rows * down + columns * across) / square, 0, 1) if square else np.zeros((1, 1))
            near = (rows - share * down) ** 2 + (columns - share * across) ** 2 <= radius**2
            self._mask[first_row:last_row, first:last] |= near
        row, column = min(max(floor(point[0]), 0), height - 1), min(max(floor(point[1]), 0), width - 1)
        self._mask[row, column] = True
        box = self._box
        self._box = (
            *(min(box[0], first_row, row), min(box[1], first, column)),
            *(max(box[2], last_row, row + 1), max(box[3], last, column + 1)),
        )

    @property
    def patch(self) -> Patch:
        """What is painted so far."""
        top, left, bottom, right = self._box
        return Patch(self._mask[top:bottom, left:right].copy(), top, left)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """First pixel whose centre lies from `low` on, and the one after the last that lies before `high`."""
    first = min(max(ceil(low - 0.5), 0), size)
    return first, max(first, min(ceil(high - 0.5), size))


def _even_odd(
    corners: npt.NDArray[np.float64], rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> Mask:
    """Which of the centres an outline goes around an odd number of times."""
    turns = np.zeros((len(rows), len(columns) + 1), dtype=bool)
    for (row, column), (next_row, next_column) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = sorted((row, next_row))
        lines = np.flatnonzero((rows >= low) & (rows < high))
        if len(lines):
            at = column + (rows[lines] - row) / (next_row - row) * (next_column - column)
            turns[lines, np.searchsorted(columns, at)] ^= True
    return np.asarray(np.logical_xor.accumulate(turns, axis=1)[:, :-1])
