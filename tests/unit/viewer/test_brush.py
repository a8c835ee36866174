"""What brush and eraser paint, against distances measured pixel by pixel."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_viewer.model.brush import Patch, Stroke

SIZE = (24, 31)
places = st.tuples(st.floats(0, SIZE[0]), st.floats(0, SIZE[1]))


def on_image(patch: Patch) -> np.ndarray:
    whole = np.zeros(SIZE, bool)
    height, width = patch.mask.shape
    whole[patch.top : patch.top + height, patch.left : patch.left + width] = patch.mask
    return whole


def distances(way: list[tuple[float, float]]) -> np.ndarray:
    """Of each pixel's centre to a line of several parts, one pixel at a time."""
    out = np.full(SIZE, np.inf)
    for row, column in np.ndindex(SIZE):
        centre = np.array([row + 0.5, column + 0.5])
        for begin, end in pairwise(np.array(way)):
            along = end - begin
            square = along @ along
            share = min(max((centre - begin) @ along / square, 0), 1) if square else 0
            out[row, column] = min(out[row, column], np.linalg.norm(centre - begin - share * along))
    return out


@given(st.lists(places, min_size=1, max_size=4), st.floats(0.6, 9))
def test_a_stroke_is_what_lies_within_its_radius(way, radius):
    stroke = Stroke(SIZE, radius, way[0])
    for place in way[1:]:
        stroke.paint_to(place)
    painted, far = on_image(stroke.patch), distances([way[0], *way])
    assert painted[far < radius - 1e-9].all()
    under = np.zeros(SIZE, bool)
    for row, column in way:
        under[min(int(row), SIZE[0] - 1), min(int(column), SIZE[1] - 1)] = True
    assert not painted[(far > radius + 1e-9) & ~under].any()


def test_the_thinnest_brush_paints_the_pixel_under_it():
    patch = Stroke(SIZE, 0.01, (3.1, 4.9)).patch
    assert (patch.top, patch.left, patch.mask.tolist()) == (3, 4, [[True]])
    assert patch.bitmap == Bitmap(top=3, left=4, bottom=4, right=5, size=(1, 1), counts=(0, 1))


@pytest.mark.parametrize(
    "shape",
    [
        Rectangle(top=2.2, left=3.6, height=9, width=30),
        Ellipse(row=10.3, column=12.1, down=7.7, across=15.2),
        Polygon(points=((1, 2), (20, 4.5), (3, 25), (22, 28.3), (12, -6))),  # crosses itself, and leaves the image
    ],
)
def test_pixels_of_a_shape_are_those_that_it_mostly_covers(shape):
    coverage, pixels = shape.coverage(SIZE), on_image(Patch.of(shape, SIZE))
    assert pixels[coverage == 1].all()
    assert not pixels[coverage == 0].any()
    assert pixels.sum() == pytest.approx(coverage.sum(), rel=0.06)


def test_pixels_of_a_bitmap_are_its_cells_at_their_centres():
    mask = np.random.default_rng(0).random((5, 4)) > 0.5
    own = Bitmap.of(mask, (3, 2, 8, 6))
    assert np.array_equal(on_image(Patch.of(own, SIZE))[3:8, 2:6], mask)
    coarse = Bitmap.of(np.array([[True, False], [False, True]]), (-4.0, 0.0, 12.0, 8.0))
    pixels = on_image(Patch.of(coarse, SIZE))
    assert pixels[:4, :4].all()
    assert pixels[4:12, 4:8].all()
    assert pixels.sum() == 16 + 32


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(0, 9)] * 4))
def test_patches_join_and_are_taken_away_as_sets_of_pixels(seed, corners):
    generator = np.random.default_rng(seed)
    first = Patch(generator.random((9, 7)) > 0.6, corners[0], corners[1])
    second = Patch(generator.random((6, 11)) > 0.6, corners[2], corners[3])
    a, b = on_image(first), on_image(second)
    assert np.array_equal(on_image(first.joined(second)), a | b)
    assert np.array_equal(on_image(first.without(second)), a & ~b)
    assert first.meets(second) == (a & b).any()


@pytest.mark.parametrize(("row", "touches"), [(0, True), (3, True), (4, True), (5, False)])
def test_patches_touch_that_lie_side_by_side_or_corner_to_corner(row, touches):
    square = Patch(np.ones((4, 4), bool), 0, 0)
    other = Patch(np.ones((2, 2), bool), row, 4)
    assert square.touches(other) == other.touches(square) == touches


def test_nothing_is_left_of_what_is_wiped_out():
    patch = Patch.of(Rectangle(top=2, left=2, height=3, width=3), SIZE)
    assert patch.without(patch).bitmap is None
