"""Gradients of targets with respect to the pixels, and what one pass of them is good for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, contrasted
from softcam_core.explainers.passes import backward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class GradientTimesInput(Explainer):
    r"""Gradient x input (Shrikumar et al., arXiv 1605.01713, 2016).

    .. math:: M_{ij} = \sum_c x_{cij} \frac{\partial t}{\partial x_{cij}}

    with x the normalised image: what has the mean colour gets nothing. For a network of ReLUs without biases the maps
    add up to the target; biases take their part of it away.
    """

    about: ClassVar[About] = About(
        name="gradxinput",
        title="Gradient × input",
        reference="Shrikumar et al., arXiv 1605.01713, 2016",
        family="gradient",
        cost="backward",
        signed=True,
        valid="Near the image alone: where the network saturates, its gradient is small however much a place matters.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        def run(rows: slice) -> Tensor:
            gradients = input_gradients(model, images[rows], weights[rows])
            return torch.stack([(gradient * images[rows]).sum(1) for gradient in gradients], dim=1)

        height, width = images.shape[2:]
        return Maps(
            in_passes(run, len(images), height * width, limit=backward_pixels(images.device), watch=watch), "relative"
        )


def input_gradients(model: Classifier, images: Tensor, weights: Tensor) -> Iterator[Tensor]:
    """Gradient of each target with respect to the images, one after the other: one forward pass, and T backward.

    To be used within `softcam_core.explainers.untouched.untouched`.

    Parameters
    ----------
    model : Classifier
    images : Tensor, (B, 3, H, W)
    weights : Tensor, (B, T, K)
        Of the logits in the targets.

    Yields
    ------
    Tensor, (B, 3, H, W)
        T times.
    """
    leaf = images.detach().requires_grad_()
    # In eval mode images do not touch each other: the gradient of their sum holds the gradient of each.
    totals = contrasted(model.logits(leaf), weights).sum(0)
    for total in totals:
        yield torch.autograd.grad(total, leaf, retain_graph=True)[0]
