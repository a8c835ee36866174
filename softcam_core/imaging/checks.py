"""What every reader asks of a frame before it hands it on, and how damaged files show."""

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from softcam_core.errors import ImageReadError

MAX_PIXELS = 100_000_000
"""Pixels a frame may have: five times the largest mammogram, and less memory than a header can ask for."""

DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What libraries raise for damaged or unusual files. They have few exceptions of their own: parsing ends in those of
struct, zlib and built-in conversions, decoding in RuntimeError and its NotImplementedError."""


def check_size(path: Path, height: int, width: int) -> None:
    """Raise ImageReadError unless a frame of this size has pixels, and no more than `MAX_PIXELS`."""
    if height * width < 1:
        raise ImageReadError(path, f"its image has no pixels ({height} x {width})", "Export the file again.")
    if height * width > MAX_PIXELS:
        raise too_many_pixels(path, f" ({height:,} x {width:,})")


def too_many_pixels(path: Path, size: str = "") -> ImageReadError:
    """Error for a frame beyond `MAX_PIXELS`."""
    return ImageReadError(
        path, f"its image has more than {MAX_PIXELS:,} pixels{size}", "Scale it down, or cut out the part of interest."
    )


def check_frame(path: Path, frame: int, count: int) -> None:
    """Raise ImageReadError unless ``0 <= frame < count``."""
    if not 0 <= frame < count:
        held = "a single frame, number 0" if count == 1 else f"{count} frames, numbers 0 to {count - 1}"
        raise ImageReadError(path, f"it has no frame number {frame}", f"It holds {held}.")


def check_finite(path: Path, values: npt.NDArray[np.generic]) -> None:
    """Raise ImageReadError, with their number, where values of any shape are NaN or infinite."""
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise ImageReadError(
            path,
            f"{bad:,} of its {values.size:,} pixel values are not finite (NaN or infinite)",
            "Replace them before opening the image.",
        )
