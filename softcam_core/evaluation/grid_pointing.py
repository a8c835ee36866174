"""The grid pointing game: which of several images, shown as one, has the evidence of a class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from softcam_core.evaluation.maps import check_maps, positive


class Mosaics(NamedTuple):
    """Grids of images.

    Attributes
    ----------
    images : Tensor, (count, 3, side H, side W)
        Each shows side x side images.
    targets : Tensor, (count,) int64
        Class to explain.
    cells : Tensor, (count,) int64
        Which image is the one of that class, counted row by row.
    """

    images: Tensor
    targets: Tensor
    cells: Tensor


def mosaics(images: Tensor, classes: Tensor, side: int = 2, *, count: int, seed: int = 0) -> Mosaics:
    """Put images together for the grid pointing game (Böhle et al., CoDA Networks, CVPR 2021).

    With at least side x side classes, every image of a mosaic is of another class, and one of them is the target. With
    fewer, as with "no finding" and one finding, one image of the target class stands among images of other classes, and
    the lowest class that there is, by custom "no finding", is never the target. The paper takes images that the model
    classifies rightly and with confidence: choose them beforehand.

    Parameters
    ----------
    images : Tensor, (N, 3, H, W)
        Normalised. A mosaic is side times as high and wide, and so is what the network has to take.
    classes : Tensor, (N,) integers
        Class of each image; none has several.
    side : int
        Images along a row and a column of a mosaic, at least 2.
    count : int
        Mosaics to make.
    seed : int
        The same seed, images and numbers make the same mosaics, on every device.

    Returns
    -------
    Mosaics
        On the images' device. An image comes twice in a mosaic only where there are too few others.

    Raises
    ------
    ValueError
        When images and classes do not fit each other, there are fewer than two classes, or numbers are out of range.
    """
    if images.ndim != 4 or classes.shape != images.shape[:1] or classes.is_floating_point():
        shapes = f"{tuple(images.shape)} and {tuple(classes.shape)}"
        raise ValueError(f"images must be (N, 3, H, W) and their classes N integers, not {shapes}")
    if side < 2 or count < 1:
        raise ValueError(f"side must be at least 2 and count at least 1, not {side} and {count}")
    labels = classes.cpu().numpy()
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError("a mosaic needs images of at least two classes")
    rng = np.random.default_rng(seed)
    drawn = [_draw(labels, present, side * side, rng) for _ in range(count)]
    members = torch.from_numpy(np.stack([each for each, _ in drawn])).to(images.device)
    cells = torch.tensor([cell for _, cell in drawn], device=images.device)
    channels, height, width = images.shape[1:]
    tiles = images[members].view(count, side, side, channels, height, width)
    whole = tiles.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, side * height, side * width)
    targets = classes.to(images.device)[members.gather(1, cells[:, None])[:, 0]]
    return Mosaics(whole, targets.long(), cells)


def grid_pointing(values: Tensor, cells: Tensor, side: int) -> Tensor:
    """Share of the positive evidence that lies in the right image of a mosaic (Böhle et al., CoDA Networks, CVPR 2021).

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps of mosaics for their targets, NaN where nothing was analysed.
    cells : Tensor, (B,) integers
        Which image of each mosaic is right; see `Mosaics`.
    side : int
        Images along a row and a column.

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; ``1 / side**2`` for a constant positive map. NaN where no evidence is positive.

    Raises
    ------
    ValueError
        When shapes do not fit, a cell is out of range, the map's sides are no multiples of `side`, or maps are
        infinite somewhere.
    """
    check_maps(values)
    images, height, width = values.shape
    if side < 1 or height % side or width % side:
        raise ValueError(f"maps of {height} x {width} cannot be cut into {side} x {side} equal parts")
    if cells.shape != (images,) or cells.is_floating_point() or cells.dtype == torch.bool:
        raise ValueError(f"one integer is needed for each of {images} maps, not {cells.dtype} of {tuple(cells.shape)}")
    if int(cells.min()) < 0 or int(cells.max()) >= side * side:
        raise ValueError(f"cells must be from 0 to {side * side - 1}")
    parts = positive(values).view(images, side, height // side, side, width // side).sum((2, 4)).flatten(1)
    return parts.gather(1, cells.long()[:, None])[:, 0] / parts.sum(1)


def _draw(labels: np.ndarray, present: np.ndarray, places: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Indices of a mosaic's images, and which of its places the target has."""
    cell = int(rng.integers(places))
    if len(present) >= places:
        classes = rng.choice(present, places, replace=False)
        return np.array([rng.choice(np.flatnonzero(labels == each)) for each in classes]), cell
    target = rng.choice(present[1:])
    others = np.flatnonzero(labels != target)
    members = rng.choice(others, places - 1, replace=len(others) < places - 1)
    return np.insert(members, cell, rng.choice(np.flatnonzero(labels == target))), cell
