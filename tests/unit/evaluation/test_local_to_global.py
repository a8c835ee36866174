import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.evaluation.local_to_global import local_to_global

values_of = arrays(
    np.float64,
    st.tuples(st.just(3), st.integers(1, 4), st.integers(1, 5)),
    elements=st.sampled_from([-2, 0, 1, np.nan]),
)
labels = st.lists(st.booleans(), min_size=3, max_size=3)


def figures(values: np.ndarray, present: list[bool]) -> list[float]:
    return local_to_global(torch.from_numpy(values.copy()), torch.tensor(present)).tolist()


def slow(values: np.ndarray, present: bool) -> float:
    cells = [float(v) for v in values.ravel() if not math.isnan(v)]
    speaks = [v > 0 if present else v < 0 for v in cells]
    return sum(speaks) / len(cells) if cells else math.nan


@given(values_of, labels)
def test_figures_equal_the_definition(values: np.ndarray, present: list[bool]) -> None:
    expected = [slow(map_, label) for map_, label in zip(values, present, strict=True)]
    assert figures(values, present) == pytest.approx(expected, nan_ok=True)


@given(values_of, labels, st.sampled_from([1e-300, 1e300]))
@settings(max_examples=30)
def test_neither_scale_nor_place_nor_a_border_matter(values: np.ndarray, present: list[bool], factor: float) -> None:
    expected = pytest.approx(figures(values, present), nan_ok=True)
    assert figures(values * factor, present) == expected
    assert figures(values[:, ::-1, ::-1], present) == expected
    border = ((0, 0), (1, 1), (1, 1))
    assert figures(np.pad(values, border, constant_values=np.nan), present) == expected


def test_cells_without_evidence_say_neither() -> None:
    assert figures(np.zeros((2, 3, 3)), [True, False]) == [0, 0]


def test_a_map_without_signs_says_nothing_of_absence() -> None:
    assert figures(np.ones((2, 3, 3)), [True, False]) == [1, 0]


@pytest.mark.parametrize(
    "present", [torch.ones(3, dtype=torch.bool), torch.ones(2), torch.ones(2, 1, dtype=torch.bool)]
)
def test_labels_that_do_not_fit_are_refused(present: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="one bool"):
        local_to_global(torch.ones(2, 3, 3), present)


# --- the authors' code, and what is done here instead


def test_quirk_a_healthy_image_is_right_where_its_map_speaks_for_healthy() -> None:
    """Theirs count negative cells of the map of "healthy", which speak for the disease: a model that is right scores 0.

    On the difference of the two maps, what speaks against the disease is what speaks for "healthy".
    """
    healthy, disease = np.full((1, 2, 2), 3.0), np.full((1, 2, 2), -1.0)
    assert (healthy < 0).mean() == 0
    assert figures(disease - healthy, [False]) == [1]
    assert figures(disease - healthy, [False]) == figures(healthy - disease, [True])


def test_quirk_an_offset_that_all_classes_share_does_not_count() -> None:
    """Softmax ignores it, and theirs count it: with class maps apart, every cell may be positive."""
    disease, healthy = np.array([[[5.0, 6.0]]]), np.array([[[7.0, 4.0]]])
    assert figures(disease, [True]) == [1]
    assert figures(disease - healthy, [True]) == figures(disease - 100 - (healthy - 100), [True]) == [0.5]


def test_quirk_images_count_alike_whatever_their_size() -> None:
    """Theirs pool the cells of all images."""
    small = figures(np.array([[[1.0, -1.0]]]), [True])
    large = figures(np.ones((1, 10, 10)), [True])
    assert np.mean(small + large) == 0.75


def test_quirk_scaling_by_the_largest_value_is_not_needed() -> None:
    """Theirs divide by the largest absolute value, which is none for a map that is 0 everywhere."""
    assert figures(np.zeros((1, 2, 2)), [True]) == [0]
