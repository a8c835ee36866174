from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from softcam_core.errors import ImageReadError
from softcam_core.export.dicom_source import dicom_source
from softcam_core.imaging.readers import read_image


def test_identity_is_left_out_by_default(radiograph, noise, secrets) -> None:
    source = dicom_source(radiograph(noise(20, 30)))
    assert not source.is_identified
    told = str(source.patient) + str(source.header())
    assert not [secret for secret in secrets if secret in told]
    assert source.patient.PatientIdentityRemoved == "YES"


def test_identifiers_depend_on_what_is_seen_alone(radiograph, noise) -> None:
    first = dicom_source(radiograph(noise(20, 30)))
    again = dicom_source(radiograph(noise(20, 30), PatientName="ROE^JOHN", SOPInstanceUID="1.2.9"))
    other = dicom_source(radiograph(noise(20, 30) + 1))
    uids = [(s.study_uid, s.series_uid, s.instance_uid, s.frame_of_reference_uid) for s in (first, again, other)]
    assert uids[0] == uids[1]
    assert len({*uids[0], *uids[2]}) == 8


def test_the_identity_is_kept_on_request(radiograph, noise) -> None:
    source = dicom_source(radiograph(noise(20, 30)), keep_identity=True)
    assert source.is_identified
    assert (source.study_uid, source.series_uid, source.instance_uid) == ("1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3")
    assert (source.patient.PatientName, source.patient.StudyDate, source.patient.PatientSex) == (
        "DOE^JANE",
        "20200202",
        "F",
    )
    assert source.frame_number is None


def test_names_in_other_alphabets_are_kept(radiograph, noise) -> None:
    image = radiograph(noise(20, 30), SpecificCharacterSet="ISO_IR 144", PatientName="Люкceмбypг^Анна")
    assert dicom_source(image, keep_identity=True).patient.PatientName == "Люкceмбypг^Анна"


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom, as the odd file is made
def test_what_is_missing_or_against_the_rules_is_empty(radiograph, noise) -> None:
    image = radiograph(noise(20, 30), PatientSex="W", PatientBirthDate=None, StudyID=None, StudyDate="02.02.2020")
    facts = dicom_source(image, keep_identity=True).patient
    assert [facts[k].is_empty for k in ("PatientSex", "PatientBirthDate", "StudyID", "StudyDate")] == [True] * 4


def test_a_missing_study_is_made_and_always_the_same(radiograph, noise) -> None:
    image = radiograph(noise(20, 30), StudyInstanceUID=None, SeriesInstanceUID=None)
    first, second = (dicom_source(image, keep_identity=True) for _ in range(2))
    assert first.study_uid == second.study_uid
    assert len({first.study_uid, first.series_uid, first.frame_of_reference_uid, ""}) == 4


def test_a_file_without_an_identifier_of_its_own_cannot_be_referred_to(radiograph, noise) -> None:
    image = radiograph(noise(20, 30), SOPClassUID=None)
    assert dicom_source(image, keep_identity=True).class_uid == "1.2.3"  # the file's meta information has one
    content = image.source.read_bytes()
    at = content.index(b"\x02\x00\x02\x00UI")  # the class in the meta information: empty it
    image.source.write_bytes(content[: at + 8] + b"\0" * 6 + content[at + 14 :])
    with pytest.raises(ImageReadError, match=r"no identifier .* Export without its identity"):
        dicom_source(image, keep_identity=True)


def test_a_file_that_is_gone_is_named(radiograph, noise) -> None:
    image = radiograph(noise(20, 30))
    image.source.unlink()
    with pytest.raises(ImageReadError, match=r"source\.dcm: it is no longer there\. Put it back"):
        dicom_source(image, keep_identity=True)
    assert not dicom_source(image).is_identified  # needs no file


def test_a_file_that_was_damaged_meanwhile_is_named(radiograph, noise) -> None:
    image = radiograph(noise(20, 30))
    content = image.source.read_bytes()
    rows = b"\x28\x00\x10\x00US"
    assert content.count(rows + b"\x02") == 1
    image.source.write_bytes(content.replace(rows + b"\x02", rows + b"\x01"))  # half a number
    with pytest.raises(ImageReadError, match=r"source\.dcm: its DICOM header is damaged by now\. Export without"):
        dicom_source(image, keep_identity=True)


@pytest.mark.parametrize("change", [{"SOPInstanceUID": "1.2.9"}, {"Rows": 19}])
def test_a_file_that_was_exchanged_is_noticed(radiograph, noise, change) -> None:
    image = radiograph(noise(20, 30))
    radiograph(noise(change.get("Rows", 20), 30), **change)
    with pytest.raises(ImageReadError, match="another image"):
        dicom_source(image, keep_identity=True)


def test_pictures_have_no_identity_to_keep(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 30), dtype=np.uint8)).save(tmp_path / "a.png")
    assert not dicom_source(read_image(tmp_path / "a.png"), keep_identity=True).is_identified


_AXIAL = {"ImagePositionPatient": [1.5, -2, 30], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}


def test_the_plane_is_known_where_all_of_it_is(radiograph, noise) -> None:
    def plane(**elements: object) -> Dataset:
        return dicom_source(radiograph(noise(20, 30), **elements), keep_identity=True).plane

    whole = {**_AXIAL, "FrameOfReferenceUID": "1.2.3.4.5", "PixelSpacing": [0.5, 0.25]}
    assert list(plane(**whole).ImagePositionPatient) == [1.5, -2, 30]
    for missing in whole:
        left = plane(**{k: v for k, v in whole.items() if k != missing})
        assert "ImagePositionPatient" not in left
        assert ("PixelSpacing" in left) == (missing != "PixelSpacing")
    assert "ImagePositionPatient" not in plane(**{**whole, "ImageOrientationPatient": [0] * 6})


def test_the_plane_of_a_frame_is_in_its_functional_groups(radiograph, noise) -> None:
    def item(**elements: object) -> Dataset:
        dataset = Dataset()
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        return dataset

    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.25], SliceThickness=2)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    frames = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])]) for z in (5, 7)]
    image = radiograph(
        noise(2, 20, 30), 1, FrameOfReferenceUID="1.2.3.4.5",
        SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=frames,
    )  # fmt: skip
    source = dicom_source(image, keep_identity=True)
    assert list(source.plane.ImagePositionPatient) == [0, 0, 7]
    assert (source.plane.SliceThickness, source.frame_number) == (2, 2)
