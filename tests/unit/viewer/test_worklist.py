from pathlib import Path

import pytest

from softcam_core.imaging.image import Identity, ImageHeader
from softcam_viewer.model.cases import CaseList
from softcam_viewer.model.grouping import Heading, make_groups
from softcam_viewer.model.worklist import Worklist

NAMES = ("img_10.png", "img_9.png", "b.png", "a.png")


@pytest.fixture
def worklist(qapp) -> Worklist:
    cases = CaseList()
    worklist = Worklist(cases)
    worklist.setParent(cases)
    cases.reset([Path("films", name) for name in NAMES])
    worklist.keep = cases
    return worklist


@pytest.fixture
def grouped(worklist) -> Worklist:
    """Two patients: the first has rows 0 and 2, in the order 2, 0."""
    who = {0: ("p", 7), 1: ("q", 1), 2: ("p", 3), 3: ("q", 2)}
    headers = {
        Path("films", NAMES[row]): ImageHeader(
            True,
            modality="CR",
            instance_number=number,
            identity=Identity("Doe", patient, study_uid="1", series_uid="1"),
        )
        for row, (patient, number) in who.items()
    }
    worklist.cases.set_headers(headers)
    worklist.set_groups(make_groups(worklist.cases.snapshot))
    return worklist


def lines(worklist: Worklist) -> list[str]:
    return [worklist.data(worklist.index(line)) for line in range(worklist.rowCount())]


def test_cases_stand_as_they_were_opened_until_somebody_sorts_them(worklist):
    assert worklist.shown == [0, 1, 2, 3]
    worklist.sort_by("name")
    assert lines(worklist) == ["a", "b", "img_9", "img_10"]
    worklist.sort_by("name", is_turned=True)
    assert lines(worklist) == ["img_10", "img_9", "b", "a"]


@pytest.mark.parametrize(
    ("order", "field", "values", "expected"),
    [
        ("uncertainty", "entropy", (0.1, None, 0.9, 0.5), [2, 3, 0, 1]),
        ("border", "border", (0.1, 0.2, None, 0.2), [3, 1, 0, 2]),
        ("label", "label", ("b", "", "A", "c"), [2, 0, 3, 1]),
        ("probability:y", "probabilities", ((0.9, 0.1), (0.2, 0.8), (0.5, 0.5), ()), [1, 2, 0, 3]),
    ],
)
def test_what_is_not_known_comes_last_and_equals_are_sorted_by_name(worklist, order, field, values, expected):
    worklist.cases.use_classes(("x", "y"), "single_label")
    worklist.cases.update_many({row: {field: value} for row, value in enumerate(values)})
    worklist.sort_by(order)
    assert worklist.shown == expected
    worklist.sort_by(order, is_turned=True)
    unknown = [row for row, value in enumerate(values) if value in (None, "", ())]
    assert worklist.shown[len(values) - len(unknown) :] == unknown


def test_wrong_predictions_come_first_by_status_and_errors_last(worklist):
    cases = worklist.cases
    cases.use_classes(("x", "y"), "single_label")
    cases.update_case(0, error="films/img_10.png: is damaged.")
    cases.update_case(1, label="x", prediction=("y", 0.9))
    cases.update_case(3, reviewed=True)
    worklist.sort_by("status")
    assert worklist.shown == [1, 2, 3, 0]


def test_a_filter_counts_and_one_that_is_none_says_why_and_shows_all(worklist):
    worklist.filter_by("img")
    assert (worklist.shown, worklist.matching) == ([0, 1], 2)
    worklist.filter_by("nothing>3")
    assert worklist.shown == [0, 1, 2, 3]
    assert "There are wrong" in worklist.filter_error
    worklist.filter_by("")
    assert worklist.filter_error == ""


def test_a_filter_by_a_class_is_read_anew_when_a_model_has_it(worklist):
    worklist.filter_by("p:y>0.5")
    assert "no class" in worklist.filter_error
    worklist.cases.use_classes(("x", "y"), "single_label")
    assert worklist.filter_error == ""
    worklist.cases.update_many({2: {"probabilities": (0.1, 0.9)}})
    assert worklist.shown == [2]


def test_a_change_that_matters_is_sorted_in_a_little_later_and_another_is_only_redrawn(worklist, qtbot):
    changed = []
    worklist.dataChanged.connect(lambda first, last: changed.append(first.row()))
    worklist.sort_by("uncertainty")
    with qtbot.assertNotEmitted(worklist.order_changed, wait=50):
        worklist.cases.update_case(3, label="x")
    assert changed == [0]  # of names alone, a comes first
    with qtbot.waitSignal(worklist.order_changed, timeout=3000):
        worklist.cases.update_case(1, entropy=0.5)
    assert worklist.shown[0] == 1


def test_the_neighbours_follow_the_order_and_those_of_a_case_that_left_its_place(worklist):
    worklist.sort_by("name")
    assert worklist.neighbour(2, 1) == 1
    assert worklist.neighbour(3, -1) is None
    assert worklist.neighbour(0, 1) is None
    worklist.filter_by("not b")
    assert worklist.shown == [3, 1, 0]
    assert worklist.neighbour(2, 1) == 1
    assert worklist.neighbour(2, -1) == 3
    assert worklist.neighbour(-1, 1) == 3


def test_headings_stand_above_patients_and_studies_whose_images_are_in_the_order_of_their_numbers(grouped):
    assert lines(grouped) == [
        *("Patient 1 · 2 images", "Study 1 · CR · 2 images", "b", "img_10"),
        *("Patient 2 · 2 images", "Study 1 · CR · 2 images", "img_9", "a"),
    ]
    assert grouped.shown == [2, 0, 1, 3]
    assert [grouped.line_of(row) for row in range(4)] == [3, 6, 2, 7]
    assert grouped.row_at(0) is None
    grouped.group(on=False)
    assert lines(grouped) == ["img_10", "img_9", "b", "a"]


def test_names_are_on_screen_only_where_that_is_wanted(grouped):
    def told() -> str:
        roles = (0, 3, 11)  # display, tool tip, accessible text
        return str([grouped.data(grouped.index(line), role) for line in range(2) for role in roles])

    assert "Doe" not in told()
    grouped.show_identity(on=True)
    assert "Doe" in told()


def test_folded_cases_are_counted_and_stepped_over(grouped):
    heading = grouped.data(grouped.index(0), Worklist.HEADING_ROLE)
    assert isinstance(heading, Heading)
    grouped.fold(heading.key, on=True)
    assert lines(grouped)[:2] == ["Patient 1 · 2 images", "Patient 2 · 2 images"]
    assert (grouped.shown, grouped.matching) == ([1, 3], 4)
    grouped.fold(heading.key, on=False)
    assert len(grouped.shown) == 4


def test_folded_headings_are_told_by_place_and_put_back_before_or_after_the_groups_are_known(grouped):
    told = []
    grouped.settings_changed.connect(lambda: told.append(grouped.folded))
    key = grouped.index(0).data(grouped.HEADING_ROLE).key
    grouped.fold(key, on=True)
    assert told == [((0, 0),)]
    folded = lines(grouped)
    groups = make_groups(grouped.cases.snapshot)
    grouped.put_back_folded([])
    assert lines(grouped) != folded
    grouped.put_back_folded([(0, 0), (1, 9)])  # a level that there is not
    assert lines(grouped) == folded
    headers = {case.path: case.header for case in grouped.cases.snapshot}
    grouped.cases.reset(list(headers))
    grouped.cases.set_headers(headers)
    assert grouped.folded == ()
    grouped.put_back_folded([(0, 0)])
    assert grouped.folded == ((0, 0),)
    assert lines(grouped) != folded
    grouped.set_groups(groups)
    assert lines(grouped) == folded
    assert grouped.folded == ((0, 0),)


def test_a_filter_leaves_out_headings_without_cases_and_keeps_their_numbers(grouped):
    grouped.filter_by("img_9")
    assert lines(grouped) == ["Patient 2 · 1 image", "Study 1 · CR · 1 image", "img_9"]


def test_groups_of_cases_that_were_open_before_are_passed_over(grouped):
    groups = make_groups(grouped.cases.snapshot)
    grouped.cases.reset([Path("one.png"), Path("two.png")])
    grouped.set_groups(groups)
    assert lines(grouped) == ["one", "two"]
