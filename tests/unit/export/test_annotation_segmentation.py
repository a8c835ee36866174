from pathlib import Path

import numpy as np
import pytest
from annotation_samples import SHA, annotation
from highdicom.seg import segread
from pydicom import dcmread
from pydicom.uid import UltrasoundMultiFrameImageStorage

from softcam_core.annotations.masks import mask_of
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_core.errors import SettingsError
from softcam_core.export.annotation_segmentation import write_annotation_segmentation
from softcam_core.export.dicom_source import dicom_source
from softcam_core.notice import NOTICE

_REGION = Bitmap.of(np.eye(4, dtype=bool), (0, 0, 64, 80))
assert _REGION is not None
POINTED_AT = {"shape": _REGION, "method": "evidence", "model_name": "net", "model_sha256": SHA, "threshold": 0.5}
_FRAMES = {"SOPClassUID": UltrasoundMultiFrameImageStorage, "Modality": "US"}


@pytest.mark.parametrize("keep_identity", [True, False])
@pytest.mark.parametrize(("shape", "frame", "elements"), [((64, 80), 0, {}), ((3, 64, 80), 2, _FRAMES)])
def test_each_annotation_is_a_segment_on_its_pixels(
    radiograph, noise, tmp_path: Path, keep_identity, shape, frame, elements
) -> None:
    image = radiograph(noise(*shape, dtype=np.uint8), frame, **elements)
    source = dicom_source(image, keep_identity=keep_identity)
    drawn = [
        annotation(**POINTED_AT),
        annotation(Ellipse(row=30, column=30, down=9, across=20)),  # overlaps others
        annotation(Rectangle(top=-5, left=70, height=20, width=99)),
        annotation(Polygon(points=((10, 10), (50, 60), (10, 60), (50, 10)))),
    ]
    path = tmp_path / "annotations.dcm"
    write_annotation_segmentation(path, source, drawn)
    expected = np.stack([mask_of(each.shape, image.size) for each in drawn])
    # As any program reads it: frame by frame, with the segment each belongs to.
    plain = dcmread(path)
    np.testing.assert_array_equal(plain.pixel_array, expected)
    groups = plain.PerFrameFunctionalGroupsSequence
    assert [g.SegmentIdentificationSequence[0].ReferencedSegmentNumber for g in groups] == [1, 2, 3, 4]
    derived = groups[1].DerivationImageSequence[0].SourceImageSequence[0]
    assert derived.ReferencedSOPInstanceUID == source.instance_uid
    assert derived.get("ReferencedFrameNumber") == (frame + 1 if keep_identity and len(shape) > 2 else None)
    file = segread(path)
    tracked = [file.get_segment_description(number).tracking_id for number in file.segment_numbers]
    assert tracked == [each.id for each in drawn]
    assert [str(s.TrackingUID) for s in plain.SegmentSequence] == [f"2.25.{int(each.id, 16)}" for each in drawn]


def test_segments_say_what_was_said_and_how(radiograph, noise, tmp_path: Path) -> None:
    source = dicom_source(radiograph(noise(64, 80)))
    brush = Bitmap.of(np.ones((4, 5), dtype=bool), (10, 10, 14, 15))
    drawn = [
        annotation(**POINTED_AT, against="rest", unit="logit", reviewer="Dr. A", comment="a\nmarker"),
        annotation(verdict="missed", class_name="x" * 100, against="y"),
        annotation(**{**POINTED_AT, "shape": brush}),
    ]
    write_annotation_segmentation(tmp_path / "a.dcm", source, drawn)
    file = dcmread(tmp_path / "a.dcm")
    first, second, third = file.SegmentSequence
    assert (first.SegmentLabel, first.SegmentAlgorithmType) == ("Wrong evidence: pneumonia", "SEMIAUTOMATIC")
    assert first.SegmentDescription == (
        "Wrong evidence: pneumonia against all other classes, evidence above 0.5 logit of model net "
        f"(weights sha256 {SHA}). By Dr. A. a marker"
    )
    method = first.SegmentationAlgorithmIdentificationSequence[0]
    assert (method.AlgorithmName, method.AlgorithmVersion) == ("net", SHA)
    assert (second.SegmentAlgorithmType, third.SegmentAlgorithmType) == ("MANUAL", "MANUAL")
    assert len(second.SegmentLabel) == 64
    assert second.SegmentDescription == f"Missed finding: {'x' * 100} against y"
    assert {file.SegmentedPropertyTypeCodeSequence[0].CodeValue for file in file.SegmentSequence} == {"111099"}
    assert NOTICE in file.SeriesDescription
    assert file.ImageComments == NOTICE


def test_nothing_to_write_is_no_file(radiograph, noise, tmp_path: Path) -> None:
    source = dicom_source(radiograph(noise(64, 80)))
    with pytest.raises(SettingsError, match=r"there is no annotation to write\. Ask for other"):
        write_annotation_segmentation(tmp_path / "a", source, [])
    with pytest.raises(ValueError, match="without a pixel"):
        write_annotation_segmentation(
            tmp_path / "a", source, [annotation(Rectangle(top=99, left=0, height=1, width=1))]
        )
    assert not (tmp_path / "a").exists()
