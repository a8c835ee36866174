"""How large an image is, without decoding it."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import ExifTags, Image
from pydicom import dcmread

from softcam_core.imaging.dicom import PYDICOM_ERRORS
from softcam_core.imaging.raster import DECODER_ERRORS

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width
_HEADER_ERRORS = (*PYDICOM_ERRORS, *DECODER_ERRORS)


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
