"""One entry a backbone family: where its features end and how its head becomes 1x1 convolutions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torchvision.models as tv
from torch import nn

from softcam_core.models.card import ModelCard
from softcam_core.models.compact import CHANNELS, compact_features
from softcam_core.models.softcam import SoftCAM


@dataclass(frozen=True, slots=True)
class Family:
    """How to build the SoftCAM of a backbone family.

    Attributes
    ----------
    architectures : tuple of str
        Names of the members; for torchvision's, its own.
    features : callable
        Architecture -> module (B, 3, H, W) -> (B, D, h, w), freshly initialised, and D.
    head : callable
        D, K -> module (B, D, h, w) -> evidence (B, K, h, w).
    backbone_prefix : str
        What stands before the names of our feature parameters where torchvision's state dict has nothing.
    """

    architectures: tuple[str, ...]
    features: Callable[[str], tuple[nn.Module, int]]
    head: Callable[[int, int], nn.Module]
    backbone_prefix: str = "features."


def _linear_head(channels: int, classes: int) -> nn.Module:
    return nn.Conv2d(channels, classes, kernel_size=1)


def _compact_features(architecture: str) -> tuple[nn.Module, int]:
    return compact_features(), CHANNELS


def _resnet_features(architecture: str) -> tuple[nn.Module, int]:
    # The children by their names, without pooling and classifier; the names are torchvision's state-dict keys.
    network = tv.get_model(architecture, weights=None)
    kept = OrderedDict((k, m) for k, m in network.named_children() if k not in ("avgpool", "fc"))
    return nn.Sequential(kept), network.fc.in_features


def _squeezenet_features(architecture: str) -> tuple[nn.Module, int]:
    network = tv.get_model(architecture, weights=None)
    return network.features, network.classifier[1].in_channels


def _squeezenet_head(channels: int, classes: int) -> nn.Module:
    # SqueezeNet's own classifier, which ends in a ReLU: its maps are non-negative. Whole channels are dropped,
    # not single cells.
    conv = nn.Conv2d(channels, classes, kernel_size=1)
    nn.init.normal_(conv.weight, mean=0.0, std=0.01)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return nn.Sequential(OrderedDict(dropout=nn.Dropout2d(0.5), conv=conv, relu=nn.ReLU()))


FAMILIES: dict[str, Family] = {
    "compact": Family(("compact",), _compact_features, _linear_head),
    "resnet": Family(
        (
            *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
            *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
        ),
        _resnet_features,
        _linear_head,
    ),
    # torchvision calls these parameters "features.*" already.
    "squeezenet": Family(
        ("squeezenet1_0", "squeezenet1_1"), _squeezenet_features, _squeezenet_head, backbone_prefix=""
    ),
}


def architectures() -> tuple[str, ...]:
    """Names of all architectures that can be built."""
    return tuple(name for family in FAMILIES.values() for name in family.architectures)


def family_of(architecture: str) -> Family:
    """The family of an architecture; raises KeyError naming those there are."""
    for family in FAMILIES.values():
        if architecture in family.architectures:
            return family
    raise KeyError(f"no architecture {architecture!r}; there are {', '.join(architectures())}")


def build(card: ModelCard) -> SoftCAM:
    """Build the network a card describes, freshly initialised, in training mode.

    Raises
    ------
    KeyError
        For an unknown architecture.
    """
    family = family_of(card.architecture)
    features, channels = family.features(card.architecture)
    return SoftCAM(features, family.head(channels, len(card.class_names)), card)
