"""Shapes as COCO writes them: polygons, run lengths and boxes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from softcam_core.annotations.masks import HALF, area_within, mask_of, mask_of_runs, run_lengths
from softcam_core.annotations.shapes import FARTHEST, Bitmap, Polygon, Rectangle, Shape

Segmentation = list[list[float]] | dict[str, list[int]]

_LEAST = 6  # numbers: three corners
_CROSSES = "crosses itself: places that it goes around an even number of times are outside"


class UnusableShapeError(ValueError):
    """What a file says of a place cannot be used; the message says why."""


def segmentation_of(shape: Shape, image_size: tuple[int, int]) -> Segmentation:
    """A shape in COCO's form: rectangles and polygons as corners x, y, x, y, ...; others as runs of pixels.

    Runs are those of the pixels that the shape covers by half or more, column by column and not compressed.
    """
    if isinstance(shape, Rectangle | Polygon):
        return [[number for row, column in shape.outline[0] for number in (column, row)]]
    return {"counts": run_lengths(shape, image_size), "size": list(image_size)}


def fingerprint_of(segmentation: object) -> str:
    """What tells whether an outline in a file is still the one that was written, however its numbers are spelt."""
    return hashlib.sha256(repr(_spelt_alike(segmentation)).encode()).hexdigest()[:16]


def _spelt_alike(value: object) -> object:
    if isinstance(value, dict):
        return sorted((str(key), _spelt_alike(each)) for key, each in value.items())
    if isinstance(value, list):
        return [_spelt_alike(each) for each in value]
    return float(value) if isinstance(value, int | float) and _are_numbers([value]) else str(value)


def box_of(shape: Shape, image_size: tuple[int, int]) -> list[float]:
    """COCO's bbox: left, top, width and height of what lies within the image."""
    height, width = image_size
    top, left, bottom, right = shape.bounds
    top, bottom = (min(max(value, 0.0), float(height)) for value in (top, bottom))
    left, right = (min(max(value, 0.0), float(width)) for value in (left, right))
    return [left, top, right - left, bottom - top]


def shape_of(segmentation: object, bbox: Sequence[Any], image_size: tuple[int, int]) -> tuple[Shape, str]:
    """The shape that a foreign file means.

    One polygon stays one; several of one annotation become their pixels, as do runs; where there is no segmentation the
    box counts.

    Parameters
    ----------
    segmentation : object
        As it stands in the file.
    bbox : sequence
    image_size : (int, int)

    Returns
    -------
    shape : Shape
    remark : str
        What was noticed; empty for nothing.

    Raises
    ------
    UnusableShapeError
        When it has no area within the image, or is none of these.
    """
    try:
        shape, remark = _parsed(segmentation, bbox, image_size)
    except ValidationError as error:
        raise UnusableShapeError(f"reaches farther than {FARTHEST:,.0f} pixels from the image") from error
    height, width = image_size
    top, left, bottom, right = shape.bounds
    if bottom <= top or right <= left:
        raise UnusableShapeError("has no area")
    if bottom <= 0 or right <= 0 or top >= height or left >= width:
        raise UnusableShapeError(f"lies outside the image ({width} x {height} pixels)")
    if not area_within(shape, image_size):
        raise UnusableShapeError("has no area")
    return shape, remark


def _parsed(segmentation: object, bbox: Sequence[Any], image_size: tuple[int, int]) -> tuple[Shape, str]:
    if isinstance(segmentation, dict):
        return _of_runs(segmentation, image_size), ""
    if segmentation:
        if not isinstance(segmentation, list) or not all(_is_polygon(each) for each in segmentation):
            raise UnusableShapeError("its segmentation is neither polygons (x, y, x, y, ...) nor runs")
        polygons = [_polygon(each) for each in segmentation]
        if len(polygons) == 1:
            return polygons[0], _CROSSES if polygons[0].crosses_itself else ""
        return _union(polygons, image_size), ""
    if len(bbox) != 4 or not _are_numbers(bbox):
        raise UnusableShapeError("has neither a segmentation nor a bbox (x, y, width, height)")
    left, top, width, height = bbox
    if width <= 0 or height <= 0:
        raise UnusableShapeError("has no area")
    return Rectangle(top=top, left=left, height=height, width=width), ""


def _of_runs(segmentation: dict[str, Any], image_size: tuple[int, int]) -> Bitmap:
    counts, size = (segmentation.get(name) for name in ("counts", "size"))
    is_list = isinstance(counts, list) and all(type(count) is int for count in counts)
    if counts is None or not (is_list or isinstance(counts, str)) or not isinstance(size, list):
        raise UnusableShapeError("its runs need counts and size")
    if size != list(image_size):
        raise UnusableShapeError(f"its runs are of {size} pixels (height, width), but the image has {list(image_size)}")
    try:
        mask = mask_of_runs(counts, image_size)
    except ValueError as error:
        raise UnusableShapeError(str(error)) from error
    return _bitmap(mask, image_size)


def _union(polygons: Sequence[Polygon], image_size: tuple[int, int]) -> Bitmap:
    mask = np.zeros(image_size, dtype=bool)
    for polygon in polygons:
        mask |= mask_of(polygon, image_size)
    return _bitmap(mask, image_size)


def _bitmap(mask: np.ndarray, image_size: tuple[int, int]) -> Bitmap:
    bitmap = Bitmap.of(mask, (0.0, 0.0, float(image_size[0]), float(image_size[1])))
    if bitmap is None:
        raise UnusableShapeError(f"covers no pixel of the image by {HALF:.0%} or more")
    return bitmap


def _polygon(numbers: Sequence[float]) -> Polygon:
    points = [(float(row), float(column)) for column, row in zip(numbers[::2], numbers[1::2], strict=True)]
    if len(points) > _LEAST // 2 and points[0] == points[-1]:
        points.pop()  # closed once more by the tool that wrote it
    return Polygon(points=tuple(points))


def _is_polygon(value: object) -> bool:
    return isinstance(value, list) and len(value) >= _LEAST and len(value) % 2 == 0 and _are_numbers(value)


def _are_numbers(values: Sequence[Any]) -> bool:
    largest = sys.float_info.max  # JSON has whole numbers beyond it
    return all(isinstance(v, int | float) and not isinstance(v, bool) and -largest <= v <= largest for v in values)
