from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread
from pydicom import dcmread
from pydicom.uid import CTImageStorage, UltrasoundMultiFrameImageStorage

from softcam_core.errors import SettingsError
from softcam_core.export.dicom_segmentation import write_segmentation
from softcam_core.export.dicom_source import dicom_source
from softcam_core.export.facts import facts_of
from softcam_core.imaging.readers import read_image
from softcam_core.notice import NOTICE

_AXIAL = {
    "SOPClassUID": CTImageStorage,
    "Modality": "CT",
    "FrameOfReferenceUID": "1.2.3.4.5",
    "ImagePositionPatient": [-10, -20, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.25],
}
_FRAMES = {"SOPClassUID": UltrasoundMultiFrameImageStorage, "Modality": "US"}


@pytest.mark.parametrize("keep_identity", [True, False])
@pytest.mark.parametrize(
    ("shape", "cropped", "frame", "elements"),
    [
        ((64, 64), False, 0, {}),
        ((61, 97), False, 0, {"ImagerPixelSpacing": [0.2, 0.3]}),
        ((97, 61), True, 0, {"PixelSpacing": [0.2, 0.3]}),
        ((64, 80), True, 0, {"PhotometricInterpretation": "MONOCHROME1"}),
        ((64, 80), False, 0, _AXIAL),
        ((4, 64, 80), True, 2, _FRAMES),
        ((4, 64, 80), False, 3, {**_FRAMES, "FrameOfReferenceUID": "1.2.3.4.5"}),
        ((3, 64, 80, 3), False, 1, _FRAMES),
    ],
)
def test_masks_lie_on_the_image_pixel_for_pixel(
    radiograph, noise, explained, regions, tmp_path, keep_identity, shape, cropped, frame, elements
) -> None:
    image = radiograph(noise(*shape, dtype=np.uint8), frame, **elements)
    source = dicom_source(image, keep_identity=keep_identity)
    explanation = explained(image, cropped=cropped)
    ledger, level = regions(explanation)
    assert {region.positive for region in ledger.regions} == {True, False}
    path = tmp_path / "regions.dcm"
    write_segmentation(path, source, ledger, facts_of(explanation, "A", "B"), threshold=level)

    expected = np.stack([ledger.labels == region.number for region in ledger.regions], axis=-1)
    # As any program reads it: frame by frame, with the segment each belongs to.
    plain = dcmread(path)
    masks = plain.pixel_array.reshape(-1, *image.size)
    numbers = [
        group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for group in plain.PerFrameFunctionalGroupsSequence
    ] if len(ledger.regions) > 1 else [1]  # fmt: skip
    assert sorted(numbers) == list(range(1, len(ledger.regions) + 1))
    for number, mask in zip(numbers, masks, strict=True):
        np.testing.assert_array_equal(mask, expected[..., number - 1])
    # As highdicom finds it for the source.
    file = segread(path)
    number = {"source_frame_numbers": [source.frame_number]} if source.frame_number else {}
    found = (
        file.get_pixels_by_source_frame(source.instance_uid, **number)
        if number
        else file.get_pixels_by_source_instance([source.instance_uid])
    )
    np.testing.assert_array_equal(found[0], expected)


@pytest.fixture
def written(radiograph, noise, explained, regions, tmp_path: Path):
    """A segmentation of a frame with identity, and its ledger."""
    image = radiograph(noise(3, 64, 80, dtype=np.uint8), 1, **_FRAMES)
    explanation = explained(image)
    ledger, level = regions(explanation)
    write_segmentation(
        tmp_path / "regions.dcm", dicom_source(image, keep_identity=True), ledger, facts_of(explanation, "A", "B"),
        threshold=level,
    )  # fmt: skip
    return dcmread(tmp_path / "regions.dcm"), ledger


def test_each_region_is_a_segment_with_its_contribution_and_class(written) -> None:
    file, ledger = written
    assert [s.SegmentLabel for s in file.SegmentSequence] == [r.name for r in ledger.regions]
    for segment, region in zip(file.SegmentSequence, ledger.regions, strict=True):
        assert f"contributes {region.contribution:+.6g} log-odds" in segment.SegmentDescription
        assert f"{'for' if region.positive else 'against'} A against B" in segment.SegmentDescription
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("Tèst network", "0123456789abcdef" * 4)


def test_it_stands_in_the_study_and_refers_to_the_frame(written) -> None:
    file, _ = written
    assert (file.StudyInstanceUID, file.PatientName, file.AccessionNumber) == ("1.2.3.4.1", "DOE^JANE", "ACC-99")
    assert file.SeriesInstanceUID != "1.2.3.4.2"
    (series,) = file.ReferencedSeriesSequence
    (instance,) = series.ReferencedInstanceSequence
    assert series.SeriesInstanceUID == "1.2.3.4.2"
    derived = file.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    for item in (instance, derived, file.SourceImageSequence[0]):
        assert item.ReferencedSOPInstanceUID == "1.2.3.4.3"
        assert item.ReferencedSOPClassUID == UltrasoundMultiFrameImageStorage
    assert (derived.ReferencedFrameNumber, file.SourceImageSequence[0].ReferencedFrameNumber) == (2, 2)
    assert "ReferencedFrameNumber" not in instance


def test_it_carries_the_notice_and_who_made_it(written) -> None:
    file, _ = written
    assert file.ContentDescription == NOTICE
    assert NOTICE in file.SeriesDescription
    assert file.ContributingEquipmentSequence[0].ManufacturerModelName == "softcam"


def test_regions_left_out_of_the_ledger_are_left_out(radiograph, noise, explained, regions, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    explanation = explained(image)
    ledger, level = regions(explanation)
    assert len(ledger.regions) > 1
    path = tmp_path / "regions.dcm"
    only = replace(ledger, regions=ledger.regions[1:])
    write_segmentation(path, dicom_source(image), only, facts_of(explanation, "A", "B"), threshold=level)
    file = segread(path)
    assert [file.get_segment_description(n).segment_label for n in file.segment_numbers] == [
        r.name for r in only.regions
    ]
    found = file.get_pixels_by_source_instance([dicom_source(image).instance_uid])[0]
    np.testing.assert_array_equal(found[..., 0], ledger.labels == ledger.regions[1].number)


def test_no_region_is_no_file(radiograph, noise, explained, regions, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    explanation = explained(image)
    ledger = replace(regions(explanation)[0], regions=())
    with pytest.raises(SettingsError, match=r"no region above the threshold to write\. Lower the threshold"):
        write_segmentation(tmp_path / "a", dicom_source(image), ledger, facts_of(explanation, "A"), threshold=1)
    assert not (tmp_path / "a").exists()


def test_regions_of_other_pixels_are_refused(radiograph, noise, explained, regions, tmp_path: Path) -> None:
    ledger, _ = regions(explanation := explained(radiograph(noise(64, 80))))
    with pytest.raises(ValueError, match="regions on"):
        write_segmentation(
            tmp_path / "a", dicom_source(radiograph(noise(64, 81))), ledger, facts_of(explanation, "A"), threshold=1
        )


@pytest.mark.parametrize(
    ("name", "frame"),
    [("emri_small_jpeg_ls_lossless.dcm", 3), ("examples_palette.dcm", 0), ("RG3_J2KR.dcm", 0), ("rtdose.dcm", 2)],
)
def test_real_files_get_regions_in_their_study(
    shared_data, explained, regions, tmp_path: Path, name: str, frame: int
) -> None:
    image = read_image(shared_data / "dicom" / name, frame)
    source = dicom_source(image, keep_identity=True)
    explanation = explained(image)
    ledger, level = regions(explanation)
    path = tmp_path / "regions.dcm"
    write_segmentation(path, source, ledger, facts_of(explanation, "A", "B"), threshold=level)
    header = dcmread(image.source, stop_before_pixels=True)
    file = segread(path)
    for keyword in ("StudyInstanceUID", "PatientID", "StudyDate"):
        assert file.get(keyword) == header.get(keyword)
    derived = file.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert derived.ReferencedSOPClassUID == header.SOPClassUID
    assert derived.ReferencedSOPInstanceUID == header.SOPInstanceUID
    assert derived.get("ReferencedFrameNumber") == (frame + 1 if "NumberOfFrames" in header else None)
    expected = np.stack([ledger.labels == region.number for region in ledger.regions])
    np.testing.assert_array_equal(file.pixel_array.reshape(expected.shape), expected)
