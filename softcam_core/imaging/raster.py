"""PNG, JPEG, TIFF -> MedicalImage, at the depth the file has."""

import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from softcam_core.errors import ImageReadError
from softcam_core.imaging.checks import DAMAGE, check_finite, check_frame, check_size, too_many_pixels
from softcam_core.imaging.image import MedicalImage, Window

Array = npt.NDArray[Any]

# SyntaxError is how Pillow's decoders of PNG and TIFF say "broken".
DECODER_ERRORS = (*DAMAGE, SyntaxError, cv2.error)

# Pillow's modes that are decoded into another one. The rest of those we read stay as they are.
_MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "RGBX": "RGB"}
_READ_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I", "F")

# EXIF orientation -> what makes the picture upright. (TIFF 6.0, tag 274)
_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


def read_raster(path: Path, frame: int = 0) -> MedicalImage:
    """Read a PNG or JPEG file, or one page of a TIFF file.

    Resolution tags are ignored: they say how large to print, not how large the patient is.

    Parameters
    ----------
    path : Path
        The file; its content counts, not its suffix.
    frame : int
        Which page, from 0.

    Returns
    -------
    MedicalImage
        Upright as EXIF has it, on black where it was transparent. 1-bit images are 0 and 255.

    Raises
    ------
    ImageReadError
        If the file is damaged, or of a kind that is not supported.
    """
    with warnings.catch_warnings():
        # Pillow warns about metadata it skips, and below our own limit about the number of pixels.
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        try:
            # Given a path, Pillow maps plain greys of a TIFF that lies on its side with width and height exchanged.
            with path.open("rb") as stream, Image.open(stream, formats=("PNG", "JPEG", "TIFF")) as file:
                count = getattr(file, "n_frames", 1) if file.format == "TIFF" else 1
                check_frame(path, frame, count)
                if count > 1:
                    file.seek(frame)
                check_size(path, file.height, file.width)
                return _describe(path, _read_pixels(path, file, frame), frame, count)
        except Image.DecompressionBombError as error:
            raise too_many_pixels(path) from error
        except UnidentifiedImageError as error:
            raise ImageReadError(
                path, "its header is damaged, or of a kind that is not supported", "Save it as 8- or 16-bit PNG."
            ) from error
        except DECODER_ERRORS as error:
            raise ImageReadError(
                path, f"it could not be decoded: {str(error).rstrip('.')}", "Copy or export the file again."
            ) from error


def count_pages(path: Path) -> int:
    """Pages of a TIFF file, 1 for other files and for those whose header cannot be read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        try:
            with path.open("rb") as stream, Image.open(stream, formats=("TIFF",)) as file:
                return int(getattr(file, "n_frames", 1))
        except Image.DecompressionBombError:
            return 1
        except DECODER_ERRORS:
            return 1


def _read_pixels(path: Path, file: ImageFile.ImageFile, frame: int) -> Array:
    """Upright pixels without alpha, (H, W) or (H, W, 3)."""
    deep = _deep_channels(file)  # known only until the pixels are loaded
    file.load()
    # TIFF is upright once loaded; Pillow has no such orientation left to tell then.
    orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
    # Of 16-bit colours Pillow keeps the upper 8 bits only. It has decoded those all the same: it notices a file cut
    # short, where OpenCV returns what it got.
    samples = _on_black(_decode_with_opencv(path, frame, deep) if deep else _samples(path, file))
    return np.ascontiguousarray(_UPRIGHT.get(orientation, lambda a: a)(samples))


def _deep_channels(file: ImageFile.ImageFile) -> list[int]:
    """Which channels of OpenCV's to take for 16-bit colours or greys with alpha, none for all else."""
    if file.mode not in ("LA", "RGB", "RGBA") or not file.tile:
        return []
    layout = file.tile[0].args  # the raw mode: alone for PNG, first for TIFF
    raw_mode = str(layout[0] if isinstance(layout, tuple) else layout)
    if ";16" not in raw_mode:
        return []
    # OpenCV's order is blue, green, red, alpha; greys with alpha come as equal colours.
    return [2, 3] if raw_mode.startswith("LA") else [2, 1, 0, 3] if file.mode == "RGBA" else [2, 1, 0]


def _decode_with_opencv(path: Path, frame: int, channels: list[int]) -> Array:
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    _, pages = cv2.imdecodemulti(encoded, cv2.IMREAD_UNCHANGED, range=(frame, frame + 1))
    if not pages or pages[0].ndim != 3 or pages[0].shape[2] <= max(channels):
        raise ImageReadError(path, "its 16-bit colours could not be decoded", "Save it as 16-bit PNG.")
    return np.asarray(pages[0][..., channels])


def _samples(path: Path, file: Image.Image) -> Array:
    mode = _MODES.get(file.mode, file.mode)
    if "transparency" in file.info and mode in ("L", "RGB"):
        mode += "A"
    if mode not in _READ_MODES:
        raise ImageReadError(path, f"its pixel layout is not supported ({file.mode})", "Save it as 8- or 16-bit PNG.")
    samples = np.asarray(file if mode == file.mode else file.convert(mode))
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def _on_black(samples: Array) -> Array:
    """Composite (H, W, 2) or (H, W, 4) on black -> (H, W) or (H, W, 3)."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples
    colors, alpha = samples[..., :-1], samples[..., -1:]
    opaque = np.iinfo(samples.dtype).max
    if not (alpha == opaque).all():
        colors = ((colors.astype(np.uint64) * alpha + opaque // 2) // opaque).astype(samples.dtype)
    return colors[..., 0] if colors.shape[2] == 1 else colors


def _describe(path: Path, pixels: Array, frame: int, count: int) -> MedicalImage:
    window = Window.from_limits(0, 255)
    values: Array
    if pixels.ndim == 3:
        values = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    else:
        values = pixels.astype(np.float32)
        check_finite(path, values)
        if pixels.dtype != np.uint8:
            window = Window.from_percentiles(values)
    return MedicalImage(
        source=path,
        pixels=pixels,
        values=values,
        presentation=values,
        window=window,
        frame=frame,
        frame_count=count,
    )
