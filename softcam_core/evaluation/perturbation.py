"""Deletion and insertion: what the prediction is worth without what an explanation points at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from softcam_core.evaluation.curves import Curves, Removal, Spent, check_maps_of, follow
from softcam_core.evaluation.ranking import falling_order, image_seeds, places
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.models.classifier import Classifier

Order = Literal["deletion", "insertion"]

BLOCK = 33
STEPS = 29


def perturbation_curves(
    model: Classifier,
    images: Tensor,
    maps: Mapping[str, Tensor],
    classes: Tensor,
    *,
    order: Order = "deletion",
    block: int = BLOCK,
    steps: int = STEPS,
    fill: Tensor | None = None,
    watch: Watch = UNWATCHED,
) -> Curves:
    """Follow the probability of a class while the blocks of most evidence are blanked, or come back.

    Deletion and insertion (Petsiuk, Das & Saenko, RISE, BMVC 2018), by blocks and for the first steps as
    in the evaluation of SoftCAM (Djoumessi & Berens, MIDL 2026). The image is split into blocks from its top left
    corner, all of them, also those that the right and the lower border cut. They go by the falling mean of the signed
    evidence of their analysed pixels; by its sum, what the border cuts would come first in maps that are negative
    everywhere. Ties are drawn (`softcam_core.evaluation.ranking.falling_order`).

    Parameters
    ----------
    model : Classifier
        Left as it was; run in eval mode.
    images : Tensor, (B, 3, H, W)
        Normalised model inputs.
    maps : mapping of str to Tensor
        Name of the method -> (B, H, W), signed; NaN where nothing was analysed.
    classes : Tensor, (B,) int
        The class of each image whose probability is followed throughout: the one first predicted.
    order : {"deletion", "insertion"}
        Whether blocks of the image are blanked, or a blank image gets them back.
    block : int
        Side of the blocks in pixels.
    steps : int
        Blocks that go, one a step; at most all.
    fill : Tensor, optional
        (3,), what a blanked pixel is; 0 by default, the mean of the data that the model was normalised for.
    watch : Watch

    Returns
    -------
    Curves
        Of probabilities after 0, 1, ... blocks: (B, min(steps, blocks) + 1).

    Raises
    ------
    ValueError
        When sizes do not fit, or a number is below 1.
    CancelledError
        When the watch stopped it.
    """
    return _curves(model, images, maps, classes, (order,), block, steps, fill, watch)[order]


def deletion_and_insertion(
    model: Classifier,
    images: Tensor,
    maps: Mapping[str, Tensor],
    classes: Tensor,
    *,
    block: int = BLOCK,
    steps: int = STEPS,
    fill: Tensor | None = None,
    watch: Watch = UNWATCHED,
) -> dict[Order, Curves]:
    """Both of `perturbation_curves`, which share the inputs that they have in common.

    These are many only where all blocks go: at one end of each curve then is the whole image, at the other nothing.

    Returns
    -------
    dict of Curves
        Deletion and insertion; what was spent is told of both together, in each of them.
    """
    return _curves(model, images, maps, classes, ("deletion", "insertion"), block, steps, fill, watch)


def _curves(
    model: Classifier,
    images: Tensor,
    maps: Mapping[str, Tensor],
    classes: Tensor,
    orders: tuple[Order, ...],
    block: int,
    steps: int,
    fill: Tensor | None,
    watch: Watch,
) -> dict[Order, Curves]:
    start = time.perf_counter()
    if block < 1 or steps < 1:
        raise ValueError(f"blocks of {block} pixels and {steps} steps: both must be at least 1")
    check_maps_of(images, maps)
    height, width = images.shape[2:]
    rows, columns = (torch.arange(n, device=model.device) // block for n in (height, width))
    down, across = (-(-n // block) for n in (height, width))
    seeds = image_seeds(images)
    counts = range(min(steps, down * across) + 1)
    place = {name: places(falling_order(block_means(each, block).flatten(1), seeds)) for name, each in maps.items()}
    removals = {
        (order, name): Removal(each, counts, keeps_them=order == "insertion")
        for order in orders
        for name, each in place.items()
    }
    blank = torch.zeros(3) if fill is None else fill
    blank = blank.to(model.device, model.dtype)[:, None, None]

    def make(chosen: Tensor, removed: Tensor, _: Tensor) -> Tensor:
        on_pixels = removed.unflatten(1, (1, down, across))[:, :, rows][..., columns]
        return torch.where(on_pixels, blank, chosen)

    curves, spent = follow(model, images, classes, removals, make, watch)
    spent = replace(spent, seconds=time.perf_counter() - start)
    return {order: _of(order, curves, spent) for order in orders}


def _of(order: Order, curves: Mapping[tuple[Order, str], Tensor], spent: Spent) -> Curves:
    return Curves({name: values for (its_order, name), values in curves.items() if its_order == order}, spent)


def block_means(maps: Tensor, block: int) -> Tensor:
    """Mean of each block's analysed pixels.

    Parameters
    ----------
    maps : Tensor, (B, H, W)
        NaN where nothing was analysed.
    block : int

    Returns
    -------
    Tensor, (B, ceil(H / block), ceil(W / block)) float64
        NaN where nothing of the block was analysed.
    """
    analysed = ~maps.isnan()
    return _block_sums(maps.double().nan_to_num(nan=0.0), block) / _block_sums(
        analysed.double(), block
    )  # 0 by 0 is NaN


def _block_sums(values: Tensor, block: int) -> Tensor:
    height, width = values.shape[1:]
    values = F.pad(values, (0, -width % block, 0, -height % block))
    sums: Tensor = values.unflatten(2, (-1, block)).sum(3).unflatten(1, (-1, block)).sum(2)
    return sums
