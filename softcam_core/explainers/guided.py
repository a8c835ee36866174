"""Guided Backprop: gradients that only what raises the target passes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import About, Explainer, Maps, option
from softcam_core.explainers.cam import GradCAM
from softcam_core.explainers.gradients import input_gradients
from softcam_core.explainers.layers import LAYER
from softcam_core.explainers.passes import backward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier

_RELUS = {functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}

_OTHERS: dict[Callable[..., Tensor], tuple[type[nn.Module], str]] = {
    functional.silu: (nn.SiLU, "SiLU"),
    functional.gelu: (nn.GELU, "GELU"),
    functional.hardswish: (nn.Hardswish, "hard swish"),
    functional.relu6: (nn.ReLU6, "ReLU6"),
    functional.hardtanh: (nn.Hardtanh, "hard tanh"),
    functional.leaky_relu: (nn.LeakyReLU, "leaky ReLU"),
    functional.prelu: (nn.PReLU, "PReLU"),
    functional.elu: (nn.ELU, "ELU"),
    functional.selu: (nn.SELU, "SELU"),
    functional.celu: (nn.CELU, "CELU"),
    functional.mish: (nn.Mish, "Mish"),
    functional.softplus: (nn.Softplus, "softplus"),
    torch.tanh: (nn.Tanh, "tanh"),
}
"""Activations that the rule is not made for; ReLU6 before the hard tanh that it is too.

Sigmoids are none of them: they are gates, and keep their gradient.
"""


class _Guided(TorchFunctionMode):
    """Within it, ReLUs pass on positive gradients alone, modules and functions alike.

    captum puts hooks on modules: it misses GoogLeNet's and Inception's ReLUs, which are functions, in silence. It also
    needs a forward pass for each target, and warns at each.
    """

    def __init__(self, architecture: str) -> None:
        super().__init__()
        self.architecture = architecture

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  # whatever the function gives
        if func in _OTHERS:
            raise SettingsError(self.architecture, _not_for(_OTHERS[func][1]), "Choose another method.")
        out = func(*args, **(kwargs or {}))
        if func in _RELUS and out.requires_grad:
            out.register_hook(functional.relu)
        return out


def _not_for(activation: str) -> str:
    return f"its activation {activation} is no ReLU, and the rule of Guided Backprop is made for ReLUs alone"


def _refusal(model: Classifier) -> str:
    for part in model.modules():
        for kind, name in _OTHERS.values():
            if isinstance(part, kind):
                return _not_for(name)
    return ""


@dataclass(frozen=True, slots=True)
class GuidedBackprop(Explainer):
    r"""Guided Backprop (Springenberg et al., ICLR workshop 2015, fig. 1).

    The gradient of the target with respect to the pixels, where a ReLU passes back

    .. math:: R^l = [f^l > 0] \, [R^{l+1} > 0] \, R^{l+1}

    and everything else its gradient. The ReLU of SqueezeNet's evidence is a ReLU too.
    """

    about: ClassVar[About] = About(
        name="guided",
        title="Guided Backprop",
        reference="Springenberg et al., ICLR workshop 2015, fig. 1",
        family="gradient",
        cost="backward",
        signed=True,
        valid="As a picture of edges the network uses; it says little of the class (Adebayo et al., NeurIPS 2018).",
    )

    def refusal(self, model: Classifier) -> str:
        """See `Explainer`; networks whose activations are no ReLUs."""
        return Explainer.refusal(self, model) or _refusal(model)

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        return Maps(guided_gradients(model, images, weights, watch), "relative")


@dataclass(frozen=True, slots=True)
class GuidedGradCAM(Explainer):
    """Guided Backprop times Grad-CAM spread over the pixels (Selvaraju et al., ICCV 2017, section 3)."""

    layer: str = option("", LAYER)

    about: ClassVar[About] = About(
        name="guidedgradcam",
        title="Guided Grad-CAM",
        reference="Selvaraju et al., ICCV 2017, section 3",
        family="gradient",
        cost="backward",
        signed=True,
        valid="Where Grad-CAM is; within it, it shows the edges that Guided Backprop shows.",
    )

    def refusal(self, model: Classifier) -> str:
        """See `GuidedBackprop`."""
        return Explainer.refusal(self, model) or _refusal(model)

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        height, width = images.shape[2:]
        coarse = GradCAM(layer=self.layer)._maps(model, images, weights, watch.part(0, 2))
        fine = guided_gradients(model, images, weights, watch.part(1, 2))
        return Maps(coarse.on_input((height, width)) * fine, "relative")


def guided_gradients(model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Tensor:
    """Guided gradients of images (B, 3, H, W), summed over the channels, for targets (B, T, K): (B, T, H, W)."""

    def run(rows: slice) -> Tensor:
        with _Guided(model.card.architecture):
            gradients = input_gradients(model, images[rows], weights[rows])
            return torch.stack([gradient.sum(1) for gradient in gradients], dim=1)

    height, width = images.shape[2:]
    return in_passes(run, len(images), height * width, limit=backward_pixels(images.device), watch=watch)
