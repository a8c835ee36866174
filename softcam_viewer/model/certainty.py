"""Figures of a prediction by which a worklist is sorted: how uncertain it is, and how much of it lies in the border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from softcam_core.imaging.geometry import FloatArray

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation

OUTER = 8
"""The outer eighth of the image on each side; seldom what a diagnosis rests on."""
LARGEST = 1024
"""Pixels along a side at which the border is measured; on larger images the shares of a few pixels are taken together,
which counts them by the sign of their sum."""


def uncertainty(probabilities: Sequence[float], *, is_exclusive: bool) -> float:
    """Shannon entropy as a share of the largest there is, 0 (certain) to 1.

    Parameters
    ----------
    probabilities : sequence of float
        Of K classes.
    is_exclusive : bool
        True where the probabilities add up to 1: then their entropy over log K. Else each class is a question of its
        own, and it is the mean of their entropies in bits.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if is_exclusive:
        return float(_surprise(p).sum() / np.log2(len(p))) if len(p) > 1 else 0.0
    return float((_surprise(p) + _surprise(1 - p)).mean())


def _surprise(p: FloatArray) -> FloatArray:
    result: FloatArray = -p * np.log2(np.maximum(p, np.finfo(np.float64).tiny))
    return result


def border_share(explanation: Explanation) -> float | None:
    """Share of the positive evidence that lies in the outer eighth of the image.

    Of the view that is shown when nobody asked for another (`Explanation.default_view`), by the exact shares of the
    pixels in the logit. Without positive evidence there is none: None.
    """
    geometry = explanation.geometry
    height, width = (min(side, LARGEST) for side in geometry.image_size)
    positive = np.maximum(geometry.sampled((height, width)).shares(explanation.map_of(*explanation.default_view())), 0)
    whole = positive.sum()
    top, left = height // OUTER, width // OUTER
    inner = positive[top : height - top, left : width - left].sum()
    return float(1 - inner / whole) if whole > 0 else None
