"""ROAD: remove and debias."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from softcam_core.evaluation.curves import Curves, Removal, check_maps_of, follow
from softcam_core.evaluation.imputation import linear_imputation
from softcam_core.evaluation.ranking import falling_order, image_seeds, places
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.models.classifier import Classifier

PERCENTS = (10, 20, 30, 40, 50, 60, 70, 80, 90)
NOISE = 0.01
"""Standard deviation of what is added to imputed pixels, in normalised values, as in the authors' code."""


def road_curves(
    model: Classifier,
    images: Tensor,
    maps: Mapping[str, Tensor],
    classes: Tensor,
    *,
    percents: Sequence[float] = PERCENTS,
    order: Literal["morf", "lerf"] = "morf",
    seed: int = 0,
    watch: Watch = UNWATCHED,
) -> Curves:
    """Follow the probability of a class while pixels are replaced by what those around them suggest.

    ROAD (Rong, Leemann, Borisov, Kasneci & Kasneci, ICML 2022): a blanked pixel is seen by the network, and
    the shape of what was blanked may tell the class by itself; noisy linear imputation (`linear_imputation`) hides
    both. The authors report accuracy over a data set; this follows the class's probability, of each image by itself.
    The noise of an image is drawn once, and is the same for all methods and percentages, so that what differs between
    them is what was removed.

    Parameters
    ----------
    model : Classifier
        Left as it was; run in eval mode.
    images : Tensor, (B, 3, H, W)
        Normalised model inputs.
    maps : mapping of str to Tensor
        Name of the method -> (B, H, W), signed; NaN where nothing was analysed. These pixels go last in either order.
    classes : Tensor, (B,) int
        The class of each image whose probability is followed throughout: the one first predicted.
    percents : sequence of float
        Of all pixels, in [0, 100); at least one pixel stays.
    order : {"morf", "lerf"}
        Whether the most or the least relevant pixels go first. Ties are drawn, as for deletion.
    seed : int
        Of the noise, together with the image.
    watch : Watch

    Returns
    -------
    Curves
        (B, len(percents)). For "morf" lower is better, for "lerf" higher.

    Raises
    ------
    ValueError
        When sizes do not fit, or a percentage is out of range.
    CancelledError
        When the watch stopped it.
    """
    start = time.perf_counter()
    if not percents or not all(0 <= percent < 100 for percent in percents):
        raise ValueError(f"percentages must be at least 0 and below 100, not {list(percents)}")
    check_maps_of(images, maps)
    height, width = images.shape[2:]
    counts = [min(round(percent / 100 * height * width), height * width - 1) for percent in percents]
    seeds = image_seeds(images)
    sign = 1 if order == "morf" else -1
    removals = {
        name: Removal(places(falling_order(sign * each.flatten(1), seeds)), counts) for name, each in maps.items()
    }
    noise = torch.stack([_noise(images.shape[1:], seed, own) for own in seeds])

    def make(chosen: Tensor, removed: Tensor, rows: Tensor) -> Tensor:
        gone = removed.unflatten(1, (height, width))
        # Half precision would not solve the equations.
        exact = chosen if chosen.dtype == torch.float64 else chosen.float()
        added = noise[rows.cpu()].to(exact) * gone[:, None]
        filled: Tensor = (linear_imputation(exact, gone) + added).to(chosen.dtype)
        return filled

    curves, spent = follow(model, images, classes, removals, make, watch)
    return Curves(curves, replace(spent, seconds=time.perf_counter() - start))


def _noise(shape: Sequence[int], seed: int, own: int) -> Tensor:
    """Noise of an image, whatever batch it is in."""
    drawn = np.random.default_rng([seed, own]).standard_normal(tuple(shape), dtype=np.float32)
    return torch.from_numpy(drawn).mul_(NOISE)
