"""The image itself as DICOM without identity, for what is exported to lie on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage
from pydicom import Dataset
from pydicom.valuerep import DS

from softcam_core.export.dicom_files import MANUFACTURER, MODEL_NAME, contribution, quietly, save
from softcam_core.export.dicom_source import DicomSource
from softcam_core.imaging.image import MedicalImage
from softcam_core.notice import NOTICE
from softcam_core.version import __version__

_LARGEST = 2**16 - 1
# Written for the day of the export; the copy shall be the same on every day, as its identifier is.
_DATES = (
    *("InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime"),
    *("DateOfSecondaryCapture", "TimeOfSecondaryCapture", "ContributionDateTime"),
)


def write_image(path: Path | str, source: DicomSource) -> None:
    """Write the image that exports without identity refer to, as a Secondary Capture (PS3.3 A.8.1).

    Greys are stored as 8 or 16 bits, colours as RGB. Stored values are those that the window acts on (after the
    Modality LUT, and after the VOI LUT table where there is one), shifted to begin at 0 where they were below; Rescale
    Slope and Intercept lead back. Whole numbers come back exactly where their range is within 65,535, all others to
    1/65,535 of their range. The window is the file's first. Spacing is written where it is known. The same image gives
    the same file each time. A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .dcm.
    source : DicomSource
        One without identity.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    ValueError
        For a source that is a file of its own.
    """
    if source.is_identified:
        raise ValueError("exports that keep the identity refer to the file itself")
    image = source.image
    pixels, slope, intercept = _stored(image)
    grey = "MONOCHROME1" if image.inverted else "MONOCHROME2"
    with quietly():
        dataset = SCImage(
            pixels,
            photometric_interpretation="RGB" if image.is_color else grey,
            bits_allocated=8 * pixels.itemsize,
            coordinate_system="PATIENT",
            study_instance_uid=source.study_uid,
            series_instance_uid=source.series_uid,
            series_number=1,
            sop_instance_uid=source.instance_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=__version__,
            series_description=f"Image. {NOTICE}",
            patient_orientation=("L", "F"),
            contributing_equipment=contribution(),
        )
        dataset.PatientOrientation = []  # highdicom wants one, and it is not known
        dataset.Modality = image.modality or "OT"
        dataset.ConversionType = "WSD"
        dataset.DerivationDescription = "Pixels of one frame, without identity"
        dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = source.frame_of_reference_uid, ""
        dataset.update(source.plane)
        if not image.is_color:
            _describe_values(dataset, image, slope, intercept)
        for item in (dataset, *dataset.ContributingEquipmentSequence):
            for keyword in _DATES:
                item.pop(keyword, None)
    save(path, dataset, source, comments=NOTICE)


def _stored(image: MedicalImage) -> tuple[npt.NDArray[np.uint8 | np.uint16], float, float]:
    """Pixels to store, and slope and intercept that lead from them to the values shown."""
    values = image.presentation
    if image.is_color:
        return np.asarray(values, dtype=np.uint8), 1.0, 0.0
    lowest, highest = float(values.min()), float(values.max())
    intercept = min(lowest, 0.0)
    reach = highest - intercept
    if (values == np.rint(values)).all() and reach <= _LARGEST:
        depth = np.uint8 if reach <= np.iinfo(np.uint8).max and image.pixels.itemsize == 1 else np.uint16
        return np.asarray(values - np.float32(intercept), dtype=depth), 1.0, intercept
    slope = (highest - lowest) / _LARGEST or 1.0
    levels = np.rint((values.astype(np.float64) - lowest) / slope)
    return np.asarray(levels, dtype=np.uint16), slope, lowest


def _describe_values(dataset: Dataset, image: MedicalImage, slope: float, intercept: float) -> None:
    if image.unit or (slope, intercept) != (1.0, 0.0):
        dataset.RescaleSlope, dataset.RescaleIntercept = (DS(x, auto_format=True) for x in (slope, intercept))
        dataset.RescaleType = image.unit if image.presentation is image.values and image.unit else "US"
    window = image.window
    dataset.WindowCenter, dataset.WindowWidth = (DS(x, auto_format=True) for x in (window.center, window.width))
    dataset.VOILUTFunction = window.function
