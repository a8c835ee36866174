"""Where networks run: CUDA when present, else the CPU."""

from __future__ import annotations

import torch

from softcam_core.errors import SettingsError


def choose_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device that is there.

    Parameters
    ----------
    name : str
        "auto" for CUDA when present and else the CPU, or a torch device such as "cpu" or "cuda:1".

    Raises
    ------
    SettingsError
        For a device that is unknown or not present.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(name, "is not a device", "Use auto, cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(name, f"is not present ({torch.cuda.device_count()} CUDA devices)", "Use auto or cpu.")
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(name, "is not supported", "Use auto, cpu, cuda or cuda:N.")
    return device


def describe_device(device: torch.device) -> str:
    """Short name for a person: "cpu", or "cuda:0 (NVIDIA H100)"."""
    if device.type != "cuda":
        return device.type
    return f"{device} ({torch.cuda.get_device_name(device)})"
