import numpy as np
import pytest
import torch
from scipy import ndimage

from softcam_core.explainers.floors import Edges, RandomMap
from softcam_core.explainers.targets import Target


def test_random_maps_are_normal_noise(linear_network, make_images) -> None:
    maps = RandomMap()(linear_network, make_images(2, 64, 80)).values
    assert maps.shape == (2, 3, 64, 80)
    assert maps.mean((2, 3)).abs().max() < 0.05
    assert (maps.std((2, 3)) - 1).abs().max() < 0.05
    neighbours = (maps[..., 1:] * maps[..., :-1]).mean((2, 3))
    assert neighbours.abs().max() < 0.05


def test_a_random_map_follows_from_seed_image_and_target(linear_network, make_network, make_images) -> None:
    images = make_images().float()
    maps = RandomMap()(linear_network, images).values
    torch.manual_seed(5)
    again = RandomMap()(make_network("compact"), images.flip(0), [Target(1), 0]).values
    torch.testing.assert_close(again.flip(0).double(), maps[:, [1, 0]], rtol=0, atol=0)
    others = [
        RandomMap(seed=1)(linear_network, images).values[0, 0],
        RandomMap()(linear_network, images, [Target(0, 1)]).values[0, 0],
        RandomMap()(linear_network, images + 1e-3).values[0, 0],
        maps[0, 1],
        maps[1, 0],
    ]
    for other in others:
        assert abs(np.corrcoef(other.flatten(), maps[0, 0].flatten())[0, 1]) < 0.1


def test_edges_are_those_of_scipy_on_the_shown_image(linear_network, make_images) -> None:
    images = make_images(2, 40, 52)
    maps = Edges()(linear_network, images)
    preprocessing = linear_network.card.preprocessing
    for b in range(2):
        shown = images[b].numpy() * np.reshape(preprocessing.std, (3, 1, 1)) + np.reshape(preprocessing.mean, (3, 1, 1))
        grey = 0.299 * shown[0] + 0.587 * shown[1] + 0.114 * shown[2]
        expected = np.hypot(*(ndimage.sobel(grey, axis, mode="nearest") for axis in (0, 1)))
        for t in range(3):
            np.testing.assert_allclose(maps.values[b, t], expected, atol=1e-12)
    maps.values[0, 0] = 0
    assert maps.values[0, 1].any()  # each target has a map of its own


@pytest.mark.parametrize("level", [-2.0, 0.0, 1.5])
def test_a_constant_image_has_no_edges(level: float, linear_network) -> None:
    images = torch.full((1, 3, 20, 20), level, dtype=torch.float64)
    assert Edges()(linear_network, images).values.abs().max() < 1e-12


def test_edges_are_the_same_for_all_networks(linear_network, make_network, make_images) -> None:
    expected = Edges()(linear_network, make_images()).values
    torch.testing.assert_close(Edges()(make_network("squeezenet1_1").double(), make_images()).values, expected)
