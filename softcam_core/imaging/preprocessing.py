"""MedicalImage -> model input, as the model card says."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from softcam_core.errors import ImageReadError
from softcam_core.imaging.checks import MAX_PIXELS
from softcam_core.imaging.fundus import find_disc
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MAX_SIDE = 8192
"""Pixels a side of a model input may have: sixteen times 512. Maps need memory by the square of the longer side, and an
image of one row, resized until that row is 64, has a side of a hundred thousand."""

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
    fundus_crop : bool
        Cut out the disc of a fundus photograph first (`softcam_core.imaging.fundus`): "image" below is then the box
        around what the photograph shows of the disc. It is a rectangle where the disc is cut off at top and bottom;
        nothing is padded, so that every cell of evidence lies on pixels of the photograph.
    shorter_side : int or None
        Pixels the shorter side is resized to; None keeps the image's own size.
    crop : (int, int) or None
        Height and width of the centre crop; None analyses the whole image.
    mean, std : (float, float, float)
        Of the channels, on a scale where black is 0 and white is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fundus_crop: bool = False
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

    def geometry(self, image: MedicalImage) -> Geometry:
        """Plan the transform of an image."""
        field = find_disc(image) if self.fundus_crop else None
        return Geometry.plan(image.size, self.shorter_side, self.crop, field)

    def resized(self, image: MedicalImage, geometry: Geometry | None = None) -> npt.NDArray[np.float32]:
        """Resize and crop, without normalising.

        Parameters
        ----------
        image : MedicalImage
        geometry : Geometry, optional
            The image's, where it has been planned already.

        Returns
        -------
        ndarray, (h, w) or (h, w, 3) float32 in [0, 1]
            Grey images stay one channel.

        Raises
        ------
        ImageReadError
            See `scaled`.
        """
        geometry = geometry or self.geometry(image)
        (top, left), (height, width) = geometry.origin, geometry.input_size
        return self.scaled(image, geometry)[top : top + height, left : left + width]

    def scaled(self, image: MedicalImage, geometry: Geometry | None = None) -> npt.NDArray[np.float32]:
        """Resize, without centre crop and normalising: what augmentation starts from.

        Parameters
        ----------
        image : MedicalImage
        geometry : Geometry, optional
            The image's, where it has been planned already.

        Returns
        -------
        ndarray, (H', W') or (H', W', 3) float32 in [0, 1]
            Of the geometry's `resized` size. Grey images stay one channel.

        Raises
        ------
        ImageReadError
            For an image so long and thin that resizing its shorter side gives more than `MAX_PIXELS`, or a model input
            with a side beyond `MAX_SIDE`.
        """
        geometry = geometry or self.geometry(image)
        top, left, bottom, right = (round(edge) for edge in geometry.extent)
        height, width = geometry.resized
        if height * width > MAX_PIXELS or max(geometry.input_size) > MAX_SIDE:
            reason = (
                f"its {bottom - top:,} x {right - left:,} pixels would become {height:,} x {width:,} for the model, "
                f"which takes at most {MAX_SIDE:,} a side"
            )
            raise ImageReadError(image.source, reason, "Cut out the part of interest.")
        shown = image.display()[top:bottom, left:right]
        planes = [shown] if shown.ndim == 2 else list(np.moveaxis(shown, -1, 0))
        scaled = [_resize(plane, geometry.resized) for plane in planes]
        return scaled[0] if shown.ndim == 2 else np.stack(scaled, axis=-1)

    def normalised(self, resized: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(h, w) or (h, w, 3) in [0, 1] -> (3, h, w), normalised."""
        channels = np.moveaxis(np.broadcast_to(resized[..., None] if resized.ndim == 2 else resized,
                                               (*resized.shape[:2], 3)), -1, 0)  # fmt: skip
        mean, std = (np.asarray(v, dtype=np.float32)[:, None, None] for v in (self.mean, self.std))
        return np.ascontiguousarray((channels - mean) / std)

    def apply(self, image: MedicalImage) -> ModelInput:
        """Make the model input of an image."""
        geometry = self.geometry(image)
        return ModelInput(self.normalised(self.resized(image, geometry)), geometry)


def _resize(plane: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Antialiased bilinear, the filter of torchvision's Resize, so converted models see what they were trained on."""
    if plane.shape == size:
        return plane
    height, width = size
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
