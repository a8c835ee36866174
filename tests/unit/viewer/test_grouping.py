from pathlib import Path

from softcam_core.imaging.image import Identity, ImageHeader
from softcam_viewer.model.cases import Case
from softcam_viewer.model.grouping import make_groups


def dicom(patient: str, study: str, series: str, modality: str = "CR", name: str = "") -> ImageHeader:
    identity = Identity(
        patient_name=name, patient_id=patient, study_date="20240131", study_uid=study, series_uid=series
    )
    return ImageHeader(is_dicom=True, modality=modality, identity=identity)


def cases_of(*headers: ImageHeader | None, folder: str = "in") -> list[Case]:
    return [Case(Path(folder, f"{number}.dcm"), header=header) for number, header in enumerate(headers)]


def titles(cases: list[Case]) -> list[tuple[str, ...]]:
    return [tuple(heading.title for heading in above) for above in make_groups(cases).above]


def test_images_stand_under_their_patient_and_study():
    cases = cases_of(dicom("p", "1", "x"), dicom("q", "1", "x"), dicom("p", "2", "y"), dicom("p", "1", "x"))
    assert titles(cases) == [
        ("Patient 1", "Study 1 · CR"),
        ("Patient 2", "Study 1 · CR"),
        ("Patient 1", "Study 2 · CR"),
        ("Patient 1", "Study 1 · CR"),
    ]
    ranks = make_groups(cases).ranks
    assert ranks[0] == ranks[3] < ranks[2] < ranks[1]


def test_series_are_told_apart_where_a_study_has_several_and_modalities_are_named():
    cases = cases_of(dicom("p", "1", "x", "US"), dicom("p", "1", "y", "SR"), dicom("p", "2", "z", "CT"))
    assert titles(cases) == [
        ("Patient 1", "Study 1 · US, SR", "Series 1 · US"),
        ("Patient 1", "Study 1 · US, SR", "Series 2 · SR"),
        ("Patient 1", "Study 2 · CT"),
    ]


def test_what_is_no_dicom_or_says_of_nobody_is_grouped_by_folder():
    plain = [Case(Path("a/b/1.png"), header=ImageHeader()), Case(Path("c/b/2.png"), header=dicom("", "", ""))]
    assert titles(plain) == [("a/b",), ("c/b",)]
    assert titles([*plain[:1], *cases_of(dicom("p", "1", "x"))]) == [("b",), ("Patient 1", "Study 1 · CR")]


def test_who_it_is_stands_in_no_title():
    groups = make_groups(cases_of(dicom("12345", "1", "x", name="Doe^Jane^Q"), dicom("6", "2", "x")))
    patient, study = groups.above[0]
    assert (patient.identity, study.identity) == ("Doe, Jane, 12345", "2024-01-31")
    assert all("Doe" not in h.title and "12345" not in h.title and "2024" not in h.title for h in groups.above[0])


def test_one_group_alone_is_none():
    assert make_groups([]).are_one
    assert make_groups(cases_of(None, None)).are_one
    assert make_groups(cases_of(dicom("p", "1", "x"), dicom("p", "1", "x"))).are_one
    assert not make_groups(cases_of(dicom("p", "1", "x"), dicom("p", "1", "y"))).are_one


def test_patients_with_one_image_each_tell_no_more_than_who_they_are():
    one_each = cases_of(dicom("p", "1", "x"), dicom("q", "2", "y"))
    assert make_groups(one_each).are_single
    assert not make_groups([*one_each, *cases_of(dicom("p", "3", "z"))]).are_single
    folders = [Case(Path("a/1.png"), header=ImageHeader()), Case(Path("b/2.png"), header=ImageHeader())]
    assert not make_groups(folders).are_single  # their names tell something


def test_the_headings_of_ten_thousand_cases_are_shared():
    groups = make_groups(cases_of(*(dicom(str(n // 100), str(n // 50), str(n // 10)) for n in range(2000))))
    assert len({id(above) for above in groups.above}) == 200
    assert list(groups.ranks) == sorted(groups.ranks)
