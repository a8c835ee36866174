"""Eigen-CAM: the pattern that a layer's features have in common, of no class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, option
from softcam_core.explainers.layers import LAYER, activations_and_logits, lattice_of
from softcam_core.explainers.passes import forward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class EigenCAM(Explainer):
    r"""Eigen-CAM (Muhammad & Yeasin, IJCNN 2020): the features along their first principal component.

    .. math:: Z = U \Sigma V^\top, \qquad L = Z v_1 = \sigma_1 u_1

    with Z the features of a layer as a matrix (h w, D). A singular vector has no sign; the map has the one with which
    it is large where features are strong (their norm over the channels). Features that are not negative then give a
    map that is not negative.
    """

    layer: str = option("", LAYER)
    centred: bool = option(False, "take each channel's mean away first, as the grad-cam library does")

    in_place: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="eigencam",
        title="Eigen-CAM",
        reference="Muhammad & Yeasin, IJCNN 2020",
        family="cam",
        cost="forward",
        signed=False,
        valid="As a picture of what the features respond to at all; it explains no class.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        lattice = lattice_of(model, self.layer)

        def run(rows: slice) -> Tensor:
            features, _ = activations_and_logits(model, images[rows], self.layer, differentiable=False)
            return first_component(features, centred=self.centred)

        height, width = images.shape[2:]
        maps = in_passes(run, len(images), height * width, limit=forward_pixels(images.device), watch=watch)
        note = "Eigen-CAM does not look at the classes: its map is the same for every target."
        return Maps(maps[:, None].repeat(1, weights.shape[1], 1, 1), "relative", "", lattice, notes=(note,))


def first_component(features: Tensor, *, centred: bool) -> Tensor:
    """Features (B, D, h, w) along their first principal component, (B, h, w)."""
    flat = features.flatten(2)
    if centred:
        flat = flat - flat.mean(2, keepdim=True)
    _, strengths, places = torch.linalg.svd(flat, full_matrices=False)
    maps = strengths[:, :1] * places[:, 0]
    agreement = (maps * features.flatten(2).norm(dim=1)).sum(1, keepdim=True)
    signed: Tensor = torch.where(agreement < 0, -maps, maps).unflatten(1, features.shape[2:])
    return signed
