"""DicomSource: the instance that DICOM exports refer to, with the study and the patient they stand in.

Either the file itself, so that exports stand beside it in its study; or, without identity, a copy that is written with
them (`softcam_core.export.dicom_image`), in a study of its own.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid
from pydicom.valuerep import validate_value

from softcam_core.errors import ImageReadError
from softcam_core.imaging.dicom import reporting
from softcam_core.imaging.image import MedicalImage

# Patient, General Study and Patient Study modules (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2). Of type 2, which must be there:
_REQUIRED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
# Others that tell of whom and when.
_FURTHER = (
    *("IssuerOfPatientID", "PatientBirthTime", "OtherPatientNames", "EthnicGroup", "PatientComments"),
    *("PatientIdentityRemoved", "DeidentificationMethod"),
    *("StudyDescription", "PatientAge", "PatientSize", "PatientWeight"),
)
_PLANE = ("ImagePositionPatient", "ImageOrientationPatient")
_WITHOUT = "Export without its identity."


@dataclass(frozen=True, slots=True, eq=False)
class DicomSource:
    """The instance that DICOM exports of one image refer to.

    Attributes
    ----------
    image : MedicalImage
    is_identified : bool
        True where it is the file itself, False where it is a copy without identity.
    study_uid, series_uid, instance_uid, class_uid, frame_of_reference_uid : str
    frame_number : int or None
        Which frame, from 1; None for an instance of a single one.
    patient : Dataset
        What exports carry of patient and study, all required elements among it, perhaps empty.
    plane : Dataset
        Position, orientation and spacing of the pixels in the patient, as far as known.
    burned_in : str
        Whether text is burnt into the pixels that tells of whom they are, "YES" or "NO"; "" where nobody said.
    lossy : str
        "01" for pixels that were compressed with loss, "00" for others; "" where nobody said.
    """

    image: MedicalImage
    is_identified: bool
    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    frame_of_reference_uid: str
    frame_number: int | None = None
    patient: Dataset = field(default_factory=Dataset, repr=False)
    plane: Dataset = field(default_factory=Dataset, repr=False)
    burned_in: str = ""
    lossy: str = ""

    def header(self) -> Dataset:
        """The instance as highdicom is told of it: one frame of a class without peculiarities, and no identity.

        What highdicom then writes of class, frame and patient is put right by `softcam_core.export.dicom_files`. So
        every kind of image goes one way: several frames, colours, retired classes, names against the rules.
        """
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID = SecondaryCaptureImageStorage, self.instance_uid
        header.StudyInstanceUID, header.SeriesInstanceUID = self.study_uid, self.series_uid
        header.FrameOfReferenceUID, header.PositionReferenceIndicator = self.frame_of_reference_uid, ""
        header.Rows, header.Columns = self.image.size
        header.Modality = self.image.modality or "OT"
        for keyword in _REQUIRED:
            setattr(header, keyword, None)
        if self.lossy:
            header.LossyImageCompression = self.lossy
        header.update(self.plane)
        return header


def dicom_source(image: MedicalImage, *, keep_identity: bool = False) -> DicomSource:
    """The instance that exports of an image refer to.

    Parameters
    ----------
    image : MedicalImage
    keep_identity : bool
        Stay in the study of the file, with its patient. By default, and for files that are no DICOM, identifiers are
        made anew. They depend on what is seen alone, so that all exports of one image fit each other.

    Raises
    ------
    ImageReadError
        With `keep_identity`, where the file is gone, damaged or another image by now, or has no identifier to refer to.
    """
    if keep_identity:
        with warnings.catch_warnings(), reporting(image.source, "its DICOM header is damaged by now", _WITHOUT):
            # pydicom's warnings quote what it finds odd, names of patients among it.
            warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
            header = _read_header(image.source)
            if header is not None:
                return _identified(image, header)
    return _without_identity(image)


def _without_identity(image: MedicalImage) -> DicomSource:
    shown = (image.spacing, image.window, image.inverted, image.unit, image.modality)
    digest = hashlib.sha256(repr((image.presentation.shape, image.presentation.dtype, *shown)).encode())
    digest.update(np.ascontiguousarray(image.presentation).data)
    seen = digest.hexdigest()
    patient = Dataset()
    for keyword in _REQUIRED:
        setattr(patient, keyword, None)
    patient.PatientName = patient.PatientID = f"ANONYMOUS-{seen[:8]}"
    patient.PatientIdentityRemoved = "YES"
    patient.DeidentificationMethod = "Attributes made anew; text burnt into pixels is still there"
    patient.LongitudinalTemporalInformationModified = "REMOVED"
    plane = Dataset()
    if image.spacing is not None:
        plane.PixelSpacing = [f"{value:.8g}" for value in image.spacing]
    uids = {role: str(generate_uid(entropy_srcs=[seen, role])) for role in ("study", "series", "instance", "reference")}
    return DicomSource(
        image=image,
        is_identified=False,
        study_uid=uids["study"],
        series_uid=uids["series"],
        instance_uid=uids["instance"],
        class_uid=str(SecondaryCaptureImageStorage),
        frame_of_reference_uid=uids["reference"],
        patient=patient,
        plane=plane,
    )


def _read_header(path: Path) -> Dataset | None:
    """The file's header, None where it is no DICOM."""
    try:
        return dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        return None
    except FileNotFoundError as error:
        raise ImageReadError(path, "it is no longer there", "Put it back, or export without its identity.") from error
    except OSError as error:
        reason = f"it could not be opened ({error.strerror})"
        raise ImageReadError(path, reason, "Check its access rights, or export without its identity.") from error


def _identified(image: MedicalImage, header: Dataset) -> DicomSource:
    path = image.source
    instance, kind = (
        _uid(header, keyword) or _uid(header.file_meta, f"MediaStorage{keyword}")
        for keyword in ("SOPInstanceUID", "SOPClassUID")
    )
    if not instance or not kind:
        raise ImageReadError(path, "it has no identifier (SOP Instance and Class UID) to refer to", _WITHOUT)
    same = instance == image.identity.instance_uid or not image.identity.instance_uid
    if not same or (header.get("Rows"), header.get("Columns")) != image.size:
        raise ImageReadError(path, "it is another image than when it was opened", "Open it again.")
    # What is missing is made, always the same for one instance, so that exports stand together.
    study, series, reference = (
        _uid(header, keyword) or str(generate_uid(entropy_srcs=[instance, keyword]))
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    )
    is_multiframe = header.get("NumberOfFrames") is not None
    return DicomSource(
        image=image,
        is_identified=True,
        study_uid=study,
        series_uid=series,
        instance_uid=instance,
        class_uid=kind,
        frame_of_reference_uid=reference,
        frame_number=image.frame + 1 if is_multiframe else None,
        patient=_patient_and_study(header),
        plane=_plane(header, image.frame),
        burned_in=_one_of(header, "BurnedInAnnotation", ("YES", "NO")),
        lossy=_one_of(header, "LossyImageCompression", ("00", "01")),
    )


def _uid(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _one_of(header: Dataset, keyword: str, known: tuple[str, ...]) -> str:
    return value if (value := str(header.get(keyword) or "").strip()) in known else ""


def _patient_and_study(header: Dataset) -> Dataset:
    """What can be passed on of patient and study, as text in any alphabet; what breaks the rules is left out."""
    facts = Dataset()
    for keyword in (*_REQUIRED, *_FURTHER):
        value = header.get(keyword)
        texts = [str(each) for each in (value if isinstance(value, MultiValue) else [value] if value else [])]
        if texts and _are_valid(keyword, texts):
            setattr(facts, keyword, texts if len(texts) > 1 else texts[0])
        elif keyword in _REQUIRED:
            setattr(facts, keyword, None)
    return facts


def _are_valid(keyword: str, texts: list[str]) -> bool:
    if keyword == "PatientSex" and texts[0] not in ("M", "F", "O"):
        return False
    try:
        for text in texts:
            validate_value(dictionary_VR(keyword), text, RAISE)
    except ValueError:
        return False
    return True


def _plane(header: Dataset, frame: int) -> Dataset:
    """Where a frame's pixels lie in the patient: position and orientation both or neither, and spacing."""
    found = Dataset()
    found.update({e.tag: e for e in header if e.keyword in (*_PLANE, "PixelSpacing", "SliceThickness")})
    shared, each = header.get("SharedFunctionalGroupsSequence"), header.get("PerFrameFunctionalGroupsSequence")
    for groups in (*(shared or [])[:1], *(each or [])[frame : frame + 1]):
        for macro in ("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence"):
            for item in (groups.get(macro) or [])[:1]:
                found.update(item)
    plane = Dataset()
    spacing = _numbers(found, "PixelSpacing", 2)
    if spacing is None or not (spacing > 0).all():
        return plane
    plane.PixelSpacing = found.PixelSpacing
    position, directions = _numbers(found, "ImagePositionPatient", 3), _numbers(found, "ImageOrientationPatient", 6)
    # A place in a frame of reference that the file does not name means nothing.
    if position is None or directions is None or not _uid(header, "FrameOfReferenceUID"):
        return plane
    axes = directions.reshape(2, 3)
    if np.allclose(axes @ axes.T, np.eye(2), atol=1e-3):
        plane.ImagePositionPatient, plane.ImageOrientationPatient = (found[keyword].value for keyword in _PLANE)
        thickness = _numbers(found, "SliceThickness", 1)
        plane.SliceThickness = None if thickness is None else found.SliceThickness
    return plane


def _numbers(dataset: Dataset, keyword: str, count: int) -> np.ndarray | None:
    """`count` finite numbers of an element, or None."""
    value = dataset.get(keyword)
    values = list(value) if isinstance(value, MultiValue) else [value]
    if len(values) != count or any(one in (None, "") for one in values):
        return None
    numbers = np.array([float(one) for one in values])
    return numbers if np.isfinite(numbers).all() else None
