import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.evaluation.sparsity import gini_index, near_zero_share

MAPS = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-1000, 1000, width=32))


def gini(map_: np.ndarray) -> float:
    return float(gini_index(torch.from_numpy(map_.copy())))


def near_zero(map_: np.ndarray, fraction: float = 0.01) -> float:
    return float(near_zero_share(torch.from_numpy(map_.copy()), fraction))


def slow_gini(map_: np.ndarray) -> float:
    """Half the mean difference of two cells, relative to their mean: the economists' form of the index."""
    cells = [abs(float(value)) for value in map_.ravel()]
    mean = sum(cells) / len(cells)
    if mean == 0:
        return 0.0
    return sum(abs(a - b) for a in cells for b in cells) / (2 * len(cells) ** 2 * mean)


@given(MAPS)
def test_gini_is_half_the_relative_mean_difference(map_: np.ndarray) -> None:
    assert gini(map_) == pytest.approx(slow_gini(map_), abs=1e-9)


@given(MAPS, st.sampled_from([-1.0, 1e-30, 7.0, 1e30]))
def test_neither_scale_nor_signs_nor_order_matter(map_: np.ndarray, factor: float) -> None:
    changed = np.sort(map_.astype(np.float64).ravel())[::-1].reshape(map_.shape) * factor
    assert gini(changed) == pytest.approx(gini(map_), abs=1e-9)
    assert near_zero(np.abs(map_)) == near_zero(map_)


@given(MAPS)
@settings(max_examples=30)
def test_both_lie_between_0_and_1(map_: np.ndarray) -> None:
    assert 0 <= gini(map_) <= 1 - 1 / map_.size + 1e-12
    assert 0 <= near_zero(map_) <= 1


def test_one_cell_that_has_everything_is_sparsest() -> None:
    map_ = np.zeros((4, 5))
    map_[2, 3] = -7
    assert gini(map_) == pytest.approx(1 - 1 / 20)
    assert near_zero(map_) == 19 / 20


@pytest.mark.parametrize("value", [3.0, -3.0, 1e300, 5e-324])
def test_constant_maps_are_not_sparse(value: float) -> None:
    map_ = np.full((3, 3), value)
    assert gini(map_) == pytest.approx(0, abs=1e-12)
    assert near_zero(map_) == 0


def test_rounding_makes_no_index_negative() -> None:
    assert all((gini_index(torch.ones(2, 1, cells)) >= 0).all() for cells in range(1, 60))


def test_a_map_without_evidence_has_no_cell_that_stands_out() -> None:
    assert gini(np.zeros((3, 3))) == 0
    assert near_zero(np.zeros((3, 3))) == 1


def test_near_zero_is_relative_to_the_strongest_cell() -> None:
    map_ = np.array([[-200.0, 2.0, -2.1, 0.0]])
    assert near_zero(map_) == 0.5
    assert near_zero(map_, fraction=0.0) == 0.25


def test_a_batch_gives_one_figure_a_map() -> None:
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 4, 5)))
    for measure in (gini_index, near_zero_share):
        assert measure(maps).shape == (2, 3)
        assert measure(maps.float()).dtype == torch.float64
    assert float(gini_index(maps)[1, 2]) == pytest.approx(slow_gini(maps[1, 2].numpy()))


def test_gini_agrees_with_quantus() -> None:
    """It adds 1e-7 to each cell, which makes maps look the less sparse the smaller their values are."""
    import quantus

    def theirs(maps: np.ndarray) -> list[float]:
        metric = quantus.Sparseness(disable_warnings=True)
        return [float(each) for each in metric.evaluate_batch(x_batch=maps, a_batch=np.abs(maps))]

    maps = np.random.default_rng(1).normal(size=(4, 1, 6, 7))
    assert [gini(each) for each in maps[:, 0]] == pytest.approx(theirs(maps), abs=1e-6)
    assert theirs(maps * 1e-9)[0] < 0.1 * gini(maps[0, 0] * 1e-9)


@pytest.mark.parametrize("measure", [gini_index, near_zero_share])
@pytest.mark.parametrize(
    "maps", [torch.zeros(0, 3), torch.zeros(3), torch.tensor([[torch.nan]]), torch.tensor([[torch.inf, 1]])]
)
def test_maps_that_are_none_are_refused(measure, maps: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="maps must be"):
        measure(maps)


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="fraction"):
        near_zero_share(torch.ones(2, 2), fraction=1.0)
