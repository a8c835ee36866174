"""What is known about the point under the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softcam_core.explainers.explanation import Explanation
from softcam_core.imaging.geometry import Lattice
from softcam_core.imaging.image import MedicalImage
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings

if TYPE_CHECKING:
    from softcam_core.models.receptive_field import ReceptiveField


Box = tuple[float, float, float, float]


MOST_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Probe:
    """Values at one pixel.

    Attributes
    ----------
    x, y : int
        Column and row of the pixel, from 0.
    stored : str
        Stored value or values.
    value : str
        Value with its unit, "" where that is the stored value.
    evidence : float or None
        Average of the map's surface over the pixel; None outside the analysed area or without a map.
    reading : str
        The same with the name of the map and its unit.
    cell : (int, int) or None
        Row and column of the grid cell.
    footprint, sees : (float, float) or None
        Height and width in image pixels of the cell, and of what the network sees of the image from there.
    """

    x: int
    y: int
    stored: str
    value: str
    evidence: float | None
    cell: tuple[int, int] | None
    footprint: tuple[float, float] | None = None
    sees: tuple[float, float] | None = None
    reading: str = ""

    def text(self) -> str:
        """One line for the status bar."""
        parts = [f"x {self.x}  y {self.y}", f"stored {self.stored}"]
        if self.value:
            parts.append(self.value)
        if self.evidence is not None and self.cell is not None:
            cell = f"cell {self.cell[0]}, {self.cell[1]}"
            if self.footprint is not None and self.sees is not None:
                cell += f" ({_extent(self.footprint)}, sees {_extent(self.sees)})"
            parts += [self.reading, cell]
        return "   ·   ".join(parts)


def _extent(size: tuple[float, float]) -> str:
    height, width = (round(side) for side in size)
    return f"{height} × {width} px"


def probe(
    image: MedicalImage,
    row: float,
    column: float,
    explanation: Explanation | None,
    settings: OverlaySettings,
    field: ReceptiveField | None = None,
    overlay: OverlayMap | None = None,
) -> Probe | None:
    """Look up a position on an image, and on the map that is shown over it.

    Parameters
    ----------
    image : MedicalImage
    row, column : float
        On the image; pixel edges at whole numbers.
    explanation : Explanation or None
    settings : OverlaySettings
        Its class is looked up.
    field : ReceptiveField or None
        Of the model's last features.
    overlay : OverlayMap or None
        As it is shown, for its unit; by default the number is told as it is.

    Returns
    -------
    Probe or None
        None outside the image.
    """
    y, x = int(np.floor(row)), int(np.floor(column))
    height, width = image.size
    if not (0 <= y < height and 0 <= x < width):
        return None
    stored = " ".join(f"{v:g}" for v in np.atleast_1d(image.pixels[y, x]))
    value = ""
    if not image.is_color and (image.unit or image.values[y, x] != image.pixels[y, x]):
        value = f"{float(image.values[y, x]):.5g} {image.unit}".strip().replace("-", "−")
    evidence = cell = footprint = sees = None
    reading = ""
    if explanation is not None:
        cell = explanation.geometry.cell_at(y + 0.5, x + 0.5, explanation.grid.shape[-2:])
        if cell is not None:
            grid = explanation.map_of(settings.target, settings.against) if overlay is None else overlay.grid
            evidence = explanation.geometry.at(grid, y, x)
            reading = _reading(evidence, explanation, overlay)
            box, seen = _boxes_of(explanation, cell, field)
            footprint, sees = _size_of(box), None if seen is None else _size_of(seen)
    return Probe(x, y, stored, value, evidence, cell, footprint, sees, reading)


def _reading(evidence: float, explanation: Explanation, overlay: OverlayMap | None) -> str:
    name = "evidence" if explanation.is_evidence else explanation.about.title
    return f"{name} {_with_unit(evidence, overlay)}"


def _minus(number: str) -> str:
    return number.replace("-", "−")


def value_at(explanation: Explanation | None, overlay: OverlayMap | None, row: float, column: float) -> str:
    """What a map says of a place on its image, with its unit ("+23.4 log-odds", "71 % of max").

    Parameters
    ----------
    explanation : Explanation or None
    overlay : OverlayMap or None
        As it is shown.
    row, column : float
        On the image; pixel edges at whole numbers.

    Returns
    -------
    str
        "" where there is no map, "not analysed" where it does not reach.
    """
    if explanation is None or overlay is None:
        return ""
    if explanation.geometry.cell_at(row, column, overlay.grid.shape) is None:
        return "not analysed"
    value = explanation.geometry.at(overlay.grid, int(np.floor(row)), int(np.floor(column)))
    if np.isnan(value):
        return "not analysed"
    return _with_unit(value, overlay)


def _with_unit(value: float, overlay: OverlayMap | None) -> str:
    if overlay is None:
        return _minus(f"{value:+.3g}")
    if overlay.is_relative:
        return f"{_minus(str(round(value * overlay.factor)))} {overlay.unit}"
    # As many decimals as the scale needs: more would be noise beside its ends.
    decimals = max(0, 3 - int(np.floor(np.log10(overlay.limit))))
    text = f"{value:+.{decimals}f}" if decimals <= MOST_DECIMALS else f"{value:+.2e}"
    return f"{_minus(text) if float(text) else '0'} {overlay.unit}"


def cell_boxes(
    explanation: Explanation, row: float, column: float, field: ReceptiveField | None
) -> tuple[Box, Box | None] | None:
    """Where the grid cell at a place of the image lies, and what of the image can change it.

    Parameters
    ----------
    explanation : Explanation
    row, column : float
        On the image.
    field : ReceptiveField or None
        Of the model's last features.

    Returns
    -------
    (box, box or None) or None
        As (top, left, bottom, right) in pixels of the image. No second box where the map's cells are not those of the
        network's last features; None outside the analysed area.
    """
    cell = explanation.geometry.cell_at(row, column, explanation.grid.shape[-2:])
    return None if cell is None else _boxes_of(explanation, cell, field)


def _boxes_of(explanation: Explanation, cell: tuple[int, int], field: ReceptiveField | None) -> tuple[Box, Box | None]:
    geometry = explanation.geometry
    box = geometry.cell_box(cell, explanation.grid.shape[-2:])
    if field is None or not (explanation.is_evidence or geometry.lattice == Lattice(field.centre, field.stride)):
        return box, None
    seen = field.box(cell)
    height, width = geometry.input_size
    first = geometry.to_image(max(seen[0], 0), max(seen[1], 0))
    last = geometry.to_image(min(seen[2], height), min(seen[3], width))
    return box, (*first, *last)


def _size_of(box: Box) -> tuple[float, float]:
    top, left, bottom, right = box
    return bottom - top, right - left
