"""Figures of the panes' maps: what is computed when, what is kept, and what is said where there is none."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from softcam_core.errors import SettingsError
from softcam_core.evaluation.one_image import RemovalCurve
from softcam_core.notice import NOTICE
from softcam_viewer.model import figures_backend
from softcam_viewer.model.figure_columns import AGREEMENT, COLUMNS, CURVE_NAMES, LOCALISATION, Cell
from softcam_viewer.model.figure_rows import FILE_COLUMNS
from softcam_viewer.model.figures import Figures

BOX = (0.0, 0.0, 6.0, 10.0)
BY_NAME = {column.name: column for column in COLUMNS}


@pytest.fixture
def asked(monkeypatch) -> list[tuple[set[str], int]]:
    """Methods of the maps whose curves were asked for together, and the class followed."""
    runs: list[tuple[set[str], int]] = []

    def removal(model, image, maps, of, on_progress, should_stop):
        runs.append(({question.method for question in maps}, of))
        if should_stop():
            return None
        on_progress(0.5)
        values = np.array([0.75, 0.25])
        return {key: {name: RemovalCurve(values, 0.5) for name in CURVE_NAMES} for key in maps}

    monkeypatch.setattr(figures_backend, "removal", removal)
    return runs


@pytest.fixture
def figures(opened, lanes, settle, asked) -> Figures:
    """Of two panes: evidence and CAM of the last of three classes; somebody looks."""
    opened.panes.set_layout("1x2")
    settle()
    figures = Figures(opened, lanes.figures, lanes.slow)
    figures.attend("test", on=True)
    settle()
    figures.refresh()
    yield figures
    figures.stop()


def cells(figures: Figures, name: str) -> list[Cell]:
    return [row.cells[name] for row in figures.rows]


def values(figures: Figures, name: str) -> list[float | None]:
    return [cell.value for cell in cells(figures, name)]


def test_each_pane_has_a_row_with_its_number_method_class_and_model(figures):
    told = [(row.number, row.method, row.target, row.model) for row in figures.rows]
    assert told == [(1, "evidence", "c", "a b c"), (2, "cam", "c", "a b c")]
    assert values(figures, "seconds") == [0.5, 0.5]


def test_figures_of_maps_are_those_of_the_core(figures):
    # Cells 8, 9, 10, 11.
    assert values(figures, "gini") == [pytest.approx(1 - 2 * (8 * 3.5 + 9 * 2.5 + 10 * 1.5 + 11 * 0.5) / (38 * 4))] * 2
    assert values(figures, "near_zero") == [0, 0]
    assert values(figures, AGREEMENT) == [None, pytest.approx(1)]
    assert "compared" in cells(figures, AGREEMENT)[0].why


def test_nothing_is_computed_while_nobody_looks(opened, lanes, settle, asked):
    figures = Figures(opened, lanes.figures, lanes.slow)
    figures.set_automatic(on=True)
    assert not lanes.figures.waiting
    assert not lanes.slow.waiting
    figures.attend("a", on=True)
    figures.attend("b", on=True)
    figures.attend("a", on=False)
    settle()
    figures.refresh()
    assert values(figures, "gini") != [None]
    assert asked == [({"evidence"}, 2)]


def test_what_is_explained_never_waits_for_figures(opened, lanes):
    opened.figures.attend("test", on=True)
    assert lanes.figures.waiting
    assert not lanes.quick.waiting
    assert not lanes.slow.waiting
    opened.figures.stop()


def test_boxes_give_localisation_and_their_absence_a_reason(figures, opened, settle):
    assert {cell.why for name in LOCALISATION for cell in cells(figures, name)} == {
        "No box or mask of this case is known."
    }
    opened.cases.update_case(0, boxes=(BOX,))
    figures.refresh()
    settle()
    figures.refresh()
    # The left half of the image has the lesser half of the evidence, and not the peak.
    assert all(0.4 < value < 0.5 for value in values(figures, "relevance_mass"))
    assert values(figures, "pointing_game") == [0, 0]


def test_boxes_outside_of_the_image_a_mask_that_is_not_there_and_empty_maps_are_told(figures, opened, settle, tmp_path):
    for fields, reason in (
        ({"boxes": ((40.0, 40.0, 5.0, 5.0),)}, figures_backend.OUTSIDE),
        ({"boxes": (), "mask": tmp_path / "gone.png"}, "gone.png"),
    ):
        opened.cases.update_case(0, **fields)
        figures.refresh()
        settle()
        figures.refresh()
        assert all(reason in cell.why for cell in cells(figures, "pointing_game"))
        assert all(value is not None for value in values(figures, "gini"))


def test_maps_without_numbers_have_reasons_instead_of_figures(figures, opened, settle):
    opened.cases.update_case(0, boxes=(BOX,))
    for row, grid in ((0, np.nan), (1, -1.0)):
        explanation = opened.panes.shown[row].explanation
        explanation.grid[:] = grid
    figures._cells = type(figures._cells)()  # as if these were the maps of another case
    figures.refresh()
    settle()
    figures.refresh()
    assert [cell.why for cell in cells(figures, "gini")] == [figures_backend.LOST, ""]
    assert [cell.why for cell in cells(figures, "relevance_mass")] == [
        figures_backend.LOST,
        figures_backend.NOTHING_POSITIVE,
    ]
    assert cells(figures, AGREEMENT)[1].why == figures_backend.CONSTANT


def test_curves_wait_until_they_are_asked_for_and_maps_of_a_class_share_a_run(figures, settle, asked):
    assert values(figures, "deletion") == [None, None]
    assert figures.can_compute
    figures.compute()
    assert [cell.is_waiting for cell in cells(figures, "deletion")] == [True, True]
    assert figures.is_computing
    settle()
    figures.refresh()
    assert asked == [({"evidence", "cam"}, 2)]
    assert values(figures, "insertion") == [0.5, 0.5]
    assert not figures.is_computing
    assert not figures.can_compute


def test_maps_of_other_classes_follow_their_own(figures, opened, settle, asked):
    opened.panes.shown[1].set_overlay(target=0)
    settle()
    figures.refresh()
    figures.compute()
    settle()
    assert asked == [({"evidence"}, 2), ({"cam"}, 0)]


def test_what_is_known_is_not_computed_again(figures, opened, settle, asked):
    figures.compute()
    settle()
    opened.step(1)
    settle()
    figures.refresh()
    assert values(figures, "deletion") == [None, None]
    opened.step(-1)
    settle()
    figures.refresh()
    assert values(figures, "deletion") == [0.5, 0.5]
    assert len(asked) == 1


def test_going_on_to_another_case_stops_what_nobody_sees(figures, opened, lanes, settle, asked):
    figures.compute()
    opened.step(1)
    while opened.film.image.source != Path("two"):
        lanes.case.run_all()
    figures.refresh()
    assert not figures.is_computing
    settle()
    assert asked == []


def test_cancelled_curves_stay_cancelled_until_they_are_asked_for(figures, settle, asked):
    figures.set_automatic(on=True)
    assert figures.is_computing
    figures.cancel()
    settle()
    figures.refresh()
    assert (figures.is_computing, asked, values(figures, "deletion")) == (False, [], [None, None])
    figures.compute()
    settle()
    figures.refresh()
    assert values(figures, "deletion") == [0.5, 0.5]


def test_progress_never_falls_over_several_runs(figures, opened, settle, asked):
    opened.panes.shown[1].set_overlay(target=0)
    settle()
    figures.refresh()
    seen: list[float] = []
    figures.progressed.connect(lambda: seen.append(figures.progress) if figures.is_computing else None)
    figures.compute()
    settle()
    assert seen == sorted(seen)
    assert seen[-1] > 0.5


def test_a_run_that_fails_is_told_and_can_be_tried_again(figures, opened, settle, monkeypatch, asked):
    works = figures_backend.removal

    def fail(*args):
        raise SettingsError("one", "does not fit the memory", "Run on the CPU.")

    monkeypatch.setattr(figures_backend, "removal", fail)
    messages: list[str] = []
    opened.failed.connect(messages.append)
    figures.set_automatic(on=True)
    settle()
    figures.refresh()
    assert messages == ["one: does not fit the memory. Run on the CPU."]
    assert cells(figures, "deletion")[0].why == messages[0]
    assert not figures.is_computing  # and does not try for ever
    monkeypatch.setattr(figures_backend, "removal", works)
    figures.compute()
    settle()
    figures.refresh()
    assert values(figures, "deletion") == [0.5, 0.5]


def test_panes_of_other_cases_are_not_compared(figures, opened, settle):
    opened.panes.toggle_pinned(opened.panes.shown[1])
    opened.step(1)
    settle()
    figures.refresh()
    assert "another case" in cells(figures, AGREEMENT)[1].why


def test_a_pane_without_a_map_says_why(figures, opened, settle):
    opened.panes.shown[1].set_method("lrp")
    settle()
    figures.refresh()
    assert all("LRP cannot explain it" in cell.why for cell in figures.rows[1].cells.values())
    assert figures.rows[0].cells["gini"].value is not None


def test_the_table_as_text_has_tabs_and_the_notice(figures):
    lines = figures.text().splitlines()
    assert {line.count("\t") for line in lines[:3]} == {len(COLUMNS) + 3}
    assert lines[3:] == [NOTICE]
    assert lines[1].split("\t")[:4] == ["1", "SoftCAM evidence", "c", "–"]


def test_the_file_has_all_digits_model_hash_and_notice_but_not_the_case(figures, settle, tmp_path):
    figures.compute()
    settle()
    figures.refresh()
    figures.save_csv(tmp_path / "figures.csv")
    settle()
    text = (tmp_path / "figures.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(FILE_COLUMNS)
    assert [(row["pane"], row["method"], row["class"], row["model"], row["notice"]) for row in rows] == [
        ("1", "evidence", "c", "a b c", NOTICE),
        ("2", "cam", "c", "a b c", NOTICE),
    ]
    assert (rows[0]["deletion_curve"], rows[0]["relevance_mass"]) == ("0.75 0.25", "")
    assert "one" not in text.replace("none", "").replace("cell", "")


def test_a_file_that_cannot_be_written_is_told(figures, opened, settle, tmp_path):
    messages: list[str] = []
    opened.failed.connect(messages.append)
    figures.save_csv(tmp_path / "nowhere" / "figures.csv")
    settle()
    assert "cannot be written" in messages[0]


@pytest.mark.parametrize(
    ("name", "value", "narrow", "wide"),
    [
        ("deletion", 0.1256, "0.13", "0.126"),
        (AGREEMENT, -0.0561, "−0.06", "−0.056"),
        (AGREEMENT, -0.0001, "0.00", "0.000"),
        ("pointing_game", 1.0, "hit", "hit"),
        ("pointing_game", 0.25, "0.25", "0.250"),
        ("near_zero", 1.0, "100 %", "100.0 %"),
        ("seconds", 0.0149, "0.01", "0.015"),
        ("seconds", 43.21, "43.2", "43.21"),
        ("seconds", 312.4, "312", "312"),
    ],
)
def test_numbers_are_short_and_have_a_real_minus(name, value, narrow, wide):
    column = BY_NAME[name]
    assert (column.text(value), column.text(value, wide=True)) == (narrow, wide)


def test_each_figure_says_what_it_is_which_end_is_better_and_where_it_comes_from():
    for column in COLUMNS:
        assert column.definition in column.tip
        assert column.metric.reference in column.tip
        assert ("is better" in column.tip) == (column.metric.better != "neither")
