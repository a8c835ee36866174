"""Model files: weights as .safetensors with the model card in the header. Nothing in them is ever executed."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor

from softcam_core.errors import CheckpointError
from softcam_core.models.card import CARD_VERSION, ModelCard
from softcam_core.models.families import build, family_of
from softcam_core.models.softcam import SoftCAM

CARD_KEY = "softcam_card"

# What torch's reader raises on bytes that are not what they should be.
_DAMAGE = (OSError, RuntimeError, EOFError, ValueError, TypeError, AttributeError, LookupError, struct.error)

_MAKE_ONE = "Models are made by `softcam train` and end in .safetensors."


def save_model(model: SoftCAM, path: Path | str) -> None:
    """Write a model's weights and card; an existing file is replaced only by a complete one.

    Parameters
    ----------
    model : SoftCAM
    path : Path or str
        Ends in .safetensors.

    Raises
    ------
    CheckpointError
        When the file cannot be written.
    """
    path = Path(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    partial = path.with_name(path.name + ".partial")
    try:
        safetensors.torch.save_file(tensors, partial, metadata={CARD_KEY: model.card.model_dump_json()})
        partial.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(path, f"cannot be written: {error}", "Check the folder and the free space.") from error


def read_card(path: Path | str) -> ModelCard:
    """Read and check a model's card without its weights.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, not .safetensors, or has no valid card.
    """
    path = Path(path)
    _refuse_other_formats(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(path, f"is damaged or not a model file ({error})", "Copy or export it again.") from error
    if CARD_KEY not in metadata:
        raise CheckpointError(path, "has no SoftCAM model card", _MAKE_ONE)
    try:
        fields = json.loads(metadata[CARD_KEY])
        version = fields.get("version") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > CARD_VERSION:
            raise CheckpointError(
                path, f"has a model card of version {version}, this program reads up to {CARD_VERSION}", "Update it."
            )
        card = ModelCard.model_validate(fields)
        family_of(card.architecture)
    except (json.JSONDecodeError, ValidationError, KeyError) as error:
        raise CheckpointError(path, f"has a model card that is not valid: {_first_line(error)}", _MAKE_ONE) from error
    return card


def load_model(path: Path | str, device: torch.device | str = "cpu") -> SoftCAM:
    """Load a model file.

    Parameters
    ----------
    path : Path or str
        A .safetensors file with a model card.
    device : torch.device or str
        Where to put it.

    Returns
    -------
    SoftCAM
        In eval mode.

    Raises
    ------
    CheckpointError
        When the file is missing, a pickle, damaged, without a card, or its weights do not fit the card.
    """
    path = Path(path)
    card = read_card(path)
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(path, f"is damaged ({error})", "Copy or export it again.") from error
    with torch.device("meta"):
        model = build(card)
    _check_tensors(path, model, tensors)
    # Weights kept in half or double precision run as the network's own.
    own = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: tensor.to(own[name]) for name, tensor in tensors.items()}, assign=True)
    return model.to(device).eval()


def load_backbone(model: SoftCAM, path: Path | str) -> None:
    """Initialise a model's features from a file: a SoftCAM of ours, or a state dict in torchvision's layout.

    The evidence head keeps its fresh weights.

    Parameters
    ----------
    model : SoftCAM
    path : Path or str
        .safetensors, or .pth / .pt read with ``torch.load(weights_only=True)``.

    Raises
    ------
    CheckpointError
        When the file is damaged, holds more than weights, or does not fit the architecture.
    """
    path = Path(path)
    tensors = _read_weights(path)
    wanted = {f"features.{name}": tensor for name, tensor in model.features.state_dict().items()}
    if not wanted.keys() & tensors.keys():
        tensors = {family_of(model.card.architecture).backbone_prefix + name: t for name, t in tensors.items()}
    # Old torchvision files lack BatchNorm's batch counters, which inference and training do not need.
    missing = [name for name in wanted.keys() - tensors.keys() if not name.endswith("num_batches_tracked")]
    wrong = [n for n in wanted.keys() & tensors.keys() if wanted[n].shape != tensors[n].shape]
    if missing or wrong:
        raise CheckpointError(
            path,
            f"does not hold weights of {model.card.architecture} ({len(missing)} tensors missing, {len(wrong)} of "
            f"another shape, for instance {min(missing + wrong)})",
            "Choose the architecture the file was trained with.",
        )
    model.load_state_dict({name: tensors[name] for name in wanted.keys() & tensors.keys()}, strict=False)


def _read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a state-dict file, by name."""
    if not path.is_file():
        raise CheckpointError(path, "there is no such file", "Check the path.")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            path,
            "is damaged, or holds Python objects and not only weights; loading those could run code",
            "Export its state dict: torch.save(model.state_dict(), 'weights.pth').",
        ) from error
    except (*_DAMAGE, safetensors.SafetensorError) as error:
        reason = f"is damaged or not a file of weights ({_first_line(error)})"
        raise CheckpointError(path, reason, "Copy or export it again.") from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(path, "is not a state dict", "Export model.state_dict() alone.")
    return content


def _check_tensors(path: Path, model: SoftCAM, tensors: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    wrong = [n for n in expected.keys() & tensors.keys() if expected[n].shape != tensors[n].shape]
    if missing or extra or wrong:
        head = [name for name in wrong if name.startswith("head.")]
        if head and not missing and not extra and len(head) == len(wrong):
            outputs = tensors[head[0]].shape[0]
            reason = f"has weights for {outputs} classes, but its card names {len(model.card.class_names)}"
        else:
            first = (missing + extra + wrong)[0]
            reason = (
                f"does not hold the weights of {model.card.architecture} ({len(missing)} missing, {len(extra)} "
                f"unknown, {len(wrong)} of another shape, for instance {first})"
            )
        raise CheckpointError(path, reason, "Export it again.")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != expected[name].is_floating_point():
            raise CheckpointError(path, f"has weights of the wrong type ({name}: {tensor.dtype})", "Export it again.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise CheckpointError(path, f"has weights that are not finite ({name})", "Train or export it again.")


def _refuse_other_formats(path: Path) -> None:
    """Say what a file is that is not ours, before a parser complains about its bytes."""
    if path.is_dir():
        raise CheckpointError(path, "is a folder", "Choose a .safetensors file.")
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except FileNotFoundError as error:
        raise CheckpointError(path, "there is no such file", "Check the path.") from error
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {error.strerror}", "Check its permissions.") from error
    if not head:
        raise CheckpointError(path, "is empty", "Copy or export it again.")
    # A .safetensors file is 8 bytes of length, then a JSON object; a pickle starts with \x80, zipped ones with PK.
    if head[8:] != b"{" and head.startswith((b"\x80", b"PK")):
        raise CheckpointError(
            path,
            "is a Python pickle (.pt or .pth), which can run code when loaded and is not opened",
            "Train a model with `softcam train --init` from its weights, or save it with softcam_core.save_model.",
        )


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    return str(error).splitlines()[0] if str(error) else type(error).__name__
