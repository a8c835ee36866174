"""Images decoded and resized, in 16 bits: what is cached, and what augmentation starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from softcam_core.data.manifest import Box
from softcam_core.errors import ImageReadError
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.imaging.readers import read_image

WHITE = 65535
"""The stored value of 1. 8-bit images that were not resized are stored exactly, as 65535 is 257 x 255."""

Stored = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Summary:
    """What has to be known of every image before training starts.

    Attributes
    ----------
    channels : int
        1 or 3.
    geometry : Geometry
        Its `resized` is the size of the stored pixels.
    sums, squares : tuple of int
        Sums of the stored values and of their squares, for each channel, over the model input: exact, so that
        statistics depend neither on order nor on whether they came from the cache.
    """

    channels: int
    geometry: Geometry
    sums: tuple[int, ...]
    squares: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H', W') of the stored pixels."""
        return self.channels, *self.geometry.resized


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An image of `Preprocessing.scaled`, stored.

    Attributes
    ----------
    pixels : ndarray, (C, H', W') uint16
        0 is black and `WHITE` is white. Grey images have one channel.
    summary : Summary
    """

    pixels: Stored
    summary: Summary


def prepare(path: Path, preprocessing: Preprocessing) -> Prepared:
    """Read an image and resize it.

    Raises
    ------
    ImageReadError
        When it cannot be read.
    """
    image = read_image(path)
    geometry = preprocessing.geometry(image)
    return _store(image, geometry, preprocessing)


def read_mask(path: Path, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Read a mask: whatever is not 0 is marked.

    Parameters
    ----------
    path : Path
    size : (int, int)
        Height and width of its image.

    Returns
    -------
    ndarray, (H, W) bool

    Raises
    ------
    ImageReadError
        When it cannot be read, or has another size than the image.
    """
    mask = read_image(path)
    if mask.size != size:
        (height, width), (rows, columns) = mask.size, size
        reason = f"this mask has {height:,} x {width:,} pixels and its image {rows:,} x {columns:,}"
        raise ImageReadError(path, reason, "Draw the mask on the image's own pixels.")
    return np.asarray((mask.pixels != 0).reshape(*size, -1).any(axis=-1))


def prepare_mask(path: Path, geometry: Geometry, preprocessing: Preprocessing) -> Prepared:
    """Read a mask, and resize it as its image was: `WHITE` where it is not 0, in between at the edges.

    Parameters
    ----------
    path : Path
        Image file of the image's size.
    geometry : Geometry
        The image's.
    preprocessing : Preprocessing

    Raises
    ------
    ImageReadError
        When it cannot be read, or has another size than the image.
    """
    inside = read_mask(path, geometry.image_size).astype(np.float32)
    shown = MedicalImage(path, inside, inside, inside, Window.from_limits(0, 1))
    return _store(shown, geometry, preprocessing)


def box_region(boxes: Sequence[Box], geometry: Geometry) -> npt.NDArray[np.float32]:
    """Union of boxes on the stored pixels.

    Parameters
    ----------
    boxes : sequence of (x, y, width, height)
        In pixels of the image.
    geometry : Geometry

    Returns
    -------
    ndarray, (1, H', W') float32 in [0, 1]
        Covered share of each pixel; where several boxes touch it, the largest.
    """
    region = np.zeros((1, *geometry.resized), np.float32)
    (top, left, _, _), (down, across) = geometry.extent, geometry.scale
    for x, y, width, height in boxes:
        rows = _coverage((y - top) * down, (y + height - top) * down, geometry.resized[0])
        columns = _coverage((x - left) * across, (x + width - left) * across, geometry.resized[1])
        np.maximum(region[0], np.outer(rows, columns), out=region[0])
    return region


def _coverage(low: float, high: float, size: int) -> npt.NDArray[np.float32]:
    """Share of each of `size` unit cells that lies between two positions."""
    cells = np.arange(size)
    return np.asarray(np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0, 1), np.float32)


def _store(image: MedicalImage, geometry: Geometry, preprocessing: Preprocessing) -> Prepared:
    scaled = preprocessing.scaled(image, geometry)
    planes = scaled[None] if scaled.ndim == 2 else np.moveaxis(scaled, -1, 0)
    pixels = np.ascontiguousarray(np.rint(planes * np.float32(WHITE)), dtype=np.uint16)
    (top, left), (height, width) = geometry.origin, geometry.input_size
    seen = pixels[:, top : top + height, left : left + width]
    return Prepared(
        pixels,
        Summary(
            channels=len(pixels),
            geometry=geometry,
            sums=tuple(int(plane.sum(dtype=np.uint64)) for plane in seen),
            squares=tuple(int(np.square(plane, dtype=np.uint64).sum()) for plane in seen),
        ),
    )
