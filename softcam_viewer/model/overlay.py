"""How evidence is laid over an image: pure functions from an explanation and settings to arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from softcam_core.explainers.explanation import Explanation
from softcam_core.export.colormaps import COLORMAPS, DEFAULT_DIVERGING, DEFAULT_SEQUENTIAL, Sign

# More would not be seen, and would be slower to colour.
OVERLAY_SIDE = 512
MIDDLE = 127.5
THRESHOLD_STEP = 0.02


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """What a pane shows of an explanation.

    Attributes
    ----------
    target : int
        Class shown.
    against : int or None
        Class whose evidence is taken away.
    threshold : float
        Evidence of less than this share of the scale is not drawn, 0 to 1.
    opacity : float
        0 to 1.
    colormap : str
        A name of COLORMAPS, or "" for the default of the map's kind.
    sign : {"both", "positive", "negative"}
    contour : bool
        Outline what is above the threshold.
    visible : bool
    """

    target: int = 0
    against: int | None = None
    threshold: float = 0.2
    opacity: float = 0.6
    colormap: str = ""
    sign: Sign = "both"
    contour: bool = True
    visible: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class OverlayMap:
    """A map ready to be coloured.

    Attributes
    ----------
    values : ndarray, (h, w) float32
        The evidence surface, at most OVERLAY_SIDE pixels a side.
    shares : ndarray, (h, w) float64
        Exact share of each of these pixels in the logit or the log-odds, to which they add up.
    index : ndarray, (h, w) uint8
        `values` from ``-limit`` (0) to ``limit`` (255); unsigned maps from 0 to ``limit``.
    limit : float
        End of the scale, above 0.
    signed : bool
    unit : str
        "logit" or "log-odds".
    box : (float, float, float, float)
        Where it lies on the image: top, left, bottom, right.
    grid_size : (int, int)
        Rows and columns of the evidence grid.
    """

    values: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float64]
    index: npt.NDArray[np.uint8]
    limit: float
    signed: bool
    unit: str
    box: tuple[float, float, float, float]
    grid_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A part of the image and its exact share of the logit.

    Attributes
    ----------
    title : str
    area : float
        Share of the analysed area, 0 to 1.
    contribution : float
        In logits; the lines of a ledger add up to the logit or the log-odds.
    """

    title: str
    area: float
    contribution: float


def make_overlay_map(explanation: Explanation, target: int, against: int | None) -> OverlayMap:
    """Upsample a map once and quantise it; threshold and opacity only change the lookup table."""
    grid = explanation.map_of(target, against)
    height, width = explanation.geometry.input_size
    factor = OVERLAY_SIDE / max(height, width)
    raster = explanation.geometry.analysed((max(1, round(height * factor)), max(1, round(width * factor))))
    values = raster.on_image(grid)
    signed = against is not None or bool(grid.min() < 0)
    limit = max(float(np.abs(grid).max()), 1e-6)
    position = MIDDLE + values * (MIDDLE / limit) if signed else values * (255 / limit)
    return OverlayMap(
        values=values,
        shares=raster.shares(grid),
        index=np.clip(np.rint(position), 0, 255).astype(np.uint8),
        limit=limit,
        signed=signed,
        unit="logit" if against is None else "log-odds",
        box=explanation.geometry.analysed_box,
        grid_size=(grid.shape[0], grid.shape[1]),
    )


def color_table(settings: OverlaySettings, *, signed: bool) -> npt.NDArray[np.uint8]:
    """Colours of the scale, (256, 3) uint8, from its lowest to its highest value."""
    name = settings.colormap
    if name not in COLORMAPS or (signed and COLORMAPS[name].kind == "sequential"):
        name = DEFAULT_DIVERGING if signed else DEFAULT_SEQUENTIAL
    table = COLORMAPS[name].table()
    if not signed and COLORMAPS[name].kind == "diverging":
        table = table[128 + np.arange(256) // 2]  # the upper half
    return table


def scale_values(*, signed: bool) -> npt.NDArray[np.float64]:
    """Values of the 256 indices as shares of the scale's limit, (256,)."""
    steps = np.arange(256, dtype=np.float64)
    return (steps - MIDDLE) / MIDDLE if signed else steps / 255


def lookup_table(settings: OverlaySettings, *, signed: bool) -> npt.NDArray[np.uint8]:
    """Colour and opacity of each index, (256, 4) uint8 RGBA: exactly 256 entries, the fast path of the canvas."""
    values = scale_values(signed=signed)
    shown = np.abs(values) >= settings.threshold
    if settings.sign == "positive":
        shown &= values > 0
    elif settings.sign == "negative":
        shown &= values < 0
    # Weak evidence is fainter, so that the film stays readable under a wide region.
    alpha = 255 * settings.opacity * (0.45 + 0.55 * np.abs(values)) * shown * settings.visible
    return np.column_stack((color_table(settings, signed=signed), np.rint(alpha).astype(np.uint8)))


def ledger(overlay: OverlayMap, threshold: float) -> tuple[LedgerLine, ...]:
    """Split the logit exactly into evidence for, evidence against and the rest below the threshold.

    Parameters
    ----------
    overlay : OverlayMap
    threshold : float
        Share of the scale, 0 to 1.
    """
    values = overlay.values
    level = values.dtype.type(threshold * overlay.limit)  # as numpy compares: a level that rounds to 0 is 0
    above, below = values >= level, values <= -level
    if level == 0:
        below &= values < 0
    parts = [("Evidence for", above), ("Evidence against", below), ("Below threshold", ~above & ~below)]
    return tuple(LedgerLine(title, float(part.mean()), float(overlay.shares[part].sum())) for title, part in parts)
