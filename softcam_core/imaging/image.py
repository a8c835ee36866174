"""MedicalImage: one frame as its file holds it, and how the file asks to have it shown."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

# Numbers of any width, as image files hold them.
Pixels = npt.NDArray[np.integer[Any] | np.floating[Any]]

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_TINY = float(np.finfo(np.float32).tiny)
_HALF_EPSILON = float(np.finfo(np.float32).eps) / 2


@dataclass(frozen=True, slots=True)
class Window:
    """A value-of-interest window: which values are shown from black to white.

    Attributes
    ----------
    center, width : float
        Window centre and width in the unit of the image's values. ``width`` is at least 1 for LINEAR and
        above 0 otherwise.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function of DICOM PS3.3 C.11.2.1.
    """

    center: float
    width: float
    function: VoiFunction = "LINEAR_EXACT"

    @classmethod
    def from_limits(cls, lower: float, upper: float) -> "Window":
        """Window that is black at ``lower`` and white at ``upper``, or next to them where no float32 lies between."""
        least = max(abs(lower), abs(upper)) * _HALF_EPSILON
        return cls((lower + upper) / 2, max(upper - lower, least, _TINY))

    @classmethod
    def from_percentiles(cls, values: Pixels, lower: float = 0.5, upper: float = 99.5) -> "Window":
        """Window between two percentiles of finite values, between their extremes where these are equal.

        Constant values give a window of width 1 around them, wider where they are so large that this is nothing.
        """
        for limits in ((lower, upper), (0.0, 100.0)):
            # "nearest" only picks values: interpolating between the largest floats would overflow.
            picked = np.percentile(np.asarray(values, dtype=np.float32), limits, method="nearest")
            black, white = float(picked[0]), float(picked[1])
            if black < white:
                return cls.from_limits(black, white)
        return cls.from_limits(black - 0.5, black + 0.5)

    @property
    def limits(self) -> tuple[float, float]:
        """Values shown as black and as white (for SIGMOID: where its tangent in the centre meets them)."""
        if self.function == "LINEAR":
            # PS3.3 C.11.2.1.2.1: the full output range covers width - 1 input values.
            half = max(self.width - 1, _TINY) / 2
            return self.center - 0.5 - half, self.center - 0.5 + half
        return self.center - self.width / 2, self.center + self.width / 2

    def apply(self, values: Pixels) -> npt.NDArray[np.float32]:
        """Map values of any shape to grey levels in [0, 1], float32 of the same shape."""
        x = np.asarray(values, dtype=np.float32)
        lower, upper = self.limits
        if upper - lower <= _TINY:
            # LINEAR of width 1, or limits that coincide: a step, as PS3.3 has it.
            return (x > (lower + upper) / 2).astype(np.float32)
        with np.errstate(over="ignore"):  # what overflows is clipped anyway
            if self.function == "SIGMOID":
                exponent = np.clip(-4 * (x - self.center) / self.width, -80, 80)
                return np.asarray(1 / (1 + np.exp(exponent)), dtype=np.float32)
            shown = (x - np.float32(lower)) / np.float32(upper - lower)
        return np.asarray(np.clip(shown, 0, 1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who and what an image is of. Never logged, never part of a file name, exported only on request."""

    patient_name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    study_date: str = field(default="", repr=False)
    study_uid: str = field(default="", repr=False)
    series_uid: str = field(default="", repr=False)
    instance_uid: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What tells files of a study apart, without their pixels.

    Attributes
    ----------
    is_dicom : bool
    frame_count : int
        Frames of a DICOM file, pages of a TIFF file.
    modality : str
        "" where unknown.
    series_number, instance_number : int or None
        Of a DICOM file that has them.
    identity : Identity
    """

    is_dicom: bool = False
    frame_count: int = 1
    modality: str = ""
    series_number: int | None = None
    instance_number: int | None = None
    identity: Identity = field(default_factory=Identity)


@dataclass(frozen=True, slots=True, eq=False)
class MedicalImage:
    """One frame of an image file.

    Attributes
    ----------
    source : Path
        The file.
    pixels : ndarray, (H, W) or (H, W, 3)
        Stored values as decoded. For PALETTE COLOR these are indices into the palette.
    values : ndarray, (H, W) float32 or (H, W, 3) uint8
        Values after the Modality LUT (for CT: Hounsfield units), or RGB.
    presentation : ndarray, (H, W) float32 or (H, W, 3) uint8
        What `window` acts on: `values` after a VOI LUT table where the file has one, else `values` itself.
    window : Window
        The file's first window, or one from percentiles where the file has none. For RGB: 0 to 255.
    window_presets : tuple of (str, Window)
        All windows of the file with their names, `window` first.
    inverted : bool
        True for MONOCHROME1: the lowest value is shown white.
    unit : str
        Unit of `values`, "" where unknown.
    spacing : (float, float) or None
        Millimetres per pixel, rows then columns; None where the file has none.
    modality : str
        DICOM modality ("CR", "CT"), "" where unknown.
    frame, frame_count : int
        Which frame of how many this is, from 0.
    identity : Identity
    """

    source: Path
    pixels: Pixels
    values: Pixels
    presentation: Pixels
    window: Window
    window_presets: tuple[tuple[str, Window], ...] = ()
    inverted: bool = False
    unit: str = ""
    spacing: tuple[float, float] | None = None
    modality: str = ""
    frame: int = 0
    frame_count: int = 1
    identity: Identity = field(default_factory=Identity)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.pixels.shape[:2]
        return height, width

    @property
    def is_color(self) -> bool:
        """True where `values` are RGB."""
        return self.values.ndim == 3

    def display(self, window: Window | None = None) -> npt.NDArray[np.float32]:
        """Grey levels or colours as the file asks for: Modality LUT, VOI LUT or window, inversion, in that order.

        Parameters
        ----------
        window : Window, optional
            Instead of the file's own.

        Returns
        -------
        ndarray, (H, W) or (H, W, 3) float32 in [0, 1]
        """
        shown = (window or self.window).apply(self.presentation)
        return 1 - shown if self.inverted else shown
