"""Floors: maps that know nothing of the model, which every method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from softcam_core.explainers.base import About, Explainer, Maps, option
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class RandomMap(Explainer):
    """Normal noise, each pixel by itself; it follows from the seed, the image and the target, and nothing else."""

    seed: int = option(0, "of the noise", least=0)

    about: ClassVar[About] = About(
        name="random",
        title="Random map",
        reference="None: what chance gives",
        family="floor",
        cost="forward",
        signed=True,
        valid="Never: it is what a method must beat.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        watch.report(0)
        noise = [[self._noise(image, target) for target in rows] for image, rows in zip(images, weights, strict=True)]
        watch.report(1)
        return Maps(torch.stack([torch.stack(rows) for rows in noise]).to(images), "relative")

    def _noise(self, image: Tensor, target: Tensor) -> Tensor:
        # In one precision, so that all devices and models get the same.
        content = b"".join(tensor.float().cpu().numpy().tobytes() for tensor in (image, target))
        digest = int.from_bytes(blake2b(content, digest_size=16).digest())
        rng = np.random.default_rng((self.seed, digest))
        return torch.from_numpy(rng.standard_normal(tuple(image.shape[1:]), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Edges(Explainer):
    """Magnitude of the Sobel gradient of the shown image in grey, held constant beyond its border.

    An edge detector can pass for an explanation (Adebayo et al., NeurIPS 2018).
    """

    about: ClassVar[About] = About(
        name="edges",
        title="Edge detector",
        reference="Adebayo et al., NeurIPS 2018",
        family="floor",
        cost="forward",
        signed=False,
        valid="Never: it is the same for all models and targets.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        watch.report(0)
        card = model.card.preprocessing
        mean, std, luma = (images.new_tensor(values)[:, None, None] for values in (card.mean, card.std, _LUMA))
        grey = ((images * std + mean) * luma).sum(1, keepdim=True)
        across = images.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
        slopes = functional.conv2d(
            functional.pad(grey, (1, 1, 1, 1), mode="replicate"), torch.stack([across, across.T])[:, None]
        )
        maps = slopes.square().sum(1, keepdim=True).sqrt().repeat(1, weights.shape[1], 1, 1)
        watch.report(1)
        return Maps(maps, "relative")
