"""What holds for all DICOM exports: required elements, readable by other programs, fitting each other, no secrets."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from softcam_core.export.dicom_image import write_image
from softcam_core.export.dicom_parametric_map import write_parametric_map
from softcam_core.export.dicom_secondary_capture import write_secondary_capture
from softcam_core.export.dicom_segmentation import write_segmentation
from softcam_core.export.dicom_source import dicom_source
from softcam_core.export.facts import facts_of

# PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.12.1: patient, study, series and SOP common; 1 has a value, 2 may be empty.
_ALWAYS = {
    1: "StudyInstanceUID Modality SeriesInstanceUID SOPClassUID SOPInstanceUID",
    2: "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber ReferringPhysicianName "
    "StudyID SeriesNumber InstanceNumber",
}
# C.7.6.3 Image Pixel.
_PIXELS = "SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation"
# C.7.5.2 Enhanced General Equipment, C.7.6.16 Multi-frame Functional Groups, C.7.6.17 Multi-frame Dimension.
_ENHANCED = (
    "Manufacturer ManufacturerModelName DeviceSerialNumber SoftwareVersions ContentDate ContentTime InstanceNumber "
    "NumberOfFrames SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence DimensionOrganizationSequence "
    "DimensionIndexSequence SeriesNumber"
)
_REQUIRED = {
    # A.8.1.3: SC Equipment (C.8.6.1), and for colours C.7.6.3.1.3.
    "image": {1: f"{_PIXELS} ConversionType PixelData", 2: "PatientOrientation"},
    "capture": {1: f"{_PIXELS} ConversionType PixelData PlanarConfiguration", 2: "PatientOrientation"},
    # A.51.3: Segmentation Series and Image (C.8.20.1, C.8.20.2), Common Instance Reference (C.12.2).
    "regions": {
        1: f"{_PIXELS} {_ENHANCED} ImageType LossyImageCompression SegmentationType SegmentSequence ContentLabel "
        "ReferencedSeriesSequence PixelData",
        2: "ContentDescription ContentCreatorName",
    },
    # A.75.3: Parametric Map Series and Image (C.8.32.1, C.8.32.2), Frame of Reference (C.7.4.1), Floating Point Image
    # Pixel (C.7.6.24), Acquisition Context (C.7.6.14), Common Instance Reference (C.12.2).
    "map": {
        1: f"{_ENHANCED} ImageType ContentQualification SamplesPerPixel PhotometricInterpretation BitsAllocated "
        "BurnedInAnnotation RecognizableVisualFeatures LossyImageCompression ContentLabel PresentationLUTShape "
        "FrameOfReferenceUID Rows Columns ReferencedSeriesSequence FloatPixelData",
        2: "ContentDescription ContentCreatorName PositionReferenceIndicator AcquisitionContextSequence",
    },
}
# C.8.20.2: each segment.
_SEGMENT = (
    "SegmentNumber SegmentLabel SegmentedPropertyCategoryCodeSequence SegmentedPropertyTypeCodeSequence "
    "SegmentAlgorithmType SegmentAlgorithmName"
)
# Tables A.75-2 and A.51-1: groups that are mandatory.
_GROUPS = {
    "map": "PixelMeasuresSequence FrameAnatomySequence PixelValueTransformationSequence FrameVOILUTSequence "
    "RealWorldValueMappingSequence ParametricMapFrameTypeSequence DerivationImageSequence FrameContentSequence",
    "regions": "DerivationImageSequence FrameContentSequence SegmentIdentificationSequence",
}


@pytest.fixture(params=[False, True], ids=["without identity", "with identity"])
def exported(request, radiograph, noise, explained, regions, tmp_path: Path) -> dict[str, Path]:
    """All DICOM exports of one radiograph, from a file that lacks what it may lack, and some that it may not."""
    image = radiograph(noise(64, 80), StudyID=None, ReferringPhysicianName=None, SeriesInstanceUID=None)
    source = dicom_source(image, keep_identity=request.param)
    explanation = explained(image, cropped=True)
    ledger, level = regions(explanation)
    facts = facts_of(explanation, "A", "B")
    paths = {name: tmp_path / f"{name}.dcm" for name in _REQUIRED}
    if source.is_identified:
        del paths["image"]
    else:
        write_image(paths["image"], source)
    write_segmentation(paths["regions"], source, ledger, facts, threshold=level)
    write_parametric_map(paths["map"], source, explanation, "A", "B")
    write_secondary_capture(paths["capture"], source, noise(40, 50, 3, dtype=np.uint8), facts)
    return paths


def test_required_elements_are_there(exported) -> None:
    for name, path in exported.items():
        file = dcmread(path)
        for table in (_ALWAYS, _REQUIRED[name]):
            missing = [k for k in table[1].split() if k not in file or file[k].is_empty]
            assert not missing, (name, missing)
            assert not [k for k in table[2].split() if k not in file], name
        for segment in file.get("SegmentSequence", ()):
            assert not [k for k in _SEGMENT.split() if k not in segment or segment[k].is_empty]
        shared = next(iter(file.get("SharedFunctionalGroupsSequence", ())), Dataset())
        for frame in file.get("PerFrameFunctionalGroupsSequence", ()):
            assert not [k for k in _GROUPS[name].split() if k not in frame and k not in shared]


def test_dcmdump_reads_all(exported) -> None:
    if shutil.which("dcmdump") is None:
        pytest.skip("needs dcmtk")
    for path in exported.values():
        done = subprocess.run(["dcmdump", "--verbose", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        noted = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("E:", "W:", "F:"))]
        assert not noted
        assert "SOPInstanceUID" in done.stdout


def test_all_stand_in_one_study_and_refer_to_one_image(exported) -> None:
    files = {name: dcmread(path) for name, path in exported.items()}
    assert len({(f.StudyInstanceUID, f.PatientID, str(f.PatientName)) for f in files.values()}) == 1
    assert len({f.SeriesInstanceUID for f in files.values()}) == len(files)
    references = {f.SourceImageSequence[0].ReferencedSOPInstanceUID for n, f in files.items() if n != "image"}
    image = files.get("image", Dataset())
    assert references == {image.get("SOPInstanceUID", "1.2.3.4.3")}
    if image:
        assert {f.FrameOfReferenceUID for f in files.values() if "FrameOfReferenceUID" in f} == {
            image.FrameOfReferenceUID
        }
        assert files["regions"].ReferencedSeriesSequence[0].SeriesInstanceUID == image.SeriesInstanceUID
        assert (files["map"].Rows, files["map"].Columns) == (image.Rows, image.Columns)


def test_secrets_are_only_in_exports_with_identity(exported, secrets) -> None:
    for name, path in exported.items():
        content = path.read_bytes()
        found = {secret for secret in secrets if secret.encode() in content}
        if "image" in exported:
            assert not found, name
        else:
            assert {"DOE^JANE", "PAT-4711", "19700101", "20200202", "ACC-99", "1.2.3.4"} == found, name
