"""Patch precision: do the patches of most evidence touch the annotation (Djoumessi & Berens, SoftCAM, MIDL 2026).

The protocol of the paper and of the BagNets before it: a grid of patches, taken by falling evidence, where a taken
patch rules out those it overlaps. Patches are as large as the receptive field of a BagNet-33. What is different here,
and why:

- A patch's evidence is the sum of the map over it, of any map at its own resolution; there, maps are first squeezed
  to 60 x 60 cells.
- Patches count while their evidence is positive. The authors stop at evidence 1 in the model's units, which no
  two methods share.
- The last patch of each row and column ends at the border, so that all of the image is looked at.
"""

from __future__ import annotations

import torch
from torch import Tensor

from softcam_core.evaluation.maps import ROUNDING, marked_pixels


def patch_hits(values: Tensor, regions: Tensor, patch: int = 33, stride: int = 8, most: int | None = 29) -> Tensor:
    """Take patches by falling evidence and tell which of them touch the annotation.

    Parameters
    ----------
    values : Tensor, (B, H, W)
        Signed maps on pixels, NaN where nothing was analysed, which is no evidence.
    regions : Tensor, (B, H, W) bool
        What was annotated; it counts where it was analysed.
    patch : int
        Side in pixels; a smaller image is as high or wide as its patches.
    stride : int
        Pixels between neighbouring patches of the grid.
    most : int or None
        How many patches are taken at most; None for all that have positive evidence.

    Returns
    -------
    Tensor, (B, most) float64
        In order of falling evidence 1 for a hit and 0 for a miss; where several patches tie, the share of them that
        hit, and the same one of them at random at each call is taken. NaN once no patch is left whose evidence is
        positive, and beyond a millionth of the first one's, which is rounding: a map that says nothing has no patches.
        NaN throughout where nothing annotated was analysed. With `most=None` there are as many columns as the image has
        room for.

    Raises
    ------
    ValueError
        When shapes differ, regions are not bool, maps are infinite somewhere, or a number is less than 1.
    """
    if min(patch, stride, 1 if most is None else most) < 1:
        raise ValueError(f"patch, stride and most must be at least 1, not {patch}, {stride} and {most}")
    marked = marked_pixels(values, regions)
    sides = [min(patch, size) for size in values.shape[1:]]
    if most is None:
        most = (values.shape[1] // sides[0]) * (values.shape[2] // sides[1])
    grid = [_Axis(size, side, stride, values.device) for size, side in zip(values.shape[1:], sides, strict=True)]
    evidence = values.nan_to_num(nan=0.0).double()
    largest = torch.maximum(evidence.amax((1, 2), keepdim=True), -evidence.amin((1, 2), keepdim=True))
    evidence.div_(largest.where(largest > 0, 1.0))  # no sum may overflow
    sums = grid[0].covers @ evidence @ grid[1].covers.T
    touches = (grid[0].covers.float() @ marked.float() @ grid[1].covers.float().T > 0).flatten(1)
    hits = _taken(sums, touches, grid[0], grid[1], most)
    return hits.where(marked.any(2).any(1)[:, None], torch.nan)


def patch_precision(hits: Tensor) -> Tensor:
    """Overall precision of each image: hits by patches taken.

    The paper pools all patches of all images; that is the mean of these figures weighted by how many patches each image
    has, ``hits.nanmean()``. It takes every patch above its threshold, so `hits` should have been made with `most=None`.

    Parameters
    ----------
    hits : Tensor, (B, most)
        See `patch_hits`.

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; NaN where no patch was taken.
    """
    return hits.double().nanmean(1)


def precision_at(hits: Tensor, k: int) -> Tensor:
    """Precision of each image's first `k` patches, or of all when there are fewer.

    Parameters
    ----------
    hits : Tensor, (B, most)
        See `patch_hits`.
    k : int
        From 1 to `most`.

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; NaN where no patch was taken.

    Raises
    ------
    ValueError
        When `k` is out of range.
    """
    if not 1 <= k <= hits.shape[1]:
        raise ValueError(f"k must be from 1 to {hits.shape[1]}, not {k}")
    return patch_precision(hits[:, :k])


class _Axis:
    """Patches along an axis: where they start, which pixels they cover, (n, size) float64, and which they overlap."""

    def __init__(self, size: int, side: int, stride: int, device: torch.device) -> None:
        starts = [*range(0, size - side, stride), size - side]
        self.starts = torch.tensor(starts, device=device)
        offsets = torch.arange(size, device=device) - self.starts[:, None]
        self.covers = ((offsets >= 0) & (offsets < side)).double()
        self.overlaps = (self.starts - self.starts[:, None]).abs() < side

    def __len__(self) -> int:
        return len(self.starts)


def _taken(sums: Tensor, touches: Tensor, rows: _Axis, columns: _Axis, most: int) -> Tensor:
    """Take patches one after the other in all images at once: sums (B, n, m), touches (B, n m) -> (B, most)."""
    images, left = len(sums), sums.flatten(1)
    # Which of equal patches is taken must depend neither on the order of a scan nor on the other images of the batch.
    lots = torch.rand(left.shape[1], generator=torch.Generator().manual_seed(0)).to(sums.device)
    least = ROUNDING * left.amax(1, keepdim=True).clamp(min=0)
    hits = torch.full((images, most), torch.nan, dtype=torch.float64, device=sums.device)
    for step in range(most):
        best = left.amax(1, keepdim=True)
        goes_on = best > least
        if not goes_on.any():
            break
        tied = left >= best - ROUNDING * best.abs()
        shares = (tied & touches).sum(1).double() / tied.sum(1)
        hits[:, step] = shares.where(goes_on[:, 0], torch.nan)
        taken = lots.where(tied, -1.0).argmax(1)
        row, column = taken // len(columns), taken % len(columns)
        ruled_out = rows.overlaps[row][:, :, None] & columns.overlaps[column][:, None, :]
        left = left.masked_fill(ruled_out.flatten(1), -torch.inf)
    return hits
