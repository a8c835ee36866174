"""Class activation maps: what a layer's features say of a target, by the gradients of the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.layers import activations_and_logits, lattice_of
from softcam_core.explainers.passes import BACKWARD_PIXELS, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier

_LAYER = "layer whose features are used, by its name in the network (default: the last features)"
_RELU = "cut off what speaks against the target, as published"


@dataclass(frozen=True, slots=True)
class GradCAM(Explainer):
    r"""Grad-CAM (Selvaraju et al., ICCV 2017, eq. 1 and 2).

    .. math:: \alpha_{tk} = \frac{1}{hw} \sum_{ij} \frac{\partial t}{\partial Z_{kij}}, \qquad
              L_t = \mathrm{ReLU} \sum_k \alpha_{tk} Z_k

    with Z the features (D, h, w). Without the ReLU a linear head gives the evidence without its bias, divided by h w.
    """

    layer: str = option("", _LAYER)
    relu: bool = option(True, _RELU)

    about: ClassVar[About] = About(
        name="gradcam",
        title="Grad-CAM",
        reference="Selvaraju et al., ICCV 2017, eq. 1 and 2",
        family="cam",
        cost="backward",
        signed=False,
        valid="At the last features; in earlier layers the mean gradient says little about one place.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        def run(rows: slice) -> Tensor:
            features, gradients = features_and_gradients(model, images[rows], weights[rows], self.layer)
            maps = torch.einsum("btk,bkij->btij", gradients.mean((3, 4)), features)
            return maps.relu() if self.relu else maps

        height, width = images.shape[2:]
        maps = in_passes(run, len(images), height * width, limit=BACKWARD_PIXELS, watch=watch)
        return Maps(maps, "relative", "", lattice_of(model))


def features_and_gradients(
    model: Classifier, images: Tensor, weights: Tensor, layer: str = ""
) -> tuple[Tensor, Tensor]:
    """A layer's features, computed once, and the gradient of each target with respect to them.

    Parameters
    ----------
    model : Classifier
    images : Tensor, (B, 3, H, W)
    weights : Tensor, (B, T, K)
        Of the logits in the targets.
    layer : str
        See `softcam_core.explainers.layers.find_layer`.

    Returns
    -------
    features : Tensor, (B, D, h, w)
    gradients : Tensor, (B, T, D, h, w)
    """
    features, logits = activations_and_logits(model, images, layer)
    # In eval mode images do not touch each other: the gradient of their sum holds the gradient of each.
    totals = contrasted(logits, weights).sum(0)
    gradients = [torch.autograd.grad(total, features, retain_graph=True)[0] for total in totals]
    return features.detach(), torch.stack(gradients, dim=1)
