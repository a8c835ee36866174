"""SoftCAM's own evidence: no method on top of the network, but the network's last step."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from softcam_core.devices import describe_device
from softcam_core.errors import SettingsError
from softcam_core.explainers.base import Explanation
from softcam_core.imaging.geometry import Lattice
from softcam_core.imaging.image import MedicalImage
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import ALWAYS_LARGE_ENOUGH, SoftCAM


def explain_evidence(model: SoftCAM, image: MedicalImage) -> Explanation:
    """One forward pass: the maps whose means are the logits.

    Parameters
    ----------
    model : SoftCAM
        Left as it was; it is run in eval mode.
    image : MedicalImage

    Returns
    -------
    Explanation
        With ``abs(grid.mean((1, 2)) - logits)`` within float32 rounding.

    Raises
    ------
    SettingsError
        When the model's input does not fit the device's memory, or is too small for the network.
    """
    prepared = model.card.preprocessing.apply(image)
    height, width = prepared.geometry.input_size
    batch = torch.from_numpy(prepared.array)[None].to(model.device)
    start = time.perf_counter()
    try:
        with evaluating(model), torch.inference_mode():
            logits, maps = model(batch)
            probabilities = model.probabilities(logits)
            arrays = [tensor[0].float().cpu().numpy() for tensor in (logits, probabilities, maps)]
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        reason = f"an input of {height} x {width} pixels does not fit the memory of {model.device}"
        raise SettingsError(image.source, reason, "Run on the CPU, or use a model with a smaller input.") from error
    except RuntimeError as error:
        if min(height, width) >= ALWAYS_LARGE_ENOUGH:
            raise
        reason = f"an input of {height} x {width} pixels is too small for {model.card.architecture}"
        advice = "Open a larger image, or use a model that resizes its input."
        raise SettingsError(image.source, reason, advice) from error
    seconds = time.perf_counter() - start
    return Explanation(
        method="evidence",
        card=model.card,
        logits=arrays[0],
        probabilities=arrays[1],
        grid=arrays[2],
        geometry=replace(prepared.geometry, lattice=_lattice(model)),
        seconds=seconds,
        device=describe_device(model.device),
    )


def _lattice(model: SoftCAM) -> Lattice:
    """Cells lie where the network looks: convolutions of stride 2 look up and left, unpadded ones leave a border."""
    field = model.receptive_field
    return Lattice(first=field.centre, stride=field.stride)
