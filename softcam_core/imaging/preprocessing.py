"""MedicalImage -> model input, as the model card says."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from softcam_core.errors import ImageReadError
from softcam_core.imaging.checks import MAX_PIXELS
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """What the network sees, and how it came from the image.

    Attributes
    ----------
    array : ndarray, (3, h, w) float32
        Normalised channels.
    geometry : Geometry
    """

    array: npt.NDArray[np.float32]
    geometry: Geometry


class Preprocessing(BaseModel):
    """Shorter side resized, centre crop, normalised; grey images give three equal channels.

    Attributes
    ----------
    shorter_side : int or None
        Pixels the shorter side is resized to; None keeps the image's own size.
    crop : (int, int) or None
        Height and width of the centre crop; None analyses the whole image.
    mean, std : (float, float, float)
        Of the channels, on a scale where black is 0 and white is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shorter_side: int | None = Field(default=512, ge=16, le=4096)
    crop: tuple[int, int] | None = None
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if any(s <= 0 for s in self.std):
            raise ValueError("std must be above 0")
        if self.crop is not None and min(self.crop) < 1:
            raise ValueError("crop must be at least 1 pixel")
        if self.crop is not None and self.shorter_side is not None and min(self.crop) > self.shorter_side:
            raise ValueError("crop must fit into the resized image")
        return self

    def geometry(self, image_size: tuple[int, int]) -> Geometry:
        """The transform for an image of (height, width) pixels."""
        return Geometry.plan(image_size, self.shorter_side, self.crop)

    def resized(self, image: MedicalImage) -> npt.NDArray[np.float32]:
        """Resize and crop, without normalising.

        Returns
        -------
        ndarray, (h, w) or (h, w, 3) float32 in [0, 1]
            Grey images stay one channel.

        Raises
        ------
        ImageReadError
            For an image so long and thin that resizing its shorter side gives more than `MAX_PIXELS`.
        """
        geometry = self.geometry(image.size)
        if geometry.resized[0] * geometry.resized[1] > MAX_PIXELS:
            (height, width), (h, w) = image.size, geometry.resized
            reason = f"its {height:,} x {width:,} pixels would become {h:,} x {w:,} for the model"
            raise ImageReadError(image.source, reason, "Cut out the part of interest.")
        shown = image.display()
        planes = [shown] if shown.ndim == 2 else list(np.moveaxis(shown, -1, 0))
        cropped = [_crop(_resize(plane, geometry.resized), geometry) for plane in planes]
        return cropped[0] if shown.ndim == 2 else np.stack(cropped, axis=-1)

    def normalised(self, resized: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(h, w) or (h, w, 3) in [0, 1] -> (3, h, w), normalised."""
        channels = np.moveaxis(np.broadcast_to(resized[..., None] if resized.ndim == 2 else resized,
                                               (*resized.shape[:2], 3)), -1, 0)  # fmt: skip
        mean, std = (np.asarray(v, dtype=np.float32)[:, None, None] for v in (self.mean, self.std))
        return np.ascontiguousarray((channels - mean) / std)

    def apply(self, image: MedicalImage) -> ModelInput:
        """Make the model input of an image."""
        return ModelInput(self.normalised(self.resized(image)), self.geometry(image.size))


def _resize(plane: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Antialiased bilinear, the filter of torchvision's Resize, so converted models see what they were trained on."""
    if plane.shape == size:
        return plane
    height, width = size
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


def _crop(plane: npt.NDArray[np.float32], geometry: Geometry) -> npt.NDArray[np.float32]:
    (top, left), (height, width) = geometry.origin, geometry.input_size
    return plane[top : top + height, left : left + width]
