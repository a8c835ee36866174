"""Boxes as text, and where they lie on their image."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

from PIL import ExifTags, Image
from pydicom import dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError

from softcam_core.data.samples import Box

# Annotators and programs round to whole pixels, each in its own way.
_TOLERANCE_PX = 1.0
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width

# What Pillow and pydicom raise for files whose header is damaged.
_HEADER_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def parse_boxes(text: str) -> tuple[Box, ...]:
    """Boxes of a cell: ``x y width height``, separated by semicolons.

    Raises
    ------
    ValueError
        When a box is not four finite numbers.
    """
    return tuple(parse_box(part.split()) for part in text.split(";") if part.strip())


def parse_box(numbers: Sequence[str]) -> Box:
    """Box of four numbers.

    Raises
    ------
    ValueError
        When they are not four finite numbers.
    """
    x, y, width, height = map(float, numbers)
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError("numbers must be finite")
    return x, y, width, height


def image_size(path: Path) -> tuple[int, int] | None:
    """Height and width of an image file as `read_image` gives it, from its header alone.

    None where the header cannot be read: what is wrong with the file is said when it is decoded.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        try:
            with path.open("rb") as file:
                is_dicom = file.read(132)[128:] == b"DICM"
            if is_dicom:
                header = dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
                return int(header.Rows), int(header.Columns)
            with Image.open(path, formats=("PNG", "JPEG", "TIFF")) as image:
                # Pillow turns TIFF itself, and says the size of the upright image from the start.
                orientation = 1 if image.format == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)
                return (image.width, image.height) if orientation in _SIDEWAYS else (image.height, image.width)
        except Image.DecompressionBombError:
            return None
        except _HEADER_ERRORS:
            return None


def scale_boxes(boxes: Sequence[Box], measured_on: int, size: tuple[int, int]) -> tuple[Box, ...]:
    """From pixels of a square image to those of an image of (height, width)."""
    height, width = size
    down, across = height / measured_on, width / measured_on
    return tuple((x * across, y * down, w * across, h * down) for x, y, w, h in boxes)


def misplaced(boxes: Sequence[Box], size: tuple[int, int] | None) -> list[str]:
    """Describe each box that has no area or reaches beyond the image of (height, width), where that is known."""
    height, width = size or (math.inf, math.inf)
    found = []
    for x, y, w, h in boxes:
        box = f"the box {x:g} {y:g} {w:g} {h:g}"
        if w <= 0 or h <= 0:
            found.append(f"{box} has no area")
        elif min(x, y) < -_TOLERANCE_PX or x + w > width + _TOLERANCE_PX or y + h > height + _TOLERANCE_PX:
            found.append(f"{box} reaches beyond the image" + (f" of {width} x {height} pixels" if size else ""))
    return found
