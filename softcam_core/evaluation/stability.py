"""Stability: an image that looks the same has the same explanation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from softcam_core.evaluation.agreement import rank_correlation
from softcam_core.evaluation.ranking import image_seeds
from softcam_core.explainers.base import Explainer
from softcam_core.explainers.targets import TargetLike, Targets
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.models.classifier import Classifier


def noise_stability(
    explainer: Explainer,
    model: Classifier,
    images: Tensor,
    targets: Targets | TargetLike | None,
    *,
    noise: float = 0.05,
    samples: int = 4,
    seed: int = 0,
    watch: Watch = UNWATCHED,
) -> Tensor:
    """How much of a map's order is kept when noise is added to the image.

    Max-sensitivity (Yeh et al., On the (in)fidelity and sensitivity of explanations, NeurIPS 2019) and the local
    Lipschitz estimate (Alvarez-Melis & Jaakkola, On the robustness of interpretability methods, WHI 2018) are the
    largest distance between the maps of an image and of images nearby, the latter by the distance of these. Distances
    cannot be compared between methods whose scales differ, and a maximum grows with the samples; this is the mean rank
    correlation. The target stays the same for the changed images.

    Parameters
    ----------
    explainer : Explainer
    model : Classifier
        Left as it was.
    images : Tensor, (B, 3, H, W)
        Normalised.
    targets
        See `Explainer`.
    noise : float
        Standard deviation of normal noise, as a part of each image's range from its least value to its largest.
    samples : int
        Noisy images a map.
    seed : int
        Of the noise, together with the image.
    watch : Watch

    Returns
    -------
    Tensor, (B,) float64
        On the CPU. In [-1, 1], the mean over samples and targets: 1 where nothing changes, about 0 where nothing is
        kept; NaN where an image's map is constant. A changed map that is constant has kept nothing.

    Raises
    ------
    ValueError
        For noise that is not above 0, or without samples.
    SettingsError, CancelledError
        See `Explainer`.
    """
    if not noise > 0 or samples < 1:
        raise ValueError(f"noise of {noise} in {samples} samples: there must be some")
    size = images.shape[2], images.shape[3]
    before = explainer(model, images, targets, watch=watch.part(0, samples + 1)).on_input(size)
    sigma = noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))[:, None, None, None]
    seeds = image_seeds(images)
    kept = []
    for sample in range(samples):
        drawn = [
            np.random.default_rng([seed, sample, own]).standard_normal(images.shape[1:], np.float32) for own in seeds
        ]
        noisy = images + sigma * torch.from_numpy(np.stack(drawn)).to(images)
        after = explainer(model, noisy, targets, watch=watch.part(sample + 1, samples + 1)).on_input(size)
        kept.append(kept_order(before, after))
    return torch.stack(kept).mean(0)


def shift_stability(
    explainer: Explainer,
    model: Classifier,
    images: Tensor,
    targets: Targets | TargetLike | None,
    *,
    pixels: int = 8,
    watch: Watch = UNWATCHED,
) -> Tensor:
    """How much of a map's order is kept when the image is shifted, and the map with it.

    As `noise_stability`, but of a change whose right effect on the map is known: it should move along. Images go along
    both diagonals, to either side; what comes in repeats the border. Maps are compared over what is seen in both.

    Parameters
    ----------
    explainer, model, images, targets
        See `noise_stability`.
    pixels : int
        Of the shift along rows and along columns, below the image's sides.
    watch : Watch

    Returns
    -------
    Tensor, (B,) float64
        As `noise_stability`, the mean over four shifts and the targets.

    Raises
    ------
    ValueError
        For a shift of less than a pixel, or of the whole image.
    SettingsError, CancelledError
        See `Explainer`.
    """
    height, width = images.shape[2:]
    if not 1 <= pixels < min(height, width):
        raise ValueError(f"a shift must be at least 1 pixel and less than an image of {height} x {width}, not {pixels}")
    before = explainer(model, images, targets, watch=watch.part(0, 5)).on_input((height, width))
    wide = F.pad(images, (pixels,) * 4, mode="replicate")
    kept = []
    for number, (down, across) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        rows, columns = (_window(pixels, sign, side) for sign, side in ((down, height), (across, width)))
        shifted = wide[:, :, rows[0], columns[0]]
        after = explainer(model, shifted, targets, watch=watch.part(number + 1, 5)).on_input((height, width))
        kept.append(kept_order(before[..., rows[1], columns[1]], after[..., rows[2], columns[2]]))
    return torch.stack(kept).mean(0)


def _window(pixels: int, sign: int, side: int) -> tuple[slice, slice, slice]:
    """A shift along an axis: its window on the padded image, and what both see, before and after."""
    start = pixels - sign * pixels
    first, last = slice(0, side - pixels), slice(pixels, side)
    return slice(start, start + side), *((first, last) if sign > 0 else (last, first))


def kept_order(before: Tensor, after: Tensor) -> Tensor:
    """Rank correlation of maps with what became of them, the mean over targets.

    Parameters
    ----------
    before, after : Tensor, (B, T, H, W)

    Returns
    -------
    Tensor, (B,) float64
        On the CPU. Maps that were not constant and are now have kept nothing, 0; NaN where a map was constant before.
    """
    first, second = before.flatten(0, 1), after.flatten(0, 1)
    found = rank_correlation(first, second)
    was_constant = rank_correlation(first, first).isnan()
    return found.where(was_constant, found.nan_to_num(nan=0.0)).view(before.shape[:2]).mean(1).cpu()
