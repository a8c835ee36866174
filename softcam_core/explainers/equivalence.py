r"""Where a method is SoftCAM's evidence under another name, by algebra on the model at hand.

With a head that pools by the mean and is affine, :math:`y_k = \frac{1}{hw} \sum_{ij} (W_k z_{ij} + b_k)`, the gradient
of a logit with respect to the features is :math:`W_k / hw` in each cell. What Grad-CAM, HiResCAM and XGrad-CAM make of
it is :math:`W_k z_{ij} / hw`, which is the evidence without its bias, divided by the number of cells.
"""

from __future__ import annotations

from torch import nn

from softcam_core.explainers.base import Explainer
from softcam_core.explainers.layers import is_last
from softcam_core.models.black_box import BlackBox
from softcam_core.models.classifier import Classifier
from softcam_core.models.softcam import SoftCAM

_SAME = ("gradcam", "hirescam", "xgradcam")


def same_as_evidence(explainer: Explainer, model: Classifier) -> str:
    """How a method's maps are the evidence, where they are by algebra, a sentence; empty where they are something else.

    For a black box it is the evidence of the SoftCAM that it would become.
    """
    options = explainer.defaults() | explainer.options()
    if explainer.about.name not in _SAME or not is_last(model, options["layer"]) or not has_affine_head(model):
        return ""
    cut = " and cut at zero" if options.get("relu") else ""
    return (
        f"The same as SoftCAM's evidence, without its bias and divided by the number of cells{cut}: "
        f"{explainer.about.title} is nothing else on this model, because its classifier is linear."
    )


def has_affine_head(model: Classifier) -> bool:
    """True where logits are the mean over all cells of one affine function of each cell's features.

    Asked of the head's own layers, so that activations and normalisations behind the pool are found.
    """
    if isinstance(model, SoftCAM):
        return _are_affine([*_layers(model.head), model.pool])
    return isinstance(model, BlackBox) and _are_affine(_layers(model.head))


def _layers(head: nn.Module) -> list[nn.Module]:
    """Layers in the order they run; containers of other kinds than Sequential stay whole."""
    if type(head) is not nn.Sequential:
        return [head]
    return [layer for part in head for layer in _layers(part)]


def _are_affine(layers: list[nn.Module]) -> bool:
    has_pooled = False
    for layer in layers:
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            if layer.output_size not in (1, (1, 1)):
                return False
            has_pooled = True
        elif isinstance(layer, nn.Conv2d):
            if {*layer.kernel_size, *layer.stride} != {1} or layer.padding not in ((0, 0), "valid"):
                return False
        elif isinstance(layer, nn.Linear | nn.Flatten):
            if not has_pooled:
                return False
        elif not isinstance(layer, nn.Dropout | nn.Dropout2d | nn.Identity):
            return False
    return has_pooled
