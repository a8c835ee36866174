"""What the viewer asks of the core. Each function runs off the UI thread and imports what it needs there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from softcam_core.explainers.base import Explanation
    from softcam_core.imaging.image import MedicalImage
    from softcam_core.models.softcam import SoftCAM

THUMBNAIL_SIDE = 96


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model in use.

    Attributes
    ----------
    path : Path
    network : SoftCAM
    device : str
        For people.
    """

    path: Path
    network: SoftCAM
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What the worklist shows of a case: see `Case`."""

    thumbnail: npt.NDArray[np.uint8]
    frames: int
    prediction: tuple[str, float] | None


def find_paths(paths: list[Path]) -> list[Path]:
    """Image files among files and in folders; raises ImageReadError for a folder without any."""
    from softcam_core.imaging.readers import find_images

    return list(dict.fromkeys(file for path in paths for file in find_images(path)))


def read(path: Path, frame: int) -> MedicalImage:
    """Read a frame; raises ImageReadError."""
    from softcam_core.imaging.readers import read_image

    return read_image(path, frame)


def load(path: Path, device: str) -> LoadedModel:
    """Load a model; raises CheckpointError or SettingsError."""
    from softcam_core.devices import choose_device, describe_device
    from softcam_core.models.checkpoint import load_model

    chosen = choose_device(device)
    return LoadedModel(path, load_model(path, chosen), describe_device(chosen))


def explain(model: LoadedModel, image: MedicalImage) -> Explanation:
    """Explain a prediction; raises SettingsError where the input does not fit."""
    from softcam_core.explainers.methods import explain as explain_method

    return explain_method(model.network, image)


def preview(path: Path, model: LoadedModel | None) -> Preview:
    """Read a case's first frame for the worklist, and predict where there is a model; raises BorderError."""
    import cv2

    image = read(path, 0)
    shown = image.display()
    factor = THUMBNAIL_SIDE / min(image.size)
    height, width = (max(THUMBNAIL_SIDE, round(side * factor)) for side in image.size)
    small = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
    top, left = (height - THUMBNAIL_SIDE) // 2, (width - THUMBNAIL_SIDE) // 2
    square = small[top : top + THUMBNAIL_SIDE, left : left + THUMBNAIL_SIDE]
    prediction = None
    if model is not None:
        explanation = explain(model, image)
        name = explanation.class_names[explanation.predicted]
        prediction = name, float(explanation.probabilities[explanation.predicted])
    return Preview(np.ascontiguousarray(np.rint(square * 255).astype(np.uint8)), image.frame_count, prediction)
