"""Files of weights: tensors by name, and nothing that could run code."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from softcam_core.errors import CheckpointError

DAMAGE = (OSError, RuntimeError, EOFError, ValueError, TypeError, AttributeError, LookupError, struct.error)
"""What `unpickle` raises on bytes that are not what they should be, besides `pickle.UnpicklingError`."""

# Where training programs keep the state dict among epochs, optimizers and settings; the first that is there counts.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Read all tensors of a file by name.

    Parameters
    ----------
    path : Path or str
        .safetensors; or .pt, .pth, .ckpt and the like, read with ``torch.load(weights_only=True)``: a state dict, or a
        dictionary that holds one under "state_dict", "model" and similar names.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, holds Python objects or no weights, or weights that are not finite.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(path, "is a folder", "Choose a file of weights.")
    if not path.is_file():
        raise CheckpointError(path, "there is no such file", "Check the path.")
    try:
        with path.open("rb") as file:
            # 8 bytes of length, then a JSON object.
            is_safetensors = file.read(9)[8:] == b"{" or path.suffix == ".safetensors"
        content: Any = safetensors.torch.load_file(path) if is_safetensors else unpickle(path)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            path,
            "is damaged, or holds Python objects and not only weights; loading those could run code",
            "Export its state dict: torch.save(model.state_dict(), 'weights.pth').",
        ) from error
    except (*DAMAGE, safetensors.SafetensorError) as error:
        reason = f"is damaged or not a file of weights ({_first_line(error)})"
        raise CheckpointError(path, reason, "Copy or export it again.") from error
    tensors = _state_dict(content)
    if not tensors:
        raise CheckpointError(path, "holds no state dict", "Export model.state_dict() alone.")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise CheckpointError(path, f"has weights that are not finite ({name})", "Train or export it again.")
    return tensors


def unpickle(path: Path) -> object:
    """Read what torch has saved, onto the CPU, tensors and plain values alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected pickle protocol")  # what cannot be read is refused anyway
        return torch.load(path, map_location="cpu", weights_only=True)


def _state_dict(content: object) -> dict[str, Tensor]:
    """The tensors by name, wherever they are; empty where there are none."""
    if not isinstance(content, Mapping):
        return {}
    for key in _WRAPPERS:
        if isinstance(content.get(key), Mapping):
            return _state_dict(content[key])
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
