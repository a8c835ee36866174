"""Shapes as pixels: which an annotation takes, and how runs of them are written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from softcam_core.annotations.shapes import Coverage, Shape

Mask = npt.NDArray[np.bool_]

HALF = 0.5
"""Part of a pixel that a shape must cover for the pixel to be in its mask."""

# Compressed counts: five bits a letter from "0" on, with a bit that says that more follow.
_FIRST, _BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10


def mask_of(shape: Shape, image_size: tuple[int, int]) -> Mask:
    """Pixels of the image that a shape covers by half or more, (H, W) bool."""
    mask = np.zeros(image_size, dtype=bool)
    rows, columns, coverage = _covered(shape, image_size)
    mask[rows, columns] = coverage >= HALF
    return mask


def area_within(shape: Shape, image_size: tuple[int, int]) -> float:
    """Pixels of the image that a shape covers, parts of pixels counted as such."""
    return float(_covered(shape, image_size)[2].sum(dtype=np.float64))


def _covered(shape: Shape, image_size: tuple[int, int]) -> tuple[slice, slice, Coverage]:
    """Rows and columns around a shape and how it covers them: quicker than all of a large image."""
    height, width = image_size
    top, left, bottom, right = shape.bounds
    first_row, first = max(0, math.floor(top)), max(0, math.floor(left))
    rows, columns = slice(first_row, min(height, math.ceil(bottom))), slice(first, min(width, math.ceil(right)))
    size = rows.stop - rows.start, columns.stop - columns.start
    if min(size) <= 0:
        return slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32)
    return rows, columns, shape.moved(-first_row, -first).coverage(size)


def run_lengths(shape: Shape, image_size: tuple[int, int]) -> list[int]:
    """Lengths of runs of pixels that are not in the mask of a shape and that are, in turn, column by column (COCO)."""
    height, width = image_size
    rows, columns, coverage = _covered(shape, image_size)
    # Down each column a run begins where the mask does, and ends below its last pixel.
    changes = np.diff(np.pad((coverage >= HALF).T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    starts, ends = (
        (at[:, 0] + columns.start) * height + at[:, 1] + rows.start
        for at in (np.argwhere(changes > 0), np.argwhere(changes < 0))
    )
    # Where one goes on at the top of the next column the two are one.
    parted = starts[1:] != ends[:-1]
    starts = np.concatenate((starts[:1], starts[1:][parted]))
    ends = np.concatenate((ends[:-1][parted], ends[-1:]))
    edges = np.stack([starts, ends], axis=1).ravel()
    found = [int(count) for count in np.diff(np.concatenate(([0], edges, [height * width])))]
    return found if found[-1] else found[:-1]


def mask_of_runs(counts: Sequence[int] | str, size: tuple[int, int]) -> Mask:
    """Pixels that runs stand for, as COCO counts them.

    Parameters
    ----------
    counts : sequence of int, or str
        Lengths, or text that pycocotools compressed them to.
    size : (int, int)
        Height and width.

    Returns
    -------
    ndarray, (H, W) bool

    Raises
    ------
    ValueError
        Where they do not add up to the size.
    """
    lengths = _decompressed(counts) if isinstance(counts, str) else list(counts)
    if min(lengths, default=0) < 0 or sum(lengths) != size[0] * size[1]:
        raise ValueError("its runs do not add up to the image")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.asarray(flat.reshape(size, order="F"))


def _decompressed(text: str) -> list[int]:
    """Lengths of runs, of which pycocotools writes the differences from the one before the last, in base 32."""
    lengths: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            raise ValueError("its compressed runs are damaged")
        value |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if not bits & _MORE:
            if bits & _SIGN:
                value -= 1 << shift
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("its compressed runs are damaged")
    return lengths
