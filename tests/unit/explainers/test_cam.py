from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM as RivalGradCAM
from pytorch_grad_cam import GradCAMPlusPlus as RivalGradCAMPlusPlus
from pytorch_grad_cam import HiResCAM as RivalHiResCAM
from pytorch_grad_cam import LayerCAM as RivalLayerCAM
from pytorch_grad_cam import XGradCAM as RivalXGradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam import methods as torchcam

from softcam_core.errors import SettingsError
from softcam_core.explainers.cam import GradCAM, GradCAMPlusPlus, GradientCAM, HiResCAM, LayerCAM, XGradCAM
from softcam_core.explainers.layers import activations_and_logits
from softcam_core.explainers.targets import Target
from softcam_core.explainers.untouched import untouched
from softcam_core.models.black_box import BlackBox
from softcam_core.models.softcam import SoftCAM

Make = Callable[..., SoftCAM]
MakeImages = Callable[..., Tensor]

METHODS = (GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM)
each_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def resnet(make_network: Make) -> SoftCAM:
    """Not to be changed."""
    return make_network("resnet18")


def signed(method: type[GradientCAM], **options: object) -> GradientCAM:
    """A method without its last ReLU, where it has one."""
    return method(**({"relu": False} if "relu" in method.defaults() else {}), **options)


# --- the equations, slowly


def slow_gradients(features: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, has_relu: bool) -> np.ndarray:
    """Of the mean over the cells of [relu](weight features + bias) with respect to the features, (C, D, h, w)."""
    depth, height, width = features.shape
    gradients = np.zeros((len(weight), depth, height, width))
    for c in range(len(weight)):
        for i in range(height):
            for j in range(width):
                if not has_relu or weight[c] @ features[:, i, j] + bias[c] > 0:
                    gradients[c, :, i, j] = weight[c] / (height * width)
    return gradients


def slow_map(method: type[GradientCAM], features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The papers' sums, without the last ReLU."""
    total = np.zeros(features.shape[1:])
    for z, g in zip(features, gradient, strict=True):
        if method is GradCAM:
            total += g.sum() / g.size * z
        elif method is GradCAMPlusPlus:
            weight = 0.0
            for slope in g.flat:
                if slope != 0:
                    weight += slope**2 / (2 * slope**2 + z.sum() * slope**3) * max(slope, 0.0)
            total += weight * z
        elif method is HiResCAM:
            total += g * z
        elif method is LayerCAM:
            total += g.clip(0) * z
        elif z.sum() != 0:
            total += (z / z.sum() * g).sum() * z
    return total


@each_method
@pytest.mark.parametrize(("architecture", "has_relu"), [("compact", False), ("squeezenet1_1", True)])
def test_equals_a_slow_version_from_the_equations(
    method: type[GradientCAM], architecture: str, has_relu: bool, make_network: Make, make_images: MakeImages
) -> None:
    model, images = make_network(architecture).double(), make_images()
    convolution = next(part for part in model.head.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        convolution.weight.mul_(20)  # evidence on both sides of the ReLU
        convolution.bias.copy_(torch.tensor([0.3, -0.2, 0.1]))
        features = model.features(images).numpy()
    weight, bias = (p.detach().numpy() for p in (convolution.weight[:, :, 0, 0], convolution.bias))
    expected = np.array(
        [
            [slow_map(method, z, gradient) for gradient in slow_gradients(z, weight, bias, has_relu=has_relu)]
            for z in features
        ]
    )
    maps = signed(method)(model, images).values
    assert maps.dtype == torch.float64
    np.testing.assert_allclose(maps, expected, atol=1e-12 * np.abs(expected).max())
    if method is not HiResCAM:
        np.testing.assert_allclose(method()(model, images).values, expected.clip(0), atol=1e-12 * expected.max())


def test_grad_cam_plus_plus_has_the_derivatives_of_the_exponential(
    linear_network: SoftCAM, make_images: MakeImages
) -> None:
    """The weights of exp(t), by differentiating it three times; the map is the same up to the factor exp(t)."""
    images = make_images(1, 8, 8).abs()
    features = linear_network.features(images).detach()

    def derivatives(target: int, place: tuple[int, ...]) -> list[float]:
        """First, second and third of exp(t) along one feature."""
        step = torch.zeros((), dtype=torch.float64, requires_grad=True)
        moved = features.clone().index_put(tuple(torch.tensor([p]) for p in (0, *place)), step[None], accumulate=True)
        values = [linear_network.classify(moved)[0, target].exp()]
        for _ in range(3):
            values.append(torch.autograd.grad(values[-1], step, create_graph=True)[0])
        return [float(value.detach()) for value in values[1:]]

    scores = linear_network.classify(features)[0]
    maps = GradCAMPlusPlus(relu=False)(linear_network, images).values[0]
    for target in range(3):
        expected = torch.zeros(2, 2, dtype=torch.float64)
        for k, z in enumerate(features[0]):
            weight = 0.0
            for place in np.ndindex(2, 2):
                first, second, third = derivatives(target, (k, *place))
                weight += second / (2 * second + float(z.sum()) * third) * max(first, 0.0)
            expected += weight * z
        torch.testing.assert_close(maps[target] * scores[target].exp(), expected)


# --- other libraries


@pytest.mark.parametrize("layer", ["layer4", "layer2.0.conv2", "layer1"])
@pytest.mark.parametrize(
    ("method", "rival"),
    [(GradCAM, torchcam.GradCAM), (LayerCAM, torchcam.LayerCAM), (XGradCAM, torchcam.XGradCAM)],
)
def test_equals_torchcam(
    method: type[GradientCAM], rival: type, layer: str, resnet: SoftCAM, make_images: MakeImages
) -> None:
    images, network = make_images().float(), resnet.black_box()
    with rival(network, layer) as extractor:
        expected = extractor([2, 0], network(images.requires_grad_()), normalized=False)[0]
    maps = method(layer=layer)(resnet, images, [[2], [0]]).values[:, 0]
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_torchcam_reads_activations_that_the_network_has_overwritten(resnet: SoftCAM, make_images: MakeImages) -> None:
    """Behind a block's last normalisation the input of the block is added in place, and a ReLU follows in place."""
    images, network = make_images().float(), resnet.black_box()
    with torchcam.GradCAM(network, "layer2.0.bn2") as extractor:
        extractor(1, network(images.requires_grad_()), normalized=False)
        theirs = extractor.hook_a[0]
    assert theirs.min() == 0
    with untouched(resnet):
        ours, _ = activations_and_logits(resnet, images.detach(), "layer2.0.bn2")
    assert ours.min() < 0


def test_torchcams_grad_cam_plus_plus_lacks_its_alpha(resnet: SoftCAM, make_images: MakeImages) -> None:
    """It divides a copy of the squared gradients, so that what is left weighs by their cube alone."""
    model, images = resnet, make_images().float()
    network = model.black_box()
    with torchcam.GradCAMpp(network, "layer4") as extractor:
        theirs = extractor(1, network(images.requires_grad_()), normalized=False)[0]
    with torch.no_grad():
        features = model.features(images)
    gradient = model.head.weight[1, :, 0, 0].detach() / features[0, 0].numel()
    cubes = gradient.relu() ** 3 * features[0, 0].numel()
    torch.testing.assert_close(theirs, torch.einsum("k,bkij->bij", cubes, features), rtol=1e-4, atol=0)
    ours = GradCAMPlusPlus()(model, images, 1).values[:, 0]
    assert not torch.allclose(ours / ours.amax((1, 2), True), theirs / theirs.amax((1, 2), True), rtol=0.05)


def rival_maps(rival: type, network: nn.Module, layer: nn.Module, images: Tensor, classes: list[int]) -> np.ndarray:
    with rival(network, [layer]) as extractor:
        return np.asarray(extractor(images, [ClassifierOutputTarget(c) for c in classes]))


def as_rivals_scale(maps: Tensor, size: int) -> np.ndarray:
    """What grad-cam gives: cut at zero, each map from 0 to 1, resized, and again from 0 to 1."""
    return np.asarray(scale_cam_image(scale_cam_image(maps.clamp(min=0).numpy(), (size, size))))


@pytest.mark.parametrize(
    ("method", "rival"),
    [
        (GradCAM, RivalGradCAM),
        (GradCAMPlusPlus, RivalGradCAMPlusPlus),
        (HiResCAM, RivalHiResCAM),
        (LayerCAM, RivalLayerCAM),
        (XGradCAM, RivalXGradCAM),
    ],
)
@pytest.mark.parametrize(("architecture", "last"), [("resnet18", "layer4"), ("squeezenet1_1", "features")])
def test_equals_grad_cam_after_its_scaling(
    method: type[GradientCAM], rival: type, architecture: str, last: str, make_network: Make, make_images: MakeImages
) -> None:
    model, images = make_network(architecture), make_images(2, 64, 64).float()
    with torch.no_grad():
        for parameter in model.head.parameters():  # its Grad-CAM++ adds 1e-6 to squared gradients
            parameter.mul_(1000)
    network = model.black_box()
    expected = rival_maps(rival, network, network.get_submodule(last), images, [1, 2])
    maps = method()(model, images, [[1], [2]]).values[:, 0]
    assert maps.amax((1, 2)).min() > 0
    np.testing.assert_allclose(as_rivals_scale(maps, 64), expected, atol=2e-4)


def test_one_target_for_a_batch_is_for_all_its_images(resnet: SoftCAM, make_images: MakeImages) -> None:
    """grad-cam leaves the maps of all images but the first at zero."""
    model, images = resnet, make_images(3, 64, 64).float()
    network = model.black_box()
    theirs = rival_maps(RivalGradCAM, network, network.layer4, images, [1])
    assert [bool(theirs[i].any()) for i in range(3)] == [True, False, False]
    maps = GradCAM(relu=False)(model, images, [1]).values
    for i in range(3):
        torch.testing.assert_close(maps[i], GradCAM(relu=False)(model, images[i : i + 1], [1]).values[0])


def test_fewer_lists_of_targets_than_images_are_refused(make_network: Make, make_images: MakeImages) -> None:
    with pytest.raises(SettingsError, match="there are lists for 1 images, but 2 images"):
        GradCAM()(make_network("compact"), make_images().float(), [[1]])


def test_is_cam_of_a_linear_classifier(resnet: SoftCAM, make_images: MakeImages) -> None:
    """Zhou et al., CVPR 2016, whose weights are the classifier's and not divided by the number of cells."""
    model, images = resnet, make_images().float()
    network = model.black_box()
    with torchcam.CAM(network, "layer4", "fc") as extractor, torch.no_grad():
        network(images)
        expected = extractor(2, normalized=False)[0]
    maps = GradCAM(relu=False)(model, images, 2).values[:, 0]
    torch.testing.assert_close(maps * maps[0].numel(), expected, rtol=1e-4, atol=1e-4)


# --- the evidence, targets and batches


@pytest.mark.parametrize(
    ("architecture", "dtype", "tolerance"),
    [("compact", torch.float32, 1e-5), ("compact", torch.float64, 1e-12), ("resnet18", torch.float32, 1e-5)],
)
@pytest.mark.parametrize("method", [GradCAM, HiResCAM, XGradCAM])
def test_of_a_linear_head_is_the_evidence_without_its_bias(
    method: type[GradientCAM], architecture: str, dtype, tolerance, make_network: Make, make_images: MakeImages
) -> None:
    model, images = make_network(architecture).to(dtype), make_images().to(dtype)
    with torch.no_grad():
        model.head.bias.copy_(torch.tensor([0.3, -0.2, 0.1]))
        evidence = model(images).maps
    expected = evidence - model.head.bias.detach()[:, None, None]
    for explained in (model, BlackBox.twin_of(model)):
        maps = signed(method)(explained, images).values
        torch.testing.assert_close(maps * maps[0, 0].numel(), expected, rtol=tolerance, atol=tolerance)


@each_method
@pytest.mark.parametrize("architecture", ["squeezenet1_1", "mobilenet_v3_small"])
def test_many_targets_and_images_equal_one_by_one(
    method: type[GradientCAM], architecture: str, make_network: Make, make_images: MakeImages
) -> None:
    model, images = make_network(architecture).double(), make_images(2, 40, 56)
    targets = [[Target(0), Target(2, 1)], [Target(1, "rest"), Target(0)]]
    everything = method()(model, images, targets).values
    assert everything.any()
    for i in range(2):
        for t in range(2):
            alone = method()(model, images[i : i + 1], targets[i][t]).values[0, 0]
            torch.testing.assert_close(everything[i, t], alone, rtol=1e-9, atol=1e-12)


@each_method
def test_a_contrast_is_the_gradient_of_the_difference(
    method: type[GradientCAM], make_network: Make, make_images: MakeImages
) -> None:
    """As if the model had one more class, whose logit is the difference."""
    model, images = make_network("compact").double(), make_images()
    expected = method()(model, images, Target(2, 0)).values
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter[1] = parameter[2] - parameter[0]
    torch.testing.assert_close(method()(model, images, 1).values, expected)


def test_no_layer_runs_twice(make_network: Make, make_images: MakeImages) -> None:
    model, calls = make_network("compact"), []
    assert model.receptive_field
    model.features.register_forward_hook(lambda *_: calls.append(1))
    GradCAM()(model, make_images().float())
    assert len(calls) == 1


# --- networks as people have them


@each_method
@pytest.mark.parametrize("layer", ["", "layer2.0.bn1", "layer1.0"])
def test_activations_that_overwrite_their_input_change_nothing(
    method: type[GradientCAM], layer: str, resnet: SoftCAM, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_images().float()
    maps = method(layer=layer)(resnet, images).values
    for part in resnet.modules():
        if isinstance(part, nn.ReLU):
            assert part.inplace
            monkeypatch.setattr(part, "inplace", False)
    torch.testing.assert_close(method(layer=layer)(resnet, images).values, maps, rtol=0, atol=0)


def test_images_are_left_as_they_were(make_network: Make, make_images: MakeImages) -> None:
    model, images = make_network("compact"), make_images().float()
    model.features, model.head = nn.Identity(), nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 3, 1))
    GradCAM()(model, images)
    assert not images.requires_grad
    assert torch.equal(images, make_images().float())


@pytest.mark.parametrize("method", [GradCAMPlusPlus, XGradCAM])
def test_says_where_features_are_not_what_the_method_is_made_for(
    method: type[GradientCAM], resnet: SoftCAM, make_images: MakeImages
) -> None:
    images = make_images().float()
    says = ["negative in places" in note for note in method(layer="layer3.0.bn2")(resnet, images).notes]
    assert says == [True]
    assert not any("negative in places" in note for note in method()(resnet, images).notes)


def test_channels_that_are_zero_count_nothing(make_network: Make, make_images: MakeImages) -> None:
    model, images = make_network("compact"), make_images().float()
    model.features.register_forward_hook(lambda module, inputs, output: output.index_fill(1, torch.arange(40), 0.0))
    maps = XGradCAM(relu=False)(model, images).values
    torch.testing.assert_close(maps, GradCAM(relu=False)(model, images).values)
