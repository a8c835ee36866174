"""SmoothGrad: gradients of noisy copies of the image, averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, option
from softcam_core.explainers.gradients import input_gradients
from softcam_core.explainers.passes import backward_pixels, sum_of_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class SmoothGrad(Explainer):
    r"""SmoothGrad (Smilkov et al., arXiv 1706.03825, 2017, section 2).

    .. math:: M_{ij} = \sum_c \frac{1}{n} \sum_{s=1}^n \left.\frac{\partial t}{\partial x_{cij}}\right|_{x + g_s},
              \qquad g_s \sim N(0, \sigma^2)

    with :math:`\sigma` a share of the range of the image's values. The noise follows from the seed alone, so that all
    images and targets get the same.
    """

    samples: int = option(16, "noisy copies", least=1)
    noise: float = option(0.15, "standard deviation of the noise, as a share of the image's range", least=0)
    seed: int = option(0, "of the noise", least=0)
    absolute: bool = option(False, "sum of the channels' magnitudes, as common for photographs (section 3.1)")

    about: ClassVar[About] = About(
        name="smoothgrad",
        title="SmoothGrad",
        reference="Smilkov et al., arXiv 1706.03825, 2017, section 2",
        family="gradient",
        cost="tens",
        signed=True,
        valid="As a sensitivity: how much the target rises when a place gets brighter, not what the place adds to it.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        maps = [
            self._map(model, image, rows, watch.part(number, len(images)))
            for number, (image, rows) in enumerate(zip(images, weights, strict=True))
        ]
        return Maps(torch.stack(maps), "relative")

    def _map(self, model: Classifier, image: Tensor, weights: Tensor, watch: Watch) -> Tensor:
        """Maps (T, H, W) of an image (3, H, W) for its targets (T, K)."""
        sigma = self.noise * (image.max() - image.min())

        def run(rows: slice) -> Tensor:
            noise = [standard_noise((self.seed, sample), image.shape) for sample in range(rows.start, rows.stop)]
            noisy = image + sigma * torch.stack(noise).to(image)
            gradients = input_gradients(model, noisy, weights.expand(len(noisy), -1, -1))
            return torch.stack([gradient.sum(0) for gradient in gradients])

        height, width = image.shape[1:]
        total = (
            sum_of_passes(run, self.samples, height * width, limit=backward_pixels(image.device), watch=watch)
            / self.samples
        )
        return (total.abs() if self.absolute else total).sum(1)


def standard_noise(seed: tuple[int, ...], shape: torch.Size) -> Tensor:
    """Normal noise, float32, that follows from whole numbers alone and is the same on all devices."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(tuple(shape), dtype=np.float32))
