"""Figures of localisation against their definitions, one pixel after the other, and against other libraries."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, jaccard_score

from softcam_core.evaluation.localization import (
    activation_precision,
    activation_sensitivity,
    best_dice,
    best_iou,
    pointing_game,
    relevance_mass,
    relevance_rank,
)

Figure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
ALL = (
    pointing_game,
    relevance_mass,
    relevance_rank,
    activation_precision,
    activation_sensitivity,
    best_iou,
    best_dice,
)
OF_ORDER = (pointing_game, relevance_rank, best_iou, best_dice)

shapes = st.tuples(st.integers(1, 5), st.integers(1, 6))
# Few different values make ties likely; NaN is what was not analysed.
elements = st.one_of(st.sampled_from([-2.0, 0.0, 0.5, 3.0, math.nan]), st.integers(-4000, 4000).map(lambda i: i / 8))


@st.composite
def cases(draw) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    return draw(arrays(np.float64, shape, elements=elements)), draw(arrays(np.bool_, shape))


def figure(function: Figure, values: np.ndarray, region: np.ndarray, **options) -> float:
    found = function(torch.from_numpy(values.copy())[None], torch.from_numpy(region.copy())[None], **options)
    assert found.shape == (1,)
    assert found.dtype == torch.float64
    return float(found)


# --- slow versions


def pixels(values: np.ndarray, region: np.ndarray) -> list[tuple[float, bool]]:
    return [
        (float(v), bool(m)) for v, m in zip(values.ravel(), region.ravel(), strict=True) if not math.isnan(float(v))
    ]


def slow_pointing(values: np.ndarray, region: np.ndarray, margin: float = 0.0) -> float:
    places = [place for place in np.ndindex(values.shape) if not math.isnan(values[place])]
    marked = [place for place in places if region[place]]
    if not marked:
        return math.nan
    peak = max(values[place] for place in places)
    peaks = [place for place in places if values[place] == peak]
    return sum(any(math.dist(p, m) <= margin for m in marked) for p in peaks) / len(peaks)


def slow_mass(values: np.ndarray, region: np.ndarray) -> float:
    found = pixels(values, region)
    total = sum(max(v, 0) for v, _ in found)
    return sum(max(v, 0) for v, m in found if m) / total if total and any(m for _, m in found) else math.nan


def slow_rank(values: np.ndarray, region: np.ndarray) -> float:
    """The mean of a pixel's chance to be among the K highest, over the K annotated ones."""
    found = pixels(values, region)
    count = sum(m for _, m in found)
    if not count:
        return math.nan
    chances = []
    for value, marked in found:
        above, equal = sum(v > value for v, _ in found), sum(v == value for v, _ in found)
        if marked:
            chances.append(min(max(count - above, 0) / equal, 1))
    return sum(chances) / count


def slow_activation(values: np.ndarray, region: np.ndarray) -> tuple[float, float]:
    found = [(max(v, 0), m) for v, m in pixels(values, region)]
    if not any(m for _, m in found):
        return math.nan, math.nan
    low, high = min(v for v, _ in found), max(v for v, _ in found)
    scaled = [((v - low) / (high - low) if high > low else 0.0, m) for v, m in found]
    inside, total = sum(s for s, m in scaled if m), sum(s for s, _ in scaled)
    return inside / total if total else math.nan, inside / sum(m for _, m in scaled)


def slow_best(values: np.ndarray, region: np.ndarray, score: Callable) -> float:
    found = pixels(values, region)
    truth = [m for _, m in found]
    if not any(truth):
        return math.nan
    return max(float(score(truth, [v >= t for v, _ in found])) for t in {v for v, _ in found})


@given(cases())
def test_figures_equal_their_definitions(case) -> None:
    expected = {
        pointing_game: slow_pointing(*case),
        relevance_mass: slow_mass(*case),
        relevance_rank: slow_rank(*case),
        activation_precision: slow_activation(*case)[0],
        activation_sensitivity: slow_activation(*case)[1],
    }
    found = {function: figure(function, *case) for function in expected}
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(cases())
@settings(max_examples=40)
def test_overlaps_equal_those_of_scikit_learn_at_the_best_of_all_thresholds(case) -> None:
    assert figure(best_iou, *case) == pytest.approx(slow_best(*case, jaccard_score), abs=1e-12, nan_ok=True)
    assert figure(best_dice, *case) == pytest.approx(slow_best(*case, f1_score), abs=1e-12, nan_ok=True)


@given(cases(), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, math.sqrt(5), 2.9, 50.0]))
@settings(max_examples=30)
def test_a_margin_is_measured_from_pixel_to_pixel(case, margin: float) -> None:
    found = figure(pointing_game, *case, margin=margin)
    assert found == pytest.approx(slow_pointing(*case, margin), abs=1e-12, nan_ok=True)


# --- properties


@given(cases())
@settings(max_examples=30)
def test_figures_lie_between_0_and_1_or_are_not_defined(case) -> None:
    values, region = case
    for function in ALL:
        found = figure(function, values, region)
        assert math.isnan(found) or 0 <= found <= 1 + 1e-12
        if function in OF_ORDER:
            assert math.isnan(found) == (not (region & ~np.isnan(values)).any())


@given(cases(), st.sampled_from([1e-300, 1e-30, 7.0, 1e30, 1e300]))
@settings(max_examples=30)
def test_scale_does_not_matter(case, factor: float) -> None:
    values, region = case
    for function in ALL:
        scaled = figure(function, values * factor, region)
        assert scaled == pytest.approx(figure(function, values, region), rel=1e-9, nan_ok=True)


@given(cases(), st.randoms())
@settings(max_examples=30)
def test_places_do_not_matter(case, random) -> None:
    values, region = case
    order = list(range(values.size))
    random.shuffle(order)
    shuffled = values.ravel()[order].reshape(values.shape), region.ravel()[order].reshape(values.shape)
    for function in ALL:
        assert figure(function, *shuffled) == pytest.approx(figure(function, values, region), rel=1e-12, nan_ok=True)
    flipped = figure(pointing_game, values[:, ::-1], region[:, ::-1], margin=1.5)
    assert flipped == pytest.approx(figure(pointing_game, values, region, margin=1.5), nan_ok=True)


@given(cases(), st.booleans())
@settings(max_examples=30)
def test_a_border_that_was_not_analysed_changes_nothing(case, is_marked: bool) -> None:
    values, region = case
    padded = np.pad(values, 2, constant_values=np.nan), np.pad(region, 2, constant_values=is_marked)
    for function in ALL:
        assert figure(function, *padded) == pytest.approx(figure(function, values, region), rel=1e-12, nan_ok=True)
    assert figure(pointing_game, *padded, margin=1.0) == pytest.approx(
        figure(pointing_game, values, region, margin=1.0), nan_ok=True
    )


@given(arrays(np.float64, (3, 3, 4), elements=elements), arrays(np.bool_, (3, 3, 4)))
@settings(max_examples=30)
def test_maps_of_a_batch_do_not_touch_one_another(values: np.ndarray, regions: np.ndarray) -> None:
    for function in ALL:
        together = function(torch.from_numpy(values.copy()), torch.from_numpy(regions.copy())).tolist()
        apart = [figure(function, *each) for each in zip(values, regions, strict=True)]
        assert together == pytest.approx(apart, rel=1e-12, nan_ok=True)


# --- particular maps


@pytest.fixture
def region() -> np.ndarray:
    region = np.zeros((6, 8), dtype=bool)
    region[2:4, 3:6] = True
    return region


@pytest.mark.parametrize("value", [1e-30, 3.0, 1e30])
def test_a_constant_map_has_the_figures_of_the_annotated_area(region, value: float) -> None:
    constant = np.full(region.shape, value, dtype=np.float32)
    for function in (pointing_game, relevance_mass, relevance_rank, best_iou):
        assert figure(function, constant, region) == pytest.approx(region.mean())
    assert math.isnan(figure(activation_precision, constant, region))  # nothing stands out
    assert figure(activation_sensitivity, constant, region) == 0


def test_rounding_does_not_make_a_constant_map_point_somewhere(region) -> None:
    rounded = np.full(region.shape, 0.1, dtype=np.float32)
    rounded[3, 3] = np.nextafter(np.float32(0.1), np.float32(1))
    for function in OF_ORDER[:3]:
        assert figure(function, rounded, region) == pytest.approx(region.mean())


@pytest.mark.parametrize("fill", [0.0, -2.0])
def test_without_positive_evidence_only_the_order_counts(region, fill: float) -> None:
    values = np.full(region.shape, fill)
    values[~region] -= 1
    assert [figure(function, values, region) for function in OF_ORDER] == [1, 1, 1, 1]
    assert math.isnan(figure(relevance_mass, values, region))
    assert math.isnan(figure(activation_precision, values, region))
    assert figure(activation_sensitivity, values, region) == 0


def test_a_peak_beside_the_annotation_hits_within_the_margin(region) -> None:
    values = np.zeros(region.shape)
    values[0, 0] = 1  # two rows and three columns away
    assert figure(pointing_game, values, region, margin=3.6) == 0
    assert figure(pointing_game, values, region, margin=3.7) == 1


def test_a_perfect_map_has_every_figure_at_its_best(region) -> None:
    for function in ALL:
        assert figure(function, region.astype(np.float64), region) == 1


@pytest.mark.parametrize("function", ALL)
def test_nothing_annotated_or_nothing_analysed_has_no_figure(function, region) -> None:
    values = np.ones(region.shape)
    assert math.isnan(figure(function, values, np.zeros_like(region)))
    assert math.isnan(figure(function, values * np.nan, region))
    assert math.isnan(figure(function, np.where(region, np.nan, values), region))


@pytest.mark.parametrize("function", ALL)
def test_what_does_not_fit_is_refused(function) -> None:
    values, regions = torch.zeros(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="size"):
        function(values, regions[:1])
    with pytest.raises(ValueError, match="finite"):
        function(values + torch.inf, regions)


@pytest.mark.parametrize("margin", [-1.0, math.nan, math.inf])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        pointing_game(torch.zeros(1, 3, 4), torch.ones(1, 3, 4, dtype=torch.bool), margin)


def test_maps_in_float32_and_half_precision_are_taken(region) -> None:
    values = np.random.default_rng(0).normal(size=region.shape).astype(np.float16)
    for function in ALL:
        expected = figure(function, values.astype(np.float64), region)
        assert figure(function, values, region) == pytest.approx(expected)
        assert figure(function, values.astype(np.float32), region) == pytest.approx(expected)


# --- Quantus, where it is right and where not


def batch(seed: int, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    regions = rng.random((count, 1, 7, 9)) < 0.3
    return rng.random((count, 1, 7, 9)), regions


def quantus_figures(metric: str, values: np.ndarray, regions: np.ndarray, **options) -> list[float]:
    import quantus

    made = getattr(quantus, metric)(disable_warnings=True, **options)
    return [float(each) for each in made.evaluate_batch(a_batch=values.copy(), s_batch=regions.copy())]


@pytest.mark.parametrize(
    ("function", "metric"),
    [
        (pointing_game, "PointingGame"),
        (relevance_mass, "RelevanceMassAccuracy"),
        (relevance_rank, "RelevanceRankAccuracy"),
    ],
)
def test_agrees_with_quantus_on_maps_without_signs_and_ties(function, metric: str) -> None:
    values, regions = batch(0)
    found = function(torch.from_numpy(values[:, 0]), torch.from_numpy(regions[:, 0]))
    assert found.tolist() == pytest.approx(quantus_figures(metric, values, regions))


def test_rank_agrees_with_quantus_top_k_of_the_annotations_size() -> None:
    values, regions = batch(1, count=1)
    expected = quantus_figures("TopKIntersection", values - 0.5, regions, k=int(regions.sum()))
    assert figure(relevance_rank, values[0, 0] - 0.5, regions[0, 0]) == pytest.approx(expected[0])


def test_quantus_lets_constant_maps_win_and_empty_annotations_hit() -> None:
    """Any of the highest pixels is enough there, ranks go by scan order, and its NaN becomes True."""
    constant, corner = np.ones((1, 1, 7, 9)), np.zeros((1, 1, 7, 9), dtype=bool)
    assert quantus_figures("PointingGame", constant, corner) == [1]
    assert math.isnan(figure(pointing_game, constant[0, 0], corner[0, 0]))
    corner[..., :2, :2] = True
    assert quantus_figures("PointingGame", constant, corner) == [1]
    assert figure(pointing_game, constant[0, 0], corner[0, 0]) == pytest.approx(4 / 63)


def test_quantus_sums_signed_maps_to_masses_above_1() -> None:
    values, regions = np.array([[[[3.0, -2.0]]]]), np.array([[[[True, False]]]])
    assert quantus_figures("RelevanceMassAccuracy", values, regions) == [3]
    assert figure(relevance_mass, values[0, 0], regions[0, 0]) == 1


# --- the authors' evaluation, and what is done here instead


def test_quirk_no_epsilon_makes_a_figure_of_nothing(region) -> None:
    """They add an epsilon to both sums: a map without positive evidence has precision 0, not none."""
    assert math.isnan(figure(activation_precision, np.full(region.shape, -1.0), region))


def test_quirk_an_epsilon_does_not_swallow_weak_maps(region) -> None:
    """With their epsilon of 2e-16 a map in the range of 1e-20 has no activation."""
    values = region * 1e-20
    theirs = values.sum() / (values.sum() + np.finfo(float).eps)
    assert theirs < 0.001
    assert figure(activation_precision, values, region) == 1
    assert figure(activation_sensitivity, values, region) == 1


def test_quirk_weak_positive_evidence_stays_positive() -> None:
    """Their first version stretches positive values to [-1, 1] and counts those above 0: the weaker half is lost."""
    values, region = np.array([[1.0, 2.0, 3.0, 0.0]]), np.array([[True, False, False, False]])
    assert figure(activation_precision, values, region) == pytest.approx(1 / 6)


def test_quirk_negative_evidence_is_not_stretched_into_activation() -> None:
    """Min-max of a signed map turns 0 into activation, and the least negative value too."""
    values, region = np.array([[-1.0, 0.0, 1.0, -0.5]]), np.array([[False, False, True, False]])
    theirs = (values - values.min()) / 2
    assert (theirs * region).sum() / theirs.sum() < 0.6
    assert figure(activation_precision, values, region) == 1


def test_quirk_min_max_does_not_stretch_rounding(region) -> None:
    """Min-max of a constant map stretches its rounding to [0, 1], as if something stood out."""
    rounded = np.full(region.shape, 0.1, dtype=np.float32)
    rounded[3, 3] = np.nextafter(np.float32(0.1), np.float32(1))
    assert figure(activation_sensitivity, rounded, region) == 0


def test_quirk_figures_are_not_rounded(region) -> None:
    """They round each image's figure to four decimals before the mean."""
    values = np.where(region, 1e-6, 1.0)
    assert figure(activation_precision, values, region) == 0  # the least value counts as nothing
    assert 0 < figure(relevance_mass, values, region) < 1e-6


def test_quirk_overlapping_boxes_count_once(region) -> None:
    """Sums over boxes would count their overlap twice: a region is a set of pixels."""
    other = np.zeros_like(region)
    other[3:5, 4:7] = True
    values = np.ones(region.shape)
    union = (region | other).mean()
    assert figure(relevance_mass, values, region | other) == pytest.approx(union)
    assert union < region.mean() + other.mean()


def test_quirk_masks_that_are_no_sets_are_refused(region) -> None:
    """Their masks are what the image file has: 0 to 1, or 0 to 255."""
    with pytest.raises(ValueError, match="bool"):
        relevance_mass(torch.ones(1, 6, 8), torch.from_numpy(region * np.uint8(255))[None])


@pytest.mark.parametrize("size", [(5, 11), (31, 24), (17, 33)])
def test_quirk_images_have_any_size(size: tuple[int, int]) -> None:
    """Theirs are 512 x 512."""
    rng = np.random.default_rng(2)
    values, region = rng.normal(size=size), rng.random(size) < 0.2
    assert figure(relevance_mass, values, region) == pytest.approx(slow_mass(values, region))
    assert figure(relevance_rank, values, region) == pytest.approx(slow_rank(values, region))
