from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_viewer.model import cases as cases_module
from softcam_viewer.model.cases import Case, CaseList, classes_in, distinct_names

THUMBNAIL = np.zeros((4, 4), np.uint8)


@pytest.fixture
def cases(qapp) -> CaseList:
    cases = CaseList()
    cases.reset([Path(f"films/case_{number}.png") for number in range(4)])
    return cases


def see(cases: CaseList, row: int) -> Case:
    return cases.data(cases.index(row), CaseList.CASE_ROLE)


def test_files_of_one_name_are_told_apart_by_their_folder():
    paths = [Path("a/b/film.png"), Path("a/c/film.png"), Path("a/c/film.dcm"), Path("a/c/other.png")]
    assert distinct_names(paths) == ["b/film.png", "c/film.png", "film.dcm", "other"]


def test_a_unique_identifier_is_not_taken_for_a_name_with_a_suffix():
    assert distinct_names([Path("1.2.840.17"), Path("1.2.840.18")]) == ["1.2.840.17", "1.2.840.18"]


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=4), min_size=1, max_size=12))
def test_no_two_files_ever_have_the_same_name(parts):
    paths = list(dict.fromkeys(Path("/root", *part).with_suffix(".png") for part in parts))
    names = distinct_names(paths)
    assert len(set(names)) == len(paths)
    assert all(
        path.as_posix().removesuffix(".png").endswith(n.removesuffix(".png"))
        for path, n in zip(paths, names, strict=True)
    )


def test_a_preview_is_asked_for_once_for_a_case_that_is_shown(cases):
    wanted = []
    cases.preview_wanted.connect(wanted.append)
    see(cases, 2)
    see(cases, 2)
    assert wanted == [2]
    cases.use_classes(("a", "b"), "single_label")
    see(cases, 2)
    assert wanted == [2, 2]


def test_thumbnails_are_bounded_and_made_again_when_they_are_shown_again(cases, monkeypatch):
    monkeypatch.setattr(cases_module, "THUMBNAILS", 2)
    wanted = []
    cases.preview_wanted.connect(wanted.append)
    for row in range(2):
        see(cases, row)
        cases.update_case(row, thumbnail=THUMBNAIL, entropy=0.5)
    see(cases, 0)  # shown last, so row 1 goes first
    see(cases, 2)
    cases.update_case(2, thumbnail=THUMBNAIL, entropy=0.5)
    assert [case.thumbnail is not None for case in cases.snapshot] == [True, False, True, False]
    see(cases, 1)
    assert wanted == [0, 1, 2, 1]
    assert cases[1].entropy == 0.5  # what the model said stays


@pytest.mark.parametrize(
    ("label", "expected"),
    [("pneumonia", {1}), ("Pneumonia", {1}), ("Edema|Pneumonia", {1}), ("1", {1}), ("0.0", {0}), ("Edema", None)],
)
def test_labels_are_read_as_names_numbers_and_lists_of_findings(label, expected):
    assert classes_in(label, ("no finding", "pneumonia")) == expected


@pytest.mark.parametrize(
    ("label", "prediction", "is_wrong"),
    [("b", "b", False), ("b", "a", True), ("a|b", "a", False), ("x", "a", None), ("", "a", None)],
)
def test_a_prediction_is_judged_by_its_label(cases, label, prediction, is_wrong):
    cases.use_classes(("a", "b"), "single_label")
    cases.update_case(0, label=label)
    assert cases[0].is_wrong is None
    cases.update_case(0, prediction=(prediction, 0.7))
    assert cases[0].is_wrong is is_wrong
    assert cases[0].status == ("wrong" if is_wrong else "open")


def test_findings_that_may_be_together_are_judged_one_by_one(cases):
    cases.use_classes(("a", "b", "c"), "multi_label")
    cases.update_case(0, label="a|b", prediction=("a", 0.9), probabilities=(0.9, 0.6, 0.1))
    assert cases[0].is_wrong is False
    cases.update_case(0, probabilities=(0.9, 0.6, 0.8))
    assert cases[0].is_wrong is True


def test_another_model_leaves_labels_and_reviews_and_forgets_what_was_predicted(cases):
    cases.use_classes(("a", "b"), "single_label")
    cases.update_case(1, label="b", prediction=("a", 0.9), entropy=0.3, border=0.2, reviewed=True)
    cases.update_case(2, refusal="films/case_2.png: does not fit the model.")
    cases.update_case(3, error="films/case_3.png: is damaged.")
    cases.use_classes(("b", "c"), "single_label")
    case = cases[1]
    assert (case.label, case.reviewed) == ("b", True)
    assert (case.prediction, case.entropy, case.border, case.is_wrong) == (None, None, None, None)
    assert cases[2].refusal == ""
    assert cases[3].error


def test_reviewed_cases_are_known_by_their_files_and_others_are_passed_over(cases):
    cases.set_reviewed([cases[1].path, cases[3].path, Path("gone.png")])
    assert cases.reviewed_paths == (cases[1].path, cases[3].path)
    cases.set_reviewed([cases[1].path], on=False)
    assert cases.reviewed_paths == (cases[3].path,)


def test_only_what_is_new_is_told(cases):
    told = []
    cases.case_changed.connect(lambda row, fields: told.append((row, fields)))
    cases.update_case(1, frames=1, reviewed=True)
    assert told == [(1, {"reviewed"})]


def test_a_case_tells_all_that_is_known_of_it(cases):
    cases.use_classes(("a", "b"), "single_label")
    cases.update_case(0, label="b", prediction=("a", 0.9), border=0.31, frames=30)
    index = cases.index(0)
    told = cases.data(index, cases_module.Qt.ItemDataRole.AccessibleTextRole)
    for part in ("case_0", "a 90%", "label b, which the prediction is not", "31% of", "30 frames", "not reviewed"):
        assert part in told
