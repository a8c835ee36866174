"""What figures of maps share: what was analysed, what is positive, and what is only rounding."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-6
"""Values closer than this part of them count as equal: resampling in float32 tears constant areas apart by 1e-7."""


def check_maps(*maps: Tensor) -> None:
    """Check that maps are batches of the same shape, (B, H, W).

    Raises
    ------
    ValueError
        When they are not, are empty or no floating-point numbers, or are infinite somewhere.
    """
    for values in maps:
        if values.ndim != 3 or not values.numel() or not values.is_floating_point():
            raise ValueError(f"maps must be floats of shape (B, H, W), not {values.dtype} of {tuple(values.shape)}")
        if values.shape != maps[0].shape:
            raise ValueError(f"maps differ in size: {tuple(maps[0].shape)} and {tuple(values.shape)}")
        if values.isinf().any():
            raise ValueError("maps must be finite, or NaN where nothing was analysed")


def marked_pixels(values: Tensor, regions: Tensor) -> Tensor:
    """Check maps and their annotations, and give the part of these that was analysed, (B, H, W) bool.

    Raises
    ------
    ValueError
        See `check_maps`; also when regions are not bool, or of another shape.
    """
    check_maps(values)
    if regions.shape != values.shape:
        raise ValueError(f"maps and regions differ in size: {tuple(values.shape)} and {tuple(regions.shape)}")
    if regions.dtype != torch.bool:
        raise ValueError(f"regions must be bool, not {regions.dtype}")
    return regions & ~values.isnan()


def positive(values: Tensor) -> Tensor:
    """What speaks for the target: each map's positive part by its largest value, so that no sum overflows.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        NaN where nothing was analysed.

    Returns
    -------
    Tensor, (B, H, W) float64 in [0, 1]
        0 where nothing was analysed; 0 everywhere for a map without a positive value.
    """
    found = values.nan_to_num(nan=0.0).clamp_(min=0).double()
    largest = found.amax((1, 2), keepdim=True)
    return found.div_(largest.where(largest > 0, 1.0))


def levelled(values: Tensor) -> Tensor:
    """Maps in which those that are constant but for rounding are constant; others are left as they are.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        NaN where nothing was analysed.
    """
    analysed = ~values.isnan()
    high = values.where(analysed, -torch.inf).amax((1, 2), keepdim=True)
    low = values.where(analysed, torch.inf).amin((1, 2), keepdim=True)
    is_level = high - low <= ROUNDING * torch.maximum(high.abs(), low.abs())
    return torch.where(is_level & analysed, high, values)


def strongest(values: Tensor, count: Tensor) -> Tensor:
    """How much of each pixel is among the strongest ones; those that tie for the last places share them equally.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        NaN where nothing was analysed.
    count : Tensor, (B,) int64
        How many places each map has, at most as many as it has analysed pixels.

    Returns
    -------
    Tensor, (B, H, W) float64 in [0, 1]
        Each map's sum is `count`: what picking at random among equal pixels gives on average.
    """
    flat = values.nan_to_num(nan=-torch.inf).flatten(1)
    last = flat.topk(max(int(count.max()), 1), dim=1).values.gather(1, (count - 1).clamp(min=0)[:, None])
    above, tied = flat > last, flat == last
    shares = (count - above.sum(1)).double() / tied.sum(1)
    return (above + tied * shares[:, None]).view(values.shape)
