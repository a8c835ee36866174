"""How alike two maps of an image are, whatever their scales: by the order of their pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from softcam_core.evaluation.maps import check_maps, levelled, strongest


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation over the pixels analysed in both maps; equal pixels have the mean of their ranks.

    Parameters
    ----------
    a, b : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.

    Returns
    -------
    Tensor, (B,) float64
        In [-1, 1]; NaN where one of the two is constant, or fewer than two pixels were analysed in both.

    Raises
    ------
    ValueError
        When shapes differ, or maps are infinite somewhere.
    """
    a, b = _compared(a, b)
    x, y = _centred_ranks(a), _centred_ranks(b)
    return ((x * y).sum(1) / ((x * x).sum(1) * (y * y).sum(1)).sqrt()).clamp(-1, 1)


def top_overlap(a: Tensor, b: Tensor, share: float = 0.05) -> Tensor:
    r"""Overlap (Jaccard index) of the highest pixels of two maps.

    Pixels that tie for the last places share them, so sets have parts :math:`\alpha_p, \beta_p \in [0, 1]` of pixels:

    .. math:: \sum_p \min(\alpha_p, \beta_p) \Big/ \sum_p \max(\alpha_p, \beta_p)

    Maps that have nothing to do with each other have about ``share / (2 - share)``, as a constant map has with any
    other.

    Parameters
    ----------
    a, b : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    share : float
        Part of the pixels analysed in both that is compared, in (0, 1]; at least one pixel.

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; NaN where nothing was analysed in both.

    Raises
    ------
    ValueError
        When shapes differ, maps are infinite somewhere, or the share is out of range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share must be above 0 and at most 1, not {share}")
    a, b = _compared(a, b)
    analysed = (~a.isnan()).sum((1, 2))
    count = (share * analysed.double()).round().long().clamp(min=1).minimum(analysed)
    first, second = strongest(a, count), strongest(b, count)
    return torch.minimum(first, second).sum((1, 2)) / torch.maximum(first, second).sum((1, 2))


def _compared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both where both were analysed, constant where they differ by rounding alone."""
    check_maps(a, b)
    both = ~(a.isnan() | b.isnan())
    return levelled(a.where(both, torch.nan)), levelled(b.where(both, torch.nan))


def _centred_ranks(values: Tensor) -> Tensor:
    """Ranks of the analysed pixels less their mean, 0 elsewhere, (B, N) float64."""
    flat = values.flatten(1)
    analysed = ~flat.isnan()
    # Behind all others, whose ranks they leave alone.
    ordered, order = flat.nan_to_num(nan=torch.inf).sort(dim=1)
    places = torch.arange(flat.shape[1], device=flat.device)
    differs = torch.ones_like(analysed)
    differs[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = places.where(differs, 0).cummax(1).values
    differs = torch.cat((differs[:, 1:], differs[:, :1]), dim=1)  # from the next one; the last always does
    last = places.where(differs, len(places)).flip(1).cummin(1).values.flip(1)
    ranks = torch.empty_like(flat, dtype=torch.float64).scatter_(1, order, (first + last).double().div_(2))
    mean = (analysed.sum(1, keepdim=True) - 1).double() / 2
    return (ranks - mean).where(analysed, 0.0)
