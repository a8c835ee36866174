from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from annotation_samples import SHA, annotation
from highdicom.sr import srread
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import ComprehensiveSRStorage, UltrasoundMultiFrameImageStorage

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_core.errors import SettingsError
from softcam_core.export.annotation_report import has_graphic, write_annotation_report
from softcam_core.export.annotation_segmentation import write_annotation_segmentation
from softcam_core.export.dicom_source import DicomSource, dicom_source
from softcam_core.notice import NOTICE

_REGION = Bitmap.of(np.eye(4, dtype=bool), (0, 0, 64, 80))
assert _REGION is not None
_BOW_TIE = Polygon(points=((10, 10), (50, 60), (10, 60), (50, 10)))


def _report(path: Path, source: DicomSource, drawn: list[Annotation], reviewer: str = ""):
    segments = [each for each in drawn if not has_graphic(each.shape, source.image.size)]
    segmentation = write_annotation_segmentation(path.with_suffix(".seg"), source, segments) if segments else None
    write_annotation_report(path, source, drawn, reviewer=reviewer, segmentation=segmentation, segments=segments)
    return srread(path)


def _items(container: Dataset) -> dict[str, Dataset]:
    return {item.ConceptNameCodeSequence[0].CodeMeaning: item for item in container.ContentSequence}


@pytest.fixture
def source(radiograph, noise) -> DicomSource:
    return dicom_source(radiograph(noise(64, 80), PixelSpacing=[0.5, 0.25]))


def test_shapes_are_graphics_where_there_are_such_and_segments_where_not(source, tmp_path: Path) -> None:
    drawn = [
        annotation(Rectangle(top=-5, left=70, height=20, width=99)),
        annotation(Ellipse(row=30, column=40, down=9, across=20)),
        annotation(Ellipse(row=30, column=40, down=20, across=9)),
        annotation(Polygon(points=((10, 20), (30, 25), (20, 5)))),
        annotation(_REGION),
        annotation(_BOW_TIE),
        annotation(Ellipse(row=60, column=40, down=20, across=9)),  # reaches beyond the image
    ]
    report = _report(tmp_path / "a.dcm", source, drawn)
    groups = report.content.get_planar_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == [each.id for each in drawn]
    assert [str(group.tracking_uid) for group in groups] == [f"2.25.{int(each.id, 16)}" for each in drawn]
    graphics = [(each.graphic_type.value, each.value.tolist()) for group in groups[:4] if (each := group.roi)]
    assert graphics == [
        ("POLYLINE", [[70, 0], [80, 0], [80, 15], [70, 15], [70, 0]]),  # cut off at the image's edge
        ("ELLIPSE", [[20, 30], [60, 30], [40, 21], [40, 39]]),  # column, row; the longer axis first
        ("ELLIPSE", [[40, 10], [40, 50], [31, 30], [49, 30]]),
        ("POLYLINE", [[20, 10], [25, 30], [5, 20], [20, 10]]),
    ]
    segmentation = dcmread(tmp_path / "a.seg")
    for number, group in enumerate(groups[4:], 1):
        item = _items(group[0])["Referenced Segmentation Frame"].ReferencedSOPSequence[0]
        assert item.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert (item.ReferencedSegmentNumber, item.ReferencedFrameNumber) == (number, number)
        assert segmentation.SegmentSequence[number - 1].TrackingID == drawn[number + 3].id
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in evidence} == {
        source.instance_uid, segmentation.SOPInstanceUID
    }  # fmt: skip


def test_a_group_says_what_was_said(source, tmp_path: Path) -> None:
    said = annotation(
        _REGION, verdict="correct", against="rest", confidence=0.8, comment="a\nline — ü", method="evidence",
        model_name="net", model_sha256=SHA, threshold=0.5, unit="logit", reviewer="Dr. A^B=C", created=1.0,
    )  # fmt: skip
    plain = annotation(against="normal")
    report = _report(tmp_path / "a.dcm", source, [said, plain], reviewer="Dr. A^B=C")
    assert report.SOPClassUID == ComprehensiveSRStorage
    first, second = report.content.get_planar_roi_measurement_groups()
    assert first.finding_type.meaning == "pneumonia"
    assert first.finding_type == second.finding_type
    evaluations = {each.name.meaning: each.value.meaning for each in first.get_qualitative_evaluations()}
    assert evaluations == {"Verdict on the evidence": "Correct evidence", "Weighed against": "All other classes"}
    assert {e.name.value: e.value.value for e in second.get_qualitative_evaluations()}["verdict"] == "wrong"
    (area,) = first.get_measurements(name=codes.SCT.Area)
    assert (area.value, area.unit.meaning) == (4 * 16 * 20 * 0.5 * 0.25, "square millimeter")
    items = _items(first[0])
    assert items["Confidence of the observer"].MeasuredValueSequence[0].NumericValue == 0.8
    assert items["Comment"].TextValue == "a\nline — ü"
    assert items["Map that was judged"].TextValue == (
        f"pneumonia against all other classes, evidence above 0.5 logit of model net (weights sha256 {SHA})"
    )
    assert items["Algorithm Name"].TextValue == "net"
    assert "Comment" not in _items(second[0])
    assert "Map that was judged" not in _items(second[0])
    when = datetime.strptime(first[0].ObservationDateTime + report.TimezoneOffsetFromUTC, "%Y%m%d%H%M%S%z")
    assert when.timestamp() == 1.0


def test_the_reviewer_observes_and_else_the_software(source, tmp_path: Path) -> None:
    named = _items(_report(tmp_path / "a.dcm", source, [annotation()], reviewer="Dr. A^B=C"))
    assert named["Observer Type"].ConceptCodeSequence[0].CodeMeaning == "Person"
    assert named["Person Observer Name"].PersonName == "Dr. A B C"
    nameless = _items(_report(tmp_path / "b.dcm", source, [annotation()]))
    assert nameless["Observer Type"].ConceptCodeSequence[0].CodeMeaning == "Device"
    assert nameless["Device Observer Model Name"].TextValue == "softcam"
    assert nameless["Comment"].TextValue == NOTICE


def test_without_spacing_the_area_is_in_pixels(radiograph, noise, tmp_path: Path) -> None:
    report = _report(tmp_path / "a.dcm", dicom_source(radiograph(noise(64, 80))), [annotation()])
    (area,) = report.content.get_planar_roi_measurement_groups()[0].get_measurements(name=codes.SCT.Area)
    assert (area.value, area.unit.value) == (200, "{pixels}")


def test_a_report_in_the_study_of_a_frame_refers_to_it(radiograph, noise, tmp_path: Path) -> None:
    frames = {"SOPClassUID": UltrasoundMultiFrameImageStorage, "Modality": "US"}
    image = radiograph(noise(3, 64, 80, dtype=np.uint8), 2, **frames)
    source = dicom_source(image, keep_identity=True)
    report = _report(tmp_path / "a.dcm", source, [annotation(), annotation(_REGION)])
    assert (report.PatientName, report.StudyInstanceUID) == ("DOE^JANE", "1.2.3.4.1")
    first, second = report.content.get_planar_roi_measurement_groups()
    region = _items(first[0])["Image Region"].ContentSequence[0].ReferencedSOPSequence[0]
    derived = _items(second[0])["Source Image for Segmentation"].ReferencedSOPSequence[0]
    for item in (region, derived):
        assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID, item.ReferencedFrameNumber) == (
            UltrasoundMultiFrameImageStorage, "1.2.3.4.3", 3
        )  # fmt: skip
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    classes = {item.ReferencedSOPSequence[0].ReferencedSOPClassUID for item in evidence}
    assert UltrasoundMultiFrameImageStorage in classes


def test_long_and_odd_names_fit(source, tmp_path: Path) -> None:
    drawn = [annotation(class_name="x" * 200, comment="\\" * 50), annotation(class_name="")]
    groups = _report(tmp_path / "a.dcm", source, drawn, "r" * 200).content.get_planar_roi_measurement_groups()
    assert len(groups[0].finding_type.meaning) == 64
    assert groups[1].finding_type.meaning == "No class"
    assert groups[0].finding_type.value != groups[1].finding_type.value


def test_nothing_to_write_and_nowhere_to_refer_to(source, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no annotation to write"):
        write_annotation_report(tmp_path / "a", source, [])
    with pytest.raises(ValueError, match="needs a segment"):
        write_annotation_report(tmp_path / "a", source, [annotation(_REGION)])
    assert not (tmp_path / "a").exists()
