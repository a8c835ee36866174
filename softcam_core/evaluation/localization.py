"""Whether an explanation points at what people annotated.

All figures take maps (B, H, W) and annotations of the same shape, one figure a map. They do not change when a map is
multiplied by a positive number, since scales differ between methods. Only what was analysed counts: pixels that are NaN
belong neither to the map nor to the annotation. Pixels with the same value get what a random choice among them would
get on average, so a constant map has the figures of the annotation's area, wherever that lies.

The order of the pixels is all that `pointing_game`, `relevance_rank`, `best_iou` and `best_dice` look at: they are
defined for maps without positive evidence too. The others are shares of the positive evidence.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from softcam_core.evaluation.maps import ROUNDING, levelled, marked_pixels, positive, strongest


def pointing_game(values: Tensor, regions: Tensor, margin: float = 0.0) -> Tensor:
    """Tell whether the highest value lies in the annotation (Zhang et al., IJCV 126, 2018, section 5.1).

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool
    margin : float
        Pixels around the annotation that count as hits, from centre to centre; the paper allows 15.

    Returns
    -------
    Tensor, (B,) float64
        1 for a hit and 0 for a miss; where several pixels are highest, the share of them that hit. NaN where nothing
        was analysed, or nothing annotated there.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, maps are infinite somewhere, or the margin is none.
    """
    if not 0 <= margin < math.inf:
        raise ValueError(f"the margin must be a number of pixels, not {margin}")
    marked = marked_pixels(values, regions)
    peaks = values.where(~values.isnan(), -torch.inf).amax((1, 2), keepdim=True).double()
    highest = values.double() >= peaks - ROUNDING * peaks.abs()
    hits = highest & (_within(marked, margin) if margin else marked)
    return _if_marked(hits.sum((1, 2)).double() / highest.sum((1, 2)), marked)


def relevance_mass(values: Tensor, regions: Tensor) -> Tensor:
    """Share of the positive evidence that lies in the annotation (Arras et al., Information Fusion 81, 2022, eq. 2).

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; NaN where no evidence is positive, or nothing annotated that was analysed.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, or maps are infinite somewhere.
    """
    marked = marked_pixels(values, regions)
    return _if_marked(_share(positive(values), marked), marked)


def relevance_rank(values: Tensor, regions: Tensor) -> Tensor:
    """Share of the annotation among as many highest values as it has pixels (Arras et al., 2022, eq. 3).

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; pixels that tie for the last places share them. NaN where nothing annotated was analysed.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, or maps are infinite somewhere.
    """
    marked = marked_pixels(values, regions)
    count = marked.sum((1, 2))
    return (strongest(levelled(values), count) * marked).sum((1, 2)) / count


def activation_precision(values: Tensor, regions: Tensor) -> Tensor:
    r"""Share of the activation that lies in the annotation, :math:`\sum S M / \sum S`.

    With S the min-max of the map's positive part, after the evaluation of Djoumessi & Berens (SoftCAM, MIDL 2026). It
    is `relevance_mass`, but for maps that are positive everywhere, whose least value counts as nothing here.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool
        M, the union of what was annotated.

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; NaN for maps in which nothing positive stands out, and where nothing annotated was analysed.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, or maps are infinite somewhere.
    """
    marked = marked_pixels(values, regions)
    return _if_marked(_share(_activation(values), marked), marked)


def activation_sensitivity(values: Tensor, regions: Tensor) -> Tensor:
    r"""Mean activation in the annotation, :math:`\sum S M / \sum M`; see `activation_precision`.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; 0 for maps in which nothing positive stands out: nothing was found. NaN where nothing annotated was
        analysed.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, or maps are infinite somewhere.
    """
    marked = marked_pixels(values, regions)
    return (_activation(values) * marked).sum((1, 2)) / marked.sum((1, 2))


def best_iou(values: Tensor, regions: Tensor) -> Tensor:
    r"""Largest overlap (Jaccard index) of the annotation with what lies above a threshold.

    .. math:: \max_t \frac{|\{p : v_p \ge t\} \cap M|}{|\{p : v_p \ge t\} \cup M|}

    over all values t of the map, exactly. The threshold is the map's own and is chosen with the annotation in sight:
    what a map could show, not what one threshold for all maps would.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool

    Returns
    -------
    Tensor, (B,) float64
        In (0, 1]; never less than the annotation's share of the area. NaN where nothing annotated was analysed.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, or maps are infinite somewhere.
    """
    marked = marked_pixels(values, regions)
    flat = levelled(values).nan_to_num(nan=-torch.inf).flatten(1)
    ordered, order = flat.sort(dim=1, descending=True)
    hits = marked.flatten(1).gather(1, order).cumsum(1)
    taken = torch.arange(1, flat.shape[1] + 1, device=values.device)
    overlap = hits.double() / (taken + marked.sum((1, 2))[:, None] - hits)
    # A threshold takes all pixels of a value, or none.
    ordered[:, :-1].masked_fill_(ordered[:, :-1] == ordered[:, 1:], -torch.inf)
    return _if_marked(overlap.where(ordered > -torch.inf, 0.0).amax(1), marked)


def best_dice(values: Tensor, regions: Tensor) -> Tensor:
    """Largest Dice coefficient of the annotation with what lies above a threshold; see `best_iou`.

    The threshold is the same, since the Dice coefficient rises with the Jaccard index J: it is ``2 J / (1 + J)``.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps, NaN where nothing was analysed.
    regions : Tensor, (B, H, W) bool

    Returns
    -------
    Tensor, (B,) float64
        In (0, 1]; NaN where nothing annotated was analysed.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, or maps are infinite somewhere.
    """
    overlap = best_iou(values, regions)
    return 2 * overlap / (1 + overlap)


def _activation(values: Tensor) -> Tensor:
    """Min-max of the positive part, float64; 0 everywhere for a constant map, and where nothing was analysed."""
    analysed = ~values.isnan()
    found = levelled(values).clamp(min=0).double()
    least = found.where(analysed, torch.inf).amin((1, 2), keepdim=True)
    return positive(found - least)


def _share(evidence: Tensor, marked: Tensor) -> Tensor:
    """Part of the evidence (B, H, W), none of it negative, that is marked; NaN where there is none."""
    total = evidence.sum((1, 2))
    return evidence.mul_(marked).sum((1, 2)) / total


def _if_marked(figures: Tensor, marked: Tensor) -> Tensor:
    return figures.where(marked.any(2).any(1), torch.nan)


def _within(regions: Tensor, margin: float) -> Tensor:
    """Pixels at most `margin` away from a pixel of the region."""
    height, width = regions.shape[1:]
    columns = torch.arange(width, device=regions.device, dtype=torch.float32)
    before = columns.where(regions, -torch.inf).cummax(2).values
    behind = columns.where(regions, torch.inf).flip(2).cummin(2).values.flip(2)
    beside = torch.minimum(columns - before, behind - columns)  # distance within the row
    near = torch.zeros_like(regions)
    reach = min(math.floor(margin), height - 1)
    for down in range(-reach, reach + 1):
        rows, others = slice(max(-down, 0), height - max(down, 0)), slice(max(down, 0), height - max(-down, 0))
        near[:, rows] |= beside[:, others] <= math.sqrt(margin**2 - down**2)
    return near
