from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.imaging.geometry import Geometry, tent_integrals, upsample

sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))
grids = st.tuples(st.integers(1, 40), st.integers(1, 40))
crops = st.none() | st.tuples(st.integers(1, 80), st.integers(1, 80))
geometries = st.builds(Geometry.plan, sizes, st.none() | st.integers(4, 70), crops)


def random_grid(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) * 5


def surface(grid: np.ndarray, row: float, column: float) -> float:
    """Bilinear surface through a grid's cell centres, constant beyond the outermost; in grid cells."""
    at = []
    for position, n in ((row, grid.shape[0]), (column, grid.shape[1])):
        x = min(max(position - 0.5, 0.0), n - 1.0)
        low = min(int(x), n - 1)
        high = min(low + 1, n - 1)
        at.append((low, high, x - low))
    (r0, r1, u), (c0, c1, v) = at
    top = (1 - v) * float(grid[r0, c0]) + v * float(grid[r0, c1])
    bottom = (1 - v) * float(grid[r1, c0]) + v * float(grid[r1, c1])
    return (1 - u) * top + u * bottom


def slow_integral(grid: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """Integral of the surface over a box in grid cells.

    The surface is bilinear between the lines through the cell centres, so cutting the box there leaves pieces whose
    integral is their area times the value in their middle.
    """
    (top, left, bottom, right), total = box, 0.0
    rows = [top, *(i + 0.5 for i in range(grid.shape[0]) if top < i + 0.5 < bottom), bottom]
    columns = [left, *(j + 0.5 for j in range(grid.shape[1]) if left < j + 0.5 < right), right]
    for r0, r1 in pairwise(rows):
        for c0, c1 in pairwise(columns):
            total += (r1 - r0) * (c1 - c0) * surface(grid, (r0 + r1) / 2, (c0 + c1) / 2)
    return total


def slow_pixel_box(geometry: Geometry, row: int, column: int, grid_size: tuple[int, int]):
    """An image pixel in grid cells, cut to the grid; None where nothing of it is analysed."""
    edges = []
    for axis, start in enumerate((row, column)):
        scale = geometry.resized[axis] / geometry.image_size[axis]
        cells = grid_size[axis] / geometry.input_size[axis]
        low, high = (((start + k) * scale - geometry.origin[axis]) * cells for k in (0, 1))
        edges.append((max(low, 0.0), min(high, float(grid_size[axis]))))
    (top, bottom), (left, right) = edges
    return None if top >= bottom or left >= right else (top, left, bottom, right)


@given(cells=st.integers(1, 12), cuts=st.lists(st.floats(0, 1), min_size=2, max_size=12, unique=True))
def test_tent_integrals_equal_slow_integrals(cells: int, cuts: list[float]) -> None:
    edges = np.array(sorted(cuts)) * cells
    result = tent_integrals(edges, cells)
    for j in range(cells):
        one = np.zeros((1, cells))
        one[0, j] = 1.0
        expected = [slow_integral(one, (0, low, 1, high)) for low, high in pairwise(edges)]
        np.testing.assert_allclose(result[:, j], expected, atol=1e-12)


@given(cells=st.integers(1, 30), pixels=st.integers(1, 200))
def test_tents_share_out_everything(cells: int, pixels: int) -> None:
    integrals = tent_integrals(np.linspace(0, cells, pixels + 1), cells)
    np.testing.assert_allclose(integrals.sum(0), 1, atol=1e-12)
    np.testing.assert_allclose(integrals.sum(1), cells / pixels, atol=1e-12)


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_upsampling_by_an_even_factor_is_torchs(factor: int) -> None:
    grid = random_grid((5, 7))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(grid)[None, None], scale_factor=factor, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    np.testing.assert_allclose(upsample(grid, (5 * factor, 7 * factor)), expected, atol=1e-5)
    whole = Geometry.plan((5 * factor, 7 * factor), None)
    np.testing.assert_allclose(whole.on_image(grid), expected, atol=1e-5)


@given(shape=grids, size=sizes)
def test_upsampling_keeps_the_mean(shape: tuple[int, int], size: tuple[int, int]) -> None:
    grid = random_grid(shape)
    assert upsample(grid, size).mean(dtype=np.float64) == pytest.approx(grid.mean(dtype=np.float64), abs=1e-5)


@given(geometry=geometries, shape=grids, seed=st.integers(0, 100))
def test_shares_add_up_to_the_mean(geometry: Geometry, shape: tuple[int, int], seed: int) -> None:
    grid = random_grid(shape, seed)
    shares = geometry.shares(grid)
    assert shares.shape == geometry.image_size
    assert shares.sum() == pytest.approx(grid.mean(dtype=np.float64), abs=1e-9)


@given(
    geometry=st.builds(
        Geometry.plan,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        st.none() | st.integers(4, 24),
        st.none() | st.tuples(st.integers(1, 20), st.integers(1, 20)),
    ),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_every_pixel_equals_the_slow_integral(geometry: Geometry, shape: tuple[int, int]) -> None:
    grid = random_grid(shape)
    shares, averages = geometry.shares(grid), geometry.on_image(grid)
    for row in range(geometry.image_size[0]):
        for column in range(geometry.image_size[1]):
            box = slow_pixel_box(geometry, row, column, shape)
            if box is None:
                assert shares[row, column] == 0
                continue
            area = (box[2] - box[0]) * (box[3] - box[1])
            integral = slow_integral(grid, box)
            assert shares[row, column] == pytest.approx(integral / (shape[0] * shape[1]), abs=1e-9)
            if area > 1e-9:
                assert averages[row, column] == pytest.approx(integral / area, abs=1e-4)


@given(geometry=geometries, shape=grids)
def test_not_a_number_exactly_outside_the_analysed_area(geometry: Geometry, shape: tuple[int, int]) -> None:
    top, left, bottom, right = geometry.analysed_box
    rows, columns = (np.arange(n) for n in geometry.image_size)
    tolerance = 1e-7
    inside = np.outer((rows + 1 > top + tolerance) & (rows < bottom - tolerance),
                      (columns + 1 > left + tolerance) & (columns < right - tolerance))  # fmt: skip
    np.testing.assert_array_equal(~np.isnan(geometry.on_image(random_grid(shape))), inside)


def test_rounding_leaves_no_slivers_of_pixels() -> None:
    for side in range(1, 91):
        for shorter_side in range(4, 71, 5):
            for crop in (1, 13, 33, 61):
                geometry = Geometry.plan((side, side), shorter_side, (crop, crop))
                areas = geometry.shares(np.full((7, 7), 1.0, dtype=np.float32)) * 49
                assert not ((areas > 0) & (areas < 1e-9)).any()


@given(size=sizes, shape=grids)
def test_uncropped_images_are_covered(size: tuple[int, int], shape: tuple[int, int]) -> None:
    geometry = Geometry.plan(size, 33)
    assert not geometry.is_cropped
    assert np.isfinite(geometry.on_image(random_grid(shape))).all()
    assert geometry.analysed_box == pytest.approx((0, 0, *size))


@given(geometry=geometries, row=st.floats(-10, 100), column=st.floats(-10, 100))
def test_to_image_inverts_to_input(geometry: Geometry, row: float, column: float) -> None:
    assert geometry.to_image(*geometry.to_input(row, column)) == pytest.approx((row, column), abs=1e-9)
    assert geometry.to_input(*geometry.to_image(row, column)) == pytest.approx((row, column), abs=1e-9)


@given(geometry=geometries, shape=grids)
def test_cells_and_their_boxes_fit_each_other(geometry: Geometry, shape: tuple[int, int]) -> None:
    for cell in {(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)}:
        top, left, bottom, right = geometry.cell_box(cell, shape)
        assert geometry.cell_at((top + bottom) / 2, (left + right) / 2, shape) == cell
    top, left, bottom, right = geometry.analysed_box
    for outside in ((top - 0.1, left + 0.1), (top + 0.1, left - 0.1), (bottom + 0.1, left), (top, right + 0.1)):
        assert geometry.cell_at(*outside, shape) is None


@given(
    size=st.tuples(st.integers(20, 90), st.integers(20, 90)),
    shorter_side=st.none() | st.integers(16, 70),
    crop=st.none() | st.tuples(st.integers(12, 70), st.integers(12, 70)),
    shape=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    data=st.data(),
)
def test_a_bright_cell_comes_back_at_its_place(size, shorter_side, crop, shape, data) -> None:
    geometry = Geometry.plan(size, shorter_side, crop)
    cell = data.draw(st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1)))
    grid = np.zeros(shape, dtype=np.float32)
    grid[cell] = 1
    spread = geometry.on_image(grid)
    peak = np.unravel_index(np.nanargmax(spread), spread.shape)
    top, left, bottom, right = geometry.cell_box(cell, shape)
    # Within half a cell and half a pixel of the cell's centre.
    assert abs(peak[0] + 0.5 - (top + bottom) / 2) <= (bottom - top) / 2 + 0.5
    assert abs(peak[1] + 0.5 - (left + right) / 2) <= (right - left) / 2 + 0.5


@pytest.mark.parametrize(
    ("size", "shorter_side", "crop", "expected"),
    [
        ((1024, 1024), 320, None, ((320, 320), (0, 0), (320, 320))),
        ((600, 800), 300, None, ((300, 400), (0, 0), (300, 400))),
        ((800, 600), 300, (256, 256), ((400, 300), (72, 22), (256, 256))),
        ((100, 333), 50, (60, 60), ((50, 166), (0, 53), (50, 60))),
        ((100, 333), None, None, ((100, 333), (0, 0), (100, 333))),
    ],
)
def test_plan(size, shorter_side, crop, expected) -> None:
    geometry = Geometry.plan(size, shorter_side, crop)
    assert (geometry.resized, geometry.origin, geometry.input_size) == expected


def test_leading_axes_are_kept() -> None:
    geometry = Geometry.plan((30, 40), 20, (16, 16))
    grids_ = np.stack([random_grid((4, 4), i) for i in range(3)])
    for method in (geometry.on_image, geometry.shares):
        np.testing.assert_allclose(method(grids_), [method(g) for g in grids_], rtol=1e-5, atol=1e-6)
