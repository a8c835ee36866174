"""Which rule propagates relevance through which layer."""

from __future__ import annotations

import torch
from torch import nn
from zennit.composites import EpsilonAlpha2Beta1Flat, EpsilonGammaBox, EpsilonPlusFlat, MixedComposite, NameMapComposite
from zennit.core import Composite, Hook
from zennit.rules import Epsilon
from zennit.types import Convolution

from softcam_core.explainers.lrp_rules import PlusOrFlat, epsilon_rule, gamma_rule
from softcam_core.models.classifier import Classifier

COMPOSITES = ("epsilon-plus-flat", "alpha-beta", "gamma")
"""Names of what `composite_of` makes, as zennit's EpsilonPlusFlat, EpsilonAlpha2Beta1Flat and EpsilonGammaBox."""


def composite_of(name: str, model: Classifier, zero_bias: bool) -> Composite:
    """Rules for all layers of a network.

    The first convolution hands its relevance evenly to all pixels it sees, or with "gamma" as fits their range of
    values; the others by their positive contributions ("epsilon-plus-flat"), twice the positive less once the
    negative ones ("alpha-beta"), or all with the positive ones stressed ("gamma"). Linear layers have the epsilon
    rule, and so have the convolutions of a head, which stand for linear layers. Activations hand all on.

    Parameters
    ----------
    name : str
        One of `COMPOSITES`.
    model : Classifier
    zero_bias : bool
        Leave biases out of the denominators, so that none of the relevance stays with them.
    """
    zero = ["bias"] if zero_bias else None
    plus = [(Convolution, PlusOrFlat())] if zero_bias else []
    layers = list(model.named_modules())
    dense = [
        layer for layer, module in layers if layer.startswith("head") and isinstance(module, nn.Conv2d | nn.Linear)
    ]
    by_name: list[tuple[list[str], Hook]] = [(dense, epsilon_rule() if zero_bias else Epsilon())]
    if name == "epsilon-plus-flat":
        rules: Composite = EpsilonPlusFlat(layer_map=plus, zero_params=zero)
    else:
        if zero_bias:
            # Among the few contributions in a depthwise convolution there is often none of the sign a rule looks for.
            by_name.append(([layer for layer, module in layers if _is_depthwise(module)], PlusOrFlat()))
        rules = _gamma(model, zero) if name == "gamma" else EpsilonAlpha2Beta1Flat(zero_params=zero)
    return MixedComposite([NameMapComposite(by_name), rules])


def _gamma(model: Classifier, zero: list[str] | None) -> Composite:
    scaling = model.card.preprocessing
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (scaling.mean, scaling.std))
    black, white = -mean / std, (1 - mean) / std
    return EpsilonGammaBox(black, white, layer_map=[(Convolution, gamma_rule(zero))], zero_params=zero)


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
