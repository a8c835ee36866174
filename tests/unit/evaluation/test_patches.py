"""Patch precision against the protocol, one patch after the other, and what the authors' code does differently."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softcam_core.evaluation.patches import patch_hits, patch_precision, precision_at
from softcam_core.explainers.base import Maps


def hits_of(values: np.ndarray, region: np.ndarray, *numbers: int | None) -> list[float]:
    found = patch_hits(torch.from_numpy(values.copy())[None], torch.from_numpy(region.copy())[None], *numbers)
    assert found.dtype == torch.float64
    return found[0].tolist()


def slow_starts(size: int, side: int, stride: int) -> list[int]:
    starts = list(range(0, size - side + 1, stride))
    return starts if starts[-1] == size - side else [*starts, size - side]


def slow_hits(values: np.ndarray, region: np.ndarray, patch: int, stride: int, most: int) -> list[float]:
    """Up to and with the first patch that has as much evidence as another: what follows depends on which is taken."""
    height, width = (min(patch, size) for size in values.shape)
    left = {}
    for top in slow_starts(values.shape[0], height, stride):
        for start in slow_starts(values.shape[1], width, stride):
            part = values[top : top + height, start : start + width]
            left[top, start] = sum(float(v) for v in part.ravel() if not math.isnan(v))
    analysed_region = region & ~np.isnan(values)
    hits = []
    while len(hits) < most and left and max(left.values()) > 0 and analysed_region.any():
        tied = [at for at, evidence in left.items() if evidence >= max(left.values()) * (1 - 1e-6)]
        touches = [analysed_region[top : top + height, start : start + width].any() for top, start in tied]
        hits.append(float(np.mean(touches)))
        if len(tied) > 1:
            return hits
        left = {
            (t, s): e for (t, s), e in left.items() if abs(t - tied[0][0]) >= height or abs(s - tied[0][1]) >= width
        }
    return hits + [math.nan] * (most - len(hits))


@st.composite
def cases(draw) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 14), st.integers(1, 14)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    values = rng.normal(draw(st.sampled_from([-1.0, 0.0, 1.0])), 1.0, shape)
    values[rng.random(shape) < draw(st.sampled_from([0.0, 0.3]))] = np.nan
    return values, rng.random(shape) < 0.2


numbers = st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 8))


@given(cases(), numbers)
def test_hits_equal_those_of_the_protocol(case, numbers) -> None:
    expected = slow_hits(*case, *numbers)
    assert hits_of(*case, *numbers)[: len(expected)] == pytest.approx(expected, nan_ok=True)


@given(cases(), numbers, st.sampled_from([1e-300, 1e-20, 3.0]))
@settings(max_examples=30)
def test_scale_does_not_matter(case, numbers, factor: float) -> None:
    values, region = case
    assert hits_of(values * factor, region, *numbers) == pytest.approx(hits_of(values, region, *numbers), nan_ok=True)


def test_large_values_do_not_overflow() -> None:
    values = np.array([[1.0, 1.0, 1.5, 1.5, -1.0]]) * 1e308
    assert hits_of(values, np.arange(5)[None] < 2, 2, 2, 2) == [0, 1]


@given(cases(), st.integers(1, 6))
@settings(max_examples=30)
def test_flipped_images_have_the_same_hits(case, patch: int) -> None:
    values, region = case
    expected = pytest.approx(hits_of(values, region, patch, 1, 6), nan_ok=True)
    assert hits_of(values[::-1], region[::-1], patch, 1, 6) == expected
    assert hits_of(values[:, ::-1], region[:, ::-1], patch, 1, 6) == expected
    assert hits_of(values.T, region.T, patch, 1, 6) == expected


@given(cases(), st.integers(1, 5), st.booleans())
@settings(max_examples=30)
def test_a_border_that_was_not_analysed_neither_counts_nor_hits(case, patch: int, is_marked: bool) -> None:
    values, region = case
    padded = np.pad(values, patch, constant_values=np.nan), np.pad(region, patch, constant_values=is_marked)
    nothing = np.pad(np.nan_to_num(values), patch), np.pad(region & ~np.isnan(values), patch)
    assert hits_of(*padded, patch, 1, 5) == pytest.approx(hits_of(*nothing, patch, 1, 5), nan_ok=True)


@given(st.lists(cases(), min_size=2, max_size=4), numbers)
@settings(max_examples=30)
def test_images_of_a_batch_do_not_touch_one_another(several, numbers) -> None:
    shape = tuple(min(v.shape[axis] for v, _ in several) for axis in (0, 1))
    cut = [(v[: shape[0], : shape[1]], r[: shape[0], : shape[1]]) for v, r in several]
    values, regions = (torch.from_numpy(np.stack(each)) for each in zip(*cut, strict=True))
    for found, each in zip(patch_hits(values, regions, *numbers).tolist(), cut, strict=True):
        expected = slow_hits(*each, *numbers)
        assert found[: len(expected)] == pytest.approx(expected, nan_ok=True)


def test_patches_are_taken_until_none_is_left() -> None:
    values, region = np.ones((70, 100)), np.zeros((70, 100), bool)
    values += np.random.default_rng(0).normal(0, 0.01, values.shape)
    region[:35] = True
    found = hits_of(values, region, 33, 8, None)
    assert len(found) == 2 * 3  # what there is room for
    assert hits_of(values, region, 33, 8, 29)[: len(found)] == pytest.approx(found, nan_ok=True)
    assert 2 <= sum(not math.isnan(hit) for hit in found) <= 6


@pytest.mark.parametrize("fill", [0.0, -1.0, math.nan])
def test_a_map_without_positive_evidence_has_no_patches(fill: float) -> None:
    found = hits_of(np.full((40, 40), fill), np.ones((40, 40), bool))
    assert len(found) == 29
    assert all(math.isnan(hit) for hit in found)
    assert math.isnan(patch_precision(torch.tensor([found])))


def test_without_an_annotation_there_are_no_hits_to_count() -> None:
    assert all(math.isnan(hit) for hit in hits_of(np.ones((40, 40)), np.zeros((40, 40), bool)))


def test_patches_stop_where_evidence_is_only_rounding() -> None:
    values = np.full((10, 30), 1e-9)
    values[:, :10] = 1
    found = hits_of(values, np.ones(values.shape, bool), 10, 10, 3)
    assert found == pytest.approx([1, math.nan, math.nan], nan_ok=True)


def test_the_first_patch_of_a_constant_map_hits_as_often_as_a_random_one() -> None:
    region = np.zeros((50, 60), bool)
    region[:10, :10] = True
    touching = sum(t < 10 and s < 10 for t in slow_starts(50, 9, 4) for s in slow_starts(60, 9, 4))
    share = touching / (len(slow_starts(50, 9, 4)) * len(slow_starts(60, 9, 4)))
    for side in (region, region[::-1], region[:, ::-1]):
        assert hits_of(np.full(region.shape, 0.1, np.float32), side, 9, 4, 5)[0] == pytest.approx(share, abs=0.02)
    assert hits_of(np.full(region.shape, 0.1, np.float32), region, 9, 4, 5)[0] == pytest.approx(share)


def test_rounding_decides_no_tie() -> None:
    resampled = Maps(torch.full((1, 1, 7, 7), 0.1), "mean").on_input((50, 50))[0]
    assert len(resampled.unique()) > 1
    region = np.zeros((50, 50), bool)
    region[:10, :10] = True
    expected = hits_of(np.ones((50, 50)), region, 9, 4, 5)
    assert 0 < expected[0] < 1
    assert hits_of(resampled[0].numpy(), region, 9, 4, 5) == pytest.approx(expected)


def test_the_patches_of_a_constant_map_prefer_no_side() -> None:
    regions = torch.zeros(4, 120, 120, dtype=torch.bool)
    regions[0, :40, :40] = True
    regions[1], regions[2], regions[3] = regions[0].flip(0), regions[0].flip(1), regions[0].flip(0, 1)
    upper_left, lower_left, upper_right, lower_right = patch_precision(
        patch_hits(torch.ones(4, 120, 120), regions, 10, 5, 60)
    ).tolist()
    # In the order of a scan, 60 of about 100 patches would leave the lower ones out, and precision be 0.1 apart.
    assert upper_left + upper_right == pytest.approx(lower_left + lower_right, abs=0.06)
    assert upper_left + lower_left == pytest.approx(upper_right + lower_right, abs=0.06)


def test_which_of_equal_patches_is_taken_does_not_depend_on_the_batch() -> None:
    values, regions = torch.ones(3, 30, 40), torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(1)) < 0.01
    together = patch_hits(values, regions, 5, 2, 10)
    apart = torch.cat([patch_hits(values[i : i + 1], regions[i : i + 1], 5, 2, 10) for i in (2, 0, 1)])
    torch.testing.assert_close(together[[2, 0, 1]], apart)


def test_a_patch_hits_when_it_touches_one_pixel() -> None:
    values, region = np.zeros((20, 20)), np.zeros((20, 20), bool)
    values[4, 4], region[7, 7] = 1, True
    assert hits_of(values, region, 8, 8, 1) == [1]
    assert hits_of(values, np.roll(region, 1, axis=1), 8, 8, 1) == [0]


def test_precision_is_of_the_patches_that_were_taken() -> None:
    nan = math.nan
    hits = torch.tensor([[1, 0, 0.5, nan], [nan, nan, nan, nan], [0, 1, 1, 1]], dtype=torch.float64)
    assert patch_precision(hits).tolist() == pytest.approx([0.5, nan, 0.75], nan_ok=True)
    assert precision_at(hits, 1).tolist() == pytest.approx([1, nan, 0], nan_ok=True)
    assert precision_at(hits, 2).tolist() == pytest.approx([0.5, nan, 0.5], nan_ok=True)
    assert precision_at(hits, 4).tolist() == pytest.approx([0.5, nan, 0.75], nan_ok=True)
    for k in (0, 5):
        with pytest.raises(ValueError, match="from 1 to 4"):
            precision_at(hits, k)


def test_what_does_not_fit_is_refused() -> None:
    values, regions = torch.zeros(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="size"):
        patch_hits(values, regions[:1])
    for numbers in [(0, 8, 29), (33, 0, 29), (33, 8, 0)]:
        with pytest.raises(ValueError, match="at least 1"):
            patch_hits(values, regions, *numbers)


# --- the authors' code, and what is done here instead


def columns(*sums: float) -> np.ndarray:
    """A map three pixels high whose columns have these sums."""
    return np.tile(np.array(sums) / 3, (3, 1))


def test_quirk_patches_that_were_taken_never_overlap() -> None:
    """Theirs rule out 4 x 4 cells of 8 px around a taken one, not even around its middle: patches of 33 px overlap."""
    values = np.zeros((33, 64))
    values[16, 0], values[16, -1] = 2, 1  # in patches that begin 31 px apart
    assert np.isfinite(hits_of(values, values > 0, 33, 8, 4)).sum() == 1
    wider = np.zeros((33, 66))
    wider[16, 0], wider[16, -1] = 2, 1
    assert np.isfinite(hits_of(wider, wider > 0, 33, 8, 4)).sum() == 2


def test_quirk_patches_that_were_ruled_out_rule_out_nothing() -> None:
    """Theirs take the neighbours of every cell out, also of those that were not taken."""
    values = columns(5, 5, 5, 4, 1, 1, 0.5, 0.5, 0.5)
    # By falling evidence: the patches at 0, 1, 2, 3. The one at 1 is ruled out, and would rule out that at 3.
    region = np.zeros(values.shape, bool)
    region[:, 3:6] = True
    assert hits_of(values, region, 3, 1, 3) == [0, 1, 0]


def test_quirk_the_end_of_a_row_does_not_rule_out_the_next_row() -> None:
    """Theirs count cells through: left of a row's first cell is the last one of the row above."""
    values = np.arange(1.0, 13).reshape(3, 4)
    assert hits_of(values, np.ones(values.shape, bool), 1, 1, 20)[:12] == [1] * 12


def test_quirk_rows_and_columns_are_not_swapped() -> None:
    """Theirs look for fundus patches in the transposed mask."""
    values, region = np.zeros((40, 60)), np.zeros((40, 60), bool)
    values[2, 50], region[2, 50] = 1, True
    assert hits_of(values, region, 8, 4, 1) == [1]
    region[:] = False
    region[30:, :10] = True
    assert hits_of(values, region, 8, 4, 1) == [0]


@pytest.mark.parametrize("size", [(512, 512), (496, 496), (200, 333), (20, 700)])
def test_quirk_all_of_an_image_of_any_size_is_looked_at(size: tuple[int, int]) -> None:
    """Theirs see 505 x 505 pixels of 512 x 512, through 60 x 60 cells that they take for 8 px wide."""
    for corner in [(0, 0), (0, -1), (-1, 0), (-1, -1)]:
        values = np.zeros(size)
        values[corner] = 1
        assert hits_of(values, values > 0, 33, 8, 2) == pytest.approx([1, math.nan], nan_ok=True)


def test_quirk_no_threshold_has_a_models_units() -> None:
    """Theirs take what has evidence above 1, whatever the method: maps in [0, 1] have no patches."""
    values = np.random.default_rng(0).random((40, 40)) / 1089
    assert np.isfinite(hits_of(values, np.ones(values.shape, bool), 8, 4, 5)).all()


def test_quirk_evidence_is_not_rounded() -> None:
    """Theirs are whole numbers by default, so that most patches tie."""
    values = columns(0.1, 0.1, 0.1, 0.2, 0.2, 0.2)
    region = np.zeros(values.shape, bool)
    region[:, 3:] = True
    assert hits_of(values, region, 3, 3, 2) == [1, 0]
