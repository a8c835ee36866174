from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.ledger.regions import area_mm2, ledger_of, make_ledger, pixel_size_of

signs = st.sampled_from(["both", "positive", "negative"])
levels = st.just(0.0) | st.floats(0, 12) | st.just(1e300)
grids = arrays(
    np.float32,
    st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(-9, 9, width=32) | st.sampled_from([0.0, 1.0, -1.0]),
) | arrays(np.float32, (3, 4, 5), elements=st.floats(-9, -1, width=32))
offsets = arrays(np.float32, 3, elements=st.floats(-5, 5, width=32))
lattices = st.none() | st.builds(
    Lattice,
    st.tuples(st.floats(-20, 60), st.floats(-20, 60)),
    st.tuples(st.floats(0.5, 40), st.floats(0.5, 40)),
)


@st.composite
def geometries(draw) -> Geometry:
    size = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    field = None
    if draw(st.booleans()):
        (top, bottom), (left, right) = (
            sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in size
        )
        field = top, left, bottom, right
    crop = draw(st.none() | st.tuples(st.integers(1, 50), st.integers(1, 50)))
    return replace(Geometry.plan(size, draw(st.none() | st.integers(4, 50)), crop, field), lattice=draw(lattices))


@given(grid=grids, offset=offsets, geometry=geometries(), level=levels, sign=signs, size=st.none() | st.integers(1, 50))
def test_the_column_adds_up_to_the_logit_or_log_odds(make_evidence, grid, offset, geometry, level, sign, size) -> None:
    explanation = make_evidence(grid, offset, geometry)
    raster = geometry if size is None else geometry.analysed((size, 2 * size))
    means = grid.mean((1, 2), dtype=np.float64)
    for against, expected in (
        (None, means[1]),
        (2, means[1] - means[2]),
        ("rest", means[1] - (means[0] + means[2]) / 2),
    ):
        ledger = ledger_of(explanation, 1, against, level=level, sign=sign, raster=raster)
        rows = [region.contribution for region in ledger.regions] + [ledger.below, ledger.offset]
        assert sum(rows) == pytest.approx(expected, abs=1e-5)
        assert ledger.total == pytest.approx(expected, abs=1e-5)
        assert sum(region.area for region in ledger.regions) + ledger.below_area == pytest.approx(1)


def slow_regions(values: np.ndarray, shares: np.ndarray, level: float, sign: str) -> list[tuple]:
    """Regions by another labelling, one after the other: contribution, pixels, peak, box; strongest first."""
    with np.errstate(over="ignore"):
        level = np.float32(level)
    sides = (("negative", values >= level, 1), ("positive", (values <= -level) & ((level > 0) | (values < 0)), -1))
    found = []
    for left_out, mask, direction in sides:
        labels, count = ndimage.label(mask & (sign != left_out), structure=np.ones((3, 3)))
        side = []
        for number in range(1, count + 1):
            part = labels == number
            rows, columns = np.nonzero(part)
            box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
            peak = direction * (direction * values[part]).max()
            side.append((shares[part].sum(), part.sum(), peak, box))
        found += sorted(side, key=lambda region: -direction * region[0])
    return found


@given(
    values=arrays(np.float32, (9, 11), elements=st.sampled_from([np.nan, -2, -1, -0.5, 0, 0.25, 1, 2])),
    level=st.sampled_from([0, 0.3, 0.5, 1, 2, 3, 1e-300, 1e300, np.inf]),
    sign=signs,
    seed=st.integers(0, 99),
)
@example(values=np.full((9, 11), np.nan, np.float32), level=0, sign="both", seed=0)
@example(values=np.full((9, 11), -1, np.float32), level=0, sign="both", seed=0)
@example(values=np.zeros((9, 11), np.float32), level=0, sign="both", seed=0)
def test_regions_are_those_of_a_slow_search(values, level, sign, seed) -> None:
    shares = np.where(np.isnan(values), 0, np.random.default_rng(seed).normal(size=values.shape))
    ledger = make_ledger(values, shares, level, offset=-3.0, sign=sign)
    expected = slow_regions(values, shares, level, sign)
    assert len(ledger.regions) == len(expected)
    for number, (region, (contribution, pixels, peak, box)) in enumerate(zip(ledger.regions, expected, strict=True), 1):
        assert region.number == number
        assert region.contribution == pytest.approx(contribution, abs=1e-12)
        assert (region.pixels, region.peak, region.box) == (pixels, peak, box)
        assert np.count_nonzero(ledger.labels == number) == pixels
        assert shares[ledger.labels == number].sum() == pytest.approx(contribution, abs=1e-12)
    outside = np.isnan(values)
    assert not ledger.labels[outside].any()
    assert ledger.below == pytest.approx(shares[ledger.labels == 0].sum(), abs=1e-12)
    assert ledger.below_pixels == np.count_nonzero((ledger.labels == 0) & ~outside)
    assert ledger.labels.dtype == np.int32
    assert ledger.offset == -3


def two_and_two() -> tuple[np.ndarray, np.ndarray]:
    """Two regions for, two against and two diagonal neighbours that touch; outside the first row nothing is known."""
    values = np.zeros((8, 10), dtype=np.float32)
    values[0] = np.nan
    values[1:3, 0:2] = 1
    values[3:5, 2:4] = 3  # touches the first at a corner
    values[6, 9] = 9
    values[1, 8:] = -4
    values[6:8, 0:4] = -2
    return values, np.nan_to_num(values.astype(np.float64)) / 80


def test_regions_are_named_by_contribution_and_touch_at_corners() -> None:
    ledger = make_ledger(*two_and_two(), 0.5)
    assert [(r.name, r.number, r.positive, r.pixels, r.peak, r.box) for r in ledger.regions] == [
        ("R1", 1, True, 8, 3.0, (1, 0, 5, 4)),
        ("R2", 2, True, 1, 9.0, (6, 9, 7, 10)),
        ("N1", 3, False, 8, -2.0, (6, 0, 8, 4)),
        ("N2", 4, False, 2, -4.0, (1, 8, 2, 10)),
    ]
    assert [r.contribution for r in ledger.regions] == pytest.approx([16 / 80, 9 / 80, -16 / 80, -8 / 80])
    assert ledger.regions[0].area == pytest.approx(8 / 70)  # of the analysed area, not of the raster
    assert ledger.below_pixels == 70 - 8 - 1 - 8 - 2
    assert ledger.below == 0


def test_what_is_taken_out_leaves_the_rest_of_the_column() -> None:
    ledger = make_ledger(*two_and_two(), 0.5, offset=-3)
    assert ledger.without([]) == ledger.total == pytest.approx(-3 + 1 / 80)
    assert ledger.without([1, 3]) == pytest.approx(-3 + 1 / 80)
    assert ledger.without({2}) == pytest.approx(-3 - 8 / 80)
    assert ledger.without([1, 2, 3, 4]) == pytest.approx(-3)
    assert ledger.without([99]) == ledger.total


def test_a_sign_leaves_the_other_below_the_threshold() -> None:
    values, shares = two_and_two()
    both = make_ledger(values, shares, 0.5)
    positive, negative = (make_ledger(values, shares, 0.5, sign=sign) for sign in ("positive", "negative"))
    assert [r.name for r in positive.regions] == ["R1", "R2"]
    assert [(r.name, r.number) for r in negative.regions] == [("N1", 1), ("N2", 2)]
    assert positive.below == pytest.approx(-24 / 80)
    assert positive.total == pytest.approx(both.total)
    assert negative.total == pytest.approx(both.total)


def test_at_level_0_every_analysed_pixel_has_a_region_and_zero_counts_for() -> None:
    values, shares = two_and_two()
    ledger = make_ledger(values, shares, 0)
    np.testing.assert_array_equal(ledger.labels > 0, ~np.isnan(values))
    assert ledger.below_pixels == 0
    assert {r.positive for r in ledger.regions if 0 in values[ledger.labels == r.number]} == {True}


def test_levels_are_compared_in_the_precision_of_the_values() -> None:
    values = np.full((2, 2), np.float32(0.1))
    shares = np.ones((2, 2))
    assert len(make_ledger(values, shares, 0.1).regions) == 1  # as float64 the value is above 0.1 by 1e-9
    assert len(make_ledger(-values, shares, 0.1).regions) == 1
    assert make_ledger(np.zeros((2, 2), np.float32), shares, 1e-60).below_pixels == 0


def test_a_bias_alone_speaks_for_nothing_and_against_nothing(make_evidence) -> None:
    explanation = make_evidence(np.full((2, 4, 4), [[[-3.0]], [[1.0]]]), [-3, 1], Geometry.plan((40, 40), None))
    ledger = ledger_of(explanation, 0, level=0.1)
    assert ledger.regions == ()
    assert ledger.below == 0
    assert ledger.offset == ledger.total == -3
    assert ledger_of(explanation, 0, 1, level=0.1).offset == -4


def test_evidence_that_is_no_number_gives_a_total_that_is_none(make_evidence) -> None:
    grid = np.ones((2, 3, 3))
    grid[0, 1, 1], grid[1, 0, 0] = np.nan, np.inf
    explanation = make_evidence(grid, [0, 0], Geometry.plan((20, 30), None))
    assert np.isnan(ledger_of(explanation, 0, level=1).total)
    assert not np.isfinite(ledger_of(explanation, 1, level=1).total)


@pytest.mark.parametrize("level", [-0.1, -np.inf, np.nan])
def test_levels_that_cannot_be_are_refused(level) -> None:
    with pytest.raises(ValueError, match="must be at least 0"):
        make_ledger(*two_and_two(), level)


def test_shares_of_other_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values of \(8, 10\) pixels with shares of \(10, 8\)"):
        make_ledger(two_and_two()[0], two_and_two()[1].T, 1)


def test_maps_of_other_methods_have_no_ledger(make_evidence) -> None:
    explanation = make_evidence(np.ones((2, 3, 3)), [0, 0], Geometry.plan((20, 30), None), scale="relative")
    with pytest.raises(ValueError, match="no ledger"):
        ledger_of(explanation, 0, level=1)


def test_areas_are_the_same_on_the_image_and_on_any_raster_of_the_analysed_area() -> None:
    geometry = Geometry.plan((400, 300), 150, (120, 100))
    spacing = 0.5, 0.25
    top, left, bottom, right = geometry.analysed_box
    expected = (bottom - top) * spacing[0] * (right - left) * spacing[1]
    for size in ((30, 25), (512, 427)):
        pixel_size = pixel_size_of(geometry, size)
        assert area_mm2(size[0] * size[1], spacing, pixel_size) == pytest.approx(expected)
    assert area_mm2(8, spacing) == pytest.approx(1)
