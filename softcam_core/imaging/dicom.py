"""DICOM -> MedicalImage: which frame, which values, and how the file asks to have them shown.

Works in two passes. The header comes first, and most of what can be wrong is found there, before anything the size
of the image is allocated. Then the pixels of the chosen frame alone are decoded.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import get_nr_frames, pixel_array

from softcam_core.errors import ImageReadError
from softcam_core.imaging import codecs
from softcam_core.imaging.checks import DAMAGE, check_finite, check_frame, check_size
from softcam_core.imaging.image import Identity, ImageHeader, MedicalImage, VoiFunction, Window

# pydicom logs values it finds odd, identifiers of the study among them. No handler of ours or of a notebook shall
# get to see those; what matters to the user comes as ImageReadError.
logging.getLogger("pydicom").propagate = False

codecs.register()

PYDICOM_ERRORS = (*DAMAGE, InvalidDicomError, BytesLengthException)
"""What pydicom raises for damaged or unusual files."""

_SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
_PIXEL_ELEMENTS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_HEADER_TAGS = (
    *("NumberOfFrames", "Modality", "SeriesNumber", "InstanceNumber", "PatientName", "PatientID", "PatientBirthDate"),
    *("StudyDate", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SpecificCharacterSet"),
)
_EXPORT_AGAIN = "Copy the file again, or export it again from where it came."


def read_dicom(path: Path, frame: int = 0) -> MedicalImage:
    """Read one frame of a DICOM file.

    Parameters
    ----------
    path : Path
        A file in the DICOM file format (PS3.10).
    frame : int
        Which frame, from 0.

    Returns
    -------
    MedicalImage
        ``pixels`` are as decoded, with YBR converted to RGB and in the byte order of this machine.

    Raises
    ------
    ImageReadError
        If the file is damaged, holds no image, or one that is not supported.
    """
    with warnings.catch_warnings():
        # pydicom warns about odd but readable headers. What makes pixels unusable raises, or is checked here.
        warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
        with reporting(path, "its DICOM header is damaged"):
            header = dcmread(path, stop_before_pixels=True)
            _check_header(path, header, frame)
            _lay_over_functional_groups(header, frame)
        pixels = _decode(path, header, frame)
        with reporting(path, "its DICOM header does not say in a valid way how its pixels are to be shown"):
            return _describe(path, header, pixels, frame)


def read_dicom_header(path: Path) -> ImageHeader:
    """Read what a DICOM file says of itself, and nothing of its pixels.

    Raises
    ------
    ImageReadError
        If the header is damaged.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
        with reporting(path, "its DICOM header is damaged"):
            header = dcmread(path, stop_before_pixels=True, specific_tags=list(_HEADER_TAGS))
            return ImageHeader(
                is_dicom=True,
                # Of a damaged number pydicom gives the text, which is none.
                frame_count=int(get_nr_frames(header, warn=False)),
                modality=_text(header, "Modality"),
                series_number=_whole(header, "SeriesNumber"),
                instance_number=_whole(header, "InstanceNumber"),
                identity=_identity(header),
            )


@contextmanager
def reporting(path: Path, reason: str, advice: str = _EXPORT_AGAIN) -> Iterator[None]:
    """Turn what pydicom raises into an ImageReadError with a reason of ours: its messages may quote the file."""
    try:
        yield
    except PYDICOM_ERRORS as error:
        raise ImageReadError(path, reason, advice) from error


def _check_header(path: Path, header: Dataset, frame: int) -> None:
    syntax = header.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise ImageReadError(path, "it does not say how it is encoded (no Transfer Syntax UID)", _EXPORT_AGAIN)
    try:
        get_decoder(syntax)
    except NotImplementedError as error:
        name = syntax.name if syntax.is_valid else "not a valid identifier"
        raise ImageReadError(
            path, f"its transfer syntax is not supported ({name})", "Export it uncompressed or as JPEG 2000."
        ) from error
    if header.get("Rows") is None or header.get("Columns") is None:
        raise ImageReadError(path, "it holds no image", "Reports, plans and waveforms cannot be opened.")
    check_size(path, header.Rows, header.Columns)
    photometric, samples = header.get("PhotometricInterpretation"), header.get("SamplesPerPixel")
    if photometric not in _SAMPLES:
        raise ImageReadError(path, f"its colour space is not supported ({photometric!r:.20})", "Export it as RGB.")
    if samples != _SAMPLES[photometric]:
        raise ImageReadError(path, f"{photometric} cannot have {samples!r:.20} samples per pixel", _EXPORT_AGAIN)
    check_frame(path, frame, get_nr_frames(header, warn=False))


def _lay_over_functional_groups(header: Dataset, frame: int) -> None:
    """Put what an enhanced file says about this frame where single-frame files say it."""
    shared = _items(header, "SharedFunctionalGroupsSequence")
    per_frame = _items(header, "PerFrameFunctionalGroupsSequence")
    for groups in (*shared[:1], *per_frame[frame : frame + 1]):
        for macro in (
            "PixelMeasuresSequence",
            "FramePixelDataPropertiesSequence",
            "PixelValueTransformationSequence",
            "FrameVOILUTSequence",
        ):
            for item in _items(groups, macro)[:1]:
                header.update(item)


def _decode(path: Path, header: Dataset, frame: int) -> npt.NDArray[Any]:
    """Pixels of one frame, (H, W) or (H, W, 3)."""
    with reporting(path, "it is damaged after its header"):
        # All of the file is read, though one frame of it is decoded: so a file cut short never passes.
        dataset = dcmread(path)
    if not any(keyword in dataset for keyword in _PIXEL_ELEMENTS):
        raise ImageReadError(path, "its pixel data are missing or cut short", _EXPORT_AGAIN)
    try:
        plugin = codecs.plugin_for(header.file_meta.TransferSyntaxUID, header.get("BitsStored") or 0)
        pixels = pixel_array(dataset, index=frame, decoding_plugin=plugin)
    except PYDICOM_ERRORS as error:
        # These messages are about the image pixel module alone, without identity; but this one quotes raw bytes.
        told = "" if isinstance(error, BytesLengthException) else f": {error}"
        detail = re.sub(r"Unable to decode .* plugins: \w+: ", "", " ".join(told.split())).rstrip(".")
        raise ImageReadError(path, f"its pixels could not be decoded{detail}", _EXPORT_AGAIN) from error
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _describe(path: Path, header: Dataset, pixels: npt.NDArray[Any], frame: int) -> MedicalImage:
    window, unit = Window.from_limits(0, 255), ""
    presets: tuple[tuple[str, Window], ...] = ()
    values: npt.NDArray[Any]
    presentation: npt.NDArray[Any]
    check_finite(path, pixels)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        values = presentation = _palette_colors(header, pixels)
    elif pixels.ndim == 3:
        values = presentation = _to_8_bits(pixels, header.BitsStored)
    else:
        values, unit = _modality_values(header, pixels), _unit(header)
        check_finite(path, values)
        presentation, presets = _presentation(header, values, pixels.dtype.kind == "f")
        window = presets[0][1] if presets else Window.from_percentiles(presentation)
    return MedicalImage(
        source=path,
        pixels=pixels,
        values=values,
        presentation=presentation,
        window=window,
        window_presets=presets,
        inverted=header.PhotometricInterpretation == "MONOCHROME1",
        unit=unit,
        spacing=_spacing(header),
        modality=_text(header, "Modality"),
        frame=frame,
        frame_count=get_nr_frames(header, warn=False),
        identity=_identity(header),
    )


def _identity(header: Dataset) -> Identity:
    return Identity(
        patient_name=_text(header, "PatientName"),
        patient_id=_text(header, "PatientID"),
        birth_date=_text(header, "PatientBirthDate"),
        study_date=_text(header, "StudyDate"),
        study_uid=_text(header, "StudyInstanceUID"),
        series_uid=_text(header, "SeriesInstanceUID"),
        instance_uid=_text(header, "SOPInstanceUID"),
    )


def _modality_values(header: Dataset, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Apply the Modality LUT: stored values -> values in the modality's unit."""
    values = pixels
    if _items(header, "ModalityLUTSequence"):
        # pydicom subtracts the first mapped value in the type of the pixels: give it room.
        values = apply_modality_lut(pixels.astype(np.int64), header)
    elif header.get("RescaleSlope") is not None and header.get("RescaleIntercept") is not None:
        values = apply_modality_lut(pixels, header)
    elif header.get("DoseGridScaling") is not None:
        values = pixels * float(header.DoseGridScaling)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported as not finite
        return values.astype(np.float32)


def _presentation(
    header: Dataset, values: npt.NDArray[np.float32], is_real: bool
) -> tuple[npt.NDArray[np.float32], tuple[tuple[str, Window], ...]]:
    """Apply the VOI LUT table, if any; return what windows act on, and the windows of the file."""
    if not _items(header, "VOILUTSequence"):
        return values, _windows(header, is_real)
    table = header.VOILUTSequence[0]
    entries, first, bits = table.LUTDescriptor
    # pydicom numbers the entries in the type of the output, so: 16 bits, which mean the same, and no index beyond.
    table.LUTDescriptor = [entries, first, 16]
    indices = np.clip(np.rint(values), first, first + (entries or 2**16) - 1)
    shown = apply_voi(indices.astype(np.int64), header)
    # Windows beside a table are alternatives to it, made for values the table has not been applied to.
    name = _text(table, "LUTExplanation") or "VOI LUT"
    return shown.astype(np.float32), ((name, Window.from_limits(0, 2**bits - 1)),)


def _windows(header: Dataset, is_real: bool) -> tuple[tuple[str, Window], ...]:
    asked = _text(header, "VOILUTFunction").upper()
    names = header.get("WindowCenterWidthExplanation") or []
    names = list(names) if isinstance(names, MultiValue) else [names]
    windows = []
    # Files with more centres than widths exist; what has no partner is no window.
    pairs = zip(_numbers(header, "WindowCenter"), _numbers(header, "WindowWidth"), strict=False)
    for number, (center, width) in enumerate(pairs):
        if not (np.isfinite(center) and 0 < width < np.inf):
            continue
        known = asked in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
        function = cast(VoiFunction, asked) if known else "LINEAR"  # the default of the standard
        if function == "LINEAR" and (width < 1 or (is_real and width == 1)):
            # LINEAR is made for whole numbers: not defined below 1, and a mere step at 1. Parametric maps with real
            # values from 0 to 1 name it all the same.
            function = "LINEAR_EXACT"
        name = str(names[number]) if number < len(names) and names[number] else f"Window {number + 1}"
        windows.append((name, Window(center, width, function)))
    return tuple(windows)


def _palette_colors(header: Dataset, pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Colours of palette indices, (H, W) -> (H, W, 3)."""
    entries, first, bits = header.RedPaletteColorLookupTableDescriptor
    entries = entries or 2**16
    # pydicom numbers the entries in the type of the palette's data and takes these in the machine's byte order.
    # So they become native 16-bit words here, and indices beyond the table are clipped.
    little_endian = header.file_meta.TransferSyntaxUID.is_little_endian
    for color in ("Red", "Green", "Blue"):
        keyword = f"{color}PaletteColorLookupTableData"
        if (data := header.get(keyword)) is not None:
            words = np.frombuffer(data, "u1" if len(data) < 2 * entries else "<u2" if little_endian else ">u2")
            setattr(header, keyword, words[:entries].astype(np.uint16).tobytes())
    header.pop("AlphaPaletteColorLookupTableData", None)
    indices = np.clip(pixels.astype(np.float64), first, first + entries - 1)
    return _to_8_bits(apply_color_lut(indices.astype(np.int64), header)[..., :3], bits)


def _to_8_bits(colors: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    return cast("npt.NDArray[np.uint8]", np.clip(colors >> max(bits - 8, 0), 0, 255).astype(np.uint8))


def _unit(header: Dataset) -> str:
    table = _items(header, "ModalityLUTSequence")
    named = _text(header, "RescaleType") or (_text(table[0], "ModalityLUTType") if table else "")
    unit = named or _text(header, "DoseUnits") or _text(header, "Units")
    if unit == "US":  # "unspecified"
        return ""
    is_ct = _text(header, "Modality") == "CT" and header.get("RescaleSlope") is not None
    return unit or ("HU" if is_ct else "")


def _spacing(header: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        spacing = _numbers(header, keyword)
        # Zeros stand for "unknown" in real files.
        if len(spacing) == 2 and all(0 < value < np.inf for value in spacing):
            return spacing[0], spacing[1]
    return None


def _numbers(header: Dataset, keyword: str) -> list[float]:
    """All values of an element, NaN for empty ones."""
    value = header.get(keyword)
    values = value if isinstance(value, MultiValue) else [value]
    return [np.nan if one in (None, "") else float(one) for one in values]


def _whole(header: Dataset, keyword: str) -> int | None:
    value = header.get(keyword)
    return None if value in (None, "") or isinstance(value, MultiValue) else int(value)


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None else str(value).strip()


def _items(header: Dataset, keyword: str) -> list[Dataset]:
    return list(header.get(keyword) or [])
