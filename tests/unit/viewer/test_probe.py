"""What is told of a place on the image."""

import pytest

from softcam_viewer.model.probe import cell_boxes, value_at


@pytest.fixture
def pane(opened):
    return opened.panes.active


def test_a_value_is_that_of_the_map_with_its_sign_and_unit(pane):
    explanation, overlay = pane.explanation, pane.overlay_map
    told = value_at(explanation, overlay, 3.5, 4.5)
    number, unit = told.split(" ", 1)
    assert unit == overlay.unit
    assert float(number) == pytest.approx(explanation.geometry.at(overlay.grid, 3, 4), rel=5e-3)
    assert number[0] in "+−"


def test_a_map_without_a_unit_is_told_in_percent_of_its_largest(opened, settle):
    pane = opened.panes.active
    pane.set_method("cam")
    settle()
    overlay = pane.overlay_map
    share = pane.explanation.geometry.at(overlay.grid, 9, 11) / overlay.limit
    assert value_at(pane.explanation, overlay, 9.5, 11.5) == f"{100 * share:.0f} % of max"


def test_nothing_is_told_without_a_map_or_outside_of_it(pane):
    assert value_at(None, None, 1, 1) == ""
    assert value_at(pane.explanation, pane.overlay_map, -1, 1) == "not analysed"
    assert cell_boxes(pane.explanation, 11, 1, None) is None


def test_the_cell_is_that_under_the_place_and_what_it_sees_is_held_within_the_image(pane):
    cell, seen = cell_boxes(pane.explanation, 2, 9, pane.model.field)
    assert cell == (0, 6, 5, 12)
    assert seen == (0, 0, 10, 12)  # the field is larger than the image
    assert cell_boxes(pane.explanation, 2, 9, None)[1] is None
