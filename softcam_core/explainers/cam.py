"""Class activation maps by gradients: what a layer's features say of a target, weighed by the target's gradient.

The network runs once, and the way back goes from the logits to the layer and no further. A target is a contrast of
logits, so that its gradient is the contrast of their gradients.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.equivalence import same_as_evidence
from softcam_core.explainers.layers import LAYER, activations_and_logits, lattice_of
from softcam_core.explainers.passes import backward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier

RELU = "cut off what speaks against the target, as published"
"""What the option `relu` is, for all methods that have it."""

_NEGATIVE = "Features of this layer are negative in places, for which the method's weights were not derived."


@dataclass(frozen=True, slots=True)
class GradientCAM(Explainer):
    """What the methods of this file share; each has its own way to make a map of features and their gradient."""

    layer: str = option("", LAYER)

    in_place: ClassVar[bool] = True  # the layer's output is copied
    has_weights_for_positive_features: ClassVar[bool] = False

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        lattice = lattice_of(model, self.layer)
        is_negative = False

        def run(rows: slice) -> Tensor:
            nonlocal is_negative
            features, logits = activations_and_logits(model, images[rows], self.layer)
            # In eval mode images do not touch each other: the gradient of their sum holds the gradient of each.
            totals = contrasted(logits, weights[rows]).sum(0)
            values = features.detach()
            is_negative |= self.has_weights_for_positive_features and bool((values < 0).any())
            # One target at a time: gradients of all of them can be many times larger than the features.
            maps = [self._map(values, torch.autograd.grad(t, features, retain_graph=True)[0]) for t in totals]
            return torch.stack(maps, dim=1)

        height, width = images.shape[2:]
        maps = in_passes(run, len(images), height * width, limit=backward_pixels(images.device), watch=watch)
        notes = (same_as_evidence(self, model), _NEGATIVE if is_negative else "")
        return Maps(maps, "relative", "", lattice, notes=tuple(filter(None, notes)))

    @abstractmethod
    def _map(self, features: Tensor, gradient: Tensor) -> Tensor:
        """Features (B, D, h, w) and a target's gradient (B, D, h, w) -> maps (B, h, w)."""


@dataclass(frozen=True, slots=True)
class GradCAM(GradientCAM):
    r"""Grad-CAM (Selvaraju et al., ICCV 2017, eq. 1 and 2).

    .. math:: \alpha_k = \frac{1}{hw} \sum_{ij} \frac{\partial t}{\partial Z_{kij}}, \qquad
              L = \mathrm{ReLU} \sum_k \alpha_k Z_k

    with Z the features (D, h, w) and t the target. Without the ReLU a linear head gives the evidence without its bias,
    divided by h w.
    """

    relu: bool = option(True, RELU)

    about: ClassVar[About] = About(
        name="gradcam",
        title="Grad-CAM",
        reference="Selvaraju et al., ICCV 2017, eq. 1 and 2",
        family="cam",
        cost="backward",
        signed=False,
        valid="At the last features; in earlier layers the mean gradient says little about one place.",
    )

    def _map(self, features: Tensor, gradient: Tensor) -> Tensor:
        return _cut(weighted_sum(gradient.mean((2, 3)), features), self.relu)


@dataclass(frozen=True, slots=True)
class GradCAMPlusPlus(GradientCAM):
    r"""Grad-CAM++ (Chattopadhay et al., WACV 2018, eq. 7 and 19).

    .. math:: \alpha_{kij} = \frac{g_{kij}^2}{2 g_{kij}^2 + g_{kij}^3 \sum_{ab} Z_{kab}}, \qquad
              w_k = \sum_{ij} \alpha_{kij} \, \mathrm{ReLU}(g_{kij}), \qquad L = \mathrm{ReLU} \sum_k w_k Z_k

    with g the gradient of the target t. The paper explains exp(t), whose higher derivatives are those of t to a power;
    the factor exp(t), the same in the whole map, is left out.
    """

    relu: bool = option(True, RELU)

    has_weights_for_positive_features: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="gradcam++",
        title="Grad-CAM++",
        reference="Chattopadhay et al., WACV 2018, eq. 7 and 19",
        family="cam",
        cost="backward",
        signed=False,
        valid="For features that are not negative, of which the target is a linear function.",
    )

    def _map(self, features: Tensor, gradient: Tensor) -> Tensor:
        # Where the gradient is positive alpha is 1 / (2 + g sum Z); its square and cube would vanish in float32.
        positive = gradient.relu()
        alpha = 1 / (2 + positive * features.sum((2, 3), keepdim=True))
        return _cut(weighted_sum((alpha * positive).sum((2, 3)), features), self.relu)


@dataclass(frozen=True, slots=True)
class HiResCAM(GradientCAM):
    r"""HiResCAM (Draelos & Carin, arXiv 2011.08891): the gradient keeps its place.

    .. math:: L = \sum_k \frac{\partial t}{\partial Z_k} \odot Z_k
    """

    about: ClassVar[About] = About(
        name="hirescam",
        title="HiResCAM",
        reference="Draelos & Carin, arXiv 2011.08891",
        family="cam",
        cost="backward",
        signed=True,
        valid="Where one linear layer follows the features; then its sum is the target without the bias.",
    )

    def _map(self, features: Tensor, gradient: Tensor) -> Tensor:
        return (gradient * features).sum(1)


@dataclass(frozen=True, slots=True)
class LayerCAM(GradientCAM):
    r"""LayerCAM (Jiang et al., IEEE TIP 2021): of the gradient at each place, what is positive.

    .. math:: L = \mathrm{ReLU} \sum_k \mathrm{ReLU}\!\left(\frac{\partial t}{\partial Z_k}\right) \odot Z_k
    """

    relu: bool = option(True, RELU)

    about: ClassVar[About] = About(
        name="layercam",
        title="LayerCAM",
        reference="Jiang et al., IEEE TIP 2021",
        family="cam",
        cost="backward",
        signed=False,
        valid="In early layers too; what speaks against the target is left out from the start.",
    )

    def _map(self, features: Tensor, gradient: Tensor) -> Tensor:
        return _cut((gradient.relu() * features).sum(1), self.relu)


@dataclass(frozen=True, slots=True)
class XGradCAM(GradientCAM):
    r"""XGrad-CAM (Fu et al., BMVC 2020): gradients averaged with the features as weights.

    .. math:: w_k = \sum_{ij} \frac{Z_{kij}}{\sum_{ab} Z_{kab}} \frac{\partial t}{\partial Z_{kij}}, \qquad
              L = \mathrm{ReLU} \sum_k w_k Z_k

    The ReLU is that of the authors' program.
    """

    relu: bool = option(True, RELU)

    has_weights_for_positive_features: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="xgradcam",
        title="XGrad-CAM",
        reference="Fu et al., BMVC 2020",
        family="cam",
        cost="backward",
        signed=False,
        valid="For features that are not negative, so that no channel's sum vanishes while its features do not.",
    )

    def _map(self, features: Tensor, gradient: Tensor) -> Tensor:
        sums = features.sum((2, 3))
        means = (gradient * features).sum((2, 3)) / sums
        return _cut(weighted_sum(means.where(sums != 0, 0.0), features), self.relu)


def weighted_sum(weights: Tensor, features: Tensor) -> Tensor:
    """Weights (B, D) of features (B, D, h, w) -> maps (B, h, w)."""
    return torch.einsum("bk,bkij->bij", weights, features)


def _cut(maps: Tensor, relu: bool) -> Tensor:
    return maps.relu() if relu else maps
