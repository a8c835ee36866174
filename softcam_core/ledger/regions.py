r"""A logit, or log-odds, as a column of numbers that adds up: regions of evidence, the rest, and the offset.

Evidence is :math:`A = W * Z + b` (Djoumessi & Berens, SoftCAM, MIDL 2026, section 3), and its mean is the logit. With
the offset c, which is A where the features Z are zero, and the shares s of A - c (`softcam_core.imaging.geometry`),

.. math:: z = c + \sum_R \sum_{p \in R} s_p + \sum_{p \notin \bigcup R} s_p

for any set of disjoint regions R. Here they are the connected components of what lies above a threshold.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from softcam_core.explainers.explanation import Class, Explanation, Sign
from softcam_core.imaging.geometry import Geometry


@dataclass(frozen=True, slots=True)
class Region:
    """Evidence of one sign that hangs together.

    Attributes
    ----------
    name : str
        "R1", "R2", ... for the target by falling contribution, "N1", "N2", ... against it, the strongest first.
    number : int
        In the labels of its ledger, from 1; regions for the target come first.
    positive : bool
        True for evidence for the target.
    pixels : int
        Of the raster.
    area : float
        Share of the analysed area, 0 to 1.
    peak : float
        Value farthest from zero, in the map's unit, without the offset; below zero in regions against the target.
    contribution : float
        Exact part of the logit, or of the log-odds.
    box : (int, int, int, int)
        Top, left, bottom and right in pixels of the raster; bottom and right are the first that are not in it.
    """

    name: str
    number: int
    positive: bool
    pixels: int
    area: float
    peak: float
    contribution: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Regions and all the rest, which add up to the logit or to the log-odds.

    Attributes
    ----------
    regions : tuple of Region
        In the order of their numbers.
    below : float
        Contribution of everything in no region.
    below_pixels : int
        Analysed pixels of the raster in no region.
    below_area : float
        Their share of the analysed area, 0 to 1.
    offset : float
        What the model says of features that are zero everywhere; no place has earned it.
    labels : ndarray, (H, W) int32
        Number of the region of each pixel, 0 for none.
    """

    regions: tuple[Region, ...]
    below: float
    below_pixels: int
    below_area: float
    offset: float
    labels: npt.NDArray[np.int32]

    @property
    def total(self) -> float:
        """Sum of the column: the logit, or the log-odds."""
        return self.without(())

    def without(self, numbers: Collection[int]) -> float:
        """The total less the regions of these numbers; numbers of no region take nothing away."""
        return self.offset + self.below + sum(r.contribution for r in self.regions if r.number not in numbers)


def make_ledger(
    values: npt.NDArray[np.floating[Any]],
    shares: npt.NDArray[np.float64],
    level: float,
    *,
    offset: float = 0.0,
    sign: Sign = "both",
) -> Ledger:
    """Split a logit into connected regions of evidence, what is below the threshold, and the offset.

    Regions are 8-connected, those for the target and those against it apart. A value belongs to a region for the
    target from `level` on, and to one against it from ``-level`` down, compared in the precision of `values`: a level
    that rounds to 0 there is 0. At level 0 zero counts as for the target, so that every analysed pixel has a region,
    as every one is drawn.

    Parameters
    ----------
    values : ndarray, (H, W) floating
        Surface that is drawn, in the map's unit, without the offset; NaN outside the analysed area.
    shares : ndarray, (H, W) float64
        Exact share of each pixel in the logit less the offset, to which they add up. What lies outside the analysed
        area counts as below the threshold.
    level : float
        At least 0, in the map's unit.
    offset : float
        What the logit is where nothing is seen.
    sign : {"both", "positive", "negative"}
        Of the regions that are told apart; those of the other sign are below the threshold.

    Raises
    ------
    ValueError
        For a level below 0 or that is no number, or shares of other pixels.
    """
    if not level >= 0:
        raise ValueError(f"a threshold of {level}; it must be at least 0")
    if values.shape != shares.shape:
        raise ValueError(f"values of {values.shape} pixels with shares of {shares.shape}")
    with np.errstate(over="ignore"):  # infinity is above all values too
        limit = values.dtype.type(level)
    supports, opposes = values >= limit, values <= -limit
    if limit == 0:
        opposes &= values < 0
    if sign != "both":
        (supports if sign == "negative" else opposes)[:] = False
    labels, supporting, opposing = _components(supports, opposes)
    count, is_below = supporting + opposing, ~(supports | opposes)
    inside = np.flatnonzero(~is_below)
    parts = labels.ravel()[inside].astype(np.intp)
    pixels = np.bincount(parts, minlength=count + 1)
    sums = np.bincount(parts, shares.ravel()[inside], minlength=count + 1)
    peaks = np.zeros(count + 1, dtype=values.dtype)
    np.maximum.at(peaks, parts, np.abs(values.ravel()[inside]))
    boxes = find_objects(labels, count)
    directions = np.repeat([1.0, -1.0], [supporting, opposing])
    order = np.lexsort((-directions * sums[1:], -directions)) + 1
    numbers = np.zeros(count + 1, dtype=np.int32)
    numbers[order] = np.arange(1, count + 1)
    labels.ravel()[inside] = numbers[parts]
    analysed = values.size - int(np.count_nonzero(np.isnan(values)))
    regions = tuple(
        Region(
            name=f"R{number}" if number <= supporting else f"N{number - supporting}",
            number=number,
            positive=number <= supporting,
            pixels=int(pixels[part]),
            area=int(pixels[part]) / analysed,
            peak=float(directions[part - 1] * peaks[part]),
            contribution=float(sums[part]),
            box=(rows.start, columns.start, rows.stop, columns.stop),
        )
        for number, part in enumerate(order.tolist(), 1)
        for rows, columns in boxes[part - 1 : part]
    )
    rest = analysed - len(inside)
    below = float(np.sum(shares, where=is_below))
    return Ledger(regions, below, rest, rest / max(analysed, 1), float(offset), labels)


def ledger_of(
    explanation: Explanation,
    target: Class,
    against: Class | None = None,
    *,
    level: float,
    sign: Sign = "both",
    raster: Geometry | None = None,
) -> Ledger:
    """Ledger of a class, or of one class against another, whose total is the logit or the log-odds.

    Parameters
    ----------
    explanation : Explanation
        The model's own evidence.
    target, against : str or int
        As `Explanation.map_of` takes them.
    level, sign
        See `make_ledger`.
    raster : Geometry, optional
        Whose image has the pixels of the ledger: another sampling of the image (`Geometry.sampled`) or of the analysed
        area (`Geometry.analysed`). The original pixels by default.

    Raises
    ------
    ValueError
        For maps that are no evidence, or a level that cannot be.
    KeyError, IndexError
        See `Explanation.map_of`.
    """
    if not explanation.is_evidence:
        raise ValueError("a map that does not add up to the prediction has no ledger")
    raster = raster or explanation.geometry
    offset = explanation.offset_of(target, against)
    grid = explanation.map_of(target, against).astype(np.float64) - offset
    with np.errstate(invalid="ignore"):  # evidence that is no number gives a total that is none
        values, shares = raster.on_image(grid), raster.shares(grid)
    return make_ledger(values, shares, level, offset=offset, sign=sign)


def area_mm2(pixels: float, spacing: tuple[float, float], pixel_size: tuple[float, float] = (1.0, 1.0)) -> float:
    """Area of pixels of a raster in square millimetres.

    Parameters
    ----------
    pixels : float
        How many.
    spacing : (float, float)
        Millimetres per image pixel, rows then columns (`softcam_core.imaging.image.MedicalImage.spacing`).
    pixel_size : (float, float)
        Height and width of a pixel of the raster in image pixels (`pixel_size_of`); 1 where it is the image itself.
    """
    return pixels * spacing[0] * pixel_size[0] * spacing[1] * pixel_size[1]


def pixel_size_of(geometry: Geometry, size: tuple[int, int]) -> tuple[float, float]:
    """Height and width in image pixels of the pixels of ``geometry.analysed(size)``."""
    top, left, bottom, right = geometry.analysed_box
    return (bottom - top) / size[0], (right - left) / size[1]


def _components(
    supports: npt.NDArray[np.bool_], opposes: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int32], int, int]:
    """Connected parts, (H, W), numbered from 1 with those that support first; how many support, and how many oppose."""
    # OpenCV's own statistics of the parts take several times as long as finding them.
    count, labels = cv2.connectedComponents(supports.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    others, found = cv2.connectedComponents(opposes.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    np.add(found, count - 1, out=labels, where=opposes)
    return np.asarray(labels, dtype=np.int32), count - 1, others - 1
