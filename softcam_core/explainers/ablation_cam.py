"""Ablation-CAM: channels weighed by how much a target falls without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, option
from softcam_core.explainers.cam import RELU
from softcam_core.explainers.layers import LAYER, activations_and_logits, changed_logits, is_last, lattice_of
from softcam_core.explainers.passes import forward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier

_NUMBERS_A_PIXEL = 16
"""What a ResNet's first layer makes of an input pixel, 64 channels at half the side: so much a pass is meant for."""


@dataclass(frozen=True, slots=True)
class AblationCAM(Explainer):
    r"""Ablation-CAM (Desai & Ramaswamy, WACV 2020).

    .. math:: w_k = \frac{t - t_k}{|t|}, \qquad L = \mathrm{ReLU} \sum_k w_k Z_k

    with t the target, a contrast of logits, and :math:`t_k` the target where channel k of the features Z is set to
    zero. The paper divides by t itself, which it takes to be positive; a negative one would turn the map round.

    At the last features only the head runs for each channel, elsewhere the whole network. Channels that are zero
    anyway are left out.
    """

    layer: str = option("", LAYER)
    relu: bool = option(True, RELU)

    in_place: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="ablationcam",
        title="Ablation-CAM",
        reference="Desai & Ramaswamy, WACV 2020",
        family="cam",
        cost="tens",
        signed=False,
        valid="At the last features; elsewhere as well, at one forward pass a channel.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        lattice = lattice_of(model, self.layer)
        maps = []
        with torch.no_grad():
            for i in range(len(images)):
                watch_image = watch.part(i, len(images))
                watch_image.report(0)
                features, logits = activations_and_logits(model, images[i : i + 1], self.layer, differentiable=False)
                falls = logits - self._without_each(model, images[i], features[0], logits, watch_image)
                targets = weights[i] @ logits[0]
                importances = (weights[i] @ falls.T) / targets.abs().where(targets != 0, 1.0)[:, None]
                maps.append(torch.einsum("tk,kij->tij", importances, features[0]))
        watch.report(1)
        values = torch.stack(maps)
        return Maps(values.relu() if self.relu else values, "relative", "", lattice)

    def _without_each(self, model: Classifier, image: Tensor, features: Tensor, logits: Tensor, watch: Watch) -> Tensor:
        """Logits without each of the D channels, (D, K); image (3, H, W), features (D, h, w), logits (1, K)."""
        used = features.flatten(1).any(1).nonzero()[:, 0]
        sees_head_alone = is_last(model, self.layer)

        def run(rows: slice) -> Tensor:
            channels = used[rows]

            def ablate(output: Tensor) -> Tensor:
                output = output.clone()
                output[torch.arange(len(channels)), channels] = 0
                return output

            if sees_head_alone:
                return model.classify(ablate(features.expand(len(channels), -1, -1, -1)))
            return changed_logits(model, image.expand(len(channels), -1, -1, -1), ablate, self.layer)

        pixels = features.numel() // _NUMBERS_A_PIXEL if sees_head_alone else image[0].numel()
        without = logits.repeat(len(features), 1)
        if len(used):
            without[used] = in_passes(run, len(used), pixels, limit=forward_pixels(image.device), watch=watch)
        return without
