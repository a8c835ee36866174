"""Figures that explain changed images, or a changed network, once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from softcam_core.evaluation.plan import Contender, Plan
from softcam_core.evaluation.sanity import sanity_check
from softcam_core.evaluation.stability import noise_stability, shift_stability
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import Watch

_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "noise_stability": noise_stability,
    "shift_stability": shift_stability,
    "sanity": sanity_check,
}


class Robustness(NamedTuple):
    """A figure of each image, (B,), or a curve, (B, steps); float64 on the CPU."""

    name: str
    values: Tensor


def robustness_figures(
    plan: Plan, contender: Contender, images: Tensor, targets: Sequence[Sequence[Target]], watch: Watch
) -> Iterator[Robustness]:
    """Those of the plan's figures of a method.

    Of "sanity" there is the curve over the stages of randomisation, and its end as the figure.

    Parameters
    ----------
    plan : Plan
    contender : Contender
    images : Tensor, (B, 3, H, W)
        On the network's device.
    targets : sequence of sequence of Target
        Of each image.
    watch : Watch
    """
    asked = [metric for metric in plan.metrics if metric.name in _FUNCTIONS]
    for number, metric in enumerate(asked):
        options: dict[str, Any] = dict(metric.options)
        if metric.name != "shift_stability":
            options["seed"] = plan.seed
        if metric.name == "shift_stability":
            options["pixels"] = min(options["pixels"], min(images.shape[2:]) - 1)
        run = _FUNCTIONS[metric.name]
        values = run(
            contender.explainer,
            contender.network.model,
            images,
            targets,
            **options,
            watch=watch.part(number, len(asked)),
        )
        yield Robustness(metric.name, values)
        if values.ndim == 2:
            yield Robustness(metric.name, values[:, -1])
