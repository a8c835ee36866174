"""SoftCAM: the prediction of a class is the mean of its evidence map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from softcam_core.models.card import ModelCard

ALWAYS_LARGE_ENOUGH = 64
"""Pixels a side that every architecture takes; below, strides may leave nothing, and torch raises RuntimeError."""


class Evidence(NamedTuple):
    """What one forward pass gives.

    Attributes
    ----------
    logits : Tensor, (B, K)
        Spatial means of the maps.
    maps : Tensor, (B, K, h, w)
        Evidence, signed, in logits.
    """

    logits: Tensor
    maps: Tensor


class SoftCAM(nn.Module):
    r"""A convolutional network whose logits are the spatial means of its evidence maps.

    .. math:: A = W * Z + b, \qquad \text{logit}_k = \frac{1}{hw} \sum_{ij} A_{kij}

    with Z the features (D, h, w) and W a 1x1 convolution (Djoumessi & Berens, SoftCAM, MIDL 2026, section 3).

    Parameters
    ----------
    features : nn.Module
        (B, 3, H, W) -> (B, D, h, w).
    head : nn.Module
        (B, D, h, w) -> evidence (B, K, h, w); acts on each location by itself.
    card : ModelCard
        What the network is, what its classes are called and how its input is made.
    """

    def __init__(self, features: nn.Module, head: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.features = features
        self.head = head
        # The module, not Tensor.mean: relevance propagation has a rule for the one and loses the place in the other.
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.card = card

    def forward(self, x: Tensor) -> Evidence:
        """(B, 3, H, W) normalised images -> logits (B, K) and evidence maps (B, K, h, w)."""
        maps = self.head(self.features(x))
        return Evidence(self.pool(maps).flatten(1), maps)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def probabilities(self, logits: Tensor) -> Tensor:
        """(..., K) logits -> (..., K) probabilities: softmax for single label, sigmoid for multi label."""
        return logits.softmax(-1) if self.card.task == "single_label" else logits.sigmoid()
