"""Histogram of an image's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage

BINS = 128
SAMPLES = 256
"""Pixels a side that are looked at: more would look the same, and make the window wait."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How often values occur.

    Attributes
    ----------
    counts : ndarray, (BINS,) int64
    low, high : float
        Ends of the first and of the last bin; `high` is above `low`.
    """

    counts: npt.NDArray[np.int64]
    low: float
    high: float


def histogram(image: MedicalImage) -> Histogram:
    """Of the finite values that the window acts on; of colours their brightness."""
    steps = tuple(max(1, size // SAMPLES) for size in image.size)
    values = np.asarray(image.presentation[:: steps[0], :: steps[1]], dtype=np.float64)
    if values.ndim == 3:
        values = values.mean(axis=2)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if not low < high:
        low, high = low - 0.5, high + 0.5
        if not low < high:  # so large that half a unit is nothing
            low, high = low - abs(low) / 2, high + abs(high) / 2
    counts, _ = np.histogram(values, bins=BINS, range=(low, high))
    return Histogram(counts.astype(np.int64), low, high)
