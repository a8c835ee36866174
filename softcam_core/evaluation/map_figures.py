"""Figures of maps themselves, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from softcam_core.evaluation import localization, patches
from softcam_core.evaluation.local_to_global import local_to_global
from softcam_core.evaluation.mapping import Mapped, Wanted
from softcam_core.evaluation.metrics import Metric
from softcam_core.evaluation.sparsity import gini_index, near_zero_share
from softcam_core.explainers.targets import Target

PATCH_HITS = "patch_hits"
"""The curve that goes with "patch_precision": whether the k-th patch hits, from k = 1."""

_LOCALISATION: Mapping[str, Callable[..., Tensor]] = {
    "pointing_game": localization.pointing_game,
    "relevance_mass": localization.relevance_mass,
    "relevance_rank": localization.relevance_rank,
    "activation_precision": localization.activation_precision,
    "activation_sensitivity": localization.activation_sensitivity,
    "best_iou": localization.best_iou,
    "best_dice": localization.best_dice,
}
_SPARSITY: Mapping[str, Callable[[Tensor], Tensor]] = {"gini": gini_index, "near_zero": near_zero_share}


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Figures of one kind.

    Attributes
    ----------
    name : str
    places : tuple of int
        Of the images that have one.
    targets : tuple of Target
        Of their maps.
    values : Tensor, (n,) or, for a curve, (n, steps) float64
    """

    name: str
    places: tuple[int, ...]
    targets: tuple[Target, ...]
    values: Tensor


def map_figures(
    metrics: Sequence[Metric], mapped: Mapped, wanted: Sequence[Wanted], regions: Tensor, present: Sequence[bool]
) -> Iterator[Figures]:
    """All figures that need nothing but the maps.

    Parameters
    ----------
    metrics : sequence of Metric
        Those asked for; what needs more than maps is passed over.
    mapped : Mapped
    wanted : sequence of Wanted, B
    regions : Tensor, (B, H, W) bool
        What was annotated.
    present : sequence of bool, B
        Whether each image has the class of its label's map.
    """
    found = _chosen([each.finding for each in wanted])
    labels, predicted = _chosen([each.label for each in wanted]), _chosen([each.predicted for each in wanted])
    for metric in metrics:
        if metric.name in _LOCALISATION and found:
            values, marked = _stack(mapped.on_input, found), regions[list(found)]
            yield _figures(metric.name, found, _LOCALISATION[metric.name](values, marked, **metric.options))
        elif metric.name == "patch_precision" and found:
            values, marked = _stack(mapped.on_input, found), regions[list(found)]
            patch, stride, most = (int(metric.options[name]) for name in ("patch", "stride", "most"))
            hits = patches.patch_hits(values, marked, patch, stride, None)
            yield _figures(metric.name, found, patches.patch_precision(hits))
            yield _figures(PATCH_HITS, found, _padded(hits, most))
        elif metric.name in _SPARSITY:
            # On the grid that the method gives: resampling blurs, and dense zeros would count by area.
            for place, target in predicted.items():
                grid = mapped.grids[place, target]
                value = _SPARSITY[metric.name](grid) if bool(grid.isfinite().all()) else torch.tensor(torch.nan)
                yield _figures(metric.name, {place: target}, value.reshape(1))
        elif metric.name in ("local_present", "local_absent"):
            wants = metric.name == "local_present"
            for place, target in labels.items():
                if present[place] == wants:
                    grid = mapped.grids[place, target][None]
                    grid = grid.where(grid.isfinite(), torch.nan)
                    value = local_to_global(grid, torch.tensor([wants], device=grid.device))
                    yield _figures(metric.name, {place: target}, value)


def _chosen(targets: Sequence[Target | None]) -> dict[int, Target]:
    return {place: target for place, target in enumerate(targets) if target is not None}


def _stack(maps: Mapping[tuple[int, Target], Tensor], chosen: Mapping[int, Target]) -> Tensor:
    return torch.stack([maps[key] for key in chosen.items()])


def _figures(name: str, chosen: Mapping[int, Target], values: Tensor) -> Figures:
    return Figures(name, tuple(chosen), tuple(chosen.values()), values.double().cpu())


def _padded(hits: Tensor, most: int) -> Tensor:
    """The first `most` columns; NaN where there are fewer."""
    hits = hits[:, :most]
    return torch.nn.functional.pad(hits, (0, most - hits.shape[1]), value=torch.nan)
