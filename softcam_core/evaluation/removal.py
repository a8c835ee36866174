"""All figures that remove parts of images, by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from softcam_core.evaluation.curves import Curves
from softcam_core.evaluation.metrics import Metric
from softcam_core.evaluation.perturbation import deletion_and_insertion, perturbation_curves
from softcam_core.evaluation.road import road_curves
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier

_ORDERS: Mapping[str, dict[str, Any]] = {
    "deletion": {"order": "deletion"},
    "insertion": {"order": "insertion"},
    "road": {"order": "morf"},
    "road_least": {"order": "lerf"},
}


def removal_curves(
    metrics: Mapping[str, Metric],
    judge: Classifier,
    images: Tensor,
    maps: Mapping[str, Tensor],
    classes: Tensor,
    *,
    fill: Tensor,
    seed: int,
    watch: Watch,
) -> dict[str, dict[str, Tensor]]:
    """Curves of all methods together, so that what their inputs have in common is run once.

    Parameters
    ----------
    metrics : mapping of str to Metric
        Those asked for; others than these curves are passed over.
    judge : Classifier
    images : Tensor, (B, 3, H, W)
    maps : mapping of str to Tensor
        Name of the method -> (B, H, W).
    classes : Tensor, (B,) int64
        Whose probability is followed.
    fill : Tensor, (3,)
        What blanked pixels become.
    seed : int
        Of ROAD's noise.
    watch : Watch

    Returns
    -------
    dict
        Name of the figure -> name of the method -> (B, steps) float64 on the CPU.
    """
    asked = [metrics[name] for name in _ORDERS if name in metrics]
    by_name = {metric.name: metric for metric in asked}
    found: dict[str, Curves] = {}
    together = [by_name.get("deletion"), by_name.get("insertion")]
    left: Sequence[Metric] = asked
    if together[0] is not None and together[1] is not None and together[0].options == together[1].options:
        left = [metric for metric in asked if metric not in together]
        watch_both = watch.part(0, len(left) + 1)
        blocks = _whole(together[0])
        both = deletion_and_insertion(judge, images, maps, classes, **blocks, fill=fill, watch=watch_both)
        found |= dict(both.items())
    for number, metric in enumerate(left, start=len(asked) - len(left) > 0):
        part = watch.part(number, len(left) + (len(left) < len(asked)))
        run: Callable[..., Curves] = road_curves if metric.name.startswith("road") else perturbation_curves
        own = {"seed": seed} if run is road_curves else {"fill": fill}
        found[metric.name] = run(
            judge, images, maps, classes, **_ORDERS[metric.name], **_whole(metric), **own, watch=part
        )
    return {name: found[name].values for name in by_name}


def _whole(metric: Metric) -> dict[str, int]:
    return {name: int(value) for name, value in metric.options.items()}
