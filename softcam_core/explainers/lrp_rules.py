"""Rules for layers that zennit has none for, or none that keeps the sum when biases are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.nn.grad import conv2d_input
from zennit.core import BasicHook, Hook, ParamMod, stabilize
from zennit.rules import Gamma, NoMod

STABILISER = 1e-6
"""zennit's, added to what is divided by."""


class PlusOrFlat(Hook):
    r"""The z+ rule for convolutions whose biases keep no relevance, and nothing else does.

    .. math:: R_i = \sum_j \left((x_i w_{ij})^+ + \frac{\epsilon}{n_j}\right) \frac{R_j}{z_j + \epsilon},
              \qquad z_j = \sum_i (x_i w_{ij})^+

    The first term is zennit's ZPlus (Bach et al., PLOS ONE 2015, eq. 60 with alpha 1). Where nothing that an output
    sees speaks for it, the bias alone made it, and ZPlus loses its relevance: in a MobileNetV2 with random weights
    about half in each depthwise convolution, which sees one channel at a few places. The second term spreads that
    relevance evenly over the n inputs that the output sees, as the flat rule does (Lapuschkin et al., Nature
    Communications 2019).

    zennit differentiates the layer and then puts its own result in the place of the gradient. Here the gradient is
    never computed, nor are contributions of negative inputs where there are none.
    """

    def pre_forward(self, module: nn.Conv2d, args: tuple[Tensor]) -> tuple[Tensor]:
        """Let the layer run without a gradient."""
        self.stored_tensors["undetached"] = args[0]
        return (args[0].detach(),)

    def post_forward(self, module: nn.Conv2d, args: tuple[Tensor], output: Tensor) -> Tensor:
        """Have the relevance come back through the rule."""
        self.stored_tensors.pop("positive", None)  # of an earlier pass
        linked: Tensor = _Link.apply(self.stored_tensors.pop("undetached"), output, self, module)
        return linked

    def propagate(self, module: nn.Conv2d, x: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the outputs -> relevance of the inputs x."""
        kept = self.stored_tensors
        parts = [(x.clamp(min=0), module.weight.clamp(min=0))]
        if bool(x.min() < 0):
            parts.append((x.clamp(max=0), module.weight.clamp(max=0)))
        if "positive" not in kept:  # the same for all targets
            kept["positive"] = torch.zeros_like(relevance)
            for part in parts:
                kept["positive"] += _convolved(module, *part)
        share = relevance / (kept["positive"] + STABILISER)
        given = self._spread(module, x, share * STABILISER)
        for values, weight in parts:
            given += values * _handed_back(module, x.shape, weight, share)
        return given

    @staticmethod
    def _spread(module: nn.Conv2d, x: Tensor, relevance: Tensor) -> Tensor:
        """Spread evenly; channels of a group get the same, so one stands for all."""
        groups, channels = module.groups, module.in_channels // module.groups
        box = x.new_ones((groups, 1, *module.kernel_size))
        count = channels * _convolved(module, x.new_ones((1, groups, *x.shape[2:])), box)
        summed = relevance.unflatten(1, (groups, -1)).sum(2) / count
        spread = _handed_back(module, torch.Size((len(x), groups, *x.shape[2:])), box, summed)
        return spread.repeat_interleave(channels, dim=1)


def _convolved(module: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    return conv2d(x, weight, None, module.stride, module.padding, module.dilation, module.groups)


def _handed_back(module: nn.Conv2d, shape: torch.Size, weight: Tensor, share: Tensor) -> Tensor:
    geometry = (module.stride, module.padding, module.dilation, module.groups)
    given: Tensor = conv2d_input(shape, weight, share, *geometry)
    return given


class _Link(torch.autograd.Function):
    """Joins a layer's input and output, which were computed apart, for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor, rule: PlusOrFlat, module: nn.Conv2d) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        ctx.rule, ctx.module = rule, module
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        return ctx.rule.propagate(ctx.module, x, relevance), None, None, None


def epsilon_rule() -> BasicHook:
    r"""The epsilon rule for dense layers, with the bias shared out in proportion to what the inputs contribute.

    .. math:: R_i = \sum_j \left(x_i w_{ij} + b_j \frac{|x_i w_{ij}|}{\sum_i |x_i w_{ij}|}\right) \frac{R_j}{y_j}

    Only to leave the bias out of the denominator, as zennit does, gives all x w the factor y / (y - b): where the bias
    outweighs the rest, what speaks for a class is shown as speaking against it.
    """
    no_bias = {"zero_params": ["bias"]}
    return BasicHook(
        input_modifiers=[lambda x: x, torch.abs, lambda x: x],
        param_modifiers=[NoMod(**no_bias), ParamMod(lambda param, _: param.abs(), **no_bias), NoMod()],
        output_modifiers=[lambda y: y] * 3,
        gradient_mapper=_shares_with_bias,
        reducer=lambda inputs, slopes: inputs[0] * slopes[0] + inputs[1] * slopes[1],
    )


def _shares_with_bias(relevance: Tensor, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    linear, size, output = (each.detach() for each in outputs)
    share = relevance / stabilize(output, STABILISER)
    return share, share * (output - linear) / stabilize(size, STABILISER), torch.zeros_like(share)


def gamma_rule(zero_params: list[str] | None) -> Gamma:
    """The generalised gamma rule of zennit, mended to hold without biases too.

    The rule divides positive outputs by one sum of contributions and negative outputs by another. zennit asks for the
    sign with the bias even where the sums are without: they can then be zero, and relevance grows without bound.
    """
    rule = Gamma(zero_params=zero_params)
    rule.param_modifiers[-1] = NoMod(zero_params=zero_params)
    return rule
