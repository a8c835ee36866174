"""A picture of what is seen as DICOM Secondary Capture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage

from softcam_core.export.dicom_files import contribution, equipment, new_series, quietly, save, shortened
from softcam_core.export.dicom_source import DicomSource
from softcam_core.export.facts import Facts


def write_secondary_capture(
    path: Path | str, source: DicomSource, picture: npt.NDArray[np.uint8], facts: Facts
) -> None:
    """Write a picture of what is seen as a Secondary Capture Image (PS3.3 A.8.1), in a new series.

    It refers to the image as its source. Burned In Annotation says of the source what the source says of itself: what
    is drawn here identifies nobody. A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .dcm.
    source : DicomSource
    picture : ndarray, (H, W, 3) uint8
        RGB, with the notice burnt in (`softcam_core.export.overlay.render_overlay`).
    facts : Facts
        What is seen.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    with quietly():
        dataset = SCImage(
            np.ascontiguousarray(picture),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            study_instance_uid=source.study_uid,
            **new_series("capture"),
            **equipment(),
            series_description=shortened(f"Picture. {facts.notice}"),
            patient_orientation=("L", "F"),
            contributing_equipment=contribution(facts),
        )
        dataset.PatientOrientation = []  # highdicom wants one, and it is not known
        dataset.ConversionType = "WSD"
        dataset.DerivationDescription = facts.summary()[:1024]
        if source.burned_in:
            dataset.BurnedInAnnotation = source.burned_in
        if source.lossy:
            dataset.LossyImageCompression = source.lossy
    save(path, dataset, source, comments=facts.summary())
