"""Random changes to training images; what was annotated in them moves with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import cv2
import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torchvision.transforms.v2 import functional as TF  # noqa: N812

from softcam_core.imaging.geometry import Geometry

Probability = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]
Colour = Literal["brightness", "contrast", "saturation", "hue"]

_COLOURS: tuple[Colour, ...] = ("brightness", "contrast", "saturation", "hue")
_CROP_ATTEMPTS = 10  # as torchvision's RandomResizedCrop


class Augmentation(BaseModel):
    """What may happen to a training image; nothing but mirroring left and right by default.

    It happens in the order of the fields, before the centre crop: what a rotation turns in are pixels of the image
    where there are some, and black elsewhere. All movements together resample the image once, bilinearly.

    Attributes
    ----------
    flip_horizontal, flip_vertical : float
        Probability.
    resized_crop : float
        Probability that a part is cut out, somewhere within the image, and resized to the model input.
    crop_scale, crop_ratio : (float, float)
        Of that part: its area and its aspect (width / height), both as multiples of the model input's. Parts larger
        than the image are drawn again, as torchvision's RandomResizedCrop does; after ten of them nothing is cut out.
    rotation : float
        Largest angle to either side, degrees.
    rotation_probability : float
    translation : float
        Largest shift along each axis, as a share of the model input's side.
    translation_probability : float
    brightness, contrast, saturation : (float, float)
        Range of the factor, as in torchvision's ColorJitter.
    hue : float
        Largest shift to either side, 0 to 0.5 of the colour circle.
    jitter_probability : float
        Of the changes of brightness, contrast, saturation and hue, together; they come in any order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    flip_horizontal: Probability = 0.5
    flip_vertical: Probability = 0.0
    resized_crop: Probability = 0.0
    crop_scale: Range = (0.87, 1.15)
    crop_ratio: Range = (0.7, 1.3)
    rotation: float = Field(default=0.0, ge=0, le=180)
    rotation_probability: Probability = 1.0
    translation: float = Field(default=0.0, ge=0, le=1)
    translation_probability: Probability = 1.0
    brightness: Range = (1.0, 1.0)
    contrast: Range = (1.0, 1.0)
    saturation: Range = (1.0, 1.0)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    jitter_probability: Probability = 1.0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for name in ("crop_scale", "crop_ratio", "brightness", "contrast", "saturation"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be a lower and an upper limit")
            if low < 0 or (low == 0 and name.startswith("crop")):
                raise ValueError(f"{name} must be {'above' if name.startswith('crop') else 'at least'} 0")
        return self

    def draw(self, seed: int, geometry: Geometry) -> Change:
        """Draw what happens to an image.

        Parameters
        ----------
        seed : int
            At least 0. Decides everything; torch's and numpy's global generators are not touched.
        geometry : Geometry
            The image's.
        """
        rng = np.random.default_rng(seed)
        height, width = geometry.input_size
        flips = bool(rng.random() < self.flip_vertical), bool(rng.random() < self.flip_horizontal)
        part = self._draw_part(rng, geometry) if rng.random() < self.resized_crop else None
        angle, down, across = rng.uniform(-1, 1, 3)
        is_turned, is_shifted = rng.random() < self.rotation_probability, rng.random() < self.translation_probability
        reach = self.translation * is_shifted
        return Change(
            geometry,
            flips,
            part,
            angle=float(angle * self.rotation * is_turned),
            shift=(float(down * reach * height), float(across * reach * width)),
            colours=self._draw_colours(rng) if rng.random() < self.jitter_probability else (),
        )

    def _draw_part(self, rng: np.random.Generator, geometry: Geometry) -> tuple[float, float, float, float] | None:
        (height, width), (rows, columns) = geometry.input_size, geometry.resized
        for _ in range(_CROP_ATTEMPTS):
            scale = rng.uniform(*self.crop_scale)
            ratio = math.exp(rng.uniform(*np.log(self.crop_ratio)))
            high, wide = height * math.sqrt(scale / ratio), width * math.sqrt(scale * ratio)
            if high <= rows and wide <= columns:
                return float(rng.uniform(0, rows - high)), float(rng.uniform(0, columns - wide)), high, wide
        return None

    def _draw_colours(self, rng: np.random.Generator) -> tuple[tuple[Colour, float], ...]:
        ranges = (self.brightness, self.contrast, self.saturation, (-self.hue, self.hue))
        factors = [float(rng.uniform(*limits)) for limits in ranges]
        return tuple(
            (_COLOURS[i], factors[i])
            for i in rng.permutation(4)
            if factors[i] != (0.0 if _COLOURS[i] == "hue" else 1.0)
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one image.

    Attributes
    ----------
    geometry : Geometry
        The image's.
    flips : (bool, bool)
        Upside down, and left to right.
    part : (float, float, float, float) or None
        Top, left, height and width, in pixels of the resized image after the flips, of what becomes the model input;
        None for the centre crop.
    angle : float
        Clockwise, degrees, about the model input's centre.
    shift : (float, float)
        Pixels downwards and to the right, after the rotation.
    colours : tuple of (str, float)
        What changes in this order, with the factor (brightness, contrast, saturation) or the shift in circles (hue).
    """

    geometry: Geometry
    flips: tuple[bool, bool] = (False, False)
    part: tuple[float, float, float, float] | None = None
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    colours: tuple[tuple[Colour, float], ...] = ()

    def move(self, scaled: Tensor) -> Tensor:
        """Flip, cut out, rotate and shift; for images and masks alike.

        Parameters
        ----------
        scaled : Tensor, (C, H', W') float32
            All of the resized image, or a mask of it.

        Returns
        -------
        Tensor, (C, h, w) float32
            Of the model input's size; 0 where there is no image.
        """
        (top, left), (height, width) = self.geometry.origin, self.geometry.input_size
        is_inside = self.angle == 0 and self.shift == (0, 0)
        if is_inside and self.part is None:
            # In numpy, see `softcam_core.data.dataset`.
            axes = tuple(dim for dim, flips in zip((1, 2), self.flips, strict=True) if flips)
            flipped = np.flip(scaled.numpy(), axes)
            return torch.from_numpy(flipped[:, top : top + height, left : left + width].copy())
        # A part of the image goes on beyond its outermost pixel centres as torchvision's resize has it; what is turned
        # or shifted fades to black there, as in torchvision's affine.
        padding = "border" if is_inside else "zeros"
        return F.grid_sample(scaled[None], self._grid(), padding_mode=padding, align_corners=False)[0]

    def recolour(self, image: Tensor) -> Tensor:
        """Change brightness, contrast, saturation and hue; the last two leave grey images as they are.

        Parameters
        ----------
        image : Tensor, (1 or 3, h, w) float32 in [0, 1]

        Returns
        -------
        Tensor, as `image`
        """
        for colour, factor in self.colours:
            if colour == "brightness":
                image = TF.adjust_brightness(image, factor)
            elif colour == "contrast":
                image = _adjust_contrast(image, factor)
            elif len(image) == 3:
                image = TF.adjust_saturation(image, factor) if colour == "saturation" else _adjust_hue(image, factor)
        return image

    def _grid(self) -> Tensor:
        """Where in the resized image each pixel of the model input comes from: (1, h, w, 2), x and y from -1 to 1."""
        (height, width), (rows, columns) = self.geometry.input_size, self.geometry.resized
        top, left, high, wide = self.part or (*self.geometry.origin, height, width)
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        (down, across), (y, x) = self.shift, (height / 2, width / 2)
        # From the last step back to the first; positions are (x, y, 1) with pixel edges at whole numbers.
        to_centre = np.array([[1, 0, -x - across], [0, 1, -y - down], [0, 0, 1]])
        turned_back = np.array([[cos, sin, x], [-sin, cos, y], [0, 0, 1]])
        in_part = np.array([[wide / width, 0, left], [0, high / height, top], [0, 0, 1]])
        normalised = np.array([[2 / columns, 0, -1], [0, 2 / rows, -1], [0, 0, 1]])
        flipped = np.diag([-1.0 if self.flips[1] else 1.0, -1.0 if self.flips[0] else 1.0, 1.0])
        matrix = flipped @ normalised @ in_part @ turned_back @ to_centre
        grid = torch.empty(1, height, width, 2)
        centres_y, centres_x = (torch.arange(size, dtype=torch.float64).add_(0.5) for size in (height, width))
        for axis in range(2):
            a, b, c = matrix[axis].tolist()
            along, across_rows = (a * centres_x + c).float(), (b * centres_y).float()
            torch.add(along, across_rows[:, None], out=grid[0, ..., axis])
        return grid


def _adjust_contrast(image: Tensor, factor: float) -> Tensor:
    """As torchvision's, whose mean depends on the number of threads in its last bits."""
    mean = float(TF.rgb_to_grayscale(image).numpy().mean(dtype=np.float64))
    return image.mul(factor).add_((1 - factor) * mean).clamp_(0, 1)


def _adjust_hue(image: Tensor, shift: float) -> Tensor:
    """As torchvision's, which takes twelve times as long."""
    pixels = cv2.cvtColor(cv2.merge(list(image.numpy())), cv2.COLOR_RGB2HSV)
    pixels[..., 0] += 360 * (shift % 1)
    turned = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_HSV2RGB))
    return torch.from_numpy(np.stack(turned))
