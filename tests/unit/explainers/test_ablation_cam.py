import numpy as np
import pytest
import torch
from pytorch_grad_cam import AblationCAM as RivalAblationCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from softcam_core.explainers.ablation_cam import AblationCAM
from softcam_core.explainers.targets import Target
from softcam_core.models.softcam import SoftCAM


@pytest.fixture
def network(make_network) -> SoftCAM:
    """Features of both signs, and a head that is not linear."""
    features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3, 2, 1))
    head = nn.Sequential(nn.Conv2d(5, 6, 1), nn.ReLU(inplace=True), nn.Conv2d(6, 3, 1))
    generator = torch.Generator().manual_seed(0)
    model = SoftCAM(features, head, make_network("compact").card).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model


@pytest.fixture
def images(make_images) -> Tensor:
    return make_images(2, 12, 16)


def slow_map(before: nn.Module, behind: nn.Module, image: Tensor, of: int, against: int | None) -> np.ndarray:
    """The paper's slope for each channel by itself, without the last ReLU, over the size of the target."""

    def target(z: Tensor) -> float:
        y = behind(z).mean((2, 3))[0]
        return float(y[of] - (y[against] if against is not None else 0))

    with torch.no_grad():
        features = before(image[None])
        total = np.zeros(features.shape[2:])
        for k in range(features.shape[1]):
            without = features.clone()
            without[0, k] = 0
            slope = (target(features) - target(without)) / abs(target(features))
            total += slope * features[0, k].numpy()
    return total


@pytest.mark.parametrize("layer", ["", "2", "1", "0"])
def test_equals_a_slow_version_from_the_equations(layer: str, network: SoftCAM, images: Tensor) -> None:
    split = int(layer or 2) + 1
    before = nn.Sequential(*network.features[:split])
    if split == 1:
        before.append(nn.Identity())
        network.features[1] = nn.ReLU()  # the slow version would overwrite its own features
    behind = nn.Sequential(*network.features[split:], *network.head)
    maps = AblationCAM(layer=layer, relu=False)(network, images, [1, Target(2, 0)]).values
    for i in range(2):
        for t, (of, against) in enumerate([(1, None), (2, 0)]):
            expected = slow_map(before, behind, images[i], of, against)
            np.testing.assert_allclose(maps[i, t], expected, atol=1e-10)
    cut = AblationCAM(layer=layer)(network, images, [1, Target(2, 0)]).values
    assert torch.equal(cut, maps.relu())
    assert cut.any()


def test_equals_grad_cam_after_its_scaling(make_network, make_images) -> None:
    """For a positive target, and features of which some are zero: it takes 1e7 from them otherwise."""
    model, images = make_network("compact"), make_images(2, 48, 48).float()
    with torch.no_grad():
        model.head.weight.mul_(30)
        model.head.bias.fill_(10)
    network = model.black_box()
    with RivalAblationCAM(network, [network.layer3], batch_size=96) as rival:
        expected = rival(images, [ClassifierOutputTarget(1), ClassifierOutputTarget(2)])
    maps = AblationCAM(layer="layer3")(model, images, [[1], [2]]).values[:, 0].numpy()
    assert maps.max((1, 2)).min() > 0
    scaled = scale_cam_image(scale_cam_image(maps, (48, 48)))
    np.testing.assert_allclose(scaled, expected, atol=2e-3)


def test_a_negative_target_does_not_turn_the_map_round(network: SoftCAM, images: Tensor) -> None:
    """As in grad-cam, which divides by the target with its sign."""
    maps = []
    for bias in (-1e3, 1e3):
        with torch.no_grad():
            network.head[2].bias.fill_(bias)
            assert (network(images).logits[:, 1].sign() == np.sign(bias)).all()
        maps.append(AblationCAM(relu=False)(network, images, 1).values)
    negative, positive = (m / m.abs().amax((2, 3), keepdim=True) for m in maps)
    torch.testing.assert_close(negative, positive)


def test_a_target_of_zero_is_not_divided_by(network: SoftCAM, images: Tensor) -> None:
    with torch.no_grad():
        logit = network(images[:1]).logits[0, 1]
        network.head[2].bias[1] -= logit
        assert network(images[:1]).logits[0, 1].abs() < 1e-12
    assert AblationCAM()(network, images[:1], 1).values.isfinite().all()


def test_many_targets_and_images_equal_one_by_one(network: SoftCAM, images: Tensor) -> None:
    targets = [[Target(0), Target(2, 1)], [Target(1, "rest"), Target(0)]]
    for layer in ("", "0"):
        everything = AblationCAM(layer=layer)(network, images, targets).values
        for i in range(2):
            for t in range(2):
                alone = AblationCAM(layer=layer)(network, images[i : i + 1], targets[i][t]).values[0, 0]
                torch.testing.assert_close(everything[i, t], alone)


def test_at_the_last_features_only_the_head_runs_again(network: SoftCAM, images: Tensor) -> None:
    calls: dict[str, list[int]] = {"features": [], "head": []}
    assert network.receptive_field
    for name, counts in calls.items():
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, counts=counts: counts.append(len(output))
        )
    AblationCAM()(network, images)
    assert calls == {"features": [1, 1], "head": [1, 5, 1, 5]}


def test_channels_that_are_zero_are_left_out(network: SoftCAM, images: Tensor) -> None:
    with torch.no_grad():
        network.features[2].weight[:3] = 0
        network.features[2].bias[:3] = 0
    expected = AblationCAM()(network, images).values
    rows: list[int] = []
    network.head.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    assert torch.equal(AblationCAM()(network, images).values, expected)
    assert rows == [1, 2, 1, 2]
