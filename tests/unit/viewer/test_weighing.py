"""Weighing: the ledger of the active pane, and the prediction without some of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.imaging.geometry import Geometry
from softcam_viewer.model.answers import Answer
from softcam_viewer.model.ledger_lines import MOST_REGIONS, Line, ledger_lines, rounded, share_text

CHECKERBOARD = np.kron(np.indices((3, 4)).sum(0) % 2 * 2 - 1, np.ones((3, 3))).astype(np.float32)


@pytest.fixture
def show(opened):
    """Let the active pane show evidence that is made up; returns the session's weighing."""

    def run(grid: np.ndarray, offset=(0.0, 0.0, 0.0), task="multi_label", crop=None, **overlay):
        pane = opened.panes.active
        image = opened.film.image
        grid = np.stack([grid, -grid / 2, np.zeros_like(grid)]) + np.array(offset, np.float32)[:, None, None]
        logits = grid.mean((1, 2), dtype=float).astype(np.float32)
        card = pane.explanation.card.model_copy(update={"task": task})
        explanation = replace(
            pane.explanation, grid=grid.astype(np.float32), logits=logits, card=card,
            offset=np.array(offset, np.float32), probabilities=1 / (1 + np.exp(-logits)),
            geometry=Geometry.plan(image.size, None, crop),
        )  # fmt: skip
        pane.set_overlay(**{"target": 0, "against": None, **overlay})
        pane.asker.answered(Answer(explanation))
        return opened.weighing

    return run


@pytest.mark.parametrize("against", [None, 1, "rest"])
def test_lines_add_up_to_the_target_at_every_threshold_and_sign(show, opened, against):
    @settings(max_examples=25)
    @given(
        arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-9, 9, width=32)),
        st.floats(0, 1),
        st.sampled_from(["both", "positive", "negative"]),
        st.sampled_from([0.0, -3.0]),
    )
    def add_up(grid, threshold, sign, offset):
        weighing = show(grid, (offset, 0.5, 0.0), threshold=threshold, sign=sign, against=against, crop=(8, 8))
        lines = ledger_lines(weighing)
        column = sum(line.contribution for line in lines if line.kind in ("region", "rest"))
        explanation = opened.panes.active.explanation
        expected = explanation.map_of(0, against).mean(dtype=float)
        assert column == pytest.approx(expected, abs=1e-5)
        assert next(line for line in lines if line.kind == "sum").contribution == pytest.approx(expected, abs=1e-5)

    add_up()


def test_a_region_that_is_left_out_takes_its_share_from_every_class(show):
    weighing = show(CHECKERBOARD, (1.0, 0.0, -1.0))
    region = weighing.ledger.regions[0]
    assert weighing.outcome is None
    weighing.set_counted(region.number, counted=False)
    before = weighing.pane.explanation.logits
    expected = before - np.array([1, -0.5, 0]) * region.contribution
    assert weighing.outcome.logits == pytest.approx(expected, abs=1e-6)
    assert weighing.outcome.probabilities == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-7)
    assert weighing.names_left_out == (region.name,)
    weighing.set_counted(region.number, counted=True)
    assert weighing.outcome is None


def test_a_region_stays_left_out_while_the_threshold_moves(show):
    grid = np.zeros((6, 6), np.float32)
    grid[1, 1], grid[4, 4] = 4, 2
    weighing = show(grid, threshold=0.3)
    assert [region.name for region in weighing.ledger.regions] == ["R1", "R2"]
    weighing.set_counted(2, counted=False)
    weighing.pane.set_overlay(threshold=0.2)
    assert weighing.names_left_out == ("R2",)
    weighing.pane.set_overlay(threshold=0.8)  # the region is gone
    assert weighing.names_left_out == ()
    assert weighing.outcome is None
    weighing.pane.set_overlay(threshold=0.3)
    assert weighing.names_left_out == ("R2",)


def test_each_class_has_its_own_regions_left_out_and_another_case_none(show, opened, settle):
    weighing = show(CHECKERBOARD)
    weighing.set_counted(1, counted=False)
    weighing.add_shape([(0, 0), (0, 4), (4, 4)])
    weighing.pane.set_overlay(target=1)
    assert weighing.names_left_out == ("L1",)  # a place is one in every class
    weighing.pane.set_overlay(target=0)
    assert weighing.names_left_out == ("R1", "L1")
    opened.step(1)
    settle()
    assert weighing.names_left_out == ()
    opened.step(-1)
    settle()
    assert weighing.names_left_out == ()


def test_each_pane_has_its_own_regions_left_out(show, opened, settle):
    weighing = show(CHECKERBOARD)
    opened.panes.set_layout("1x2")
    settle()
    second = opened.panes.shown[1]
    second.set_method("evidence")
    second.set_overlay(target=1, against=None)
    settle()
    weighing.set_counted(1, counted=False)
    outcome = weighing.outcome
    opened.panes.activate(1)
    assert weighing.pane is second
    assert weighing.outcome is None
    opened.panes.activate(0)
    assert weighing.names_left_out == ("R1",)
    assert np.array_equal(weighing.outcome.logits, outcome.logits)


def test_a_shape_is_not_shown_on_the_next_image_while_that_waits_for_its_map(show, opened, lanes):
    weighing = show(CHECKERBOARD)
    weighing.set_counted(1, counted=False)
    weighing.add_shape([(0, 0), (0, 4), (4, 4)])
    told = []
    weighing.changed.connect(lambda: told.append(weighing.shapes))
    opened.select(1)
    lanes.case.run_all()
    assert opened.film.image.source.name == "two"
    assert opened.panes.active.explanation is None
    assert weighing.shapes == weighing.seeds == ()
    assert told
    assert told[-1] == ()


def test_another_models_map_has_other_regions_also_when_it_was_waited_for(show, opened, settle):
    weighing = show(CHECKERBOARD)
    weighing.set_counted(1, counted=False)
    opened.open_model(Path("a-b-c-d"))
    settle()
    assert opened.panes.active.model.path.name == "a-b-c-d"
    assert weighing.ledger.regions
    assert weighing.names_left_out == ()


def test_what_is_put_back_waits_for_its_map_and_is_dropped_by_another(show, opened, settle):
    weighing = show(CHECKERBOARD, threshold=0.5)
    weighing.set_counted(2, counted=False)
    seeds, mask, explanation = weighing.seeds, weighing.mask, weighing.pane.explanation
    for target, expected in ((0, seeds), (1, ())):
        weighing.pane.clear()
        weighing.pane.set_overlay(target=0)
        weighing.put_back(seeds, ())
        assert weighing.seeds == seeds
        assert weighing.names_left_out == ()
        weighing.pane.set_overlay(target=target)
        weighing.pane.asker.answered(Answer(explanation))
        assert weighing.seeds == expected
        if expected:
            assert np.array_equal(weighing.mask, mask)


def test_a_shape_around_everything_leaves_what_the_model_says_of_nothing(show, opened):
    weighing = show(CHECKERBOARD, (1.0, 0.0, -1.0), task="single_label")
    height, width = opened.film.image.size
    weighing.add_shape([(-1, -1), (-1, width + 1), (height + 1, width + 1), (height + 1, -1)])
    assert weighing.outcome.logits == pytest.approx([1, 0, -1], abs=1e-6)
    softmax = np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum()
    assert weighing.outcome.probabilities == pytest.approx(softmax, abs=1e-7)
    assert weighing.contribution_of(weighing.mask_of(weighing.shapes[0])) == pytest.approx(
        CHECKERBOARD.mean(), abs=1e-6
    )


@pytest.mark.parametrize("against", [None, 1, "rest"])
def test_the_last_line_is_the_sum_without_what_is_left_out(show, against):
    weighing = show(CHECKERBOARD, (1.0, 0.5, -1.0), against=against, task="single_label")
    assert all(line.kind != "outcome" for line in ledger_lines(weighing))
    weighing.set_counted(1, counted=False)
    weighing.add_shape([(0, 0), (0, 7), (8, 7)])
    line = ledger_lines(weighing)[-1]
    assert (line.kind, line.title) == ("outcome", f"Without {weighing.names_left_out[0]}, L1")
    logits = weighing.outcome.logits
    other = {None: 0.0, 1: logits[1], "rest": logits[1:].mean()}[against]
    assert line.contribution == pytest.approx(logits[0] - other, abs=1e-6)


def test_shapes_are_named_in_turn_and_overlaps_count_once(show):
    weighing = show(CHECKERBOARD)
    whole = [(0, 0), (0, 12), (10, 12), (10, 0)]
    weighing.add_shape(whole)
    once = weighing.outcome.logits
    weighing.add_shape(whole)
    weighing.set_counted(1, counted=False)
    assert weighing.outcome.logits == pytest.approx(once, abs=1e-9)
    weighing.remove_shape("L1")
    weighing.add_shape(whole)
    assert [shape.name for shape in weighing.shapes] == ["L2", "L1"]
    weighing.count_all()
    assert weighing.outcome is None
    assert weighing.shapes == ()


def test_methods_that_do_not_add_up_have_no_ledger(opened, settle):
    opened.panes.active.set_method("cam")
    settle()
    assert opened.weighing.ledger is None
    assert ledger_lines(opened.weighing) == []


def test_many_regions_are_told_by_the_largest_and_whatever_is_left_out(show):
    grid = np.zeros((31, 31), np.float32)
    grid[1::2, 1::2] = 1 + np.arange(225).reshape(15, 15)
    weighing = show(grid, threshold=0.01)
    count = len(weighing.ledger.regions)
    assert count > 2 * MOST_REGIONS
    last = weighing.ledger.regions[-1]
    lines = ledger_lines(weighing)
    assert sum(line.kind == "region" for line in lines) == MOST_REGIONS
    assert f"{count - MOST_REGIONS} smaller regions" in [line.title for line in lines]
    assert last.name not in [line.title for line in lines]
    weighing.set_counted(last.number, counted=False)
    shown = {line.title: line for line in ledger_lines(weighing)}
    assert not shown[last.name].is_counted


def test_regions_are_told_with_their_peak_and_all_parts_with_their_share_of_the_sum(show):
    grid = np.zeros((4, 4), np.float32)
    grid[0, 0], grid[3, 3] = 12, -4
    weighing = show(grid, (0.25, 0.0, 0.0), threshold=0.3)
    lines = {line.title: line for line in ledger_lines(weighing)}
    assert lines["R1"].peak.startswith("+")
    assert lines["N1"].peak.startswith("−")
    assert lines["Sum"].share == lines["Sum"].peak == ""
    for line in lines.values():
        if line.kind != "sum":
            share = float(line.share.removesuffix(" %").replace("−", "-"))
            assert share == pytest.approx(100 * line.contribution / lines["Sum"].contribution, abs=0.5)


@pytest.mark.parametrize(
    ("part", "total", "text"),
    [
        (1, 2, "50 %"),
        (-1, 30, "−3.3 %"),
        (0.999, 10, "10 %"),
        (-1, 1e4, "0 %"),
        (5, 0, ""),
        (0, 0, ""),
        (20, 1, ""),
        (np.nan, 1, ""),
    ],
)
def test_shares_say_nothing_of_sums_next_to_zero(part, total, text):
    assert share_text(part, total) == text


def test_areas_are_in_square_millimetres_where_the_image_knows_its_size(show, opened):
    weighing = show(CHECKERBOARD)
    assert ledger_lines(weighing)[0].area.endswith(" %")
    opened.film.opened = replace(opened.film.opened, image=replace(opened.film.image, spacing=(2.0, 3.0)))
    height, width = opened.film.image.size
    total = sum(region.pixels for region in weighing.ledger.regions) + weighing.ledger.below_pixels
    assert weighing.area_mm2(total) == pytest.approx(height * 2.0 * width * 3.0)
    assert ledger_lines(weighing)[0].area.endswith(" mm²")


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.integers(0, 3))
def test_shown_numbers_add_up_to_the_shown_sum_and_are_off_by_less_than_one_unit(values, decimals):
    lines = [Line("region", f"R{n}", value) for n, value in enumerate(values)] + [Line("sum", "Sum", sum(values))]
    shown = rounded(lines, decimals)
    unit = 10.0**-decimals
    assert sum(shown[:-1]) == pytest.approx(shown[-1], abs=unit / 1000)
    assert shown[-1] == pytest.approx(round(sum(values), decimals), abs=unit / 1000)
    for line, number in zip(lines, shown, strict=True):
        assert abs(line.contribution - number) < unit * 1.001
