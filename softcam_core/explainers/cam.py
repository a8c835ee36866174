"""Class activation maps: what a network's last features say of a class, by the gradients of its logit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import SoftCAM


def grad_cam(model: SoftCAM, images: Tensor, classes: Sequence[int] | None = None, *, relu: bool = True) -> Tensor:
    r"""Grad-CAM at the last features (Selvaraju et al., ICCV 2017, eq. 1 and 2).

    .. math:: \alpha_{ck} = \frac{1}{hw} \sum_{ij} \frac{\partial y_c}{\partial Z_{kij}}, \qquad
              L_c = \mathrm{ReLU} \sum_k \alpha_{ck} Z_k

    with Z the features (D, h, w) and y the logits. They are those of the model's black box as well, where it has one
    (`SoftCAM.black_box`), and so is the map. Without the ReLU a linear head gives the evidence without its bias,
    divided by h w; and the difference of two maps is the map of the logits' difference.

    Parameters
    ----------
    model : SoftCAM
        Left as it was; it is run in eval mode.
    images : Tensor, (B, 3, H, W)
        Normalised, on the model's device.
    classes : sequence of int, optional
        The C classes to explain, in this order; all by default. The features are computed once.
    relu : bool
        Whether what speaks against a class is cut off, as published.

    Returns
    -------
    Tensor, (B, C, h, w)
        On the grid of the evidence.
    """
    with evaluating(model), torch.inference_mode(False):
        with torch.no_grad():
            features = model.features(images).detach()
        with torch.enable_grad():
            logits = model.pool(model.head(features.requires_grad_())).flatten(1)
            # In eval mode images do not touch each other: the gradient of their sum holds the gradient of each.
            totals = logits.sum(0)
            chosen = totals if classes is None else totals[list(classes)]
            gradients = [torch.autograd.grad(y, features, retain_graph=True)[0] for y in chosen]
    weights = torch.stack([gradient.mean((2, 3)) for gradient in gradients], dim=1)
    maps = torch.einsum("bck,bkij->bcij", weights, features.detach())
    return maps.relu() if relu else maps
