import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.evaluation.grid_pointing import Mosaics, grid_pointing, mosaics


def numbered(classes: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that say their number in each pixel, and their classes."""
    images = torch.arange(len(classes))[:, None, None, None].expand(-1, 3, 4, 6).float()
    return images, torch.tensor(classes)


def members(made: Mosaics, side: int) -> torch.Tensor:
    """Numbers of the images in each mosaic, row by row."""
    return made.images[:, 0, ::4, ::6].reshape(-1, side * side).long()


def figures(values: np.ndarray, cells: list[int], side: int) -> list[float]:
    return grid_pointing(torch.from_numpy(values.copy()), torch.tensor(cells), side).tolist()


def slow(values: np.ndarray, cell: int, side: int) -> float:
    height, width = (size // side for size in values.shape)
    inside = total = 0.0
    for (row, column), value in np.ndenumerate(values):
        if value > 0:
            total += value
            inside += value * ((row // height) * side + column // width == cell)
    return inside / total if total else math.nan


@st.composite
def cases(draw) -> tuple[np.ndarray, list[int], int]:
    side, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    elements = st.one_of(st.sampled_from([-2.0, 0.0, math.nan]), st.integers(-80, 80).map(float))
    values = draw(arrays(np.float64, (2, side * height, side * width), elements=elements))
    return values, draw(st.lists(st.integers(0, side * side - 1), min_size=2, max_size=2)), side


@given(cases(), st.sampled_from([1.0, 1e-300, 1e300]))
def test_figures_equal_the_definition_at_any_scale(case, factor: float) -> None:
    values, cells, side = case
    expected = [slow(map_, cell, side) for map_, cell in zip(values, cells, strict=True)]
    assert figures(values * factor, cells, side) == pytest.approx(expected, rel=1e-9, nan_ok=True)


@given(cases())
@settings(max_examples=30)
def test_a_flipped_mosaic_has_the_flipped_cell(case) -> None:
    values, cells, side = case
    flipped = [(cell // side) * side + side - 1 - cell % side for cell in cells]
    assert figures(values[:, :, ::-1], flipped, side) == pytest.approx(figures(values, cells, side), nan_ok=True)


@pytest.mark.parametrize("side", [2, 3])
def test_a_constant_map_points_everywhere(side: int) -> None:
    assert figures(np.full((1, 12, 12), 0.3), [1], side) == pytest.approx([1 / side**2])


@pytest.mark.parametrize("fill", [0.0, -1.0, math.nan])
def test_without_positive_evidence_there_is_no_share(fill: float) -> None:
    assert math.isnan(figures(np.full((1, 4, 4), fill), [0], 2)[0])


def test_maps_and_cells_that_do_not_fit_are_refused() -> None:
    values, cells = torch.ones(2, 6, 8), torch.tensor([0, 3])
    for wrong, side, reason in [
        (cells, 3, "equal parts"),
        (cells, 0, "equal parts"),
        (cells[:1], 2, "one integer"),
        (cells.float(), 2, "one integer"),
        (cells + 1, 2, "from 0 to 3"),
        (cells - 1, 2, "from 0 to 3"),
    ]:
        with pytest.raises(ValueError, match=reason):
            grid_pointing(values, wrong, side)


def test_a_mosaic_shows_whole_images_in_their_places() -> None:
    images, classes = torch.rand(5, 3, 4, 6), torch.arange(5)
    made = mosaics(images, classes, count=3, seed=4)
    assert made.images.shape == (3, 3, 8, 12)
    for mosaic, target, cell in zip(*made, strict=True):
        top, left = int(cell) // 2 * 4, int(cell) % 2 * 6
        assert torch.equal(mosaic[:, top : top + 4, left : left + 6], images[int(target)])


@given(st.integers(0, 500), st.integers(2, 3))
@settings(max_examples=30)
def test_with_enough_classes_each_image_is_of_another(seed: int, side: int) -> None:
    images, classes = numbered([k % 10 for k in range(30)])
    made = mosaics(images, classes, side, count=4, seed=seed)
    shown = classes[members(made, side)]
    assert all(len(set(row)) == side * side for row in shown.tolist())
    assert torch.equal(shown.gather(1, made.cells[:, None])[:, 0], made.targets)


@given(st.integers(0, 500))
@settings(max_examples=30)
def test_with_two_classes_one_finding_stands_among_images_without(seed: int) -> None:
    images, classes = numbered([0, 1, 0, 1, 0, 0])
    made = mosaics(images, classes, count=5, seed=seed)
    found = members(made, 2)
    assert made.targets.tolist() == [1] * 5
    assert (classes[found] == 1).sum(1).tolist() == [1] * 5
    assert torch.equal(classes[found].argmax(1), made.cells)
    assert all(len(set(row)) == 4 for row in found.tolist())  # no image twice while there are enough


def test_with_three_classes_the_target_is_a_finding_and_comes_once() -> None:
    images, classes = numbered([3, 5, 9] * 4)
    made = mosaics(images, classes, count=40, seed=0)
    assert set(made.targets.tolist()) == {5, 9}
    assert ((classes[members(made, 2)] == made.targets[:, None]).sum(1) == 1).all()


def test_every_place_can_be_the_right_one() -> None:
    for labels in ([0, 1] * 6, list(range(8))):
        made = mosaics(*numbered(labels), count=60, seed=1)
        assert set(made.cells.tolist()) == {0, 1, 2, 3}
        assert np.bincount(made.cells.numpy()).min() > 4


def test_too_few_other_images_are_shown_twice() -> None:
    made = mosaics(*numbered([0, 1, 0]), count=3, seed=2)
    assert all(sorted(row)[-1] <= 2 and row.count(1) == 1 for row in members(made, 2).tolist())


def test_a_seed_makes_the_same_mosaics_and_another_seed_others() -> None:
    images, classes = numbered([k % 6 for k in range(24)])
    first, again, other = (mosaics(images, classes, count=8, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.images, other.images)


def test_images_and_numbers_that_do_not_fit_are_refused() -> None:
    images, classes = numbered([0, 1, 0, 1])
    for arguments, numbers, reason in [
        ((images[0], classes), {"count": 1}, "N integers"),
        ((images, classes[:2]), {"count": 1}, "N integers"),
        ((images, classes.float()), {"count": 1}, "N integers"),
        ((images, classes * 0), {"count": 1}, "two classes"),
        ((images, classes), {"count": 0}, "count"),
        ((images, classes), {"count": 1, "side": 1}, "side"),
    ]:
        with pytest.raises(ValueError, match=reason):
            mosaics(*arguments, **numbers)


# --- the authors' code, and what is done here instead


def test_quirk_evidence_is_weighed_and_not_counted() -> None:
    """Theirs count cells above 0.003: a faint haze counts as much as a strong finding, and weak maps count nothing."""
    values = np.full((1, 4, 4), 0.004)
    values[0, :2, :2] = 1.0
    assert figures(values, [0], 2)[0] == pytest.approx(4 / (4 + 12 * 0.004))
    assert figures(values * 1e-4, [0], 2) == pytest.approx(figures(values, [0], 2))


def test_quirk_each_mosaic_has_its_figure() -> None:
    """Theirs pool all images, so that those with much evidence decide."""
    values = np.zeros((2, 4, 4))
    values[0, 0, 0], values[1, 3, 3] = 1.0, 1000.0
    assert figures(values, [0, 0], 2) == [1, 0]


def test_quirk_the_network_sees_the_mosaic_as_one_image() -> None:
    """Theirs put maps of single images side by side, each of its own class: none could point at a wrong one."""
    images, classes = numbered([0, 1, 0, 0, 0])
    made = mosaics(images, classes, count=1, seed=0)
    assert made.images.shape[2:] == (8, 12)
    assert made.targets.shape == made.cells.shape == (1,)
