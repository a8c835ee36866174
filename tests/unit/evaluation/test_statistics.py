import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.evaluation.statistics import bootstrap_intervals, holm, means, sign_flip_test

ALONE = np.arange(30)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(0.4, 1.0, (30, 3))


def test_means_leave_out_what_is_not_defined() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    np.testing.assert_array_equal(means(values), [2.0, np.nan])


def test_intervals_are_those_of_images_drawn_one_after_the_other(values: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    drawn = np.stack([values[rng.integers(0, 30, 30)].mean(0) for _ in range(20_000)])
    found = bootstrap_intervals(values, ALONE, resamples=20_000)
    np.testing.assert_allclose(found, np.quantile(drawn, [0.025, 0.975], axis=0), atol=0.04)


def test_intervals_follow_from_the_seed(values: np.ndarray) -> None:
    first, again, other = (bootstrap_intervals(values, ALONE, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_intervals_draw_whole_patients() -> None:
    rng = np.random.default_rng(0)
    of_patient = rng.normal(0, 1, 25)
    values = np.repeat(of_patient, 4)[:, None]
    groups = np.repeat(np.arange(25), 4)
    by_patient, alone = (
        np.diff(bootstrap_intervals(values, each, seed=0), axis=0).item() for each in (groups, np.arange(100))
    )
    # Four copies of an image tell no more than the image: the interval is that of 25 figures.
    expected = np.diff(bootstrap_intervals(of_patient[:, None], np.arange(25), seed=0), axis=0).item()
    assert by_patient == pytest.approx(expected, rel=1e-9)
    assert by_patient > 1.7 * alone


def test_undefined_figures_take_no_part_in_intervals(values: np.ndarray) -> None:
    with_gaps = np.concatenate([values, np.full((5, 3), np.nan)])
    with_gaps[:, 2] = np.nan
    low, high = bootstrap_intervals(with_gaps, np.arange(35), seed=0)
    assert np.isnan([low[2], high[2]]).all()
    expected, _ = bootstrap_intervals(values, ALONE, seed=0)
    np.testing.assert_allclose(low[:2], expected[:2], atol=0.08)


def slow_sign_flips(differences: np.ndarray) -> float:
    """All flips, one after the other."""
    observed = abs(sum(differences))
    flips = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
             for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    return float(np.mean([flip >= observed * (1 - 1e-9) for flip in flips]))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_few_differences_are_tested_exactly(numbers: list[int]) -> None:
    differences = np.array(numbers, dtype=float)
    (p,) = sign_flip_test(differences[:, None], np.arange(len(numbers)))
    assert p == pytest.approx(slow_sign_flips(differences))


def test_many_differences_are_tested_as_scipy_does(values: np.ndarray) -> None:
    p = sign_flip_test(values, ALONE)
    for column in range(3):
        expected = scipy.stats.permutation_test(
            (values[:, column],),
            np.mean,
            permutation_type="samples",
            n_resamples=9999,
            vectorized=True,
            rng=np.random.default_rng(1),
        ).pvalue
        assert p[column] == pytest.approx(expected, abs=0.012)


def test_signs_of_a_patient_flip_together() -> None:
    differences = np.ones((20, 1))
    (alone,), (together,) = (
        sign_flip_test(differences, groups) for groups in (np.arange(20), np.repeat(np.arange(2), 10))
    )
    assert alone < 0.001
    assert together == 0.5  # two patients: the same sign in half of the flips


def test_no_differences_are_no_finding_and_none_defined_is_none() -> None:
    found = sign_flip_test(np.array([[0.0, np.nan], [0.0, np.nan]]), np.arange(2))
    np.testing.assert_array_equal(found, [1.0, np.nan])


def test_holm_is_computed_as_on_paper() -> None:
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.5])
    # 4 x 0.01, then 3 x 0.03, then at least as much for 2 x 0.04, then 0.5.
    np.testing.assert_allclose(holm(p), [0.04, 0.09, np.nan, 0.09, 0.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_corrected_values_are_larger_and_keep_the_order(numbers: list[float]) -> None:
    p = np.array(numbers)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
