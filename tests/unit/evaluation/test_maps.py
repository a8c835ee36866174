import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.evaluation.maps import check_maps, levelled, marked_pixels, positive, strongest
from softcam_core.explainers.base import Maps


def test_maps_must_be_batches_of_one_size_and_finite() -> None:
    check_maps(torch.full((2, 3, 4), torch.nan), torch.zeros(2, 3, 4))
    for maps, reason in [
        ([torch.zeros(3, 4)], r"\(B, H, W\)"),
        ([torch.zeros(0, 3, 4)], r"\(B, H, W\)"),
        ([torch.zeros(2, 3, 4, dtype=torch.int64)], "int64"),
        ([torch.zeros(2, 3, 4), torch.zeros(2, 4, 3)], "differ in size"),
        ([torch.full((1, 2, 2), -torch.inf)], "finite"),
    ]:
        with pytest.raises(ValueError, match=reason):
            check_maps(*maps)


def test_regions_must_be_bool_and_count_where_something_was_analysed() -> None:
    values = torch.tensor([[[torch.nan, 1.0], [2.0, 3.0]]])
    marked = marked_pixels(values, torch.tensor([[[True, True], [False, True]]]))
    assert marked.tolist() == [[[False, True], [False, True]]]
    with pytest.raises(ValueError, match="bool, not"):
        marked_pixels(values, torch.full((1, 2, 2), 255, dtype=torch.uint8))
    with pytest.raises(ValueError, match="differ in size"):
        marked_pixels(values, torch.ones(1, 2, 3, dtype=torch.bool))


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1.0, 1.7e308])
def test_positive_evidence_is_scaled_to_the_strongest(scale: float) -> None:
    values = torch.tensor([[[1.0, -1.0, torch.nan, 0.0]], [[-1.0, -1.0, -1.0, torch.nan]]], dtype=torch.float64) * scale
    assert positive(values).tolist() == [[[1, 0, 0, 0]], [[0, 0, 0, 0]]]


def test_maps_given_stay_as_they_were() -> None:
    values = torch.tensor([[[1.0, -2.0, 4.0]]], dtype=torch.float64)
    positive(values)
    levelled(values)
    assert values.tolist() == [[[1, -2, 4]]]


def test_a_constant_map_that_was_resampled_is_constant_again() -> None:
    resampled = Maps(torch.full((1, 1, 7, 7), 0.1), "mean").on_input((50, 50))[0]
    assert len(resampled.unique()) > 1  # what it is for
    assert len(levelled(resampled).unique()) == 1


def test_maps_that_differ_by_more_than_rounding_are_left_alone() -> None:
    values = torch.tensor([[[1.0, 1.00001, torch.nan]], [[0.0, 1e-30, -1e-30]]], dtype=torch.float64)
    torch.testing.assert_close(levelled(values), values, rtol=0, atol=0, equal_nan=True)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), st.data())
def test_the_strongest_are_what_a_random_order_of_equals_gives_on_average(values: list[int], data) -> None:
    count = data.draw(st.integers(0, len(values)))
    rng, drawn = np.random.default_rng(0), np.zeros(len(values))
    for _ in range(300):
        order = np.lexsort((rng.random(len(values)), -np.array(values)))
        drawn[order[:count]] += 1 / 300
    found = strongest(torch.tensor([[values]], dtype=torch.float32), torch.tensor([count]))[0, 0].numpy()
    assert found.sum() == pytest.approx(count)
    assert found == pytest.approx(drawn, abs=0.15)
