import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.sweep.pareto import candidates, on_front, pareto_front, suggest
from softcam_core.sweep.records import TrialRecord
from softcam_core.sweep.space import Trial

POINTS = arrays(np.float64, st.tuples(st.integers(0, 8), st.just(2)), elements=st.sampled_from([0, 1, 2, 3, math.nan]))


def record(number: int, l1: float, seed: int = 0, status: str = "finished", **figures: float) -> TrialRecord:
    return TrialRecord(Trial(number, l1, 0.0, seed, f"trial_{number}"), status, 1, figures)


@given(POINTS)
def test_the_front_is_what_nothing_beats(points: np.ndarray) -> None:
    def beats(a: np.ndarray, b: np.ndarray) -> bool:
        return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))

    expected = [not np.isnan(p).any() and not any(beats(q, p) for q in points) for p in points]
    assert pareto_front(points).tolist() == expected


def test_seeds_are_averaged_and_incomplete_pairs_left_out() -> None:
    found = candidates(
        [
            record(1, 0.0, 0, val_auc=0.8, gini=0.1, pointing=1.0),
            record(2, 0.0, 1, val_auc=0.9, gini=0.3),
            record(3, 1e-5, 0, val_auc=0.99, gini=0.9),
            record(4, 1e-5, 1, "failed"),
            record(5, 1e-4, 0, "open"),
        ]
    )
    assert [(c.l1, len(c.records)) for c in found] == [(0.0, 2)]
    assert found[0].figures == pytest.approx({"val_auc": 0.85, "gini": 0.2})


def test_less_loss_is_better() -> None:
    found = candidates(
        [record(i, i, val_loss=loss, gini=g) for i, loss, g in ((1, 0.3, 0.5), (2, 0.2, 0.5), (3, 0.4, 0.9))]
    )
    assert on_front(found, "loss", "gini") == [False, True, True]
    assert suggest(found, "loss", "gini", 0.1).l1 == 2
    assert suggest(found, "loss", "gini", 0.2).l1 == 3


def test_a_figure_that_is_not_known_is_on_no_front() -> None:
    found = candidates([record(1, 0, val_auc=0.9), record(2, 1, val_auc=0.8, gini=0.1)])
    assert on_front(found, "auc", "gini") == [False, True]
    assert on_front([], "auc", "gini") == []


TABLE = [
    record(1, 0.0, val_auc=0.98, gini=0.2),
    record(2, 1e-5, val_auc=0.97, gini=0.5),
    record(3, 1e-3, val_auc=0.9, gini=0.9),
]


@pytest.mark.parametrize(("tolerance", "l1"), [(0.0, 0.0), (0.009, 0.0), (0.01, 1e-5), (0.05, 1e-5), (0.08, 1e-3)])
def test_the_sparsest_within_the_tolerance_is_suggested(tolerance: float, l1: float) -> None:
    assert suggest(candidates(TABLE), "auc", "gini", tolerance).l1 == l1


def test_equally_sparse_ones_are_told_apart_by_the_metric_then_by_smaller_coefficients() -> None:
    better = [record(1, 1.0, val_auc=0.97, gini=0.5), record(2, 2.0, val_auc=0.98, gini=0.5)]
    assert suggest(candidates(better), "auc", "gini", 0.1).l1 == 2
    equal = [record(1, 2.0, val_auc=0.97, gini=0.5), record(2, 1.0, val_auc=0.97, gini=0.5)]
    assert suggest(candidates(equal), "auc", "gini", 0.1).l1 == 1


def test_nothing_is_suggested_without_figures() -> None:
    assert suggest([], "auc", "gini", 0.1) is None
    assert suggest(candidates(TABLE), "auc", "mass_in_annotation", 0.1) is None
    assert suggest(candidates(TABLE), "kappa", "gini", 0.1) is None
