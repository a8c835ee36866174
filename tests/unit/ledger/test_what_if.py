import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softcam_core as sc
from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.ledger.regions import ledger_of
from softcam_core.ledger.what_if import without
from softcam_core.models.softcam import SoftCAM

PLANS = [
    Geometry.plan((60, 45), None),
    Geometry.plan((60, 45), 32, (20, 24)),
    Geometry.plan((60, 45), 32, None, (5, 3, 50, 40)),
]
LATTICES = [None, Lattice((3.0, 3.0), (7.0, 5.0)), Lattice((-6.0, 20.0), (4.0, 9.0))]
rasters = st.sampled_from(["image", "analysed", "sampled"])


def raster_of(geometry: Geometry, kind: str) -> Geometry:
    return {"image": geometry, "analysed": geometry.analysed((31, 17)), "sampled": geometry.sampled((25, 80))}[kind]


def placed(plan: Geometry, lattice: Lattice | None) -> Geometry:
    return Geometry(plan.image_size, plan.resized, plan.origin, plan.input_size, lattice, plan.field)


@given(
    plan=st.sampled_from(PLANS),
    lattice=st.sampled_from(LATTICES),
    kind=rasters,
    task=st.sampled_from(["single_label", "multi_label"]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    is_binary=st.booleans(),
    seed=st.integers(0, 999),
)
def test_equals_the_sum_over_what_is_left(make_evidence, plan, lattice, kind, task, shape, is_binary, seed) -> None:
    rng = np.random.default_rng(seed)
    grid = rng.normal(size=(4, *shape)).astype(np.float32) * 4
    offset = rng.normal(size=4).astype(np.float32)
    geometry = placed(plan, lattice)
    raster = raster_of(geometry, kind)
    mask = rng.random(raster.image_size)
    if is_binary:
        mask = mask > 0.6
    found = without(make_evidence(grid, offset, geometry, task), mask, raster)
    shares = [raster.shares(grid[k].astype(np.float64) - float(offset[k])) for k in range(4)]
    logits = np.array([float(offset[k]) + ((1.0 - mask) * shares[k]).sum() for k in range(4)])
    np.testing.assert_allclose(found.logits, logits, atol=1e-11)
    exponents = np.exp(logits)
    expected = exponents / exponents.sum() if task == "single_label" else 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-12)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("kind", ["image", "analysed", "sampled"])
def test_nothing_left_is_what_the_model_says_of_nothing(make_evidence, plan, lattice, kind) -> None:
    grid = np.random.default_rng(0).normal(size=(2, 6, 7)) * 9
    geometry = placed(plan, lattice)
    raster = raster_of(geometry, kind)
    explanation = make_evidence(grid, [-3.0, 0.5], geometry, "multi_label")
    all_gone = without(explanation, np.ones(raster.image_size, dtype=bool), raster)
    np.testing.assert_allclose(all_gone.logits, [-3, 0.5], atol=1e-12)
    assert all_gone.probabilities[0] == pytest.approx(1 / (1 + np.exp(3)))
    all_there = without(explanation, np.zeros(raster.image_size, dtype=np.float32), raster)
    np.testing.assert_allclose(all_there.logits, explanation.logits, atol=1e-5)


def test_what_is_not_analysed_can_be_taken_out_for_nothing(make_evidence) -> None:
    geometry = PLANS[1]
    explanation = make_evidence(np.random.default_rng(0).normal(size=(2, 5, 5)), [1, 2], geometry)
    outside = np.isnan(geometry.on_image(explanation.grid[0]))
    assert outside.any()
    np.testing.assert_allclose(without(explanation, outside).logits, explanation.logits, atol=1e-6)


def test_agrees_with_the_ledger_whose_regions_are_taken_out(make_evidence) -> None:
    geometry = Geometry.plan((90, 70), 48, (40, 40))
    explanation = make_evidence(np.random.default_rng(4).normal(size=(2, 10, 10)) * 5, [0.5, -2], geometry)
    raster = geometry.analysed((128, 128))
    ledger = ledger_of(explanation, 1, 0, level=2.0, raster=raster)
    assert len(ledger.regions) > 4
    for numbers in ([1], [1, 2, len(ledger.regions)], range(1, len(ledger.regions) + 1)):
        left = without(explanation, np.isin(ledger.labels, list(numbers)), raster)
        assert left.logits[1] - left.logits[0] == pytest.approx(ledger.without(numbers), abs=1e-6)
        assert left.probabilities[1] == pytest.approx(1 / (1 + np.exp(-ledger.without(numbers))))


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_probabilities_are_made_as_the_classifier_makes_them(make_evidence, compact_model, task) -> None:
    grid = np.random.default_rng(0).normal(size=(2, 5, 5)) * 9
    explanation = make_evidence(grid, [0, 0], Geometry.plan((40, 40), None), task)
    model = SoftCAM(compact_model.features, compact_model.head, explanation.card)
    found = without(explanation, np.zeros((40, 40)))
    np.testing.assert_allclose(found.probabilities, model.probabilities(torch.from_numpy(found.logits)), atol=1e-12)


def test_a_networks_logits_go_from_what_it_says_to_what_it_says_of_nothing(compact_model, grey_image) -> None:
    explanation = sc.explain(compact_model, grey_image(np.random.default_rng(0).random((70, 50))))
    assert explanation.offset.any()
    ledger = ledger_of(explanation, "spot", level=0.01)
    assert ledger.total == pytest.approx(explanation.logits[1], abs=1e-6)
    whole = without(explanation, np.zeros((70, 50), dtype=bool))
    np.testing.assert_allclose(whole.probabilities, explanation.probabilities, atol=1e-6)
    nothing = without(explanation, np.ones((70, 50), dtype=bool))
    np.testing.assert_allclose(nothing.logits, compact_model.offset.numpy(), atol=1e-6)


def test_large_logits_give_probabilities_all_the_same(make_evidence) -> None:
    geometry = Geometry.plan((8, 8), None)
    for task in ("single_label", "multi_label"):
        explanation = make_evidence(np.full((2, 2, 2), [[[5e3]], [[-5e3]]]), [0, 0], geometry, task)
        np.testing.assert_allclose(without(explanation, np.zeros((8, 8))).probabilities, [1, 0], atol=1e-12)


def test_evidence_that_is_no_number_stays_none(make_evidence) -> None:
    grid = np.ones((2, 3, 3))
    grid[0, 1, 1] = np.nan
    found = without(make_evidence(grid, [0, 0], Geometry.plan((9, 9), None), "multi_label"), np.zeros((9, 9)))
    assert np.isnan(found.probabilities).tolist() == [True, False]


@pytest.mark.parametrize("value", [-0.01, 1.01, 255, np.nan])
def test_masks_that_are_no_coverage_are_refused(make_evidence, value) -> None:
    mask = np.zeros((9, 9))
    mask[4, 4] = value
    with pytest.raises(ValueError, match="within 0 to 1"):
        without(make_evidence(np.ones((2, 3, 3)), [0, 0], Geometry.plan((9, 9), None)), mask)


def test_masks_of_another_raster_are_refused(make_evidence) -> None:
    with pytest.raises(ValueError, match=r"a mask of \(9, 8\) pixels for an image of \(9, 9\)"):
        without(make_evidence(np.ones((2, 3, 3)), [0, 0], Geometry.plan((9, 9), None)), np.zeros((9, 8)))


def test_places_of_other_maps_cannot_be_taken_out(make_evidence) -> None:
    explanation = make_evidence(np.ones((2, 3, 3)), [0, 0], Geometry.plan((9, 9), None), scale="sum")
    with pytest.raises(ValueError, match="cannot have places taken out"):
        without(explanation, np.zeros((9, 9)))
