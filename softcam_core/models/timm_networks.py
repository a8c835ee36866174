"""Networks of the timm library (optional), written ``timm/NAME``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from torch import nn

from softcam_core.errors import SettingsError
from softcam_core.models.heads import per_location

TIMM_PREFIX = "timm/"


def is_timm_installed() -> bool:
    """True where networks named timm/... can be built."""
    return find_spec("timm") is not None


def timm_network(architecture: str, num_classes: int, output_stride: int | None, pretrained: bool = False) -> nn.Module:
    """The black box, as timm builds it.

    Raises
    ------
    SettingsError
        When timm is not installed, has no such network, or cannot give it this stride.
    """
    timm = _timm()
    name = architecture.removeprefix(TIMM_PREFIX)
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('.')[0][:8]}*")[:5]
        advice = f"Near names: {', '.join(near)}." if near else "`timm.list_models()` lists them."
        raise SettingsError(architecture, "timm has no network of this name", advice)
    options: dict[str, Any] = {} if output_stride is None else {"output_stride": output_stride}
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=num_classes, **options)
    except (TypeError, NotImplementedError, AssertionError) as error:
        if output_stride is None:
            raise
        reason = f"timm cannot build it with an output stride of {output_stride}"
        raise SettingsError(architecture, reason, "Leave --output-stride out.") from error
    return network


def timm_parts(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Features and head; the network itself is used up.

    Raises
    ------
    SettingsError
        When the network does not end in average pooling and one linear layer.
    """
    name = f"{TIMM_PREFIX}{network.default_cfg['architecture']}"  # type: ignore[index]
    classifier = network.get_classifier()  # type: ignore[operator]
    pool = getattr(network, "global_pool", None) or getattr(getattr(network, "head", None), "global_pool", None)
    pool_type = getattr(pool, "pool_type", pool)
    if not isinstance(classifier, nn.Linear) or pool_type not in ("avg", "fast", "fastavg"):
        reason = "it does not end in average pooling and one linear layer, so its head is no 1x1 convolution"
        raise SettingsError(name, reason, "Choose a convolutional network that does, a ResNet for instance.")
    head = per_location(classifier)
    network.reset_classifier(0, "")  # type: ignore[operator]
    return network, head


def classifier_prefix(architecture: str) -> str:
    """What timm's state dict has before the classifier's weight and bias."""
    config = _timm().get_pretrained_cfg(architecture.removeprefix(TIMM_PREFIX), allow_unregistered=True)
    return f"{config.classifier if config else 'fc'}."


def _timm() -> Any:  # noqa: ANN401  # a module without types
    try:
        import timm
    except ImportError as error:
        raise SettingsError(
            "timm", "is not installed, and networks named timm/... need it", "Run: pip install softcam[timm]"
        ) from error
    return timm
