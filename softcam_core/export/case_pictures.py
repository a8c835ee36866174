"""Small pictures of judged cases for reports: what the model sees, a map over it, and what was annotated."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from softcam_core.evaluation.cases import Seen
from softcam_core.export.colormaps import COLORMAPS, DEFAULT_DIVERGING, DEFAULT_SEQUENTIAL
from softcam_core.imaging.preprocessing import Preprocessing

SIDE = 160
"""Pixels of the longer side."""

_OPACITY = 0.6
_THRESHOLD = 0.2
_OUTLINE = (255, 255, 255)
_SHADOW = (0, 0, 0)


def case_picture(seen: Seen, preprocessing: Preprocessing, small_map: npt.NDArray[np.int8]) -> bytes:
    """Draw a case.

    Parameters
    ----------
    seen : Seen
        Image and annotation as the model sees them.
    preprocessing : Preprocessing
        That made them.
    small_map : ndarray, (h, w) int8
        The map on the model input (`softcam_core.evaluation.mapping.thumbnail_map`). Values nearer to zero than a fifth
        of the largest are not shown; maps with both signs or below zero get a diverging colour map.

    Returns
    -------
    bytes
        JPEG, whose annotation is outlined in white.
    """
    height, width = seen.region.shape
    factor = SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    shown = np.moveaxis(seen.image.numpy() * std + mean, 0, -1).clip(0, 1)
    picture = Image.fromarray((shown * 255).round().astype(np.uint8)).resize(size, Image.Resampling.BOX)
    values = Image.fromarray(small_map.astype(np.float32) / 127).resize(size, Image.Resampling.BILINEAR)
    coloured = _blend(np.asarray(picture, np.float32), np.asarray(values))
    region = Image.fromarray(seen.region.numpy().astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    drawn = _outlined(coloured, np.asarray(region) >= 128)
    packed = io.BytesIO()
    Image.fromarray(drawn).save(packed, format="JPEG", quality=82)
    return packed.getvalue()


def _blend(shown: npt.NDArray[np.float32], values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    is_signed = bool((values < 0).any())
    table = COLORMAPS[DEFAULT_DIVERGING if is_signed else DEFAULT_SEQUENTIAL].table()
    at = (values + 1) / 2 if is_signed else values
    colours = table[np.clip(np.rint(at * 255), 0, 255).astype(np.intp)]
    alpha = np.where(np.abs(values) >= _THRESHOLD, _OPACITY, 0.0).astype(np.float32)[..., None]
    return np.asarray((shown * (1 - alpha) + colours * alpha).round(), dtype=np.uint8)


def _outlined(picture: npt.NDArray[np.uint8], region: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """A white line just around the region, with a black one around that, so that it is seen on any ground."""
    drawn = picture.copy()
    first, second = _grown(region), _grown(_grown(region))
    drawn[second & ~first] = _SHADOW
    drawn[first & ~region] = _OUTLINE
    return drawn


def _grown(region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    padded = np.pad(region, 1)
    height, width = region.shape
    shifts = [padded[down : down + height, across : across + width] for down in range(3) for across in range(3)]
    return np.asarray(np.any(shifts, axis=0))
