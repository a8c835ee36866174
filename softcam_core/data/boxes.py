"""Boxes as text, and where they lie on their image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from softcam_core.data.samples import Box

# Annotators and programs round to whole pixels, each in its own way.
_TOLERANCE_PX = 1.0


def parse_boxes(text: str) -> tuple[Box, ...]:
    """Boxes of a cell: ``x y width height``, separated by semicolons.

    Raises
    ------
    ValueError
        When a box is not four finite numbers.
    """
    return tuple(parse_box(part.split()) for part in text.split(";") if part.strip())


def parse_box(numbers: Sequence[str]) -> Box:
    """Box of four numbers.

    Raises
    ------
    ValueError
        When they are not four finite numbers.
    """
    x, y, width, height = map(float, numbers)
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError("numbers must be finite")
    return x, y, width, height


def scale_boxes(boxes: Sequence[Box], measured_on: int, size: tuple[int, int]) -> tuple[Box, ...]:
    """From pixels of a square image to those of an image of (height, width)."""
    height, width = size
    down, across = height / measured_on, width / measured_on
    return tuple((x * across, y * down, w * across, h * down) for x, y, w, h in boxes)


def misplaced(boxes: Sequence[Box], size: tuple[int, int] | None) -> list[str]:
    """Describe each box that has no area or reaches beyond the image of (height, width), where that is known."""
    height, width = size or (math.inf, math.inf)
    found = []
    for x, y, w, h in boxes:
        box = f"the box {x:g} {y:g} {w:g} {h:g}"
        if w <= 0 or h <= 0:
            found.append(f"{box} has no area")
        elif min(x, y) < -_TOLERANCE_PX or x + w > width + _TOLERANCE_PX or y + h > height + _TOLERANCE_PX:
            found.append(f"{box} reaches beyond the image" + (f" of {width} x {height} pixels" if size else ""))
    return found
