"""Which architecture a file's weights are of, and what is wrong where they are not of the one asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from torch import Tensor

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.models.families import architectures
from softcam_core.models.heads import last_convolution
from softcam_core.models.layouts import HARMLESS, Aligned, align, skeleton
from softcam_core.models.softcam import SoftCAM
from softcam_core.models.timm_networks import TIMM_PREFIX, is_timm_installed

_NAMED = 5

# Names in timm worth trying on a file that fits none of torchvision's networks.
_TIMM_COMMON = (
    *("resnet18", "resnet26", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "seresnet50", "wide_resnet50_2"),
    *("densenet121", "densenet169", "densenet201", "inception_v3", "mobilenetv2_100", "regnety_016", "regnety_032"),
    *(f"{source}efficientnet_b{i}" for source in ("", "tf_") for i in range(5)),
    *("tf_efficientnetv2_s", "tf_efficientnetv2_m", "dpn68", "xception41", "rexnet_100", "hrnet_w18"),
)


def fitting_architectures(tensors: Mapping[str, Tensor]) -> list[tuple[str, float]]:
    """Architectures by how well their features fit the weights of a file.

    Returns
    -------
    list of (str, float)
        Name, and share of equal names and shapes among all of both, 0 to 1; the best first. No network of the table
        has the names and shapes of another, so the search ends with one that fits wholly.
    """
    fits = []
    for name in architectures():
        fits.append((name, _fit(tensors, name)))
        if fits[-1][1] == 1:
            return fits[-1:]
    if is_timm_installed():
        fits += [(TIMM_PREFIX + name, _fit(tensors, TIMM_PREFIX + name)) for name in _TIMM_COMMON]
    return sorted(fits, key=lambda fit: -fit[1])


def output_count(tensors: Mapping[str, Tensor], architecture: str) -> int | None:
    """Number of classes of a file's weights; None where its classifier is not found."""
    model = _reference(architecture)
    last, _ = last_convolution(model.head)
    weight = align(tensors, model).tensors.get(f"head.{last}.weight" if last else "head.weight")
    return None if weight is None else weight.shape[0]


@cache
def _reference(architecture: str) -> SoftCAM:
    """An architecture's names and shapes; made once, because a search needs all of them."""
    return skeleton(architecture)


def _fit(tensors: Mapping[str, Tensor], architecture: str) -> float:
    try:
        model = _reference(architecture)
    except SettingsError:  # this timm lacks it
        return 0.0
    wanted = {k: v.shape for k, v in model.state_dict().items() if _counts(k)}
    found = {k: v.shape for k, v in align(tensors, model).tensors.items() if _counts(k)}
    equal = sum(1 for name, shape in wanted.items() if found.get(name) == shape)
    total = sum(1 for name in tensors if _counts(f"features.{name}"))
    heads = len(model.head.state_dict())
    return equal / max(len(wanted), total - heads)


def _counts(name: str) -> bool:
    return name.startswith("features.") and not name.endswith("num_batches_tracked") and not HARMLESS.search(name)


def check_fit(
    source: str, aligned: Aligned, tensors: Mapping[str, Tensor], model: SoftCAM, features_only: bool = False
) -> None:
    """Refuse weights that are not those of a network.

    Parameters
    ----------
    source : str
        What to call the weights in messages.
    aligned : Aligned
        Of `tensors` and `model`.
    features_only : bool
        Ignore the head.

    Raises
    ------
    CheckpointError
        Naming what is missing, unknown or of another shape, and the architecture that would fit.
    """
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    stems = tuple({head.partition(".")[0] + "." for head in aligned.heads})
    # A classifier without bias is one whose bias is zero.
    missing = [n for n in aligned.missing if n not in aligned.heads or not (features_only or n.endswith("bias"))]
    unexpected = [n for n in aligned.unexpected if not (features_only and n.startswith(stems))]
    wrong = [n for n, t in aligned.tensors.items() if n.startswith("features.") and t.shape != expected[n]]
    layers = [n for n in unexpected if n.startswith(stems)]
    if layers and not wrong and aligned.heads.issuperset(missing):
        reason = f"has more in its head than one linear layer ({some_of(layers)}), with who knows what between"
        raise CheckpointError(source, reason, "Give the head fresh weights with --retrain-head, and train it.")
    kinds = ((missing, "missing"), (unexpected, "unknown"), (wrong, "of another shape"))
    parts = [f"{len(names)} {what} ({some_of(names)})" for names, what in kinds if names]
    if parts:
        reason = f"does not hold the weights of {model.card.architecture}: {', '.join(parts)}"
        raise CheckpointError(source, reason, _advice(tensors, model.card.architecture, bool(missing or wrong)))
    if not features_only:
        _check_classes(source, aligned, model)


def _check_classes(source: str, aligned: Aligned, model: SoftCAM) -> None:
    expected = model.state_dict()
    for name, tensor in aligned.tensors.items():
        if name.startswith("head.") and tensor.numel() != expected[name].numel():
            wanted, outputs = len(model.card.class_names), tensor.shape[0]
            reason = f"has {outputs} outputs, but {wanted} class name{'s were' if wanted > 1 else ' was'} given"
            raise CheckpointError(source, reason, f"Give {outputs} names, in the order of the outputs.")


def _advice(tensors: Mapping[str, Tensor], architecture: str, is_another: bool) -> str:
    if not is_another:
        return "If these are no part of the network, leave them out with --ignore."
    name, fit = fitting_architectures(tensors)[0]
    if name == architecture or fit == 0:
        return "Export the state dict of the whole network again."
    return f"It fits {name}: choose that." if fit == 1 else f"The nearest is {name}, of which it has {fit:.0%}."


def some_of(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
