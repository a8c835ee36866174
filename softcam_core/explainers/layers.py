"""Where class activation maps look: a layer of the network, by name."""

from __future__ import annotations

from difflib import get_close_matches

import torch
from torch import Tensor, nn

from softcam_core.errors import SettingsError
from softcam_core.imaging.geometry import Lattice
from softcam_core.models.classifier import Classifier


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


def activations_and_logits(model: Classifier, images: Tensor, layer: str = "") -> tuple[Tensor, Tensor]:
    """Run a network once, ready to be differentiated from its logits back to a layer, and no further.

    To be used within `softcam_core.explainers.untouched.untouched`.

    Parameters
    ----------
    model : Classifier
    images : Tensor, (B, 3, H, W)
    layer : str
        See `find_layer`.

    Returns
    -------
    activations : Tensor, (B, D, h, w)
        Output of the layer, a leaf.
    logits : Tensor, (B, K)

    Raises
    ------
    SettingsError
        When there is no such layer, or its output is no feature map.
    """
    if not layer:
        with torch.no_grad():
            features = model.features(images)
        leaf = features.detach().requires_grad_()
        return leaf, model.classify(leaf)
    kept: list[Tensor] = []

    def cut(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise SettingsError(layer, "its output is no feature map", "Choose a layer of convolutions.")
        kept.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)  # from here on; the block below ends it
        # Not the leaf itself: what comes next may overwrite its input.
        return kept[-1].clone()

    handle = find_layer(model, layer).register_forward_hook(cut)
    try:
        with torch.no_grad():
            logits = model.logits(images)
    finally:
        handle.remove()
    if len(kept) != 1:
        raise SettingsError(layer, f"it runs {len(kept)} times in a pass", "Choose a layer that runs once.")
    return kept[0], logits


def lattice_of(model: Classifier) -> Lattice:
    """Cells lie where the network looks: convolutions of stride 2 look up and left, unpadded ones leave a border."""
    field = model.receptive_field
    return Lattice(first=field.centre, stride=field.stride)
