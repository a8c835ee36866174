"""How much of a model's positive evidence lies in places: in flags, in annotated findings, at the image's border."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from softcam_core.imaging.geometry import Geometry, Lattice

BORDER = 8
"""The border is the outer 1/8 of the image on each side."""


class Surface(nn.Module):
    """Evidence of a grid spread over the model input's pixels, as `Geometry.on_image` does.

    Parameters
    ----------
    input_size, grid_size : (int, int)
    lattice : Lattice or None
    """

    def __init__(self, input_size: tuple[int, int], grid_size: tuple[int, int], lattice: Lattice | None) -> None:
        super().__init__()
        geometry = Geometry(input_size, input_size, (0, 0), input_size, lattice)
        rows, columns = (torch.from_numpy(w).float() for w in geometry.averages(grid_size))
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, grids: Tensor) -> Tensor:
        """(R, h, w) -> (R, H, W)."""
        return torch.einsum("rij,xi,yj->rxy", grids, self.rows, self.columns)


def share_within(surfaces: Tensor, places: Tensor) -> Tensor:
    """Share of the positive evidence that lies in a place (Arras et al., Information Fusion 81, 2022, eq. 2).

    Parameters
    ----------
    surfaces : Tensor, (R, H, W)
    places : Tensor, (R, H, W)
        Coverage of the pixels, 0 to 1.

    Returns
    -------
    Tensor, (R,) float64
        0 to 1; NaN where no evidence is positive, or the place is empty.
    """
    positive = surfaces.double().clamp(min=0)
    whole = positive.sum((1, 2))
    share = (positive * places.double()).sum((1, 2)) / whole
    return share.where((whole > 0) & (places.sum((1, 2)) > 0), torch.nan)


def border_of(size: tuple[int, int]) -> Tensor:
    """The outer eighth of an image on each side, (H, W) float32, 1 within."""
    border = torch.ones(size)
    rows, columns = (slice(side // BORDER, side - side // BORDER) for side in size)
    border[rows, columns] = 0
    return border


def mean_of(values: Sequence[float]) -> float | None:
    """Mean of those that are numbers; None for none."""
    there = [value for value in values if value == value]
    return sum(there) / len(there) if there else None
