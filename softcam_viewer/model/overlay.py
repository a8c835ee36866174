"""How evidence is laid over an image: pure functions from an explanation and settings to arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from softcam_core.explainers.change import Change
from softcam_core.explainers.explanation import Explanation, Sign
from softcam_core.export.colormaps import COLORMAPS, DEFAULT_DIVERGING, DEFAULT_SEQUENTIAL
from softcam_core.imaging.geometry import Geometry
from softcam_viewer.model.answers import Against

# More would not be seen, and would be slower to colour.
OVERLAY_SIDE = 512
COARSEST_PIXELS = 128
"""Cells a side, above which maps that tell of single pixels are noise to look at, and have thousands of contours."""
SMOOTHED_PART = 1 / 64
"""Standard deviation of the smoothing of such maps, as part of the longer side."""
MIDDLE = 127.5
RELATIVE_UNIT = "% of max"
# Smaller maps are drawn as the nothing they are. Values that mean something by their size alone may be much smaller.
LEAST_LIMIT, LEAST_RELATIVE = 1e-6, 1e-30
OVERLAY_STEP = 0.02

Style = Literal["both", "fill", "contour"]


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """What a pane shows of an explanation.

    Attributes
    ----------
    target : int
        Class shown.
    against : int, "rest" or None
        Class that it is weighed against, or all others together.
    threshold : float
        What is less than this share of the scale is not drawn, 0 to 1.
    opacity : float
        0 to 1.
    colormap : str
        A name of COLORMAPS, or "" for the default of the map's kind.
    sign : {"both", "positive", "negative"}
    style : {"both", "fill", "contour"}
        Colour what is above the threshold, outline it, or both.
    smooth : bool
        Average maps of single pixels over their neighbourhood.
    visible : bool
    """

    target: int = 0
    against: Against = None
    threshold: float = 0.2
    opacity: float = 0.6
    colormap: str = ""
    sign: Sign = "both"
    style: Style = "both"
    smooth: bool = True
    visible: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class OverlayMap:
    """A map ready to be coloured.

    Attributes
    ----------
    raster : Geometry
        Of a picture of the analysed area, at most OVERLAY_SIDE pixels a side: the pixels of `values`.
    values : ndarray, (h, w) float32
        The map's surface; of evidence what is above the offset.
    offset : float
        Part of the logit or the log-odds that is the same at every place (`softcam_core.ledger.regions`); 0 for other
        maps than evidence.
    shares : ndarray, (h, w) float64, or None
        Exact share of each of these pixels in the logit or the log-odds less the offset, to which they add up; None
        for other maps than evidence, which have none.
    index : ndarray, (h, w) uint8
        `values` from ``-limit`` (0) to ``limit`` (255); unsigned maps from 0 to ``limit``.
    limit : float
        Largest value there is, above 0.
    scale : float
        End of the scale of colours and threshold, not below `limit`.
    is_shared : bool
        True where the scale is that of several panes.
    signed : bool
    unit : str
        What the numbers are: "logit", "Δ log-odds" or "% of max", for instance.
    is_relative : bool
        True where the numbers can be compared within the map alone, and are told in percent of the largest.
    remark : str
        What is special about the map, a sentence; empty for nothing.
    box : (float, float, float, float)
        Where it lies on the image: top, left, bottom, right.
    grid : ndarray, (h, w) float32
        What is drawn, on the method's own cells: numbers come from here. Of evidence without the offset.
    is_of_pixels : bool
        True for maps that tell of single pixels.
    smoothed : float
        Standard deviation in cells of the smoothing; 0 for none.
    scale_unit : str
        Unit of the maps that it can share a scale with, where that is not its own: a change is shown on the scale of
        what changed.
    """

    raster: Geometry
    values: npt.NDArray[np.float32]
    offset: float
    shares: npt.NDArray[np.float64] | None
    index: npt.NDArray[np.uint8]
    limit: float
    scale: float
    signed: bool
    unit: str
    is_relative: bool
    remark: str
    box: tuple[float, float, float, float]
    grid: npt.NDArray[np.float32]
    is_of_pixels: bool
    smoothed: float
    is_shared: bool = False
    scale_unit: str = ""

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        shares = 0 if self.shares is None else self.shares.nbytes
        return self.values.nbytes + self.index.nbytes + self.grid.nbytes + shares

    @property
    def has_regions(self) -> bool:
        """True where what is above a threshold can be outlined; around single pixels that would be noise."""
        return not self.is_of_pixels or self.smoothed > 0

    @property
    def factor(self) -> float:
        """What values are multiplied with before people read them."""
        return 100 / self.limit if self.is_relative else 1.0

    @property
    def scale_key(self) -> tuple[str, bool] | None:
        """Maps with the same key can share a scale; None where the numbers mean something within the map alone."""
        return None if self.is_relative else (self.scale_unit or self.unit, self.signed)


def make_overlay_map(explanation: Explanation, target: int, against: Against, *, smooth: bool = True) -> OverlayMap:
    """Upsample a map once and quantise it; threshold and opacity only change the lookup table.

    Maps that add up to the target are multiplied with the number of their cells, so that it is their mean.

    With `smooth`, a map that tells of single pixels is averaged over their neighbourhood; others are left alone.

    Raises
    ------
    KeyError
        See `Explanation.map_of`.
    """
    offset = explanation.offset_of(target, against) if explanation.is_evidence else 0.0
    exact = explanation.map_of(target, against).astype(np.float64) - offset
    remark = _remark(exact)
    exact = np.nan_to_num(exact, nan=0.0, posinf=0.0, neginf=0.0)
    grid = exact.astype(np.float32)
    if explanation.scale == "sum":
        grid = grid * np.float32(grid.size)  # its mean is the target then, as that of evidence is: one unit for both
    # Occlusion tells of patches, each the same over many pixels.
    is_of_pixels = max(grid.shape) > COARSEST_PIXELS and explanation.scale in ("relative", "sum")
    smoothed = SMOOTHED_PART * max(grid.shape) if is_of_pixels and smooth else 0.0
    if smoothed:
        grid = np.asarray(cv2.GaussianBlur(grid, (0, 0), smoothed, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
    height, width = explanation.geometry.input_size
    factor = OVERLAY_SIDE / max(height, width)
    raster = explanation.geometry.analysed((max(1, round(height * factor)), max(1, round(width * factor))))
    values = raster.on_image(grid)
    # Evidence that has no negative values cannot have any (a ReLU ends the network); its own scale begins at 0.
    is_own = explanation.is_evidence and not isinstance(explanation, Change)
    may_be_signed = against is not None if is_own else explanation.about.signed
    signed = may_be_signed or bool(grid.min() < 0)
    is_relative = explanation.scale == "relative" or not explanation.unit
    limit = max(float(np.abs(grid).max()), LEAST_RELATIVE if is_relative else LEAST_LIMIT)
    position = MIDDLE + values * (MIDDLE / limit) if signed else values * (255 / limit)
    return OverlayMap(
        raster=raster,
        values=values,
        offset=offset,
        shares=raster.shares(np.nan_to_num(exact, nan=0.0, posinf=0.0, neginf=0.0))
        if explanation.is_evidence
        else None,
        index=np.clip(np.rint(position), 0, 255).astype(np.uint8),
        limit=limit,
        scale=limit,
        signed=signed,
        unit=RELATIVE_UNIT if is_relative else explanation.unit_of(target, against),
        is_relative=is_relative,
        remark=remark,
        box=explanation.geometry.analysed_box,
        grid=grid,
        is_of_pixels=is_of_pixels,
        smoothed=smoothed,
        scale_unit=explanation.after.unit_of(target, against) if isinstance(explanation, Change) else "",
    )


def _remark(grid: npt.NDArray[np.float64]) -> str:
    if not np.isfinite(grid).all():
        return "Some values of the map are no numbers; they are left out."
    if not grid.any():
        return "The map is zero everywhere: the method finds nothing."
    if grid.max() <= 0:
        return "No value of the map is above zero: all of it speaks against."
    return ""


def color_table(settings: OverlaySettings, *, signed: bool) -> npt.NDArray[np.uint8]:
    """Colours of the scale, (256, 3) uint8, from its lowest to its highest value; not to be written to."""
    return _table(settings.colormap, signed=signed)


@cache
def _table(name: str, *, signed: bool) -> npt.NDArray[np.uint8]:
    if name not in COLORMAPS or (signed and COLORMAPS[name].kind == "sequential"):
        name = DEFAULT_DIVERGING if signed else DEFAULT_SEQUENTIAL
    table = COLORMAPS[name].table()
    if not signed and COLORMAPS[name].kind == "diverging":
        table = table[128 + np.arange(256) // 2]  # the upper half
    table.flags.writeable = False
    return table


def scale_values(*, signed: bool) -> npt.NDArray[np.float64]:
    """Values of the 256 indices as shares of the scale's limit, (256,)."""
    steps = np.arange(256, dtype=np.float64)
    return (steps - MIDDLE) / MIDDLE if signed else steps / 255


def lookup_table(overlay: OverlayMap, settings: OverlaySettings) -> npt.NDArray[np.uint8]:
    """Colour and opacity of each index, (256, 4) uint8 RGBA: exactly 256 entries, the fast path of the canvas."""
    values = scale_values(signed=overlay.signed) * (overlay.limit / overlay.scale)
    shown = np.abs(values) >= settings.threshold
    if overlay.signed and settings.sign == "positive":
        shown &= values > 0
    elif overlay.signed and settings.sign == "negative":
        shown &= values < 0
    # Weak evidence is fainter, so that the film stays readable under a wide region.
    is_drawn = settings.visible and (settings.style != "contour" or not overlay.has_regions)
    alpha = 255 * settings.opacity * (0.45 + 0.55 * np.abs(values)) * shown * is_drawn
    places = np.rint(MIDDLE + values * MIDDLE if overlay.signed else values * 255).astype(np.intp)
    colors = color_table(settings, signed=overlay.signed)[places]
    return np.column_stack((colors, np.rint(alpha).astype(np.uint8)))
