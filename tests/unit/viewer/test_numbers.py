import pytest

from softcam_viewer.ui.canvas.color_bar import decimals_for, signed_number
from softcam_viewer.ui.panels.prediction import percent


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.5, "50.0 %"), (0.9994, "99.9 %"), (0.9996, "> 99.9 %"), (1.0, "> 99.9 %"), (0.0004, "< 0.1 %"), (0, "< 0.1 %")],
)
def test_nothing_is_certain(probability, text):
    assert percent(probability) == text


@pytest.mark.parametrize(
    ("value", "digits", "decimals"), [(0, 2, 0), (12.4, 2, 0), (1.24, 2, 1), (0.031, 2, 3), (250, 3, 0), (2.5, 3, 2)]
)
def test_decimals_follow_the_size_of_the_number(value, digits, decimals):
    assert decimals_for(value, digits) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(1.25, 1, "+1.2"), (-1.25, 2, "−1.25"), (0.001, 2, "0"), (-0.001, 2, "0"), (3, 0, "+3")],
)
def test_signed_numbers_have_a_sign_unless_they_round_to_nothing(value, decimals, text):
    assert signed_number(value, decimals) == text
