"""SoftCAM: the prediction of a class is the mean of its evidence map."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from softcam_core.errors import SettingsError
from softcam_core.models.card import ModelCard
from softcam_core.models.classifier import Classifier
from softcam_core.models.dilation import set_output_stride
from softcam_core.models.families import Family, family_of
from softcam_core.models.modes import evaluating

ALWAYS_LARGE_ENOUGH = 96
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


class SoftCAM(Classifier):
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
        super().__init__(features, card)
        self.head = head
        # The module, not Tensor.mean: relevance propagation has a rule for the one and loses the place in the other.
        self.pool = nn.AdaptiveAvgPool2d(1)

    @classmethod
    def from_card(cls, card: ModelCard) -> Self:
        """Build the network a card describes, freshly initialised, in training mode.

        Raises
        ------
        KeyError
            For an unknown architecture.
        SettingsError
            When the architecture cannot have the card's options.
        """
        family = family_of(card.architecture)
        features, head = family.parts(_black_box(family, card), card.options)
        return cls(features, head, card)

    def forward(self, x: Tensor) -> Evidence:
        """(B, 3, H, W) normalised images -> logits (B, K) and evidence maps (B, K, h, w)."""
        maps = self.head(self.features(x))
        return Evidence(self.pool(maps).flatten(1), maps)

    def classify(self, features: Tensor) -> Tensor:
        """See `Classifier`."""
        return self.pool(self.head(features)).flatten(1)  # type: ignore[no-any-return]

    @property
    def offset(self) -> Tensor:
        """What the head says of features that are zero everywhere, (K,): for a linear head its bias b.

        It is the same at every place of every image, so no place has earned it (`softcam_core.ledger`).
        """
        channels = next(layer.in_channels for layer in self.head.modules() if isinstance(layer, nn.Conv2d))
        with evaluating(self.head), torch.no_grad():
            evidence: Tensor = self.head(torch.zeros(1, channels, 1, 1, device=self.device, dtype=self.dtype))
        return evidence.flatten()

    def black_box_names(self) -> dict[str, str]:
        """Names of this model's parameters and buffers -> their names in the black box's state dict."""
        family = family_of(self.card.architecture)
        prefixes = {"features.": family.feature_prefix, "head.": family.head_prefix}
        return {
            name: prefixes[part] + name.removeprefix(part)
            for name in self.state_dict()
            for part in prefixes
            if name.startswith(part)
        }

    def black_box(self) -> nn.Module:
        """The network with global pooling and a linear classifier that computes the same logits from these weights.

        For a converted model this is what was trained; methods that explain black boxes can run on it.

        Returns
        -------
        nn.Module
            (B, 3, H, W) -> logits (B, K), in eval mode. It shares this model's weights: do not train it.

        Raises
        ------
        SettingsError
            When the architecture has no black box of the same function.
        """
        family = family_of(self.card.architecture)
        reason = family.inexact or ("it was trained without the last ReLU" if not self.card.options.final_relu else "")
        if reason:
            advice = "Compare with a separately trained network."
            raise SettingsError(self.card.architecture, f"no black box computes what this model does: {reason}", advice)
        with torch.device("meta"):
            network = _black_box(family, self.card)
        # torchvision's and timm's own state dicts carry version marks that their loaders look for.
        state = network.state_dict()
        own = self.state_dict(keep_vars=True)
        for name, black_box_name in self.black_box_names().items():
            state[black_box_name] = own[name].reshape(state[black_box_name].shape)
        network.load_state_dict(state, assign=True)
        return network.eval()


def _black_box(family: Family, card: ModelCard) -> nn.Module:
    network = family.network(card.architecture, len(card.class_names), card.options)
    stride = card.options.output_stride
    if stride is not None:
        if family.stages is None:
            reason = f"its layers cannot be dilated to an output stride of {stride}"
            raise SettingsError(card.architecture, reason, "Leave --output-stride out, or choose a ResNet.")
        set_output_stride(family.stages(network), stride)
    return network
