from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from softcam_core.annotations.shapes import FARTHEST, SHAPES, Bitmap, Ellipse, Polygon, Rectangle, area_of

SIZE = (13, 17)
FINE = 32  # samples along a pixel's side

places = st.floats(-6, 24).map(lambda value: round(value, 3))
lengths = st.floats(0.01, 20)
corners = st.tuples(places, places)
sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))
masks = arrays(np.bool_, sizes).filter(np.any)
boxes = st.tuples(places, places, lengths, lengths).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))

rectangles = st.builds(Rectangle, top=places, left=places, height=lengths, width=lengths)
ellipses = st.builds(Ellipse, row=places, column=places, down=lengths, across=lengths)
polygons = st.builds(Polygon, points=st.lists(corners, min_size=3, max_size=8).map(tuple), is_freehand=st.booleans())
bitmaps = st.builds(Bitmap.of, masks, boxes)
shapes = rectangles | ellipses | polygons | bitmaps


def samples() -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(*((np.arange(n * FINE) + 0.5) / FINE for n in SIZE), indexing="ij")


def slow_coverage(shape) -> np.ndarray:
    """Part of FINE x FINE samples of each pixel that the definition of the shape holds for."""
    rows, columns = samples()
    if isinstance(shape, Ellipse):
        inside = ((rows - shape.row) / shape.down) ** 2 + ((columns - shape.column) / shape.across) ** 2 < 1
    else:
        inside = np.zeros(rows.shape, dtype=bool)
        for (r0, c0), (r1, c1) in zip(shape.points, (*shape.points[1:], shape.points[0]), strict=True):
            crosses = (r0 <= rows) != (r1 <= rows)
            inside[crosses] ^= (c0 + (rows - r0) / ((r1 - r0) or 1) * (c1 - c0) < columns)[crosses]
    return inside.reshape(SIZE[0], FINE, SIZE[1], FINE).mean((1, 3))


def slow_cells(shape: Bitmap) -> np.ndarray:
    cells = [False] * (shape.size[0] * shape.size[1])
    at, value = 0, False
    for count in shape.counts:
        cells[at : at + count] = [value] * count
        at, value = at + count, not value
    return np.array(cells).reshape(shape.size)


@given(shape=ellipses | polygons)
def test_coverage_is_that_of_points_sampled_within_the_pixel(shape) -> None:
    found = shape.coverage(SIZE)
    assert found.shape == SIZE
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    expected = slow_coverage(shape)
    # Where a side lies along a line of samples, or of the eight that are filled, a pixel is off by one of them.
    sides = len(shape.points) if isinstance(shape, Polygon) else 2
    np.testing.assert_allclose(found, expected, atol=sides * (1 / FINE + 1 / 8))
    assert found.sum() == pytest.approx(expected.sum(), rel=0.03, abs=1.5)


@given(shape=rectangles | bitmaps)
@example(shape=Rectangle(top=-3, left=2.25, height=4.5, width=0.01))
@example(shape=Rectangle(top=-9, left=-9, height=99, width=99))
@example(shape=Bitmap(top=0.5, left=0.5, bottom=12.5, right=1.5, size=(3, 1), counts=(1, 1, 1)))
def test_boxes_and_cells_cover_their_part_of_each_pixel_exactly(shape) -> None:
    top, left, bottom, right = shape.bounds
    cells = slow_cells(shape) if isinstance(shape, Bitmap) else np.ones((1, 1), dtype=bool)
    down, across = (bottom - top) / cells.shape[0], (right - left) / cells.shape[1]
    expected = np.zeros(SIZE)
    for i, j in np.argwhere(cells):
        rows, columns = (
            [max(min(pixel + 1, start + length) - max(pixel, start), 0) for pixel in range(count)]
            for start, length, count in ((top + i * down, down, SIZE[0]), (left + j * across, across, SIZE[1]))
        )
        expected += np.outer(rows, columns)
    np.testing.assert_allclose(shape.coverage(SIZE), expected, atol=1e-5)


@given(shape=ellipses)
def test_an_ellipse_has_its_area(shape: Ellipse) -> None:
    # A line more or less of eight a pixel, where it is longest.
    assert area_of(shape.moved(30, 30), (80, 80)) == pytest.approx(
        np.pi * shape.down * shape.across, rel=0.03, abs=shape.across / 4 + 0.1
    )


@given(shape=shapes, down=st.integers(-9, 9), across=st.integers(-9, 9))
def test_a_moved_shape_covers_the_same_pixels_elsewhere(shape, down: int, across: int) -> None:
    wide = shape.moved(30, 30).coverage((80, 80))
    moved = shape.moved(down + 30, across + 30).coverage((80, 80))
    # Rounding of a position may turn one of eight lines at a corner.
    np.testing.assert_allclose(moved, np.roll(wide, (down, across), (0, 1)), atol=0.13)
    np.testing.assert_allclose(np.subtract(shape.moved(down, across).bounds, shape.bounds), [down, across] * 2)


@given(shape=shapes, down=st.floats(0.25, 4), across=st.floats(0.25, 4))
def test_a_scaled_shape_has_a_scaled_box_and_area(shape, down: float, across: float) -> None:
    scaled = shape.scaled(down, across)
    np.testing.assert_allclose(scaled.bounds, np.multiply(shape.bounds, [down, across] * 2), atol=1e-9)
    inside = Bitmap.of(np.ones((1, 1), bool), (0, 0, *SIZE)).scaled(down, across)
    assert inside.bounds == (0, 0, SIZE[0] * down, SIZE[1] * across)


@given(shape=shapes)
def test_the_box_and_the_outline_hold_what_is_covered(shape) -> None:
    top, left, bottom, right = shape.moved(30, 30).bounds
    covered = shape.moved(30, 30).coverage((80, 80))
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if len(rows):
        assert top - 0.01 <= rows[-1] + 1
        assert rows[0] + 1 >= top - 0.01
        assert rows[-1] <= bottom + 0.01
        assert columns[0] + 1 >= left - 0.01
        assert columns[-1] <= right + 0.01
    if not isinstance(shape, Bitmap):
        around = np.concatenate([np.array(line) for line in shape.outline])
        np.testing.assert_allclose([*around.min(0), *around.max(0)], shape.bounds, rtol=1e-9, atol=1e-9)


@given(shape=shapes)
def test_shapes_are_read_as_they_were_written(shape) -> None:
    assert SHAPES.validate_json(SHAPES.dump_json(shape)) == shape


@given(mask=masks, box=boxes)
def test_a_bitmap_is_its_mask_cut_to_where_there_is_any(mask: np.ndarray, box) -> None:
    shape = Bitmap.of(mask, box)
    assert shape is not None
    cells = shape.mask
    np.testing.assert_array_equal(cells, slow_cells(shape))
    assert cells.any(0)[[0, -1]].all()
    assert cells.any(1)[[0, -1]].all()
    first_row, first_column = (np.flatnonzero(mask.any(axis))[0] for axis in (1, 0))
    whole = np.zeros_like(mask)
    whole[first_row : first_row + cells.shape[0], first_column : first_column + cells.shape[1]] = cells
    np.testing.assert_array_equal(whole, mask)
    pixel = (box[2] - box[0]) / mask.shape[0], (box[3] - box[1]) / mask.shape[1]
    assert shape.top == pytest.approx(box[0] + first_row * pixel[0])
    assert shape.right == pytest.approx(box[1] + (first_column + cells.shape[1]) * pixel[1])


def test_a_mask_of_nothing_is_no_bitmap() -> None:
    assert Bitmap.of(np.zeros((4, 5), bool), (0, 0, 4, 5)) is None


def test_a_brush_covers_whole_pixels() -> None:
    mask = np.zeros(SIZE, bool)
    mask[3:6, 8] = mask[4, 2:9] = True
    shape = Bitmap.of(mask, (0, 0, *SIZE))
    assert shape is not None
    np.testing.assert_array_equal(shape.coverage(SIZE), mask)
    assert shape.counts[0] == 6  # runs begin with what is not in it


def slow_crossing(points: list[tuple[int, int]]) -> bool:
    """Whether two sides that are not neighbours share a point, in exact numbers."""
    sides = list(zip(points, points[1:] + points[:1], strict=True))
    for i, j in combinations(range(len(sides)), 2):
        if j - i == 1 or (i == 0 and j == len(sides) - 1):
            continue
        (a, b), (c, d) = sides[i], sides[j]
        turns = [
            np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))
            for p, q, r in ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
        ]
        if turns[0] != turns[1] and turns[2] != turns[3]:
            return True
        for turn, (p, q, r) in zip(turns, ((a, b, c), (a, b, d), (c, d, a), (c, d, b)), strict=True):
            within = all(min(p[k], q[k]) <= r[k] <= max(p[k], q[k]) for k in (0, 1))
            if turn == 0 and within:
                return True
    return False


@given(points=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=7))
@example(points=[(0, 0), (4, 4), (0, 4), (4, 0)])
@example(points=[(0, 0), (0, 4), (4, 4), (4, 0)])
@example(points=[(0, 0), (0, 2), (0, 4), (4, 4)])
@example(points=[(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)])
def test_an_outline_that_crosses_itself_is_known(points) -> None:
    assert Polygon(points=tuple(points)).crosses_itself == slow_crossing(points)


def test_places_that_an_outline_goes_around_twice_are_outside() -> None:
    ring = [(1, 1), (1, 9), (9, 9), (9, 1)]
    inner = [(3, 3), (3, 7), (7, 7), (7, 3)]
    twice = Polygon(points=(*ring, ring[0], *inner, inner[0]))
    assert twice.crosses_itself
    assert area_of(twice, (10, 10)) == 64 - 16


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "rectangle", "top": 0, "left": 0, "height": 0, "width": 3},
        {"kind": "rectangle", "top": 0, "left": 0, "height": -1, "width": 3},
        {"kind": "rectangle", "top": float("nan"), "left": 0, "height": 1, "width": 3},
        {"kind": "rectangle", "top": 2 * FARTHEST, "left": 0, "height": 1, "width": 3},
        {"kind": "rectangle", "top": 0, "left": 0, "height": 1, "width": 3, "angle": 20},
        {"kind": "ellipse", "row": 0, "column": 0, "down": 0, "across": 1},
        {"kind": "ellipse", "row": 0, "column": float("inf"), "down": 1, "across": 1},
        {"kind": "polygon", "points": [(0, 0), (1, 1)]},
        {"kind": "polygon", "points": [(0, 0), (1, 1), (2,)]},
        {"kind": "bitmap", "top": 0, "left": 0, "bottom": 2, "right": 2, "size": (2, 2), "counts": (1, 2)},
        {"kind": "bitmap", "top": 0, "left": 0, "bottom": 2, "right": 2, "size": (2, 2), "counts": (5, -1)},
        {"kind": "bitmap", "top": 2, "left": 0, "bottom": 2, "right": 2, "size": (1, 1), "counts": (0, 1)},
        {"kind": "bitmap", "top": 0, "left": 0, "bottom": 2, "right": 2, "size": (0, 4), "counts": ()},
        {"kind": "star"},
    ],
)
def test_what_is_no_shape_is_refused(values) -> None:
    with pytest.raises(ValidationError):
        SHAPES.validate_python(values)
