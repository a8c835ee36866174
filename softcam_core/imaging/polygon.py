"""Shapes drawn by hand as masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_LINES = 8  # a pixel
_STEPS = 256  # a pixel; a power of two, so that coverage adds up without rounding


def polygon_mask(
    points: Sequence[tuple[float, float]] | npt.NDArray[np.floating], size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """How much of each pixel lies within a closed polygon.

    The edges are smoothed: coverage is measured to 1/256 of a pixel along 8 lines through each row of pixels, and
    averaged over these. Where the outline crosses itself, places that it goes around an even number of times are
    outside (the even-odd rule, with which Qt fills polygons by default). What lies outside the image is cut off.

    Parameters
    ----------
    points : sequence of (float, float)
        Corners as (row, column) in pixels, with pixel edges at whole numbers; the last is joined to the first. Fewer
        than three enclose nothing.
    size : (int, int)
        Height and width of the image.

    Returns
    -------
    ndarray, (H, W) float32
        0 to 1.

    Raises
    ------
    ValueError
        For points that are not pairs of finite numbers.
    """
    height, width = size
    corners = np.asarray(points, dtype=np.float64) if len(points) else np.zeros((0, 2))
    if corners.ndim != 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise ValueError("the corners of a polygon are pairs of finite numbers")
    lines, columns = _crossings(corners, height * _LINES)
    order = np.lexsort((columns, lines))
    lines = lines[order]
    at = np.rint(np.clip(columns[order], 0, width) * _STEPS).astype(np.int32)
    # A closed outline crosses each line an even number of times: in, out, in, out. Each crossing changes what is
    # covered from its own column on, by a part in that column and by the rest in the next.
    turns = np.where(np.arange(len(at)) % 2, np.int32(-1), np.int32(1))
    changes = np.zeros((height, width + 2), dtype=np.int32)
    rows, (whole, part) = lines // _LINES, np.divmod(at, _STEPS)
    np.add.at(changes, (rows, whole), turns * (_STEPS - part))
    np.add.at(changes, (rows, whole + 1), turns * part)
    covered = changes.cumsum(axis=1, out=changes)[:, :width].astype(np.float32)
    covered /= _LINES * _STEPS
    return covered


def _crossings(corners: npt.NDArray[np.float64], count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Where the outline crosses `count` lines through the middles of slices of the image: lines, and columns."""
    ends = np.roll(corners, -1, axis=0)
    upward = corners[:, :1] > ends[:, :1]
    upper, lower = np.where(upward, ends, corners), np.where(upward, corners, ends)
    # Line i is at (i + 1/2) / _LINES. An edge has the lines from its upper end on, and not one on its lower end, so
    # that a corner is crossed once by an outline that goes on, and twice or never by one that turns.
    first, end = (np.ceil(np.clip(side[:, 0] * _LINES - 0.5, 0, count)).astype(np.int64) for side in (upper, lower))
    edges = np.repeat(np.arange(len(corners)), end - first)
    lines = np.arange(len(edges)) - np.repeat(np.cumsum(end - first) - (end - first), end - first) + first[edges]
    (top, left), (bottom, right) = upper[edges].T, lower[edges].T
    part = ((lines + 0.5) / _LINES - top) / (bottom - top)
    return lines, left + part * (right - left)
