"""Weights that a network's features start from: ImageNet's, or a file's."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torchvision.models as tv
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.models.fitting import check_fit
from softcam_core.models.layouts import align
from softcam_core.models.softcam import SoftCAM
from softcam_core.models.timm_networks import TIMM_PREFIX, timm_network
from softcam_core.models.weights import read_weights

IMAGENET = "imagenet"


def initialise(model: SoftCAM, source: Path | str) -> None:
    """Fill a model's features from "imagenet" or a file; the evidence head keeps its fresh weights.

    Raises
    ------
    SettingsError, CheckpointError
        See `load_imagenet` and `load_backbone`.
    """
    if str(source) == IMAGENET:
        load_imagenet(model)
    else:
        load_backbone(model, source)


def load_backbone(model: SoftCAM, path: Path | str) -> None:
    """Initialise a model's features from a file.

    Parameters
    ----------
    model : SoftCAM
    path : Path or str
        A SoftCAM of ours, a state dict in torchvision's or timm's layout, or a checkpoint of the SoftCAM paper's code.

    Raises
    ------
    CheckpointError
        When the file is damaged, holds more than weights, or does not fit the architecture.
    """
    _fill(model, read_weights(path), str(path))


def load_imagenet(model: SoftCAM) -> None:
    """Initialise a model's features with the published ImageNet weights, downloaded once and cached by the library.

    Raises
    ------
    SettingsError
        When there are none for the architecture, or they cannot be downloaded.
    """
    architecture = model.card.architecture
    advice = "Download them elsewhere, and give the file: --init FILE."
    try:
        if architecture.startswith(TIMM_PREFIX):
            network = timm_network(architecture, 1000, None, pretrained=True)
            tensors: dict[str, Tensor] = dict(network.state_dict())
            origin = architecture
        elif architecture in tv.list_models():
            weights = tv.get_model_weights(architecture).DEFAULT
            origin = weights.url
            advice = f"Download {weights.url} elsewhere, and give the file: --init FILE."
            tensors = dict(weights.get_state_dict(progress=False, check_hash=True))
        else:
            reason = "no ImageNet weights are published with a library we use"
            raise SettingsError(architecture, reason, "Train from scratch, or give a file: --init FILE.")
    except (URLError, OSError, RuntimeError) as error:
        reason = f"its ImageNet weights cannot be downloaded ({error})"
        raise SettingsError(architecture, reason, advice) from error
    _fill(model, tensors, origin)


def _fill(model: SoftCAM, tensors: dict[str, Tensor], source: str) -> None:
    aligned = align(tensors, model)
    check_fit(source, aligned, tensors, model, features_only=True)
    features = {name: tensor for name, tensor in aligned.tensors.items() if name.startswith("features.")}
    model.load_state_dict(features, strict=False)
