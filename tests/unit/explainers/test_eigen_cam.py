import numpy as np
import pytest
import torch
from pytorch_grad_cam import EigenCAM as RivalEigenCAM
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection

from softcam_core.explainers.eigen_cam import EigenCAM, first_component
from softcam_core.explainers.targets import Target


def slow_component(features: np.ndarray, *, centred: bool) -> np.ndarray:
    """Features (D, h, w) along the eigenvector of the largest eigenvalue of their second moments, of either sign."""
    matrix = features.reshape(len(features), -1).T  # (h w, D)
    if centred:
        matrix = matrix - matrix.mean(0)
    _, vectors = np.linalg.eigh(matrix.T @ matrix)
    return (matrix @ vectors[:, -1]).reshape(features.shape[1:])


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("layer", ["", "layer2.conv1"])
def test_equals_a_slow_version_from_the_equations(centred: bool, layer: str, make_network, make_images) -> None:
    model, images = make_network("compact").double(), make_images(2, 40, 56)
    with torch.no_grad():
        features = images
        for name, part in model.features.named_children():
            if name == layer.partition(".")[0]:
                features = part.conv1(features)
                break
            features = part(features)
    maps = EigenCAM(layer=layer, centred=centred)(model, images, 0).values[:, 0]
    for z, found in zip(features.numpy(), maps.numpy(), strict=True):
        expected = slow_component(z, centred=centred)
        np.testing.assert_allclose(found * np.sign((found * expected).sum()), expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 5, 4), (40, 3, 5)])
def test_is_large_where_features_are_strong(shape: tuple[int, int, int]) -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(4, *shape)))
    for centred in (False, True):
        maps = first_component(features, centred=centred)
        assert ((maps * features.norm(dim=1)).sum((1, 2)) >= 0).all()
        torch.testing.assert_close(first_component(-features, centred=centred), maps)


def test_of_features_that_are_not_negative_is_not_negative() -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 6, 5, 4))).relu()
    assert (first_component(features, centred=False) >= -1e-12).all()


def test_of_features_that_are_nothing_is_nothing() -> None:
    assert not first_component(torch.zeros(2, 6, 5, 4), centred=False).any()


def test_centred_is_what_grad_cam_gives_of_either_sign(make_network, make_images) -> None:
    """grad-cam takes the sign that its decomposition happens to give, and cuts the map at zero after that."""
    model, images = make_network("resnet18"), make_images(2, 96, 96).float()
    network = model.black_box()
    with RivalEigenCAM(network, [network.layer4]) as rival:
        rival(images, None)
        activations = rival.activations_and_grads.activations[0].numpy()
        expected = get_2d_projection(activations)
    ours = EigenCAM(centred=True)(model, images, 1).values[:, 0].numpy()
    for found, theirs in zip(ours, expected, strict=True):
        np.testing.assert_allclose(found * np.sign((found * theirs).sum()), theirs, atol=1e-4 * np.abs(theirs).max())


def test_is_the_same_for_every_target_and_says_so(make_network, make_images) -> None:
    model, images = make_network("squeezenet1_1"), make_images().float()
    maps = EigenCAM()(model, images, [0, Target(2, 1)])
    assert torch.equal(maps.values[:, 0], maps.values[:, 1])
    assert maps.notes == ("Eigen-CAM does not look at the classes: its map is the same for every target.",)
    for i in range(2):
        alone = EigenCAM()(model, images[i : i + 1], 0).values[0, 0]
        torch.testing.assert_close(alone, maps.values[i, 0], rtol=1e-4, atol=1e-4)
