"""One entry a backbone family: where its features end, and whether its head can become 1x1 convolutions exactly.

For a network whose head is global average pooling and one affine layer, mean(W z + b) = W mean(z) + b: pooling and
classifying may change places, and the classifier becomes a 1x1 convolution (Djoumessi & Berens, SoftCAM, MIDL 2026,
section 3). Where something that is not affine stands behind the pool, they may not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchvision.models as tv
from torch import nn
from torch.overrides import TorchFunctionMode

from softcam_core.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing, Triple
from softcam_core.models import bagnet
from softcam_core.models.card import ArchitectureOptions
from softcam_core.models.compact import Compact
from softcam_core.models.heads import per_location
from softcam_core.models.timm_networks import TIMM_PREFIX, classifier_prefix, timm_network, timm_parts

Parts = tuple[nn.Module, nn.Module]
Stages = Callable[[nn.Module], Sequence[nn.Module]]


@dataclass(frozen=True, slots=True)
class Family:
    """How a backbone family becomes a SoftCAM.

    Attributes
    ----------
    architectures : tuple of str
        Names of the members; for torchvision's, its own.
    network : callable
        (architecture, K, options) -> the black box (B, 3, H, W) -> logits (B, K), freshly initialised.
    parts : callable
        (black box, options) -> features (B, 3, H, W) -> (B, D, h, w), which share the black box's layers, and head
        (B, D, h, w) -> evidence (B, K, h, w).
    feature_prefix, head_prefix : str
        What the black box's state dict has before the names of the parameters of features and head.
    inexact : str
        Why no SoftCAM computes the black box's function; empty where one does.
    pooled : callable
        Black box -> its head as a module of modules, features (B, D, h, w) -> logits (B, K), which shares its layers.
    stages : callable or None
        Black box -> its modules in the order they run, each of which changes the size at most once, so that stride can
        be traded for dilation; None where it cannot.
    mean, std : (float, float, float)
        The normalisation that published weights expect.
    """

    architectures: tuple[str, ...]
    network: Callable[[str, int, ArchitectureOptions], nn.Module]
    parts: Callable[[nn.Module, ArchitectureOptions], Parts]
    feature_prefix: str = ""
    head_prefix: str = "fc."
    inexact: str = ""
    pooled: Callable[[nn.Module], nn.Module] = lambda network: _pooled(network, "fc")
    stages: Stages | None = None
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD


# --- black boxes


def _torchvision(architecture: str, classes: int, options: ArchitectureOptions) -> nn.Module:
    return tv.get_model(architecture, weights=None, num_classes=classes)  # type: ignore[no-any-return]


def _inception(architecture: str, classes: int, options: ArchitectureOptions) -> nn.Module:
    # The auxiliary heads serve training from scratch alone.
    return tv.get_model(  # type: ignore[no-any-return]
        architecture, weights=None, num_classes=classes, aux_logits=False, init_weights=True
    )


def _regnet(architecture: str, classes: int, options: ArchitectureOptions) -> nn.Module:
    # It computes its widths with tensors, which the device without data cannot hold; memory that is only reserved
    # costs nothing.
    if torch.get_default_device().type != "meta":
        return _torchvision(architecture, classes, options)
    with torch.device("cpu"), _Unfilled():
        network = _torchvision(architecture, classes, options)
    return network.to("meta")


_FILLING = (torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_)


class _Unfilled(TorchFunctionMode):
    """Leaves parameters as they were allocated."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401  # whatever the function gives
        is_builtin = not hasattr(func, "__module__")
        if func in _FILLING if is_builtin else func.__module__ == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _timm(architecture: str, classes: int, options: ArchitectureOptions) -> nn.Module:
    return timm_network(architecture, classes, options.output_stride)


# --- their parts


def _layers(network: nn.Module, *left_out: str) -> nn.Sequential:
    """Direct children by their names, one after the other."""
    return nn.Sequential(OrderedDict((k, m) for k, m in network.named_children() if k not in left_out))


def _before_pool(network: nn.Module, options: ArchitectureOptions) -> Parts:
    return _layers(network, "avgpool", "fc"), per_location(network.fc)  # type: ignore[arg-type]


def _before_dropout(network: nn.Module, options: ArchitectureOptions) -> Parts:
    layers = ("dropout", "fc")
    head = per_location(nn.Sequential(OrderedDict((name, network.get_submodule(name)) for name in layers)))
    return _layers(network, "avgpool", *layers), head


def _features_and_classifier(network: nn.Module, options: ArchitectureOptions) -> Parts:
    return network.features, per_location(network.classifier)  # type: ignore[return-value, arg-type]


def _densenet(network: nn.Module, options: ArchitectureOptions) -> Parts:
    # torchvision applies the last ReLU in forward(); the children alone lack it.
    features = _layers(network.features)  # type: ignore[arg-type]
    if options.final_relu:
        features.add_module("relu", nn.ReLU(inplace=True))
    return features, per_location(network.classifier)  # type: ignore[arg-type]


def _flattened(network: nn.Module, options: ArchitectureOptions) -> Parts:
    height, width = network.avgpool.output_size  # type: ignore[union-attr, misc]
    return network.features, per_location(network.classifier, cells=height * width)  # type: ignore[return-value, arg-type]


def _mnasnet(network: nn.Module, options: ArchitectureOptions) -> Parts:
    return network.layers, per_location(network.classifier)  # type: ignore[return-value, arg-type]


# --- heads of black boxes


def _pooled(network: nn.Module, *layers: str) -> nn.Module:
    """Pool, flatten, classify; networks that pool in forward() do it by the mean."""
    pool = getattr(network, "avgpool", None) or nn.AdaptiveAvgPool2d(1)
    parts = [(name, network.get_submodule(name)) for name in layers]
    return nn.Sequential(OrderedDict([("avgpool", pool), ("flatten", nn.Flatten()), *parts]))


def _pooled_classifier(network: nn.Module) -> nn.Module:
    return _pooled(network, "classifier")


def _pooled_after_dropout(network: nn.Module) -> nn.Module:
    return _pooled(network, "dropout", "fc")


def _pooled_last(network: nn.Module) -> nn.Module:
    # SqueezeNet's classifier is convolution, ReLU and pool.
    return nn.Sequential(OrderedDict([("classifier", network.get_submodule("classifier")), ("flatten", nn.Flatten())]))


def _pooled_timm(network: nn.Module) -> nn.Module:
    layers = [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", network.get_classifier())]  # type: ignore[operator]
    return nn.Sequential(OrderedDict(layers))


def _pooled_convnext(network: nn.Module) -> nn.Module:
    # Its classifier normalises before it flattens.
    return nn.Sequential(OrderedDict((name, network.get_submodule(name)) for name in ("avgpool", "classifier")))


# --- modules in the order they run


def _children(network: nn.Module) -> list[nn.Module]:
    return list(network.children())


def _feature_children(network: nn.Module) -> list[nn.Module]:
    return list(network.features.children())  # type: ignore[union-attr]


def _layer_children(network: nn.Module) -> list[nn.Module]:
    return list(network.layers.children())  # type: ignore[union-attr]


def _regnet_stages(network: nn.Module) -> list[nn.Module]:
    return [network.stem, *network.trunk_output.children()]  # type: ignore[list-item, union-attr]


_FLATTENED = "its classifier sees the 7x7 cells of its last features as one vector, with activations between its layers"
_HALF = (0.5, 0.5, 0.5)

FAMILIES: dict[str, Family] = {
    "compact": Family(("compact",), lambda _, classes, __: Compact(classes), _before_pool),
    "bagnet": Family(bagnet.ARCHITECTURES, lambda name, classes, _: bagnet.BagNet(name, classes), _before_pool),
    "resnet": Family(
        (
            *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
            *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
        ),
        _torchvision,
        _before_pool,
        stages=_children,
    ),
    "densenet": Family(
        ("densenet121", "densenet161", "densenet169", "densenet201"),
        _torchvision,
        _densenet,
        feature_prefix="features.",
        head_prefix="classifier.",
        stages=_feature_children,
        pooled=_pooled_classifier,
    ),
    "efficientnet": Family(
        (*(f"efficientnet_b{i}" for i in range(8)), *(f"efficientnet_v2_{size}" for size in "sml")),
        _torchvision,
        _features_and_classifier,
        feature_prefix="features.",
        head_prefix="classifier.",
        stages=_feature_children,
        pooled=_pooled_classifier,
    ),
    "regnet": Family(
        (
            *(f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")),
            *(f"regnet_y_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf", "128gf")),
        ),
        _regnet,
        _before_pool,
        stages=_regnet_stages,
    ),
    "mobilenetv2": Family(
        ("mobilenet_v2",),
        _torchvision,
        _features_and_classifier,
        feature_prefix="features.",
        head_prefix="classifier.",
        stages=_feature_children,
        pooled=_pooled_classifier,
    ),
    "mnasnet": Family(
        ("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
        _torchvision,
        _mnasnet,
        feature_prefix="layers.",
        head_prefix="classifier.",
        stages=_layer_children,
        pooled=_pooled_classifier,
    ),
    "shufflenetv2": Family(
        ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
        _torchvision,
        _before_pool,
        stages=_children,
    ),
    "squeezenet": Family(
        ("squeezenet1_0", "squeezenet1_1"),
        _torchvision,
        _features_and_classifier,
        feature_prefix="features.",
        head_prefix="classifier.",
        pooled=_pooled_last,
    ),
    # torchvision's published weights take ImageNet's normalisation and turn it into this one themselves.
    "googlenet": Family(
        ("googlenet",), _inception, _before_dropout, head_prefix="", pooled=_pooled_after_dropout, mean=_HALF, std=_HALF
    ),
    "inception": Family(
        ("inception_v3",),
        _inception,
        _before_dropout,
        head_prefix="",
        pooled=_pooled_after_dropout,
        mean=_HALF,
        std=_HALF,
    ),
    "vgg": Family(
        tuple(f"vgg{depth}{suffix}" for depth in (11, 13, 16, 19) for suffix in ("", "_bn")),
        _torchvision,
        _flattened,
        feature_prefix="features.",
        head_prefix="classifier.",
        inexact=_FLATTENED,
        pooled=_pooled_classifier,
    ),
    "alexnet": Family(
        ("alexnet",),
        _torchvision,
        _flattened,
        feature_prefix="features.",
        head_prefix="classifier.",
        inexact=_FLATTENED.replace("7x7", "6x6"),
        pooled=_pooled_classifier,
    ),
    "mobilenetv3": Family(
        ("mobilenet_v3_small", "mobilenet_v3_large"),
        _torchvision,
        _features_and_classifier,
        feature_prefix="features.",
        head_prefix="classifier.",
        inexact="an activation (hard swish) stands between its pool and its last layer",
        stages=_feature_children,
        pooled=_pooled_classifier,
    ),
    "convnext": Family(
        tuple(f"convnext_{size}" for size in ("tiny", "small", "base", "large")),
        _torchvision,
        _features_and_classifier,
        feature_prefix="features.",
        head_prefix="classifier.",
        inexact="a layer normalisation, which is not linear, stands between its pool and its last layer",
        pooled=_pooled_convnext,
    ),
}


def default_preprocessing(architecture: str, **changes: Any) -> Preprocessing:  # noqa: ANN401  # fields of Preprocessing
    """How an architecture's published weights are fed, with some fields changed.

    Raises
    ------
    KeyError, SettingsError
        As `family_of`.
    pydantic.ValidationError
        For changes that make no sense.
    """
    family = family_of(architecture)
    return Preprocessing.model_validate({"mean": family.mean, "std": family.std} | changes)


def architectures() -> tuple[str, ...]:
    """Names of all architectures of the table; timm's, written ``timm/NAME``, come on top."""
    return tuple(name for family in FAMILIES.values() for name in family.architectures)


def family_of(architecture: str) -> Family:
    """The family of an architecture.

    Raises
    ------
    KeyError
        For an unknown name, naming those there are.
    SettingsError
        For timm's where timm is not installed.
    """
    for family in FAMILIES.values():
        if architecture in family.architectures:
            return family
    if architecture.startswith(TIMM_PREFIX):
        return Family(
            (architecture,),
            _timm,
            lambda network, _: timm_parts(network),
            head_prefix=classifier_prefix(architecture),
            pooled=_pooled_timm,
            stages=lambda _: (),  # timm has given its networks their stride
        )
    raise KeyError(f"no architecture {architecture!r}; there are {', '.join(architectures())}, and timm/NAME")
