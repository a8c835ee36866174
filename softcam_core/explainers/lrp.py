"""Layer-wise relevance propagation: a logit is handed back through the network, layer by layer, to the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.lrp_arithmetic import Arithmetic
from softcam_core.explainers.lrp_canonizers import canonical, unsupported
from softcam_core.explainers.lrp_composites import COMPOSITES, composite_of
from softcam_core.explainers.passes import backward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class LRP(Explainer):
    r"""Layer-wise relevance propagation (Bach et al., PLOS ONE 2015), through zennit (Anders et al., arXiv 2106.13200).

    .. math:: R_k = w_k y_k, \qquad R_i = \sum_j \frac{z_{ij}}{\sum_i z_{ij}} R_j, \qquad \sum_{pixels} R = t

    with z what input i contributes to output j of a layer, which the rule of the layer says
    (`softcam_core.explainers.lrp_composites.composite_of`). The relevance of the target t starts at the logits, and
    none is lost on the way: the map adds up to t, in logits. `Maps.errors` tells by how much it does not. With
    ``zero_bias`` off, biases keep what they contributed, and the error is their share.

    It runs on a copy of the network (`softcam_core.explainers.lrp_canonizers.canonical`), which has none of its hooks.
    """

    composite: str = option(COMPOSITES[0], "rules for the layers", choices=COMPOSITES)
    zero_bias: bool = option(True, "hand on the relevance that biases would keep, so that maps add up to the target")

    about: ClassVar[About] = About(
        name="lrp",
        title="LRP",
        reference="Bach et al., PLOS ONE 2015, eq. 60; Montavon et al., Explainable AI, Springer 2019, section 10.2",
        family="propagation",
        cost="backward",
        signed=True,
        valid="Where its sum is the target. Rules that follow positive contributions alone tell classes apart poorly "
        "in deep networks (Sixt et al., ICML 2020).",
    )

    def refusal(self, model: Classifier) -> str:
        """See `Explainer`; networks with layers that there are no rules for."""
        return Explainer.refusal(self, model) or unsupported(model.card.architecture)

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        count, targets = weights.shape[:2]
        height, width = images.shape[2:]
        copy = canonical(model)
        logits = torch.empty_like(weights[:, 0])

        def run(rows: slice) -> Tensor:
            pixels = images[rows].clone().requires_grad_()
            with Arithmetic():
                output = copy.logits(pixels)
            logits[rows] = output.detach()
            maps = []
            for target in range(targets):
                watch.report(rows.start + (rows.stop - rows.start) * target / targets, count)
                start = weights[rows, target] * logits[rows]
                (relevance,) = torch.autograd.grad(output, pixels, start, retain_graph=target < targets - 1)
                maps.append(relevance.sum(1))
            return torch.stack(maps, dim=1)

        # Beside the activations, the denominators of the rules are kept.
        limit = backward_pixels(images.device) // 2
        with composite_of(self.composite, copy, self.zero_bias).context(copy):
            maps = in_passes(run, count, height * width, limit=limit, watch=watch)
        expected = contrasted(logits, weights)
        errors = (maps.sum((2, 3)) - expected).abs() / expected.abs().clamp_min(torch.finfo(maps.dtype).tiny)
        return Maps(maps, "sum", "logit", errors=errors)
