"""Local to global: do the cells of a map say what the image as a whole is."""

from __future__ import annotations

import torch
from torch import Tensor

from softcam_core.evaluation.maps import check_maps


def local_to_global(values: Tensor, present: Tensor) -> Tensor:
    """Share of cells whose sign is that of the label (after Djoumessi & Berens, SoftCAM, MIDL 2026).

    All on the disease's map: the share of cells with positive evidence where the disease is present, and of cells with
    negative evidence where it is absent. A small lesion leaves most cells of a good map at 0 or below, so the two
    should be reported apart.

    The paper takes the second share on the map of the class "healthy". With two exclusive classes only the difference
    of their maps matters, and cells that speak against the disease are those that speak for "healthy": give the map of
    the disease against "healthy", and the share is that of positive cells of "healthy" against the disease.

    Parameters
    ----------
    values : Tensor, (B, h, w)
        Signed maps of one disease, NaN where nothing was analysed; best on the method's own grid. A method without
        signs has 0 where the disease is absent.
    present : Tensor, (B,) bool
        Whether the image has the disease.

    Returns
    -------
    Tensor, (B,) float64
        In [0, 1]; cells that are 0 say neither. NaN where nothing was analysed.

    Raises
    ------
    ValueError
        When shapes do not fit, labels are not bool, or maps are infinite somewhere.
    """
    check_maps(values)
    if present.shape != values.shape[:1] or present.dtype != torch.bool:
        shape = tuple(present.shape)
        raise ValueError(f"one bool is needed for each of {len(values)} maps, not {present.dtype} of size {shape}")
    speaks = torch.where(present[:, None, None], values > 0, values < 0)
    return speaks.sum((1, 2)).double() / (~values.isnan()).sum((1, 2))
