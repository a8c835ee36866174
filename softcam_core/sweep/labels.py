"""Where the labels of many points go so that each can be read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_DIRECTIONS = 16
_RINGS = 14
_PASSES = 3
_RING = 0.7  # heights of a label from ring to ring
_CROSSING = 0.015  # what crossing a line costs, in areas of a label
_FARTHER = 0.005  # what a ring costs: less than any overlap that can be seen


def place_labels(points: Floats, sizes: Floats, bounds: Sequence[float], gap: float, lines: Floats) -> Floats:
    """Put a label near each point, off the other points and labels where there is room.

    Labels are placed one after the other, those of crowded points first, each where it overlaps least, as near as can
    be.

    Parameters
    ----------
    points : ndarray, (N, 2)
        x and y, in any unit of length.
    sizes : ndarray, (N, 2)
        Width and height of the labels.
    bounds : (float, float, float, float)
        Left, bottom, right and top of the area to stay in.
    gap : float
        Distance from a point that is kept free, its own label's too.
    lines : ndarray, (M, 2)
        Points of lines, to be kept clear of where that costs nothing else.

    Returns
    -------
    ndarray, (N, 2)
        Centres of the labels.
    """
    centres = points.astype(np.float64)
    dots = np.array([_box(point, np.full(2, 2 * gap)) for point in points])
    placed: dict[int, Floats] = {}
    # The first labels did not know of the last ones, so they are asked again.
    for i in _crowded_first(points, sizes) * _PASSES:
        # Its own point is kept free by the distance it is placed at.
        labels = [box for other, box in placed.items() if other != i]
        obstacles = np.concatenate([np.delete(dots, i, axis=0), np.array(labels).reshape(-1, 4)])
        options = _around(points[i], sizes[i], gap)
        boxes = np.concatenate([options - sizes[i] / 2, options + sizes[i] / 2], axis=1)
        overlaps = _overlaps(boxes, obstacles).sum(1) + sizes[i].prod() - _overlaps(boxes, np.array([bounds]))[:, 0]
        rings = np.repeat(np.arange(_RINGS), _DIRECTIONS)
        crossed = np.any(np.all((lines > boxes[:, None, :2]) & (lines < boxes[:, None, 2:]), axis=-1), axis=1)
        # Rounded: options that are equal but for rounding are taken in their order.
        costs = np.round(overlaps / sizes[i].prod() + _FARTHER * rings + _CROSSING * crossed, 6)
        best = int(np.argmin(costs))
        centres[i], placed[i] = options[best], boxes[best]
    return centres


def _crowded_first(points: Floats, sizes: Floats) -> list[int]:
    distances = np.abs(points[:, None] - points[None]) / sizes.mean(0)
    return [int(i) for i in np.argsort(-(distances.max(-1) < 2).sum(1), kind="stable")]


def _around(point: Floats, size: Floats, gap: float) -> Floats:
    """Centres of a label at growing distances, (rings * directions, 2); to the right and upwards first."""
    angles = [2 * math.pi * i / _DIRECTIONS for i in range(_DIRECTIONS)]
    found = []
    for ring in range(_RINGS):
        reach = gap + ring * _RING * size[1]
        for angle in angles:
            x, y = math.cos(angle), math.sin(angle)
            # The label's own extent in this direction, so that its edge keeps the distance.
            half_x, half_y = size / 2
            edge = min(half_x / abs(x) if abs(x) > 1e-9 else math.inf, half_y / abs(y) if abs(y) > 1e-9 else math.inf)
            found.append(point + (reach + edge) * np.array([x, y]))
    return np.array(found)


def _box(centre: Floats, size: Floats) -> Floats:
    return np.concatenate([centre - size / 2, centre + size / 2])


def _overlaps(boxes: Floats, others: Floats) -> Floats:
    """Areas that boxes (A, 4) and others (B, 4) share, (A, B)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(-1), dtype=np.float64)
