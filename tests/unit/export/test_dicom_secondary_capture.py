from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from softcam_core.export.dicom_secondary_capture import write_secondary_capture
from softcam_core.export.dicom_source import dicom_source
from softcam_core.export.facts import facts_of
from softcam_core.notice import NOTICE


@pytest.fixture
def captured(radiograph, noise, explained, tmp_path: Path):
    """A picture of a frame as DICOM, read back, with the picture."""

    def make(*, keep_identity: bool = True, **elements: object) -> tuple[Dataset, np.ndarray]:
        image = radiograph(noise(3, 64, 80), 1, **elements)
        picture = noise(41, 53, 3, dtype=np.uint8)
        source = dicom_source(image, keep_identity=keep_identity)
        write_secondary_capture(tmp_path / "a.dcm", source, picture, facts_of(explained(image), "A", "B"))
        return dcmread(tmp_path / "a.dcm"), picture

    return make


def test_the_picture_comes_back_exactly(captured) -> None:
    file, picture = captured()
    np.testing.assert_array_equal(file.pixel_array, picture)


def test_it_stands_in_the_study_and_refers_to_the_frame(captured) -> None:
    file, _ = captured()
    assert (file.StudyInstanceUID, file.PatientName) == ("1.2.3.4.1", "DOE^JANE")
    assert file.SeriesInstanceUID != "1.2.3.4.2"
    (item,) = file.SourceImageSequence
    assert (item.ReferencedSOPInstanceUID, item.ReferencedFrameNumber) == ("1.2.3.4.3", 2)


def test_it_says_what_is_seen_with_the_notice(captured) -> None:
    file, _ = captured()
    assert file.ImageComments == file.DerivationDescription
    assert "SoftCAM evidence: A against B (log-odds). Model Tèst network" in file.ImageComments
    assert "0123456789abcdef" * 4 in file.ImageComments
    assert NOTICE in file.ImageComments


@pytest.mark.parametrize("said", ["YES", "NO", ""])
def test_burnt_in_annotation_is_what_the_source_says(captured, said: str) -> None:
    assert captured(**({"BurnedInAnnotation": said} if said else {}))[0].get("BurnedInAnnotation", "") == said
