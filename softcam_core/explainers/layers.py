"""Where class activation maps look: a layer of the network, by name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from softcam_core.errors import SettingsError
from softcam_core.imaging.geometry import Lattice
from softcam_core.models.classifier import Classifier
from softcam_core.models.receptive_field import ReceptiveField, receptive_field

LAYER = "layer whose features are used, by its name in the network (default: the last features)"
"""What the option `layer` is, for all methods that have it."""

_fields: WeakKeyDictionary[nn.Module, ReceptiveField] = WeakKeyDictionary()


def find_layer(model: Classifier, name: str) -> nn.Module:
    """A layer by its name in the model or in its features; the features as a whole for an empty name.

    Raises
    ------
    SettingsError
        When there is no such layer, with the nearest names.
    """
    if not name:
        return model.features
    named = {n: module for n, module in model.features.named_modules() if n}
    inside: dict[str, nn.Module] = named | {f"features.{n}": module for n, module in named.items()}
    if name in inside:
        return inside[name]
    near = get_close_matches(name, list(inside), n=5, cutoff=0.3)
    advice = f"Near names: {', '.join(near)}." if near else "Leave it out for the last features."
    raise SettingsError(name, f"{model.card.architecture} has no layer of this name", advice)


def is_last(model: Classifier, name: str) -> bool:
    """True for a layer whose output is that of the features as a whole, by whatever name.

    Raises
    ------
    SettingsError
        As `find_layer`.
    """
    wanted, module = find_layer(model, name), model.features
    while module is not wanted and type(module) is nn.Sequential and len(module):
        module = module[-1]
    return module is wanted


def changed_logits(model: Classifier, images: Tensor, change: Callable[[Tensor], Tensor], layer: str = "") -> Tensor:
    """Logits of a network in which something is done to a layer's output.

    Parameters
    ----------
    model : Classifier
    images : Tensor, (B, 3, H, W)
    change : callable
        Output of the layer (B, D, h, w) -> what takes its place, of the same shape.
    layer : str
        See `find_layer`.

    Returns
    -------
    Tensor, (B, K)

    Raises
    ------
    SettingsError
        When there is no such layer, its output is no feature map, or it does not run exactly once.
    """
    if is_last(model, layer):
        return model.classify(change(model.features(images)))
    runs = 0

    def hook(module: nn.Module, inputs: object, output: object) -> Tensor:
        nonlocal runs
        runs += 1
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise SettingsError(layer, "its output is no feature map", "Choose a layer of convolutions.")
        return change(output)

    handle = find_layer(model, layer).register_forward_hook(hook)
    try:
        logits = model.logits(images)
    finally:
        handle.remove()
    if runs != 1:
        raise SettingsError(layer, f"it runs {runs} times in a pass", "Choose a layer that runs once.")
    return logits


def activations_and_logits(
    model: Classifier, images: Tensor, layer: str = "", *, differentiable: bool = True
) -> tuple[Tensor, Tensor]:
    """Run a network once, ready to be differentiated from its logits back to a layer, and no further.

    To be used within `softcam_core.explainers.untouched.untouched`.

    Parameters
    ----------
    model : Classifier
    images : Tensor, (B, 3, H, W)
    layer : str
        See `find_layer`.
    differentiable : bool
        False for values alone.

    Returns
    -------
    activations : Tensor, (B, D, h, w)
        Output of the layer; a leaf where it is to be differentiated.
    logits : Tensor, (B, K)

    Raises
    ------
    SettingsError
        As `changed_logits`.
    """
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept.append(output.detach())
        if differentiable:
            kept[-1].requires_grad_()
            torch.set_grad_enabled(True)  # from here on; the block below ends it
        # Not the kept tensor itself: what comes next may overwrite its input.
        return kept[-1].clone()

    with torch.no_grad():
        logits = changed_logits(model, images, keep, layer)
    return kept[0], logits


def lattice_of(model: Classifier, layer: str = "") -> Lattice:
    """Where the cells of a layer lie in the model input.

    Cells lie where the network looks: convolutions of stride 2 look up and left, unpadded ones leave a border.

    Raises
    ------
    SettingsError
        When there is no such layer, or its cells lie nowhere.
    """
    if is_last(model, layer):
        field = model.receptive_field
    else:
        module = find_layer(model, layer)
        try:
            field = _fields[module] = _fields.get(module) or receptive_field(model.features, module)
        except LookupError as error:
            raise SettingsError(layer, str(error.args[0]), "Choose a layer of convolutions.") from error
    return Lattice(first=field.centre, stride=field.stride)
