from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from softcam_core.errors import SettingsError
from softcam_core.explainers.rise import RISE, Masks
from softcam_core.explainers.targets import Target
from softcam_core.models.softcam import SoftCAM

LIKE = torch.zeros(1, dtype=torch.float64)


def slow_mask(grid: np.ndarray, shift: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Cells spread bilinearly, pixel by pixel: the centre of a cell has its value, and the outermost reach on."""
    cells = len(grid)
    pixels = [-(-side // cells) for side in size]
    spread = [(cells + 1) * pixel for pixel in pixels]
    mask = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            parts = []
            for pixel, total in zip((i + shift[0], j + shift[1]), spread, strict=True):
                place = min(max((pixel + 0.5) * cells / total - 0.5, 0), cells - 1)
                first = min(floor(place), cells - 1)
                parts.append([(first, 1 - (place - first)), (min(first + 1, cells - 1), place - first)])
            mask[i, j] = sum(v * w * grid[a, b] for a, v in parts[0] for b, w in parts[1])
    return mask


@settings(max_examples=15)
@given(cells=st.integers(1, 6), height=st.integers(6, 17), width=st.integers(6, 17), seed=st.integers(0, 99))
def test_masks_are_spread_and_shifted_cells(cells: int, height: int, width: int, seed: int) -> None:
    drawn = Masks.draw(3, cells, 0.5, seed, (height, width), LIKE)
    masks = drawn.spread(slice(0, 3))
    assert masks.shape == (3, height, width)
    assert drawn.shifts.min() >= 0
    assert (drawn.shifts < torch.tensor([-(-height // cells), -(-width // cells)])).all()
    for mask, grid, shift in zip(masks.numpy(), drawn.grids.numpy(), drawn.shifts.tolist(), strict=True):
        np.testing.assert_allclose(mask, slow_mask(grid, tuple(shift), (height, width)), atol=1e-12)
    torch.testing.assert_close(drawn.spread(slice(1, 3)), masks[1:])


@pytest.mark.parametrize("keep", [0.2, 0.7])
def test_every_pixel_is_visible_as_often_as_asked(keep: float) -> None:
    masks = Masks.draw(4000, 4, keep, 0, (12, 20), LIKE).spread(slice(0, 4000))
    np.testing.assert_allclose(masks.mean(0), keep, atol=0.04)
    assert masks.min() >= 0
    assert masks.max() <= 1


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_equals_a_slow_version_of_equation_6(task: str, make_network, make_images) -> None:
    model, images = make_network("compact").double(), make_images(2, 48, 40)
    model.card = model.card.model_copy(update={"task": task})
    maps = RISE(masks=9, cells=3, keep=0.3, seed=5)(model, images, [Target(1), Target(0, 2)]).values
    masks = Masks.draw(9, 3, 0.3, 5, (48, 40), LIKE).spread(slice(0, 9))
    for b in range(2):
        expected = np.zeros((2, 48, 40))
        for mask in masks:
            with torch.no_grad():
                logits = model.logits((images[b] * mask)[None])[0]
            p = (logits.softmax(0) if task == "single_label" else logits.sigmoid()).numpy()
            expected[0] += p[1] * mask.numpy()
            expected[1] += (p[0] - p[2]) * mask.numpy()
        np.testing.assert_allclose(maps[b], expected / (9 * 0.3), rtol=1e-10)


def test_of_a_network_that_is_always_as_sure_it_comes_to_the_probability(make_network, make_images) -> None:
    head = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    model = SoftCAM(nn.AvgPool2d(4), head, make_network("compact").card).eval()
    maps = RISE(masks=3000, cells=3)(model, make_images(1, 12, 12)).values
    expected = torch.tensor([0.0, 1.0, 2.0]).softmax(0)
    np.testing.assert_allclose(maps[0], expected[:, None, None].expand(3, 12, 12), atol=0.05)


def test_is_highest_where_the_network_looks(make_network) -> None:
    head = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.weight[1] = 20
    model = SoftCAM(nn.AvgPool2d(4), head, make_network("compact").card).eval()
    images = torch.zeros(2, 3, 40, 40)
    images[0, :, 8:12, 28:32] = 3
    images[1, :, 20:24, 4:8] = 3
    maps = RISE(masks=800, cells=5)(model, images, [1]).values[:, 0]
    for map_, (row, column) in zip(maps, [(10, 30), (22, 6)], strict=True):
        peak = np.unravel_index(map_.argmax().item(), (40, 40))
        assert abs(peak[0] - row) <= 8
        assert abs(peak[1] - column) <= 8


def test_masks_follow_from_the_seed_alone(make_network, make_images) -> None:
    model, images = make_network("compact"), make_images()
    torch.manual_seed(1)
    first = RISE(masks=4)(model, images).values
    torch.manual_seed(2)
    assert torch.equal(RISE(masks=4)(model, images).values, first)
    assert not torch.allclose(RISE(masks=4, seed=1)(model, images).values, first)


def test_masks_are_taken_some_at_a_time_for_all_targets(make_network, make_images, monkeypatch) -> None:
    model, images = make_network("compact").double(), make_images()
    together = RISE(masks=5, cells=3)(model, images).values
    inputs = []
    model.features.register_forward_hook(lambda module, args, output: inputs.append(len(args[0])))
    monkeypatch.setattr("softcam_core.explainers.rise.forward_pixels", lambda device: 2 * 48 * 48)
    torch.testing.assert_close(RISE(masks=5, cells=3)(model, images).values, together)
    assert inputs == [2, 2, 1] * 2


@pytest.mark.parametrize("keep", [0.0, 1.0, 1.5, float("nan")])
def test_masks_that_hide_all_or_nothing_are_refused(keep: float) -> None:
    with pytest.raises(SettingsError, match="rise:keep"):
        RISE(keep=keep)


def test_more_cells_than_pixels_are_refused(linear_network, make_images) -> None:
    with pytest.raises(SettingsError, match="rise:cells: 21 cells a side do not fit into an input of 20 x 24 pixels"):
        RISE(cells=21)(linear_network, make_images(1, 20, 24))
