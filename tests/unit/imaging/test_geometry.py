from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.imaging.geometry import Geometry, Lattice, tent_integrals

sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))
grids = st.tuples(st.integers(1, 40), st.integers(1, 40))
crops = st.none() | st.tuples(st.integers(1, 80), st.integers(1, 80))
shorter_sides = st.none() | st.integers(4, 70)


@st.composite
def planned(draw, sizes=sizes, shorter_sides=shorter_sides, crops=crops) -> Geometry:
    """Geometries with a field and without, by any path through `plan`."""
    size = draw(sizes)
    field = None
    if draw(st.booleans()):
        (top, bottom), (left, right) = (
            sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in size
        )
        field = top, left, bottom, right
    return Geometry.plan(size, draw(shorter_sides), draw(crops), field)


geometries = planned()


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
        begin, end = geometry.extent[axis], geometry.extent[axis + 2]
        scale = geometry.resized[axis] / (end - begin)
        cells = grid_size[axis] / geometry.input_size[axis]
        low, high = (((start + k - begin) * scale - geometry.origin[axis]) * cells for k in (0, 1))
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
    whole = Geometry.plan((5 * factor, 7 * factor), None)
    np.testing.assert_allclose(whole.on_image(grid), expected, atol=1e-5)
    tiling = replace(whole, lattice=Lattice((factor / 2, factor / 2), (factor, factor)))
    np.testing.assert_allclose(tiling.on_image(grid), expected, atol=1e-5)


@given(shape=grids, size=sizes)
def test_the_analysed_area_keeps_the_mean_at_any_size(shape: tuple[int, int], size: tuple[int, int]) -> None:
    grid = random_grid(shape)
    raster = Geometry.plan((200, 150), 100, (60, 80)).analysed(size)
    assert raster.on_image(grid).mean(dtype=np.float64) == pytest.approx(grid.mean(dtype=np.float64), abs=1e-5)
    assert raster.shares(grid).sum() == pytest.approx(grid.mean(dtype=np.float64), abs=1e-9)


lattices = st.builds(
    Lattice,
    st.tuples(st.floats(-20, 60), st.floats(-20, 60)),
    st.tuples(st.floats(0.5, 40), st.floats(0.5, 40)),
)


@given(geometry=geometries, lattice=lattices, shape=grids, size=sizes)
def test_shares_add_up_wherever_the_cells_lie(geometry: Geometry, lattice: Lattice, shape, size) -> None:
    grid = random_grid(shape)
    placed = replace(geometry, lattice=lattice)
    mean = pytest.approx(grid.mean(dtype=np.float64), abs=1e-9)
    assert placed.shares(grid).sum() == mean
    assert placed.analysed(size).shares(grid).sum() == mean
    # Every cell's part of the mean falls somewhere by itself.
    one = np.zeros(shape)
    one[0, -1] = 1
    assert placed.shares(one).sum() == pytest.approx(1 / one.size, abs=1e-12)
    assert np.nanmax(placed.on_image(grid)) <= grid.max() + 1e-4
    assert np.nanmin(placed.on_image(grid)) >= grid.min() - 1e-4


def slow_lattice_value(grid: np.ndarray, lattice: Lattice, row: float, column: float) -> float:
    """The surface at a model-input position."""
    at = [(p - f) / s + 0.5 for p, f, s in zip((row, column), lattice.first, lattice.stride, strict=True)]
    return surface(grid, *at)


@pytest.mark.parametrize(
    "lattice", [Lattice((0.5, 0.5), (8, 8)), Lattice((16.5, 9), (8, 6)), Lattice((-3, 50), (5, 3))]
)
def test_placed_cells_have_their_value_at_their_centre(lattice: Lattice) -> None:
    grid, size = random_grid((5, 6)), (48, 60)
    geometry = replace(Geometry.plan(size, None), lattice=lattice)
    # Averages over pixels of a tenth of an input pixel are as good as values.
    found = geometry.analysed((480, 600)).on_image(grid)
    for row in range(0, 480, 37):
        for column in range(0, 600, 41):
            expected = slow_lattice_value(grid, lattice, (row + 0.5) / 10, (column + 0.5) / 10)
            assert found[row, column] == pytest.approx(expected, abs=0.15)
    for i in range(5):
        for j in range(6):
            y, x = (f + n * s for f, n, s in zip(lattice.first, (i, j), lattice.stride, strict=True))
            if 0 <= y < 48 and 0 <= x < 60:
                assert geometry.cell_at(y, x, (5, 6)) == (i, j)
                top, left, bottom, right = geometry.cell_box((i, j), (5, 6))
                assert top <= y <= bottom
                assert left <= x <= right


@given(lattice=lattices, shape=grids)
def test_boxes_of_placed_cells_share_the_input_without_gaps(lattice: Lattice, shape: tuple[int, int]) -> None:
    geometry = replace(Geometry.plan((70, 90), None), lattice=lattice)
    rows = [geometry.cell_box((i, 0), shape) for i in range(shape[0])]
    assert rows[0][0] == 0
    assert rows[-1][2] == 70
    assert all(above[2] == pytest.approx(below[0]) for above, below in pairwise(rows))


@given(geometry=geometries, shape=grids, seed=st.integers(0, 100))
def test_shares_add_up_to_the_mean(geometry: Geometry, shape: tuple[int, int], seed: int) -> None:
    grid = random_grid(shape, seed)
    shares = geometry.shares(grid)
    assert shares.shape == geometry.image_size
    assert shares.sum() == pytest.approx(grid.mean(dtype=np.float64), abs=1e-9)


@given(
    geometry=planned(
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


@given(
    size=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    shorter_side=st.none() | st.integers(4, 40),
    crop=crops,
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    data=st.data(),
)
def test_a_field_is_the_plain_geometry_of_what_was_cut_out_by_hand(size, shorter_side, crop, shape, data) -> None:
    top, left = (data.draw(st.integers(0, n - 1)) for n in size)
    bottom, right = data.draw(st.integers(top + 1, size[0])), data.draw(st.integers(left + 1, size[1]))
    geometry = Geometry.plan(size, shorter_side, crop, (top, left, bottom, right))
    by_hand = Geometry.plan((bottom - top, right - left), shorter_side, crop)
    assert (geometry.resized, geometry.origin, geometry.input_size) == (
        by_hand.resized,
        by_hand.origin,
        by_hand.input_size,
    )
    assert geometry.scale == by_hand.scale
    grid = random_grid(shape)
    for method in ("on_image", "shares"):
        whole, part = getattr(geometry, method)(grid), getattr(by_hand, method)(grid)
        np.testing.assert_allclose(whole[top:bottom, left:right], part, rtol=1e-5, atol=1e-9)
        whole[top:bottom, left:right] = 0
        assert not np.nansum(np.abs(whole))
    shift = np.array((top, left, top, left))
    assert geometry.analysed_box == pytest.approx(shift + by_hand.analysed_box)
    assert geometry.to_input(top + 1.25, left + 0.5) == pytest.approx(by_hand.to_input(1.25, 0.5))
    cell = shape[0] // 2, shape[1] // 2
    assert geometry.cell_box(cell, shape) == pytest.approx(shift + by_hand.cell_box(cell, shape))


def test_cut_out_images_are_cropped() -> None:
    assert Geometry.plan((50, 60), 20, None, (0, 5, 50, 55)).is_cropped
    assert not Geometry.plan((50, 60), 20, None, (0, 0, 50, 60)).is_cropped
    assert Geometry.plan((50, 60), 20, None, (0, 0, 50, 60)) == Geometry.plan((50, 60), 20)


@pytest.mark.parametrize("field", [(0, 0, 0, 10), (5, 5, 4, 8), (-1, 0, 5, 5), (0, 0, 51, 10), (0, 55, 10, 61)])
def test_a_field_outside_of_the_image_is_refused(field) -> None:
    with pytest.raises(ValueError, match="no field"):
        Geometry.plan((50, 60), 20, None, field)


@given(geometry=geometries, size=sizes, shape=grids, at=st.tuples(st.floats(-1, 2), st.floats(-1, 2)))
def test_another_sampling_of_the_image_has_the_same_evidence(geometry: Geometry, size, shape, at) -> None:
    other = geometry.sampled(size)
    row, column = (a * n for a, n in zip(at, geometry.image_size, strict=True))
    there = (a * n for a, n in zip(at, size, strict=True))
    assert other.to_input(*there) == pytest.approx(geometry.to_input(row, column), abs=1e-6)
    grid = random_grid(shape)
    assert other.shares(grid).shape == size
    assert other.shares(grid).sum() == pytest.approx(grid.mean(dtype=np.float64), abs=1e-9)


def test_leading_axes_are_kept() -> None:
    geometry = Geometry.plan((30, 40), 20, (16, 16))
    grids_ = np.stack([random_grid((4, 4), i) for i in range(3)])
    for method in (geometry.on_image, geometry.shares):
        np.testing.assert_allclose(method(grids_), [method(g) for g in grids_], rtol=1e-5, atol=1e-6)


@given(geometry=geometries, lattice=st.none() | lattices, shape=grids, seed=st.integers(0, 100))
def test_what_a_mask_takes_of_the_cells_is_what_it_covers_of_the_shares(geometry, lattice, shape, seed) -> None:
    placed, grid = replace(geometry, lattice=lattice), random_grid(shape, seed)
    mask = np.random.default_rng(seed).random(geometry.image_size)
    for each in (mask, mask > 0.7, np.ones_like(mask)):
        weights = placed.weights_of(each, shape)
        assert weights.shape == shape
        assert (weights * grid).sum() == pytest.approx((each * placed.shares(grid)).sum(), abs=1e-9)
    np.testing.assert_allclose(weights, 1 / grid.size, atol=1e-12)  # of everything
    assert not placed.weights_of(np.zeros_like(mask), shape).any()


def test_masks_of_another_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a mask of \(30, 41\) pixels for an image of \(30, 40\)"):
        Geometry.plan((30, 40), None).weights_of(np.zeros((30, 41)), (3, 4))
