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
            footprint, sees = _cell_extents(explanation, cell, field)
    return Probe(x, y, stored, value, evidence, cell, footprint, sees, reading)


def _reading(evidence: float, explanation: Explanation, overlay: OverlayMap | None) -> str:
    name = "evidence" if explanation.is_evidence else explanation.about.title
    if overlay is not None and overlay.is_relative:
        return f"{name} {_minus(f'{evidence * overlay.factor:.0f}')} {overlay.unit}"
    return f"{name} {_minus(f'{evidence:+.3g}')} {overlay.unit if overlay else ''}".rstrip()


def _minus(number: str) -> str:
    return number.replace("-", "−")


def _cell_extents(
    explanation: Explanation, cell: tuple[int, int], field: ReceptiveField | None
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Height and width in image pixels of a cell, and of the part of the image that can change it."""
    geometry = explanation.geometry
    top, left, bottom, right = geometry.cell_box(cell, explanation.grid.shape[-2:])
    footprint = bottom - top, right - left
    lattice = geometry.lattice
    if field is None or not (explanation.is_evidence or lattice == Lattice(field.centre, field.stride)):
        return footprint, None  # the map's cells are not those of the network's last features
    seen = field.box(cell)
    height, width = geometry.input_size
    first = geometry.to_image(max(seen[0], 0), max(seen[1], 0))
    last = geometry.to_image(min(seen[2], height), min(seen[3], width))
    return footprint, (last[0] - first[0], last[1] - first[1])
