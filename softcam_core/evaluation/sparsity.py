"""How sparse an evidence map is, whatever its scale and its signs."""

from __future__ import annotations

import torch
from torch import Tensor


def gini_index(maps: Tensor) -> Tensor:
    r"""Gini index of the cells' absolute values (Hurley & Rickard, IEEE Trans. Inf. Theory 55, 2009, table I).

    .. math:: G = 1 - 2 \sum_{k=1}^{N} \frac{|a|_{(k)}}{\sum_i |a_i|} \, \frac{N - k + 1/2}{N}

    with the N cells in rising order of their absolute value. It does not change with the map's scale.

    Parameters
    ----------
    maps : Tensor, (..., h, w)
        Finite; signs do not matter.

    Returns
    -------
    Tensor, (...) float64
        In [0, 1 - 1/N]: 0 where all cells are equally far from 0, ``1 - 1/N`` where one cell has everything. A map
        that is 0 everywhere has 0 like every other constant one: no cell of it stands out.

    Raises
    ------
    ValueError
        When there are no cells, or some are not finite.
    """
    cells = _cells(maps).sort(-1).values
    count = cells.shape[-1]
    weights = (count - torch.arange(count, dtype=torch.float64, device=cells.device) - 0.5) / count
    # Scaled first: the sum of very large cells would overflow.
    largest = cells[..., -1:]
    cells = torch.where(largest > 0, cells / largest, 1.0)
    return (1 - 2 * (cells @ weights) / cells.sum(-1)).clamp(0, 1)  # rounding leaves -1e-16 for constant maps


def near_zero_share(maps: Tensor, fraction: float = 0.01) -> Tensor:
    r"""Share of cells that hardly count beside the map's strongest one.

    .. math:: \frac{1}{N} \, \#\{i : |a_i| \le \epsilon \max_j |a_j|\}

    the complement of the measure :math:`\ell^0_\epsilon` of Hurley & Rickard (IEEE Trans. Inf. Theory 55, 2009, table
    I), with a threshold relative to the map, because scales differ between models.

    Parameters
    ----------
    maps : Tensor, (..., h, w)
        Finite; signs do not matter.
    fraction : float
        The threshold :math:`\epsilon`, in [0, 1).

    Returns
    -------
    Tensor, (...) float64
        In [0, 1]: 0 for constant maps, but 1 for a map that is 0 everywhere.

    Raises
    ------
    ValueError
        When there are no cells, some are not finite, or the fraction is out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"the fraction must be at least 0 and below 1, not {fraction}")
    cells = _cells(maps)
    return (cells <= fraction * cells.amax(-1, keepdim=True)).double().mean(-1)


def _cells(maps: Tensor) -> Tensor:
    """(..., h, w) -> absolute values (..., N) float64."""
    if maps.ndim < 2 or not maps.shape[-2] * maps.shape[-1]:
        raise ValueError(f"maps must be (..., h, w) with at least one cell, not {tuple(maps.shape)}")
    cells = maps.double().abs().flatten(-2)
    if not cells.isfinite().all():
        raise ValueError("maps must be finite")
    return cells
