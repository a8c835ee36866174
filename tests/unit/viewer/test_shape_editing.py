"""Shapes between two corners, by their handles, and elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_viewer.model.shape_editing import (
    box_between,
    handles_of,
    is_painted,
    move_within,
    thickness,
    with_corner,
    with_handle,
    without_corner,
)

SIZE = (80, 120)
BOX = Rectangle(top=10, left=20, height=30, width=40)
ROUND = Ellipse(row=25, column=40, down=15, across=20)
TRIANGLE = Polygon(points=((10, 10), (10, 50), (40, 30)))
PAINTED = Bitmap.of(np.ones((3, 2), bool), (4, 5, 7, 7))
places = st.tuples(st.floats(0, SIZE[0]), st.floats(0, SIZE[1]))


def test_a_drag_draws_a_box_in_whichever_direction():
    for begin, end in (((10, 20), (40, 60)), ((40, 60), (10, 20)), ((10, 60), (40, 20))):
        assert box_between("rectangle", begin, end, SIZE) == BOX
        assert box_between("ellipse", begin, end, SIZE) == ROUND


@given(places, places, st.booleans())
def test_even_boxes_are_square_within_the_image_and_begin_where_the_drag_did(begin, end, is_box):
    shape = box_between("rectangle" if is_box else "ellipse", begin, end, SIZE, even=True)
    if shape is None:
        assert (
            any(abs(begin[0] - edge) < 1e-6 for edge in (end[0], 0, SIZE[0]))
            or any(abs(begin[1] - edge) < 1e-6 for edge in (end[1], 0, SIZE[1]))
            or np.hypot(begin[0] - end[0], begin[1] - end[1]) < 1e-6
        )
        return
    top, left, bottom, right = shape.bounds
    assert bottom - top == pytest.approx(right - left)
    assert min(top, left) >= -1e-9
    assert bottom <= SIZE[0] + 1e-9
    assert right <= SIZE[1] + 1e-9
    assert min(abs(begin[0] - top), abs(begin[0] - bottom)) < 1e-9
    assert min(abs(begin[1] - left), abs(begin[1] - right)) < 1e-9


def test_a_drag_along_a_line_draws_nothing():
    assert box_between("rectangle", (5, 5), (5, 30), SIZE) is None
    assert box_between("ellipse", (5, 5), (30, 5), SIZE) is None


@pytest.mark.parametrize("shape", [BOX, ROUND, TRIANGLE])
def test_every_handle_can_be_put_where_it_is_and_elsewhere(shape):
    handles = handles_of(shape)
    for index, at in enumerate(handles):
        assert with_handle(shape, index, at) == shape
        moved = with_handle(shape, index, (at[0] + 2, at[1] + 3))
        assert moved is not None
        assert moved != shape


def test_what_is_opposite_stays_also_where_a_handle_is_dragged_across_it():
    assert with_handle(BOX, 0, (70, 90)) == Rectangle(top=40, left=60, height=30, width=30)
    assert with_handle(ROUND, 2, (0, 0)) == Ellipse(row=5, column=40, down=5, across=20)
    assert with_handle(ROUND, 1, (0, 100)) == Ellipse(row=25, column=60, down=15, across=40)
    assert with_handle(BOX, 0, (40, 3)) is None
    assert (handles_of(PAINTED), with_handle(PAINTED, 0, (1, 1))) == ((), None)


def test_corners_are_added_on_their_side_and_removed_down_to_three():
    four = with_corner(TRIANGLE, 2, (20, 5))
    assert four.points == (*TRIANGLE.points, (20, 5))
    assert without_corner(four, 3) == TRIANGLE
    assert with_corner(TRIANGLE, 0, (5, 30)).points[1] == (5, 30)
    assert without_corner(TRIANGLE, 0) is None


@given(st.sampled_from([BOX, ROUND, TRIANGLE, PAINTED]), st.floats(-500, 500), st.floats(-500, 500))
def test_what_is_moved_still_touches_the_image(shape, down, across):
    moves = move_within(shape, down, across, SIZE)
    top, left, bottom, right = shape.moved(*moves).bounds
    assert bottom >= 1 - 1e-9
    assert right >= 1 - 1e-9
    assert top <= SIZE[0] - 1 + 1e-9
    assert left <= SIZE[1] - 1 + 1e-9
    if shape is PAINTED:
        assert is_painted(shape.moved(*moves))


def test_moves_are_as_far_as_wanted_where_there_is_room():
    assert move_within(BOX, 3.25, -4.5, SIZE) == (3.25, -4.5)
    assert move_within(PAINTED, 3.25, -1.6, SIZE) == (3, -2)


def test_painted_is_what_lies_on_the_images_own_pixels():
    assert is_painted(PAINTED)
    assert not is_painted(PAINTED.moved(0.5, 0))
    assert not is_painted(PAINTED.scaled(2, 2))
    assert not is_painted(BOX)


def test_thickness_is_the_extent_across_the_longest_direction():
    assert thickness([(0, 0), (10, 10), (20, 20)]) == pytest.approx(0, abs=1e-6)
    assert thickness([(0, 0), (0, 9), (2, 9), (2, 0)]) == pytest.approx(2)
    angle = 0.7
    turned = np.array([(0, 0), (0, 9), (2, 9), (2, 0)]) @ [
        [np.cos(angle), np.sin(angle)],
        [-np.sin(angle), np.cos(angle)],
    ]
    assert thickness([tuple(point) for point in turned]) == pytest.approx(2)
