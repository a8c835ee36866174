import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.annotations.shapes import Rectangle
from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.training.config import FeedbackConfig
from softcam_core.training.feedback import FeedbackLoss, GridWeights, Places, contrast_of, make_places
from softcam_core.training.flags import USED, Flag

ANYWHERE = Rectangle(top=0, left=0, height=1, width=1)
SIZE, GRID = (24, 32), (3, 4)
LATTICE = Lattice((3.5, 4.5), (8, 8))


def places_of(rng: np.random.Generator, flags: list[Flag], owners: list[int], grow: float = 0.0) -> tuple:
    """Random soft places, and what they are on the grid."""
    coverage = (rng.random((len(flags), *SIZE)) * (rng.random((len(flags), *SIZE)) < 0.4)).astype(np.float32)
    grid = GridWeights(SIZE, GRID, LATTICE, grow)
    made = make_places(torch.from_numpy(coverage), torch.tensor(owners, dtype=torch.int64), flags, grid, 3)
    return coverage, Places(*(t.double() if t.is_floating_point() else t for t in made))


def h(x: float) -> float:
    return math.sqrt(1 + x * x) - 1


def slow_costs(config, scale, wrong_scale, maps, offset, coverage, flags, owners, before) -> dict[str, np.ndarray]:
    """The formulas of the module's docstring, flag by flag and cell by cell, in float64."""
    costs = {verdict: np.zeros(len(maps)) for verdict in USED}
    totals = {verdict: np.zeros(len(maps)) for verdict in USED}
    geometry = Geometry(SIZE, SIZE, (0, 0), SIZE, LATTICE)
    for mask, flag, owner in zip(coverage, flags, owners, strict=True):
        weights = geometry.weights_of(mask.astype(np.float64), GRID)
        cost, mean = 0.0, 0.0
        for i in range(GRID[0]):
            for j in range(GRID[1]):
                d = dict.fromkeys(("now", "before"), 0.0)
                for k, factor in enumerate(contrast_of(flag, 3)):
                    d["now"] += factor * (maps[owner, k, i, j] - offset[k])
                    d["before"] += factor * before[owner, k, i, j]
                x, x0 = d["now"] / scale, d["before"] / scale
                mean += weights[i, j] * x
                if flag.verdict == "wrong":
                    pulled = d["now"] / wrong_scale
                    cost += weights[i, j] * h(max(pulled, 0) if config.aim == "below" else pulled)
                elif flag.verdict == "correct":
                    cost += weights[i, j] * h(max(np.sign(x0) * (x0 - x), 0))
        area = weights.sum()
        cost = h(max(config.margin - mean / area, 0)) if flag.verdict == "missed" else cost / area
        costs[flag.verdict][owner] += flag.confidence * cost
        totals[flag.verdict][owner] += flag.confidence
    return {
        verdict: config.strength * getattr(config, verdict) * costs[verdict] / np.maximum(totals[verdict], 1)
        for verdict in USED
    }


FLAGS = [
    Flag("wrong", 1, 0, ANYWHERE),
    Flag("wrong", 2, None, ANYWHERE, 0.5),
    Flag("correct", 1, "rest", ANYWHERE),
    Flag("missed", 2, 1, ANYWHERE),
    Flag("wrong", 0, "rest", ANYWHERE, 0.0),
    Flag("correct", 0, 2, ANYWHERE, 0.8),
]
OWNERS = [0, 0, 0, 2, 2, 2]


@pytest.mark.parametrize("aim", ["zero", "below"])
def test_costs_are_those_of_the_formulas(aim: str) -> None:
    rng = np.random.default_rng(3)
    config = FeedbackConfig(strength=0.7, wrong=2.0, correct=0.3, missed=1.5, margin=0.4, aim=aim)
    maps, before = (rng.normal(0, 3, (3, 3, *GRID)) for _ in range(2))
    offset = rng.normal(0, 1, 3)
    coverage, places = places_of(rng, FLAGS, OWNERS)
    logits = torch.from_numpy(maps.mean((2, 3)))
    found = FeedbackLoss(config, 1.7, 0.6)(
        logits, torch.from_numpy(maps), torch.from_numpy(offset), places, torch.from_numpy(before)
    )
    slow = slow_costs(config, 1.7, 0.6, maps, offset, coverage, FLAGS, OWNERS, before)
    for verdict in USED:
        np.testing.assert_allclose(found.terms[verdict].numpy(), slow[verdict], rtol=1e-5, atol=1e-7)


def test_an_image_is_classified_by_what_is_left_without_wrong_evidence() -> None:
    rng = np.random.default_rng(4)
    maps, offset = rng.normal(0, 3, (3, 3, *GRID)), rng.normal(0, 1, 3)
    coverage, places = places_of(rng, FLAGS, OWNERS)
    logits = torch.from_numpy(maps.mean((2, 3)))
    loss = FeedbackLoss(FeedbackConfig(), 1.0)
    found = loss(logits, torch.from_numpy(maps), torch.from_numpy(offset), places).logits.numpy()
    geometry = Geometry(SIZE, SIZE, (0, 0), SIZE, LATTICE)
    for owner in range(3):
        wrong = [m for m, f, o in zip(coverage, FLAGS, OWNERS, strict=True) if f.verdict == "wrong" and o == owner]
        taken = np.minimum(sum(geometry.weights_of(m, GRID) for m in wrong), 1 / 12) if wrong else np.zeros(GRID)
        expected = maps[owner].mean((1, 2)) - ((maps[owner] - offset[:, None, None]) * taken).sum((1, 2))
        np.testing.assert_allclose(found[owner], expected, rtol=1e-6)
    kept = FeedbackLoss(FeedbackConfig(without_wrong=False), 1.0)
    assert torch.equal(kept(logits, torch.from_numpy(maps), torch.from_numpy(offset), places).logits, logits)


def test_the_label_is_not_learnt_from_a_place_that_is_flagged_whole() -> None:
    maps = torch.randn(1, 2, *GRID, requires_grad=True)
    coverage = torch.ones(1, *SIZE)
    grid = GridWeights(SIZE, GRID, None)
    places = make_places(coverage, torch.tensor([0]), [Flag("wrong", 1, 0, ANYWHERE)], grid, 2)
    found = FeedbackLoss(FeedbackConfig(), 1.0)(maps.mean((2, 3)), maps, torch.zeros(2), places)
    torch.nn.functional.cross_entropy(found.logits, torch.tensor([1])).backward()
    assert maps.grad is not None
    assert maps.grad.abs().max() < 1e-6


def test_evidence_that_is_gone_or_was_kept_costs_nothing() -> None:
    grid = GridWeights(SIZE, GRID, None)
    zero = torch.zeros(1, 2, *GRID)
    for verdict, now, before in (("wrong", zero, zero), ("correct", zero + 2, zero + 1), ("missed", zero, zero)):
        flag = Flag(verdict, 1, None, ANYWHERE)
        maps = now.clone()
        if verdict == "missed":
            maps[:, 1] = 5
        places = make_places(torch.ones(1, *SIZE), torch.tensor([0]), [flag], grid, 2)
        found = FeedbackLoss(FeedbackConfig(), 1.0)(maps.mean((2, 3)), maps, torch.zeros(2), places, before)
        assert float(found.terms[verdict].sum()) == 0


@given(st.integers(1, 6), st.integers(1, 5), st.integers(6, 30), st.integers(0, 2**32 - 1))
def test_weights_of_a_place_add_up_to_its_area(rows: int, columns: int, height: int, seed: int) -> None:
    coverage = np.random.default_rng(seed).random((2, height, 20)).astype(np.float32)
    weights = GridWeights((height, 20), (rows, columns), None)(torch.from_numpy(coverage))
    np.testing.assert_allclose(weights.sum((1, 2)), coverage.mean((1, 2)), rtol=1e-4)


def test_only_wrong_evidence_reaches_beyond_its_flag() -> None:
    coverage = torch.zeros(2, *SIZE)
    coverage[:, 8:16, 8:16] = 1
    flags = [Flag("wrong", 0, None, ANYWHERE), Flag("correct", 0, None, ANYWHERE)]
    places = make_places(coverage, torch.tensor([0, 0]), flags, GridWeights(SIZE, GRID, None, grow=1.0), 2)
    area = places.weights.sum((1, 2)) * SIZE[0] * SIZE[1]
    assert area.tolist() == pytest.approx([24 * 24, 8 * 8])


def test_a_flag_that_has_been_moved_out_of_the_picture_says_nothing() -> None:
    maps = torch.randn(1, 2, *GRID)
    flags = [Flag(verdict, 1, None, ANYWHERE) for verdict in USED]
    places = make_places(
        torch.zeros(3, *SIZE), torch.zeros(3, dtype=torch.int64), flags, GridWeights(SIZE, GRID, None), 2
    )
    logits = maps.mean((2, 3))
    found = FeedbackLoss(FeedbackConfig(), 1.0)(logits, maps, torch.zeros(2), places)
    assert {name: float(cost) for name, cost in found.terms.items()} == dict.fromkeys(USED, 0.0)
    assert torch.equal(found.logits, logits)
