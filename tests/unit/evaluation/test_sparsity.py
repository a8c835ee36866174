import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.evaluation.sparsity import gini_index, near_zero_share

MAPS = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-1000, 1000, width=32))


def slow_gini(map_: np.ndarray) -> float:
    """Half the mean difference of two cells, relative to their mean: the economists' form of the index."""
    cells = [abs(float(value)) for value in map_.ravel()]
    mean = sum(cells) / len(cells)
    if mean == 0:
        return 0.0
    return sum(abs(a - b) for a in cells for b in cells) / (2 * len(cells) ** 2 * mean)


@given(MAPS)
def test_gini_is_half_the_relative_mean_difference(map_: np.ndarray) -> None:
    assert gini_index(map_) == pytest.approx(slow_gini(map_), abs=1e-9)


@given(MAPS, st.sampled_from([-1.0, 1e-30, 7.0, 1e30]))
def test_neither_scale_nor_signs_nor_order_matter(map_: np.ndarray, factor: float) -> None:
    changed = np.sort(map_.astype(np.float64).ravel())[::-1].reshape(map_.shape) * factor
    assert gini_index(changed) == pytest.approx(gini_index(map_), abs=1e-9)
    assert near_zero_share(np.abs(map_)) == near_zero_share(map_)


@given(MAPS)
@settings(max_examples=30)
def test_both_lie_between_0_and_1(map_: np.ndarray) -> None:
    assert 0 <= gini_index(map_) <= 1 - 1 / map_.size + 1e-12
    assert 0 <= near_zero_share(map_) <= 1


def test_one_cell_that_has_everything_is_sparsest() -> None:
    map_ = np.zeros((4, 5))
    map_[2, 3] = -7
    assert gini_index(map_) == pytest.approx(1 - 1 / 20)
    assert near_zero_share(map_) == 19 / 20


@pytest.mark.parametrize("value", [3.0, -3.0, 1e300, 5e-324])
def test_constant_maps_are_not_sparse(value: float) -> None:
    map_ = np.full((3, 3), value)
    assert gini_index(map_) == pytest.approx(0, abs=1e-12)
    assert near_zero_share(map_) == 0


def test_a_map_without_evidence_has_no_cell_that_stands_out() -> None:
    assert gini_index(np.zeros((3, 3))) == 0
    assert near_zero_share(np.zeros((3, 3))) == 1


def test_near_zero_is_relative_to_the_strongest_cell() -> None:
    map_ = np.array([[-200.0, 2.0, -2.1, 0.0]])
    assert near_zero_share(map_) == 0.5
    assert near_zero_share(map_, fraction=0.0) == 0.25


def test_a_batch_gives_one_figure_a_map() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    assert gini_index(maps).shape == near_zero_share(maps).shape == (2, 3)
    assert gini_index(maps)[1, 2] == pytest.approx(slow_gini(maps[1, 2]))


@pytest.mark.parametrize("measure", [gini_index, near_zero_share])
@pytest.mark.parametrize("maps", [np.zeros((0, 3)), np.zeros(3), np.array([[np.nan]]), np.array([[np.inf, 1]])])
def test_maps_that_are_none_are_refused(measure, maps: np.ndarray) -> None:
    with pytest.raises(ValueError, match="maps must be"):
        measure(maps)


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="fraction"):
        near_zero_share(np.ones((2, 2)), fraction=1.0)
