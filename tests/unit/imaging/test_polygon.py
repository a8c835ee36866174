import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from softcam_core.imaging.polygon import polygon_mask

points = st.lists(st.tuples(st.floats(-8, 28), st.floats(-8, 28)), min_size=3, max_size=9)


def slow_coverage(corners: list[tuple[float, float]], size: tuple[int, int]) -> np.ndarray:
    """Part of 8 x 64 samples of each pixel from which a ray to the left meets the outline an odd number of times."""
    rows, columns = ((np.arange(n * k) + 0.5) / k for n, k in zip(size, (8, 64), strict=True))
    inside = np.zeros((len(rows), len(columns)), dtype=bool)
    for (r0, c0), (r1, c1) in zip(corners, corners[1:] + corners[:1], strict=True):
        for i in np.flatnonzero((r0 <= rows) != (r1 <= rows)):
            inside[i] ^= c0 + (rows[i] - r0) / (r1 - r0) * (c1 - c0) < columns
    return inside.reshape(size[0], 8, size[1], 64).mean((1, 3))


@given(corners=points)
@example(corners=[(2, 2), (2, 15), (15, 2), (15, 15)])  # a bow tie
@example(corners=[(1, 1), (1, 9), (9, 9), (9, 1), (1, 1), (1, 9), (9, 9), (9, 1)])  # twice around: outside
def test_coverage_is_that_of_points_sampled_within_the_pixel(corners) -> None:
    mask = polygon_mask(corners, (20, 17))
    assert mask.shape == (20, 17)
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    # Of each crossing of a line, half a sample and half a step of the mask's own.
    np.testing.assert_allclose(mask, slow_coverage(corners, (20, 17)), atol=len(corners) * (1 / 128 + 1 / 512))


@given(corners=st.lists(st.tuples(st.integers(1, 19), st.integers(1, 19)), min_size=3, max_size=3))
def test_areas_of_triangles_are_kept(corners) -> None:
    (r0, c0), (r1, c1), (r2, c2) = corners
    area = abs((r1 - r0) * (c2 - c0) - (r2 - r0) * (c1 - c0)) / 2
    mask = polygon_mask(corners, (20, 20))
    assert mask.sum(dtype=np.float64) == pytest.approx(area, abs=0.1)
    np.testing.assert_array_equal(polygon_mask(corners[::-1], (20, 20)), mask)


def test_a_box_covers_its_pixels_in_proportion() -> None:
    mask = polygon_mask([(1, 1.5), (1, 4.25), (3.5, 4.25), (3.5, 1.5)], (5, 6))
    expected = np.outer([0, 1, 1, 0.5, 0], [0, 0.5, 1, 1, 0.25, 0])
    np.testing.assert_array_equal(mask, expected)


def test_what_lies_outside_of_the_image_is_cut_off() -> None:
    everything = [(-1e9, -50), (-1e9, 1e12), (300, 1e12), (300, -50)]
    np.testing.assert_array_equal(polygon_mask(everything, (7, 9)), np.ones((7, 9)))
    assert not polygon_mask([(-9, -9), (-9, -2), (20, -2)], (7, 9)).any()
    assert not polygon_mask([(2, 10), (3, 40), (5, 12)], (7, 9)).any()
    right_half = polygon_mask([(-3, 4), (-3, 99), (99, 99), (99, 4)], (7, 9))
    np.testing.assert_array_equal(right_half, np.tile(np.arange(9) >= 4, (7, 1)))


def test_a_ring_drawn_in_one_stroke_has_a_hole() -> None:
    ring = [(1, 1), (1, 9), (9, 9), (9, 1), (1, 1), (3, 3), (3, 7), (7, 7), (7, 3), (3, 3)]
    mask = polygon_mask(ring, (10, 10))
    assert mask.sum() == 64 - 16
    assert not mask[3:7, 3:7].any()


@pytest.mark.parametrize("corners", [[], [(1, 1)], [(1, 1), (5, 5)], [(2, 2)] * 5, np.zeros((0, 2))])
def test_what_encloses_nothing_covers_nothing(corners) -> None:
    assert not polygon_mask(corners, (6, 6)).any()


@pytest.mark.parametrize("corners", [[(1, 1), (1, np.nan), (3, 3)], [(1, 1), (np.inf, 2), (3, 3)], [(1, 2, 3)] * 3])
def test_corners_that_are_no_places_are_refused(corners) -> None:
    with pytest.raises(ValueError, match="pairs of finite numbers"):
        polygon_mask(corners, (6, 6))
