"""Which parts of an image go first, by their evidence."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from softcam_core.evaluation.maps import ROUNDING


def image_seeds(images: Tensor) -> list[int]:
    """A number for each of B images (B, 3, H, W) that depends on nothing but its pixels.

    What is drawn for an image is then the same for all methods, in all batches and in another run.
    """
    return [zlib.crc32(np.ascontiguousarray(image.detach().float().cpu().numpy()).data) for image in images]


def falling_order(values: Tensor, seeds: Sequence[int]) -> Tensor:
    """Indices that sort the parts of images by falling evidence.

    Parts that tie come in an order drawn for the image (`image_seeds`), the same for all methods: in the order of
    rows, a map that is 0 in most places would begin with the top left corner of the image, which is background.

    Parameters
    ----------
    values : Tensor, (B, N)
        Signed evidence; values that round to the same millionth of an image's largest one tie. NaN is what was not
        analysed, and comes last.
    seeds : sequence of int
        One for each image.

    Returns
    -------
    Tensor, (B, N) int64
    """
    scale = values.nan_to_num(nan=0.0).abs().amax(1, keepdim=True)
    steps = (values / (scale.where(scale > 0, 1.0) * ROUNDING)).round().nan_to_num(nan=-torch.inf)
    drawn = np.stack([np.random.default_rng(seed).permutation(values.shape[1]) for seed in seeds])
    shuffle = torch.from_numpy(drawn).to(values.device)
    return shuffle.gather(1, steps.gather(1, shuffle).argsort(dim=1, descending=True, stable=True))


def places(order: Tensor) -> Tensor:
    """Where each part stands in an order (B, N), 0 for the first; on the CPU."""
    order = order.cpu()
    return torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
