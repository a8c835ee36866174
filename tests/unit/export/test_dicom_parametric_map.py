from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, UltrasoundMultiFrameImageStorage

from softcam_core.export.dicom_parametric_map import write_parametric_map
from softcam_core.export.dicom_source import dicom_source
from softcam_core.imaging.readers import read_image
from softcam_core.notice import NOTICE

_AXIAL = {
    "SOPClassUID": CTImageStorage,
    "FrameOfReferenceUID": "1.2.3.4.5",
    "ImagePositionPatient": [-10, -20, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.25],
}


@pytest.mark.parametrize("keep_identity", [True, False])
@pytest.mark.parametrize(
    ("shape", "cropped", "frame", "elements"),
    [
        ((64, 64), False, 0, {}),
        ((97, 61), True, 0, {"PixelSpacing": [0.2, 0.3]}),
        ((64, 80), True, 0, _AXIAL),
        ((3, 64, 80), True, 2, {"SOPClassUID": UltrasoundMultiFrameImageStorage}),
    ],
)
def test_values_come_back_exactly_and_padding_where_nothing_was_analysed(
    radiograph, noise, explained, tmp_path: Path, keep_identity, shape, cropped, frame, elements
) -> None:
    image = radiograph(noise(*shape, dtype=np.uint8), frame, **elements)
    explanation = explained(image, cropped=cropped)
    path = tmp_path / "map.dcm"
    write_parametric_map(path, dicom_source(image, keep_identity=keep_identity), explanation, "A", "B")
    expected = explanation.on_image("A", "B")
    assert np.isnan(expected).any() == cropped
    file = dcmread(path)
    stored = file.pixel_array
    if cropped:
        padding = np.float32(file.FloatPixelPaddingValue)
        np.testing.assert_array_equal(stored == padding, np.isnan(expected))
        assert padding < np.nanmin(expected)
        stored = np.where(stored == padding, np.nan, stored)
    else:
        assert "FloatPixelPaddingValue" not in file
    np.testing.assert_array_equal(stored, expected)
    shared = file.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    assert (list(measures.PixelSpacing) if "PixelSpacing" in measures else None) == elements.get("PixelSpacing")
    has_plane = keep_identity and "ImagePositionPatient" in elements
    assert ("PlaneOrientationSequence" in shared) == has_plane
    if has_plane:
        position = file.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
        assert list(position.ImagePositionPatient) == [-10, -20, 30]
        assert file.FrameOfReferenceUID == "1.2.3.4.5"
    # highdicom and our own reader take it too.
    again = highdicom.imread(path)
    assert again.pixel_array.shape == image.size  # decodes: get_frame asks for what maps do not have (0.28.2)
    np.testing.assert_array_equal(again.get_frame(1), file.pixel_array)
    np.testing.assert_array_equal(read_image(path).values, file.pixel_array)


def test_it_says_what_the_values_are(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    explanation = explained(image, cropped=True)
    write_parametric_map(tmp_path / "a.dcm", dicom_source(image), explanation, "A", "B")
    file = dcmread(tmp_path / "a.dcm")
    (mapping,) = file.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.LUTLabel, mapping.LUTExplanation) == ("log-odds", "SoftCAM evidence: A against B")
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    unit = mapping.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("1", "UCUM")
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeMeaning == "Class activation"
    values = explanation.on_image("A", "B")
    limits = mapping.DoubleFloatRealWorldValueFirstValueMapped, mapping.DoubleFloatRealWorldValueLastValueMapped
    assert limits == (file.FloatPixelPaddingValue, np.nanmax(values))
    assert file.FloatPixelPaddingValue == np.floor(np.nanmin(values)) - 1
    assert file.ContentQualification == "RESEARCH"
    assert file.ContentDescription == NOTICE
    assert "0.1" in file.ContributingEquipmentSequence[0].SoftwareVersions


def test_a_map_of_zeros_is_a_map(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    explanation = explained(image)
    explanation.grid[:] = 0
    write_parametric_map(tmp_path / "a.dcm", dicom_source(image), explanation, "A")
    assert not dcmread(tmp_path / "a.dcm").pixel_array.any()


def test_a_map_of_another_size_is_refused(radiograph, noise, explained, tmp_path: Path) -> None:
    explanation = explained(radiograph(noise(64, 80)))
    with pytest.raises(ValueError, match="a map of"):
        write_parametric_map(tmp_path / "a", dicom_source(radiograph(noise(64, 81))), explanation, "A")
