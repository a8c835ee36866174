"""Rulers and angles."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_viewer.model.measure import Measure, angle, length, reading

places = st.tuples(st.floats(-500, 500), st.floats(-500, 500))
spacings = st.tuples(st.floats(0.05, 5), st.floats(0.05, 5))


def test_a_length_is_in_millimetres_with_a_spacing_of_rows_and_columns():
    assert length((0, 0), (3, 4)) == 5
    assert length((0, 0), (3, 4), (2.0, 0.5)) == pytest.approx(math.hypot(6, 2))


@given(places, places, spacings)
def test_a_length_is_the_same_from_either_end(a, b, spacing):
    assert length(a, b, spacing) == length(b, a, spacing)


@pytest.mark.parametrize("degrees", [0, 0.001, 30, 45, 90, 135, 179.999, 180])
def test_an_angle_is_that_between_its_arms(degrees):
    turned = math.radians(degrees)
    assert angle((10, 15), (10, 10), (10 + 7 * math.sin(turned), 10 + 7 * math.cos(turned))) == pytest.approx(degrees)


@given(places, places, places, spacings)
def test_angles_with_a_spacing_are_those_of_places_in_millimetres(a, vertex, b, spacing):
    in_mm = [(row * spacing[0], column * spacing[1]) for row, column in (a, vertex, b)]
    assert angle(a, vertex, b, spacing) == pytest.approx(angle(*in_mm), abs=1e-4)
    assert 0 <= angle(a, vertex, b, spacing) <= 180


def test_an_arm_without_length_has_no_angle():
    assert angle((1, 1), (1, 1), (5, 5)) == 0


def test_a_reading_tells_its_unit_and_waits_for_the_last_point():
    ruler = Measure("ruler", ((0, 0), (30, 40)))
    assert reading(ruler) == "50.0 px"
    assert reading(ruler, (0.5, 0.5)) == "25.0 mm"
    assert reading(Measure("angle", ((0, 0), (0, 5)))) == ""
    assert reading(Measure("angle", ((0, 9), (0, 0), (9, 0)))) == "90.0°"
    assert reading(ruler.moved(1, (0, 10))) == "10.0 px"
