"""What holds for all DICOM exports of annotations: their elements, what they leave out, and what they are about."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from annotation_samples import annotation
from PIL import Image
from pydicom import dcmread

from softcam_core.annotations.collection import Collection
from softcam_core.annotations.image_files import ImageFiles, record_of
from softcam_core.annotations.shapes import Bitmap, Ellipse, Rectangle
from softcam_core.export.annotation_dicom import Written, write_dicom
from softcam_core.export.annotation_report import has_graphic

# PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.17.1 and C.17.2: patient, study, SR series and SR document; those that have values,
# and those that may be empty.
_REPORT = (
    "StudyInstanceUID Modality SeriesInstanceUID SOPClassUID SOPInstanceUID SeriesNumber InstanceNumber ContentDate "
    "ContentTime CompletionFlag VerificationFlag Manufacturer CurrentRequestedProcedureEvidenceSequence ValueType "
    "ConceptNameCodeSequence ContinuityOfContent ContentTemplateSequence ContentSequence",
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber ReferringPhysicianName "
    "StudyID ReferencedPerformedProcedureStepSequence PerformedProcedureCodeSequence",
)
# What dcmtk says of right files: that it checks no texts in UTF-8; and of a segment's frame, which highdicom names by
# both of its numbers, that one would do.
_KNOWN = ("does not support this Specific Character Set", "Both Referenced Frame Number and Referenced Segment Number")


@pytest.fixture
def collection(radiograph, noise, tmp_path: Path) -> Collection:
    """Annotations by two reviewers on a radiograph, and on a picture."""
    image = radiograph(noise(64, 80))
    Image.fromarray(np.zeros((40, 60), dtype=np.uint8)).save(tmp_path / "picture.png")
    known, picture = record_of(image.source), record_of(tmp_path / "picture.png")
    region = Bitmap.of(np.eye(4, dtype=bool), (0, 0, 64, 80))
    drawn = (
        annotation(region, case=known.key, reviewer="A", method="evidence", model_name="net"),
        annotation(Ellipse(row=30, column=30, down=9, across=20), case=known.key, reviewer="B", comment="ü"),
        annotation(case=picture.key, reviewer="A"),
    )
    return Collection(tmp_path / "store.sqlite", (known, picture), drawn)


def _write(tmp_path: Path, collection: Collection, kind, *, keep_identity: bool = False) -> Written:
    return write_dicom(tmp_path / "out", collection, ImageFiles(tmp_path), kind, keep_identity=keep_identity)


def _names(collection: Collection, written: Written) -> list[str]:
    known, picture = collection.cases
    return [path.name.replace(known.key, "D").replace(picture.key, "P") for path in written.files]


def test_files_are_named_after_keys_and_come_with_their_images(collection, tmp_path: Path) -> None:
    written = _write(tmp_path, collection, "seg")
    assert _names(collection, written) == ["D_image.dcm", "D_annotations.dcm", "P_image.dcm", "P_annotations.dcm"]
    assert not written.remarks
    image, annotations = (dcmread(path) for path in written.files[:2])
    assert annotations.SourceImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert annotations.StudyInstanceUID == image.StudyInstanceUID
    assert (annotations.Rows, annotations.Columns) == (image.Rows, image.Columns)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in written.files}


def test_each_reviewer_has_a_report(collection, tmp_path: Path) -> None:
    written = _write(tmp_path, collection, "sr", keep_identity=True)
    assert _names(collection, written) == [
        "D_annotations.dcm", "D_report_1.dcm", "D_report_2.dcm", "P_image.dcm", "P_report.dcm"
    ]  # fmt: skip
    reports = [dcmread(path) for path in written.files if "report" in path.name]
    observers = [next(i for i in r.ContentSequence if "PersonName" in i).PersonName for r in reports]
    assert observers == ["A", "B", "A"]


@pytest.mark.parametrize("keep_identity", [False, True])
@pytest.mark.parametrize("kind", ["seg", "sr"])
def test_secrets_are_only_in_exports_with_identity(collection, secrets, tmp_path: Path, kind, keep_identity) -> None:
    for path in _write(tmp_path, collection, kind, keep_identity=keep_identity).files:
        content = path.read_bytes()
        found = {secret for secret in secrets if secret.encode() in content}
        is_kept = keep_identity and path.name.startswith("dicom-")
        assert found == ({"DOE^JANE", "PAT-4711", "19700101", "20200202", "ACC-99", "1.2.3.4"} if is_kept else set())


def test_required_elements_of_reports_are_there(collection, tmp_path: Path) -> None:
    for path in _write(tmp_path, collection, "sr").files:
        if "report" in path.name:
            file = dcmread(path)
            assert not [k for k in _REPORT[0].split() if k not in file or file[k].is_empty]
            assert not [k for k in _REPORT[1].split() if k not in file]
            assert file.ContentTemplateSequence[0].TemplateIdentifier == "1500"
            assert file.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SOFTCAM"
            assert "ImageComments" not in file


@pytest.mark.parametrize("kind", ["seg", "sr"])
def test_dcmtk_reads_all(collection, tmp_path: Path, kind) -> None:
    if shutil.which("dcmdump") is None or shutil.which("dsrdump") is None:
        pytest.skip("needs dcmtk")
    for path in _write(tmp_path, collection, kind).files:
        commands = [["dcmdump", "--verbose"], *([["dsrdump"]] if "report" in path.name else [])]
        for command in commands:
            done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            noted = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("E:", "W:", "F:"))]
            assert not [line for line in noted if not any(known in line for known in _KNOWN)]


def test_images_that_are_gone_or_changed_are_told_and_left_out(collection, tmp_path: Path) -> None:
    (tmp_path / "picture.png").unlink()
    known = collection.cases[0].model_copy(update={"width": 81})
    changed = Collection(collection.source, (known, collection.cases[1]), collection.annotations)
    written = _write(tmp_path, changed, "seg")
    assert (written.files, written.left_out) == ([], 3)
    first, second = written.remarks
    assert first.startswith("2 annotations left out: the image dicom-")
    assert first.endswith("cannot be used: it is not of the size that it had when they were made.")
    assert second.startswith("1 annotation left out: no image in ")


def test_frames_that_are_not_there_are_told(collection, tmp_path: Path) -> None:
    later = collection.annotations[0].model_copy(update={"frame": 5})
    written = _write(tmp_path, Collection(collection.source, collection.cases, (later,)), "seg")
    assert (written.left_out, len(written.remarks)) == (1, 1)
    assert "cannot be used" in written.remarks[0]


def test_what_has_no_pixel_is_no_segment_but_may_be_in_a_report(collection, tmp_path: Path) -> None:
    thin = annotation(Rectangle(top=5, left=5, height=0.4, width=9), case=collection.cases[0].key)
    out = annotation(Rectangle(top=99, left=5, height=1, width=9), case=collection.cases[0].key)
    some = Collection(collection.source, collection.cases, (thin, out))
    assert _write(tmp_path, some, "seg").left_out == 2
    written = _write(tmp_path, some, "sr")
    assert written.left_out == 1
    assert _names(collection, written) == ["D_image.dcm", "D_report.dcm"]


def test_graphics_are_for_what_lies_within() -> None:
    assert has_graphic(Ellipse(row=10, column=10, down=10, across=10), (20, 20))
    assert not has_graphic(Ellipse(row=10, column=10, down=10.1, across=10), (20, 20))
