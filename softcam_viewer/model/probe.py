"""What is known about the point under the cursor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softcam_core.explainers.base import Explanation
from softcam_core.imaging.image import MedicalImage
from softcam_viewer.model.overlay import OverlaySettings


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
        Average of the evidence surface over the pixel; None outside the analysed area or without a model.
    cell : (int, int) or None
        Row and column of the grid cell.
    """

    x: int
    y: int
    stored: str
    value: str
    evidence: float | None
    cell: tuple[int, int] | None

    def text(self) -> str:
        """One line for the status bar."""
        parts = [f"x {self.x}  y {self.y}", f"stored {self.stored}"]
        if self.value:
            parts.append(self.value)
        if self.evidence is not None and self.cell is not None:
            parts += [f"evidence {self.evidence:+.3g}".replace("-", "−"), f"cell {self.cell[0]}, {self.cell[1]}"]
        return "   ·   ".join(parts)


def probe(
    image: MedicalImage, row: float, column: float, explanation: Explanation | None, settings: OverlaySettings
) -> Probe | None:
    """Look up a position (pixel edges at whole numbers); None outside the image."""
    y, x = int(np.floor(row)), int(np.floor(column))
    height, width = image.size
    if not (0 <= y < height and 0 <= x < width):
        return None
    stored = " ".join(f"{v:g}" for v in np.atleast_1d(image.pixels[y, x]))
    value = ""
    if not image.is_color and (image.unit or image.values[y, x] != image.pixels[y, x]):
        value = f"{float(image.values[y, x]):.5g} {image.unit}".strip().replace("-", "−")
    evidence = cell = None
    if explanation is not None:
        cell = explanation.geometry.cell_at(y + 0.5, x + 0.5, explanation.grid.shape[-2:])
        if cell is not None:
            grid = explanation.map_of(settings.target, settings.against)
            evidence = explanation.geometry.at(grid, y, x)
    return Probe(x, y, stored, value, evidence, cell)
