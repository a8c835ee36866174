import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from softcam_core.evaluation.agreement import rank_correlation, top_overlap
from softcam_core.explainers.base import Maps

shapes = st.tuples(st.integers(1, 4), st.integers(1, 6))
elements = st.one_of(st.sampled_from([-2.0, 0.0, 0.5, math.nan]), st.integers(-400, 400).map(lambda i: i / 8))
FIGURES = (rank_correlation, top_overlap)


@st.composite
def pairs(draw) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    return draw(arrays(np.float64, shape, elements=elements)), draw(arrays(np.float64, shape, elements=elements))


def figure(function, a: np.ndarray, b: np.ndarray, **options) -> float:
    found = function(torch.from_numpy(a.copy())[None], torch.from_numpy(b.copy())[None], **options)
    assert found.shape == (1,)
    assert found.dtype == torch.float64
    return float(found)


def slow_top(a: np.ndarray, b: np.ndarray, share: float) -> float:
    both = [(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True) if not math.isnan(x + y)]
    if not both:
        return math.nan
    count = max(round(share * len(both)), 1)

    def part(value: float, all_values: list[float]) -> float:
        above, equal = sum(v > value for v in all_values), all_values.count(value)
        return min(max(count - above, 0) / equal, 1)

    xs, ys = [x for x, _ in both], [y for _, y in both]
    parts = [(part(x, xs), part(y, ys)) for x, y in both]
    return sum(min(p) for p in parts) / sum(max(p) for p in parts)


@given(pairs())
def test_correlation_is_that_of_scipy(pair) -> None:
    a, b = pair
    both = ~np.isnan(a + b)
    is_constant = any(len(set(each[both].tolist())) < 2 for each in pair)
    expected = math.nan if is_constant else float(spearmanr(a[both], b[both]).statistic)
    assert figure(rank_correlation, a, b) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(pairs(), st.sampled_from([0.01, 0.05, 0.3, 0.5, 1.0]))
def test_overlap_equals_the_definition(pair, share: float) -> None:
    assert figure(top_overlap, *pair, share=share) == pytest.approx(slow_top(*pair, share), abs=1e-12, nan_ok=True)


@given(pairs(), st.randoms())
@settings(max_examples=30)
def test_neither_order_of_maps_nor_scale_nor_place_matter(pair, random) -> None:
    a, b = pair
    order = list(range(a.size))
    random.shuffle(order)
    for function in FIGURES:
        expected = pytest.approx(figure(function, a, b), rel=1e-12, abs=1e-12, nan_ok=True)
        assert figure(function, b, a) == expected
        assert figure(function, a * 1e-300, b * 1e300) == expected
        assert figure(function, a.ravel()[order].reshape(a.shape), b.ravel()[order].reshape(b.shape)) == expected


@given(pairs())
@settings(max_examples=30)
def test_pixels_analysed_in_one_map_only_change_nothing(pair) -> None:
    a, b = pair
    a_alone, b_alone = (np.pad(a, 1, constant_values=fill) for fill in (5.0, math.nan))
    for function in FIGURES:
        found = figure(function, a_alone, np.pad(b, 1, constant_values=np.nan))
        assert found == pytest.approx(figure(function, a, b), abs=1e-12, nan_ok=True)
        found = figure(function, b_alone, np.pad(b, 1, constant_values=7.0))
        assert found == pytest.approx(figure(function, a, b), abs=1e-12, nan_ok=True)


@given(arrays(np.float64, shapes, elements=elements))
@settings(max_examples=30)
def test_a_map_agrees_with_itself(values: np.ndarray) -> None:
    if (~np.isnan(values)).any():
        assert figure(top_overlap, values, values) == 1
    if len(set(values[~np.isnan(values)].tolist())) > 1:
        assert figure(rank_correlation, values, values) == pytest.approx(1)
        assert figure(rank_correlation, values, -values) == pytest.approx(-1)


def test_maps_of_a_batch_do_not_touch_one_another() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.where(rng.random((3, 6, 7)) < 0.2, np.nan, rng.normal(size=(3, 6, 7))) for _ in range(2))
    for function in FIGURES:
        together = function(torch.from_numpy(a), torch.from_numpy(b)).tolist()
        assert together == pytest.approx([figure(function, *each) for each in zip(a, b, strict=True)])


def test_a_constant_map_overlaps_with_any_other_by_chance() -> None:
    values = np.arange(400.0).reshape(20, 20)
    chance = 0.05 / (2 - 0.05)
    assert figure(top_overlap, np.ones((20, 20)), values) == pytest.approx(chance)
    assert figure(top_overlap, np.ones((20, 20)), values[::-1]) == pytest.approx(chance)
    assert math.isnan(figure(rank_correlation, np.ones((20, 20)), values))


def test_rounding_of_a_constant_map_correlates_with_nothing() -> None:
    rounded = Maps(torch.full((1, 1, 7, 7), 0.1), "mean").on_input((50, 50))[0]
    assert len(rounded.unique()) > 1
    assert rank_correlation(rounded, torch.rand(1, 50, 50)).isnan().all()


def test_large_maps_are_ranked_as_scipy_ranks_them() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=(200, 300)).round(2) for _ in range(2))
    b += a
    assert figure(rank_correlation, a, b) == pytest.approx(float(spearmanr(a.ravel(), b.ravel()).statistic), abs=1e-12)


@pytest.mark.parametrize("function", FIGURES)
def test_what_does_not_fit_is_refused(function) -> None:
    with pytest.raises(ValueError, match="differ in size"):
        function(torch.zeros(1, 3, 4), torch.zeros(1, 4, 3))
    with pytest.raises(ValueError, match="finite"):
        function(torch.zeros(1, 3, 4), torch.full((1, 3, 4), torch.inf))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, math.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        top_overlap(torch.zeros(1, 3, 4), torch.zeros(1, 3, 4), share)
