"""Integrated Gradients: gradients on the way from an empty image to the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.baselines import BASELINES, baseline_colour
from softcam_core.explainers.gradients import input_gradients
from softcam_core.explainers.passes import backward_pixels, sum_of_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class IntegratedGradients(Explainer):
    r"""Integrated Gradients (Sundararajan, Taly & Yan, ICML 2017, section 3).

    .. math:: M_{ij} = \sum_c (x_{cij} - x'_{cij}) \int_0^1
              \frac{\partial t(x' + \alpha (x - x'))}{\partial x_{cij}} \, d\alpha

    with x' the baseline. The integral is a Gauss-Legendre sum, as in captum, whose steps share one forward pass for all
    targets. A map's sum is t(x) - t(x') (completeness, proposition 1); how far the steps miss it is its error.
    """

    steps: int = option(32, "points on the way from the baseline to the image", least=1)
    baseline: str = option("black", "where the way begins: a black image, or the mean colour", choices=BASELINES)

    about: ClassVar[About] = About(
        name="ig",
        title="Integrated Gradients",
        reference="Sundararajan et al., ICML 2017, section 3",
        family="gradient",
        cost="tens",
        signed=True,
        valid="Against its baseline alone: what has the baseline's colour gets nothing, whatever it means.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        start = baseline_colour(self.baseline, model.card.preprocessing).to(images).expand_as(images[0])
        each = [
            self._map(model, image, start, rows, watch.part(number, len(images)))
            for number, (image, rows) in enumerate(zip(images, weights, strict=True))
        ]
        maps, errors = (torch.stack(part) for part in zip(*each, strict=True))
        return Maps(maps, "sum", "logit", errors=errors)

    def _map(
        self, model: Classifier, image: Tensor, start: Tensor, weights: Tensor, watch: Watch
    ) -> tuple[Tensor, Tensor]:
        """Maps (T, H, W) of an image (3, H, W) for its targets (T, K), and the errors of their sums (T,)."""
        points, shares = (torch.from_numpy(values).to(image) for values in _integral(self.steps))

        def run(rows: slice) -> Tensor:
            on_the_way = torch.lerp(start, image, points[rows, None, None, None])
            gradients = input_gradients(model, on_the_way, weights.expand(len(on_the_way), -1, -1))
            return torch.stack([torch.einsum("n,ncij->cij", shares[rows], gradient) for gradient in gradients])

        height, width = image.shape[1:]
        gradients = sum_of_passes(run, self.steps, height * width, limit=backward_pixels(image.device), watch=watch)
        maps = (gradients * (image - start)).sum(1)
        with torch.no_grad():
            ends = contrasted(model.logits(torch.stack([start, image])), weights.expand(2, -1, -1))
        change = ends[1] - ends[0]
        # A change of exactly nothing is missed by any sum but nothing.
        errors = (maps.sum((1, 2)) - change).abs() / change.abs().clamp_min(torch.finfo(change.dtype).tiny)
        return maps, errors


def _integral(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in [0, 1] and their weights, which add up to 1, of Gauss and Legendre's integral."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (1 + points) / 2, weights / 2
