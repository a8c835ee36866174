"""What a model says of a film, computed once more in double precision and without the viewer."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.ndimage
import torch

from softcam_core.explainers.layers import lattice_of
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.readers import read_image
from softcam_core.models.checkpoint import load_model

LONGEST = 512
"""Pixels a side of a map on the screen, at most."""
THRESHOLD = 0.2
"""Where nobody has chosen one, as a share of the largest value."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a model of two classes says of a film.

    Attributes
    ----------
    maps : ndarray, (K, h, w)
    earned : ndarray, (K, h, w)
        The same without the offset.
    geometry : Geometry
    """

    maps: np.ndarray
    earned: np.ndarray
    geometry: Geometry

    @property
    def logits(self) -> np.ndarray:
        """Of the classes, (K,)."""
        return self.maps.mean((1, 2))

    @property
    def log_odds(self) -> np.ndarray:
        """Evidence for the second class against the first, (h, w)."""
        return self.earned[1] - self.earned[0]

    @property
    def on_screen(self) -> Geometry:
        """Of the map's pixels on the screen."""
        height, width = self.geometry.input_size
        factor = LONGEST / max(height, width)
        return self.geometry.analysed((round(height * factor), round(width * factor)))

    def regions(self, raster: Geometry, share: float) -> list[tuple[np.ndarray, float]]:
        """Masks (H, W), and what they contribute to the log-odds: the largest first, those against the class last."""
        values, shares = raster.on_image(self.log_odds), raster.shares(self.log_odds)
        level = share * np.abs(self.log_odds).max()
        found = []
        for sign in (1, -1):
            labels, count = scipy.ndimage.label(sign * values >= level, np.ones((3, 3)))
            masks = [labels == number for number in range(1, count + 1)]
            found += sorted(((mask, shares[mask].sum()) for mask in masks), key=lambda part: -sign * part[1])
        return found

    def probabilities(self, left_out: np.ndarray | None = None) -> np.ndarray:
        """Of the classes, (K,), perhaps without a mask of pixels on the screen."""
        logits = self.logits
        if left_out is not None:
            logits = logits - self.on_screen.shares(self.earned)[:, left_out].sum(1)
        return np.exp(logits) / np.exp(logits).sum()


def read_again(model: Path, film: Path) -> Truth:
    """Read both files and run the network."""
    network = load_model(model).double()
    prepared = network.card.preprocessing.apply(read_image(film))
    with torch.no_grad():
        maps = network(torch.from_numpy(prepared.array)[None].double()).maps[0].numpy()
    earned = maps - network.offset.numpy()[:, None, None]
    return Truth(maps, earned, replace(prepared.geometry, lattice=lattice_of(network)))
