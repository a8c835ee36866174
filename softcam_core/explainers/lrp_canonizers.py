"""Networks in a form that relevance can be propagated through; they compute the same.

Rules hold for layers whose output is a sum of what their inputs contribute, and keep numbers small where the relevance
of a layer's output is in proportion to that output (Pahde et al., Optimizing Explanations by Network Canonization and
Hyperparameter Search, CVPR Workshops 2023, section 3).
"""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from softcam_core.models.classifier import Classifier
from softcam_core.models.families import FAMILIES
from softcam_core.models.timm_networks import TIMM_PREFIX

_REFUSED = {"convnext": "its layer normalisations mix all channels, and relevance has no rule for them here"}
_REFUSED_TIMM = "whether relevance is conserved was measured in torchvision's networks, and not in timm's"


def unsupported(architecture: str) -> str:
    """Why relevance cannot be propagated through an architecture, or nothing."""
    if architecture.startswith(TIMM_PREFIX):
        return _REFUSED_TIMM
    return next(_REFUSED.get(name, "") for name, family in FAMILIES.items() if architecture in family.architectures)


def canonical(model: Classifier) -> Classifier:
    """A copy that computes the same as a model in eval mode, for rules to be attached to.

    A batch normalisation right after a convolution becomes part of it. One that follows a concatenation, as in
    DenseNet, cannot: it stays, and as it maps each number by itself, it hands all relevance on. Pointwise convolutions
    and the mean over places change places where the mean comes second (DenseNet), because numbers of both signs would
    cancel in it.

    The copy shares nothing with the model. It has none of the model's hooks, which would see other layers than the
    model's.
    """
    names = [name for name in nn.Module().__dict__ if name.endswith(("_hooks", "_with_kwargs", "_always_called"))]
    # What the memo holds is not copied again: hooks may belong to anything, also to what cannot be copied.
    memo = {id(getattr(part, name)): OrderedDict() for part in model.modules() for name in names}  # type: ignore[var-annotated]
    copy: Classifier = deepcopy(model, memo)
    for parent in list(copy.modules()):
        for (name, layer), (next_name, following) in pairwise(list(parent.named_children())):
            if not isinstance(layer, nn.Conv2d):
                continue
            if isinstance(following, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(layer, following))
                setattr(parent, next_name, nn.Identity())
            elif isinstance(following, nn.AvgPool2d) and _is_pointwise(layer) and isinstance(parent, nn.Sequential):
                setattr(parent, name, following)
                setattr(parent, next_name, layer)
    return copy


def _is_pointwise(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == layer.stride == (1, 1) and layer.padding == (0, 0)
