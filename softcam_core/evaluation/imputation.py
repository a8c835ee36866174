"""Filling removed pixels from those around them, so that their shape tells the network as little as can be."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

TOLERANCE = 3e-5
"""Largest violation of an equation. Pixels are then nearer to the solution than the noise that ROAD adds."""

_CHECK_EVERY = 4


def linear_imputation(images: Tensor, removed: Tensor, *, tolerance: float = TOLERANCE) -> Tensor:
    r"""Give each removed pixel the weighted mean of its eight neighbours (Rong et al., ICML 2022).

    .. math:: x_i = \sum_{j \in N(i)} w_{ij} x_j \Big/ \sum_{j \in N(i)} w_{ij}

    with :math:`w = 1/6` for the four neighbours beside a pixel and 1/12 for those across, all removed pixels at once:
    neighbours that were removed themselves count with what they get. Beyond the border there are no neighbours. The
    authors solve the equations of one image by a direct solver; this goes from coarse to fine, by conjugate gradients
    for all images together (cascadic multigrid: Bornemann & Deuflhard, Numer. Math. 75, 1996).

    Parameters
    ----------
    images : Tensor, (B, C, H, W)
    removed : Tensor, (B, H, W) bool
        Not all pixels of an image.
    tolerance : float
        Of the equations, in units of the images.

    Returns
    -------
    Tensor, (B, C, H, W)
        What was not removed is as it was.

    Raises
    ------
    ValueError
        When nothing is left of an image.
    """
    if bool(removed.flatten(1).all(1).any()):
        raise ValueError("there is nothing to fill an image from that was removed as a whole")
    gone = removed[:, None]
    return torch.where(gone, _solution(images.masked_fill(gone, 0), gone.to(images.dtype), tolerance), images)


def _solution(known: Tensor, gone: Tensor, tolerance: float) -> Tensor:
    """Values of the pixels that are gone, (B, C, H, W); 0 elsewhere, as `known` is where they are gone."""
    height, width = known.shape[2:]
    weights = _around(known.new_ones(1, 1, height, width))
    return _conjugate_gradients(_guess(known, gone, tolerance) * gone, gone, weights, _around(known) * gone, tolerance)


def _guess(known: Tensor, gone: Tensor, tolerance: float) -> Tensor:
    """The solution at half the resolution, enlarged."""
    if not bool(gone.any()):
        return known
    share = F.avg_pool2d(1 - gone, 2, ceil_mode=True)
    values = F.avg_pool2d(known, 2, ceil_mode=True) / share.clamp_min(torch.finfo(known.dtype).tiny)
    coarse_gone = (share == 0).to(known.dtype)
    coarse = values * (1 - coarse_gone)
    coarse = coarse + _solution(coarse, coarse_gone, tolerance)
    height, width = known.shape[2:]
    return F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)[..., :height, :width]


def _conjugate_gradients(x: Tensor, gone: Tensor, weights: Tensor, known: Tensor, tolerance: float) -> Tensor:
    """Solve weights x - around(x) = known where pixels are gone, from a guess that is 0 elsewhere."""
    tiny = torch.finfo(x.dtype).tiny
    residual = known - (weights * x - _around(x)) * gone
    scaled = residual / weights
    direction = scaled
    energy = (residual * scaled).sum((2, 3), keepdim=True)
    for number in range(x.shape[2] * x.shape[3]):  # exact arithmetic needs no more
        if number % _CHECK_EVERY == 0:  # asking a GPU each time would have it wait
            # An image that is done stays as it is, so that it is the same in any batch.
            unsolved = residual.abs().amax((1, 2, 3), keepdim=True) > tolerance
            if not bool(unsolved.any()):
                break
        pushed = (weights * direction - _around(direction)) * gone
        step = unsolved * energy / (direction * pushed).sum((2, 3), keepdim=True).clamp_min(tiny)
        x = x + step * direction
        residual = residual - step * pushed
        scaled = residual / weights
        before, energy = energy, (residual * scaled).sum((2, 3), keepdim=True)
        direction = scaled + energy / before.clamp_min(tiny) * direction
    return x


def _around(x: Tensor) -> Tensor:
    """Weighted sum of each pixel's eight neighbours: [1 2 1] along rows and columns, by 12, without the middle."""
    padded = F.pad(x, (1, 1, 1, 1))
    rows = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    return (rows[..., :-2, :] + 2 * rows[..., 1:-1, :] + rows[..., 2:, :]) / 12 - x / 3
