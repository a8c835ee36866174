"""Model files: weights as .safetensors with the model card in the header. Nothing in them is ever executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.models.card import CARD_VERSION, ModelCard
from softcam_core.models.families import family_of
from softcam_core.models.fitting import some_of
from softcam_core.models.migration import migrate_card, migrate_tensors
from softcam_core.models.softcam import SoftCAM

CARD_KEY = "softcam_card"

_MAKE_ONE = "Models are made by `softcam train` and `softcam convert`, and end in .safetensors."


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
    card = model.card.model_copy(update={"sha256": weights_hash(tensors)})
    partial = path.with_name(path.name + ".partial")
    try:
        # Not save_file, whose files nobody else may read, whatever the folder's rules.
        partial.write_bytes(safetensors.torch.save(tensors, metadata={CARD_KEY: card.model_dump_json()}))
        partial.replace(path)
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
        raise CheckpointError(path, reason, "Check the folder and the free space.") from error


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values of tensors, in the order of their names; 64 hex digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_card(path: Path | str) -> ModelCard:
    """Read and check a model's card without its weights.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, not .safetensors, or has no valid card.
    """
    return _read_card(Path(path))[0]


def is_model_file(path: Path | str) -> bool:
    """True for a file that has a model card, valid or not; others may be weights to convert."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return CARD_KEY in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError):
        return False


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
    card, version = _read_card(path)
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(path, f"is damaged ({error})", "Copy or export it again.") from error
    if card.sha256 and weights_hash(tensors) != card.sha256:
        raise CheckpointError(path, "has weights that are not those it was saved with", "Copy or export it again.")
    tensors = migrate_tensors(tensors, version, card.architecture)
    try:
        with torch.device("meta"):
            model = SoftCAM.from_card(card)
    except SettingsError as error:
        raise CheckpointError(path, f"cannot be built: {error.reason}", error.advice) from error
    _check_tensors(path, model, tensors)
    # Weights kept in half or double precision run as the network's own.
    own = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: tensor.to(own[name]) for name, tensor in tensors.items()}, assign=True)
    return model.to(device).eval()


def _read_card(path: Path) -> tuple[ModelCard, int]:
    """The card, and the version it had in the file."""
    _refuse_other_formats(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(path, f"is damaged or not a model file ({error})", "Copy or export it again.") from error
    if CARD_KEY not in metadata:
        advice = "If it holds the weights of a trained network, convert it: softcam convert FILE."
        raise CheckpointError(path, "has no SoftCAM model card", advice)
    try:
        fields = json.loads(metadata[CARD_KEY])
        version = fields.get("version") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > CARD_VERSION:
            raise CheckpointError(
                path, f"has a model card of version {version}, this program reads up to {CARD_VERSION}", "Update it."
            )
        card = ModelCard.model_validate(migrate_card(fields) if isinstance(fields, dict) else fields)
        family_of(card.architecture)
    except (json.JSONDecodeError, ValidationError, KeyError) as error:
        raise CheckpointError(path, f"has a model card that is not valid: {_first_line(error)}", _MAKE_ONE) from error
    except SettingsError as error:
        raise CheckpointError(path, f"is a {error.path}: {error.reason}", error.advice) from error
    assert isinstance(version, int)
    return card, version


def _check_tensors(path: Path, model: SoftCAM, tensors: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    wrong = sorted(n for n in expected.keys() & tensors.keys() if expected[n].shape != tensors[n].shape)
    if missing or extra or wrong:
        head = [name for name in wrong if name.startswith("head.")]
        if head and not missing and not extra and len(head) == len(wrong):
            outputs = tensors[head[0]].shape[0]
            reason = f"has weights for {outputs} classes, but its card names {len(model.card.class_names)}"
        else:
            counts = [
                f"{len(names)} {what} ({some_of(names)})"
                for names, what in ((missing, "missing"), (extra, "unknown"), (wrong, "of another shape"))
                if names
            ]
            reason = f"does not hold the weights of {model.card.architecture}: {', '.join(counts)}"
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
            "is a Python pickle (.pt or .pth), which can run code when loaded and is not opened as it is",
            "If it holds the weights of a trained network, convert it: softcam convert FILE.",
        )


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    # str(KeyError) is quoted
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text.splitlines()[0] if text else type(error).__name__
