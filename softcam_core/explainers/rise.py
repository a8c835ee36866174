"""RISE: what is visible when the probability is high."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.passes import forward_pixels, sum_of_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class RISE(Explainer):
    r"""Randomised input sampling (Petsiuk, Das & Saenko, BMVC 2018, eq. 6).

    .. math:: M_{ij} = \frac{1}{N \, E[m]} \sum_{n=1}^N f(x \odot m_n) \, m_{n,ij}

    with f the probabilities, combined as the target combines logits, and x the normalised image, so that what is hidden
    has the mean colour. Masks are random cells, each visible with a probability of :math:`E[m]`, spread bilinearly and
    shifted (section 3.2). They follow from the seed and the input's size: all images and targets get the same.
    """

    masks: int = option(1000, "number of masks", least=1)
    cells: int = option(7, "cells a side of a mask", least=1)
    keep: float = option(0.5, "probability that a cell is visible, above 0 and below 1", least=0)
    seed: int = option(0, "of the masks", least=0)

    in_place: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="rise",
        title="RISE",
        reference="Petsiuk et al., BMVC 2018, eq. 6",
        family="perturbation",
        cost="thousands",
        signed=False,
        valid="With thousands of masks, for findings of about a cell's size; few masks leave a pattern of their own.",
    )

    def __post_init__(self) -> None:
        """See `Explainer`; some cells must be visible and some hidden."""
        Explainer.__post_init__(self)
        if not 0 < self.keep < 1:
            raise SettingsError("rise:keep", f"{self.keep:g} hides all or nothing", "Take a number between 0 and 1.")

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        height, width = images.shape[2:]
        if self.cells > min(height, width):
            reason = f"{self.cells} cells a side do not fit into an input of {height} x {width} pixels"
            raise SettingsError("rise:cells", reason, "Take fewer.")
        drawn = Masks.draw(self.masks, self.cells, self.keep, self.seed, (height, width), images)
        maps = [
            self._map(model, image, rows, drawn, watch.part(number, len(images)))
            for number, (image, rows) in enumerate(zip(images, weights, strict=True))
        ]
        return Maps(torch.stack(maps), "relative")

    def _map(self, model: Classifier, image: Tensor, weights: Tensor, drawn: Masks, watch: Watch) -> Tensor:
        """Maps (T, H, W) of an image (3, H, W) for its targets (T, K)."""

        def run(rows: slice) -> Tensor:
            masks = drawn.spread(rows)
            probabilities = model.probabilities(model.logits(image * masks[:, None]))
            scores = contrasted(probabilities, weights.expand(len(masks), -1, -1))
            # Thousands of small numbers are added up.
            return torch.einsum("nt,nij->tij", scores, masks).double()

        with torch.no_grad():
            total = sum_of_passes(run, self.masks, image[0].numel(), limit=forward_pixels(image.device), watch=watch)
        return (total / (self.masks * self.keep)).to(image)


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """Masks that are kept small, and spread when they are needed.

    Attributes
    ----------
    grids : Tensor, (N, s, s)
        1 for visible cells.
    shifts : Tensor, (N, 2) int64
        Rows and columns that the spread grid is moved up and left.
    across : (Tensor, Tensor), (h, s) and (w, s)
        Weights that spread the cells along rows and columns, one cell longer than the input.
    size : (int, int)
        Of the input.
    """

    grids: Tensor
    shifts: Tensor
    across: tuple[Tensor, Tensor]
    size: tuple[int, int]

    @classmethod
    def draw(cls, count: int, cells: int, keep: float, seed: int, size: tuple[int, int], like: Tensor) -> Masks:
        """Masks for inputs of a size, on the device and in the precision of a tensor."""
        rng = np.random.default_rng(seed)
        pixels = [ceil(side / cells) for side in size]
        grids = torch.from_numpy(rng.random((count, cells, cells)) < keep).to(like)
        shifts = torch.from_numpy(rng.integers(0, pixels, (count, 2))).to(like.device)
        rows, columns = (_bilinear(cells, (cells + 1) * cell).to(like) for cell in pixels)
        return cls(grids, shifts, (rows, columns), size)

    def spread(self, rows: slice) -> Tensor:
        """Some masks at the size of the input, (n, H, W) in [0, 1]."""
        down, along = (
            weights[self.shifts[rows, axis, None] + torch.arange(side, device=weights.device)]
            for axis, (weights, side) in enumerate(zip(self.across, self.size, strict=True))
        )
        return down @ self.grids[rows] @ along.mT


def _bilinear(cells: int, pixels: int) -> Tensor:
    """Weights (pixels, cells) of linear interpolation with cells' centres held still, float64."""
    identity = torch.eye(cells, dtype=torch.float64)[None]
    return functional.interpolate(identity, pixels, mode="linear", align_corners=False)[0].T
