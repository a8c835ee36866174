"""A trained black box becomes a SoftCAM: the same function, now with its evidence, and how equal they are is measured.

Source: mean(W z + b) = W mean(z) + b, so that global average pooling and one affine layer may change places
(Djoumessi & Berens, SoftCAM, MIDL 2026, section 3; TTE-CAM, arXiv 2603.26885).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.imaging.image import MedicalImage
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ArchitectureOptions, Conversion, ModelCard, Task
from softcam_core.models.families import Family, default_preprocessing, family_of
from softcam_core.models.fitting import check_fit, fitting_architectures
from softcam_core.models.layouts import Aligned, align, skeleton
from softcam_core.models.softcam import SoftCAM
from softcam_core.models.weights import read_weights
from softcam_core.version import __version__

TOLERANCE = 1e-4
"""Largest difference of a logit, relative to the largest evidence, of two networks called the same.

The evidence, because logits near zero may be sums of what is not: rounding grows with the terms.
"""

_NOISE_SIDE = 256


def convert(
    network: nn.Module | Mapping[str, Tensor] | Path | str,
    class_names: Sequence[str],
    architecture: str | None = None,
    *,
    task: Task = "single_label",
    preprocessing: Preprocessing | Mapping[str, Any] = MappingProxyType({}),
    output_stride: int | None = None,
    name: str = "",
    images: Sequence[MedicalImage] = (),
    retrain_head: bool = False,
    ignore: Sequence[str] = (),
    licence: str = "",
) -> SoftCAM:
    """Make the SoftCAM of a trained black box.

    Parameters
    ----------
    network : nn.Module, mapping or path
        A network, its state dict, or a file of weights (`softcam_core.models.weights.read_weights`): torchvision's or
        timm's layout, prefixes allowed, or a checkpoint of the SoftCAM paper's code.
    class_names : sequence of str
        One for each output, in order.
    architecture : str, optional
        A name of `softcam_core.models.families`; by default the one that the weights fit.
    task : {"single_label", "multi_label"}
        Softmax or sigmoid.
    preprocessing : Preprocessing or mapping
        How the network was fed, or the fields that differ from the default: the shorter side resized to 512 pixels and
        the family's normalisation.
    output_stride : {8, 16, 32}, optional
        For a finer grid. The converted model then no longer computes the black box's logits exactly.
    name : str
        What people will call the model.
    images : sequence of MedicalImage
        What to measure the equivalence on; by default noise.
    retrain_head : bool
        Keep the features and give a head that cannot be converted, or any other, fresh weights.
    ignore : sequence of str
        Beginnings of names in the state dict that are no part of the network.
    licence : str
        Of the weights.

    Returns
    -------
    SoftCAM
        In eval mode, on the CPU; `card.conversion` says how far its logits are from the black box's.

    Raises
    ------
    CheckpointError
        When the file cannot be read, the weights do not fit, or the network computes something else than its
        architecture does.
    SettingsError
        When the head cannot be exact, or the options do not fit the architecture.
    """
    source, tensors = _weights(network)
    if architecture is None:
        architecture = _guess(source, tensors)
    family = _known(architecture)
    if not isinstance(preprocessing, Preprocessing):
        preprocessing = _preprocessing(architecture, preprocessing)
    options = ArchitectureOptions.model_validate({"output_stride": output_stride})
    aligned = align(tensors, skeleton(architecture, max(1, len(class_names))), ignore)
    if aligned.layout == "softcam paper" and architecture.startswith("densenet"):
        options = options.model_copy(update={"final_relu": False})
    if aligned.layout == "black box" and family.inexact and not retrain_head:
        reason = f"its head cannot become 1x1 convolutions that compute the same: {family.inexact}"
        raise SettingsError(architecture, reason, "Give the head fresh weights with --retrain-head, and train it.")
    if aligned.layout == "softcam":
        raise CheckpointError(source, "is a SoftCAM already", "Open it as it is.")
    try:
        card = ModelCard(
            name=name or Path(source).stem,
            architecture=architecture,
            options=options,
            class_names=tuple(class_names),
            task=task,
            preprocessing=preprocessing,
            provenance={"converted_from": source, "layout": aligned.layout, "versions": _versions()},
            licence=licence,
        )
    except ValidationError as error:
        raise SettingsError("classes", error.errors()[0]["msg"], "Name each class once: --classes a,b,c.") from error
    if retrain_head:
        model = SoftCAM.from_card(card)
    else:
        with torch.device("meta"):
            model = SoftCAM.from_card(card)
    check_fit(source, aligned, tensors, model, features_only=retrain_head)
    _assign(model, aligned, retrain_head)
    model.eval()
    model.card = card.model_copy(update={"conversion": _measure(network, source, model, images, retrain_head)})
    return model


def _weights(network: nn.Module | Mapping[str, Tensor] | Path | str) -> tuple[str, Mapping[str, Tensor]]:
    """What the weights are called, and the tensors."""
    if isinstance(network, nn.Module):
        return type(network).__name__, {k: v.detach().cpu() for k, v in network.state_dict().items()}
    if isinstance(network, Mapping):
        return "state dict", network
    # The file's name alone: its folder can tell who works where.
    return Path(network).name, read_weights(network)


def _known(architecture: str) -> Family:
    try:
        return family_of(architecture)
    except KeyError as error:
        raise SettingsError(architecture, str(error.args[0]), "`softcam convert --help` lists them.") from error


def _preprocessing(architecture: str, changes: Mapping[str, Any]) -> Preprocessing:
    try:
        return default_preprocessing(architecture, **changes)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"]) or "preprocessing"
        raise SettingsError(option, str(first["msg"]), "Say how the network was fed.") from error


def _guess(source: str, tensors: Mapping[str, Tensor]) -> str:
    fits = fitting_architectures(tensors)
    best = [name for name, fit in fits if fit == 1]
    if len(best) == 1:
        return best[0]
    if best:
        reason = f"fits {' and '.join(best)} alike, which compute different things"
        raise CheckpointError(source, reason, "Name the architecture it was trained with.")
    near = f"; the nearest is {fits[0][0]}, of which it has {fits[0][1]:.0%}" if fits[0][1] > 0 else ""
    raise CheckpointError(source, f"fits no architecture that can be converted{near}", "Name the architecture.")


def _assign(model: SoftCAM, aligned: Aligned, retrain_head: bool) -> None:
    expected = model.state_dict()
    state = dict(expected)
    for name, tensor in aligned.tensors.items():
        if retrain_head and name.startswith("head."):
            continue
        state[name] = tensor.to(expected[name].dtype).reshape(expected[name].shape).clone()
    for name, tensor in state.items():
        if tensor.is_meta:  # batch counters and a classifier's absent bias
            state[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
    model.load_state_dict(state, assign=True)


def _measure(
    network: nn.Module | Mapping[str, Tensor] | Path | str,
    source: str,
    model: SoftCAM,
    images: Sequence[MedicalImage],
    retrain_head: bool,
) -> Conversion | None:
    """Compare logits with the black box's on images or noise; None where there is no black box."""
    if retrain_head:
        return Conversion(source=source, exact=False)
    black_box = _reference(network, model)
    if black_box is None:
        return None
    inputs = [torch.from_numpy(model.card.preprocessing.apply(image).array)[None] for image in images] or _noise()
    is_same_grid = model.card.options.output_stride is None
    logits, differences, strengths = [], [], []
    with torch.inference_mode():
        for x in inputs:
            try:
                reference, evidence = black_box(x), model(x)
            except RuntimeError as error:
                height, width = x.shape[2:]
                reason = f"cannot be run on an input of {height} x {width} pixels ({str(error).splitlines()[0]})"
                raise CheckpointError(source, reason, "Give a larger --shorter-side, or other images.") from error
            if not isinstance(reference, Tensor) or reference.shape != evidence.logits.shape:
                what = tuple(reference.shape) if isinstance(reference, Tensor) else type(reference).__name__
                reason = f"gives {what} and not one logit a class, (1, {len(model.card.class_names)})"
                raise CheckpointError(source, reason, "Convert the classifier itself.")
            logits.append(reference.abs().max())
            differences.append((reference - evidence.logits).abs().max())
            strengths.append(evidence.maps.abs().max())
    # Tensors' maximum, unlike Python's, hands on what is not a number.
    largest, difference, strongest = (float(torch.stack(values).max()) for values in (logits, differences, strengths))
    if not (math.isfinite(difference) and math.isfinite(largest)):
        raise CheckpointError(source, "gives logits that are not finite numbers", "Train or export it again.")
    if is_same_grid and difference > TOLERANCE * strongest:
        reason = (
            f"computes something else than {model.card.architecture} with these weights (largest logit difference "
            f"{difference:.3g}): another pooling or another layer stands in its way"
        )
        raise CheckpointError(source, reason, "Give the head fresh weights with --retrain-head, and train it.")
    return Conversion(
        source=source,
        exact=is_same_grid,
        max_logit_difference=difference,
        largest_logit=largest,
        inputs="images" if images else "noise",
        count=len(inputs),
    )


def _reference(network: nn.Module | Mapping[str, Tensor] | Path | str, model: SoftCAM) -> nn.Module | None:
    """The network that was converted: itself where it is here, or made from its weights at its own stride."""
    if isinstance(network, nn.Module):
        # As the SoftCAM will be run: a GPU's convolutions and half precision round otherwise.
        return copy.deepcopy(network).cpu().float().eval()
    if family_of(model.card.architecture).inexact or not model.card.options.final_relu:
        return None
    plain = SoftCAM(model.features, model.head, model.card.model_copy(update={"options": ArchitectureOptions()}))
    return plain.black_box()


def _noise() -> list[Tensor]:
    """Two standard normal inputs, one not square."""
    generator = torch.Generator().manual_seed(0)
    sizes = ((_NOISE_SIDE, _NOISE_SIDE), (_NOISE_SIDE, _NOISE_SIDE * 5 // 4))
    return [torch.randn(1, 3, *size, generator=generator) for size in sizes]


def _versions() -> dict[str, str]:
    return {"softcam": __version__, "torch": torch.__version__}
