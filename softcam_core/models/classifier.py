"""Classifier: what every network is to a method that explains it, features and what makes logits of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor, nn

from softcam_core.models.card import ModelCard
from softcam_core.models.receptive_field import ReceptiveField, receptive_field


class Classifier(nn.Module, ABC):
    """A convolutional network in two parts, with its card.

    Attributes
    ----------
    features : nn.Module
        (B, 3, H, W) -> (B, D, h, w).
    card : ModelCard
        What the network is, what its classes are called and how its input is made.
    """

    def __init__(self, features: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.features = features
        self.card = card

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features (B, D, h, w) -> logits (B, K)."""

    def logits(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised images -> logits (B, K)."""
        return self.classify(self.features(x))

    def probabilities(self, logits: Tensor) -> Tensor:
        """(..., K) logits -> (..., K) probabilities: softmax for single label, sigmoid for multi label."""
        return logits.softmax(-1) if self.card.task == "single_label" else logits.sigmoid()

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters."""
        return next(self.parameters()).dtype

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """Which pixels of the model input a cell of the features can see."""
        return receptive_field(self.features)
