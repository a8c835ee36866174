"""Lengths and angles on an image: in millimetres where the image knows how large its pixels are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import atan2, degrees, hypot
from typing import Literal

Point = tuple[float, float]
"""(row, column) in pixels of the image; pixel edges at whole numbers."""
Spacing = tuple[float, float]
"""Millimetres per pixel, along rows and columns."""

POINTS = {"ruler": 2, "angle": 3}
"""How many points a measure of a kind has."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A ruler from one point to another, or an angle at the middle one of three.

    Attributes
    ----------
    kind : {"ruler", "angle"}
    points : tuple of (float, float)
        (row, column) in pixels of the image.
    """

    kind: Literal["ruler", "angle"]
    points: tuple[Point, ...]

    @property
    def is_whole(self) -> bool:
        """True where it has all its points."""
        return len(self.points) == POINTS[self.kind]

    def moved(self, index: int, to: Point) -> Measure:
        """The same with one point elsewhere."""
        return replace(self, points=(*self.points[:index], to, *self.points[index + 1 :]))


def length(first: Point, second: Point, spacing: Spacing | None = None) -> float:
    """Distance of two points, in millimetres with a spacing, else in pixels."""
    down, across = spacing or (1.0, 1.0)
    return hypot((second[0] - first[0]) * down, (second[1] - first[1]) * across)


def angle(first: Point, vertex: Point, second: Point, spacing: Spacing | None = None) -> float:
    """Angle at a vertex in degrees, 0 to 180; 0 where an arm has no length.

    Parameters
    ----------
    first, vertex, second : (float, float)
    spacing : (float, float), optional
        Pixels that are not square bend angles; without it they count as square.
    """
    down, across = spacing or (1.0, 1.0)
    y, x = (first[0] - vertex[0]) * down, (first[1] - vertex[1]) * across
    v, u = (second[0] - vertex[0]) * down, (second[1] - vertex[1]) * across
    return abs(degrees(atan2(x * v - y * u, x * u + y * v)))  # exact also for small angles, unlike the arc cosine


def reading(measure: Measure, spacing: Spacing | None = None) -> str:
    """What a measure says ("41.3 mm", "128.5 px", "37.2°"); "" before it has all its points."""
    if not measure.is_whole:
        return ""
    if measure.kind == "angle":
        first, vertex, second = measure.points
        return f"{angle(first, vertex, second, spacing):.1f}°"
    first, second = measure.points
    return f"{length(first, second, spacing):.1f} {'mm' if spacing else 'px'}"
