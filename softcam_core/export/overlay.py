"""Overlay pictures: the image, the evidence over it, and everything needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from softcam_core.errors import SettingsError
from softcam_core.explainers.explanation import Class, Explanation, Sign
from softcam_core.export.colormaps import COLORMAPS, DEFAULT_DIVERGING, DEFAULT_SEQUENTIAL
from softcam_core.export.panel import PanelText, Scale, draw_panel
from softcam_core.files import whole_file
from softcam_core.imaging.image import MedicalImage

LONGEST_SIDE = (512, 2048)
DEFAULT_OPACITY = 0.6
DEFAULT_THRESHOLD_SHARE = 0.2

_OUTLINE = (147, 160, 180)


@dataclass(frozen=True, slots=True)
class _View:
    """Values at the displayed pixels, (h, w) with NaN outside the analysed area, and how they become colours."""

    values: npt.NDArray[np.float32]
    scale: Scale
    opacity: float
    sign: Sign


def check_options(threshold: float | None, opacity: float, colormap: str | None) -> None:
    """Refuse options that `render_overlay` cannot use.

    Raises
    ------
    SettingsError
        For a threshold below 0, an opacity outside [0, 1] or an unknown colour map.
    """
    if threshold is not None and not 0 <= threshold < np.inf:
        raise SettingsError("threshold", f"must be at least 0, not {threshold:g}")
    if not 0 <= opacity <= 1:
        raise SettingsError("opacity", f"must be from 0 to 1, not {opacity:g}")
    if colormap is not None and colormap not in COLORMAPS:
        raise SettingsError(colormap, "is not a colour map", f"There are {', '.join(COLORMAPS)}.")


def render_overlay(
    image: MedicalImage,
    explanation: Explanation,
    target: Class,
    against: Class | None = None,
    *,
    threshold: float | None = None,
    opacity: float = DEFAULT_OPACITY,
    colormap: str | None = None,
    sign: Sign = "both",
) -> npt.NDArray[np.uint8]:
    """Draw an explanation over its image, with a colour bar, what is shown, and the notice.

    Of evidence what is above the offset is drawn (`softcam_core.ledger.regions`). Nothing in the picture tells whose
    image it is, unless it is burnt into the pixels.

    Parameters
    ----------
    image : MedicalImage
        The image explained.
    explanation : Explanation
    target : str or int
        Class whose map is shown.
    against : str or int, optional
        Class whose map is subtracted.
    threshold : float, optional
        Values nearer to zero are not shown, in the unit of the map; by default 20 % of the largest absolute value.
    opacity : float
        Of the colours, in [0, 1].
    colormap : str, optional
        A name of `COLORMAPS`; by default a diverging one for a map with both signs or below zero, else a sequential
        one.
    sign : {"both", "positive", "negative"}
        Which values are shown.

    Returns
    -------
    ndarray, (height, width, 3) uint8
        RGB. The image in it has its own resolution, its longer side held between 512 and 2048 pixels.

    Raises
    ------
    SettingsError
        For a threshold below 0, an opacity outside [0, 1] or an unknown colour map.
    KeyError, IndexError
        For a class that the model does not have.
    ValueError
        When the explanation is of an image of another size.
    """
    if image.size != explanation.geometry.image_size:
        raise ValueError(f"explanation of an image of {explanation.geometry.image_size} pixels, not {image.size}")
    check_options(threshold, opacity, colormap)
    shown = _displayed(image)
    # The same transform from another sampling of the image: evidence is drawn at the displayed resolution.
    geometry = explanation.geometry.sampled((shown.height, shown.width))
    grid = explanation.map_of(target, against)
    offset = explanation.offset_of(target, against)
    drawn = (grid - np.float64(offset)).astype(np.float32)
    view = _view(geometry.on_image(drawn), drawn, threshold, opacity, colormap, sign, bool(against is not None))
    pixels = _blend(np.asarray(shown), view)
    picture = Image.fromarray(pixels)
    if geometry.is_cropped:
        top, left, bottom, right = (round(edge) for edge in geometry.analysed_box)
        box = (left, top, max(left, right - 1), max(top, bottom - 1))
        ImageDraw.Draw(picture).rectangle(box, outline=_OUTLINE, width=max(1, round(max(picture.size) / 512)))
    text = _text(explanation, target, against, grid, offset, sign, geometry.is_cropped)
    return np.asarray(draw_panel(picture, view.scale, text))


def save_picture(path: Path | str, pixels: npt.NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 as PNG; an existing file is replaced only by a complete one.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    with whole_file(Path(path)) as partial:
        Image.fromarray(pixels).save(partial, format="PNG")


def _displayed(image: MedicalImage) -> Image.Image:
    """Draw the image as its file asks for, RGB, at the displayed resolution."""
    levels = np.nan_to_num(image.display())
    shown = Image.fromarray((levels * 255).round().astype(np.uint8)).convert("RGB")
    longest = max(shown.size)
    factor = min(max(longest, LONGEST_SIDE[0]), LONGEST_SIDE[1]) / longest
    if factor == 1:
        return shown
    size = max(1, round(shown.width * factor)), max(1, round(shown.height * factor))
    return shown.resize(size, Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BOX)


def _view(
    values: npt.NDArray[np.float32],
    grid: npt.NDArray[np.float32],
    threshold: float | None,
    opacity: float,
    colormap: str | None,
    sign: Sign,
    is_difference: bool,
) -> _View:
    largest = float(np.nanmax(np.abs(values)))
    if threshold is None:
        threshold = DEFAULT_THRESHOLD_SHARE * largest
    is_signed = is_difference or bool((grid < 0).any())
    chosen = COLORMAPS[colormap or (DEFAULT_DIVERGING if is_signed else DEFAULT_SEQUENTIAL)]
    # A sequential map has no colours below zero; the values there are left to a diverging one.
    lower = -1.0 if chosen.kind == "diverging" else 0.0
    # A map of zeros still gets a scale.
    return _View(values, Scale(lower * (largest or 1.0), largest or 1.0, threshold, chosen, sign), opacity, sign)


def _blend(shown: npt.NDArray[np.uint8], view: _View) -> npt.NDArray[np.uint8]:
    """Colours over grey, (h, w, 3) uint8."""
    scale, values = view.scale, np.nan_to_num(view.values)
    colours = scale.colormap.table()[scale.indices(values)]
    visible = ~np.isnan(view.values) & (np.abs(values) >= scale.threshold) & (values != 0) & (values >= scale.lower)
    if view.sign != "both":
        visible &= values > 0 if view.sign == "positive" else values < 0
    alpha = np.where(visible, view.opacity, 0.0).astype(np.float32)[..., None]
    return np.asarray((shown * (1 - alpha) + colours * alpha).round(), dtype=np.uint8)


def _text(
    explanation: Explanation,
    target: Class,
    against: Class | None,
    grid: npt.NDArray[np.float32],
    offset: float,
    sign: Sign,
    is_cropped: bool,
) -> PanelText:
    names = explanation.class_names
    index = explanation.index(target)
    is_evidence = explanation.is_evidence
    unit, other = explanation.unit_of(target, against), explanation.target(target, against).against
    facts = [("probability", f"{explanation.probabilities[index]:.3f}")]
    if is_evidence:
        facts.append((f"{unit} = mean of map", f"{float(grid.mean(dtype=np.float64)):+.3f}"))
        if offset:
            facts.append(("with the offset, not drawn", f"{offset:+.3f}"))
    notes = []
    if sign != "both":
        notes.append(f"only {sign} values shown")
    if is_cropped:
        notes.append("frame: analysed area")
    return PanelText(
        method=explanation.about.title,
        target=names[index],
        against=None if other is None else "the rest" if other == "rest" else names[other],
        facts=tuple(facts),
        unit=unit,
        model=explanation.card.name,
        notes=tuple(notes),
    )
