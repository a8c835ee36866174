from collections.abc import Callable

import pytest
import torch
from captum.attr import GuidedBackprop as CaptumGuidedBackprop
from captum.attr import GuidedGradCam as CaptumGuidedGradCam
from torch import Tensor, nn
from torch.nn import functional

from softcam_core.errors import SettingsError
from softcam_core.explainers.cam import GradCAM
from softcam_core.explainers.gradients import GradientTimesInput
from softcam_core.explainers.guided import GuidedBackprop, GuidedGradCAM
from softcam_core.explainers.targets import Target, contrasts
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM

TARGETS = [Target(1), Target(0, 2)]
captum_warns = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")


def assert_near(actual: Tensor, expected: Tensor) -> None:
    assert expected.any()
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9 * expected.abs().max().item())


class Activated(nn.Module):
    """Two convolutions with an activation behind each, whatever it is."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.second(self.activation(self.first(x))))


def activated(activation: Callable[[Tensor], Tensor], card: ModelCard) -> SoftCAM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SoftCAM(Activated(activation), nn.Conv2d(8, 3, 1), card).double().eval()


class SlowReLU(torch.autograd.Function):
    """The rule as it is written in figure 1."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return (x > 0) * (gradient > 0) * gradient


@captum_warns
@pytest.mark.parametrize("architecture", ["resnet18", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_equals_captum(architecture: str, make_network, make_images, as_captum) -> None:
    model, images = make_network(architecture).double(), make_images()
    maps = GuidedBackprop()(model, images, TARGETS).values
    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    oracle = CaptumGuidedBackprop(as_captum(model, contrasts(TARGETS, 1, model.card)[0]))
    for t in range(len(TARGETS)):
        expected = oracle.attribute(images.clone().requires_grad_(), target=t).sum(1)
        assert_near(maps[:, t], expected)


@captum_warns
@pytest.mark.parametrize(
    "relu",
    [
        functional.relu,
        torch.relu,
        Tensor.relu,
        nn.ReLU(),
        nn.ReLU(inplace=True),
        lambda x: functional.relu(x, inplace=True),
        torch.relu_,
        Tensor.relu_,
    ],
)
def test_functions_are_guided_as_modules_are(relu, make_network, make_images, as_captum) -> None:
    card, images = make_network("compact").card, make_images()
    maps = GuidedBackprop()(activated(relu, card), images, [1]).values
    weights = contrasts([1], 1, card)[0]
    layers = [nn.ReLU() for _ in range(2)]  # captum wants each ReLU to run once
    reference = activated(lambda x: x, card)
    reference.features = nn.Sequential(reference.features.first, layers[0], reference.features.second, layers[1])
    oracle = CaptumGuidedBackprop(as_captum(reference, weights))
    expected = oracle.attribute(images.clone().requires_grad_(), target=0).sum(1)
    assert_near(maps[:, 0], expected)


def test_networks_whose_relus_are_functions_are_guided_throughout(make_network, make_images, monkeypatch) -> None:
    model, images = make_network("googlenet").double(), make_images(1)
    maps = GuidedBackprop()(model, images, [1]).values
    monkeypatch.setattr(functional, "relu", lambda x, inplace=False: SlowReLU.apply(x))
    leaf = images.clone().requires_grad_()
    model.logits(leaf)[0, 1].backward()
    assert_near(maps[0, 0], leaf.grad[0].sum(0))


@pytest.mark.parametrize(
    ("architecture", "activation"),
    [
        ("efficientnet_b0", "SiLU"),
        ("convnext_tiny", "GELU"),
        ("mobilenet_v2", "ReLU6"),
        ("mobilenet_v3_small", "hard swish"),
    ],
)
@pytest.mark.parametrize("explainer", [GuidedBackprop(), GuidedGradCAM()])
def test_other_activations_are_refused_by_name(explainer, architecture: str, activation: str, make_images) -> None:
    with torch.device("meta"):
        model = SoftCAM.from_card(ModelCard(name="m", architecture=architecture, class_names=("a", "b")))
    with pytest.raises(SettingsError, match=f"{architecture}: .* its activation {activation} is no ReLU"):
        explainer(model, make_images())


def test_other_activations_are_refused_where_they_are_functions(make_network, make_images) -> None:
    model = activated(functional.silu, make_network("compact").card)
    assert not GuidedBackprop().refusal(model)
    with pytest.raises(SettingsError, match="its activation SiLU is no ReLU"):
        GuidedBackprop()(model, make_images())
    GradientTimesInput()(model, make_images())


def test_gates_keep_their_gradient(make_network, make_images) -> None:
    """Squeeze and excitation weighs channels by sigmoids."""
    model = make_network("regnet_y_400mf").double()
    leaf = make_images(1).requires_grad_()
    maps = GuidedBackprop()(model, leaf.detach(), [0]).values
    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.forward = SlowReLU.apply
    model.logits(leaf)[0, 0].backward()
    assert_near(maps[0, 0], leaf.grad[0].sum(0))


def test_of_a_black_box_is_that_of_its_twin(make_network, make_images) -> None:
    model = make_network("resnet18").double()
    for explainer in (GuidedBackprop(), GuidedGradCAM()):
        maps = explainer(model, make_images(), TARGETS).values
        assert_near(explainer(BlackBox.twin_of(model), make_images(), TARGETS).values, maps)


@captum_warns
def test_guided_grad_cam_equals_captum(make_network, make_images, as_captum) -> None:
    model, images = make_network("compact").double(), make_images()
    maps = GuidedGradCAM()(model, images).values
    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    oracle = CaptumGuidedGradCam(as_captum(model, contrasts(None, 1, model.card)[0]), model.features)
    leaf = images.clone().requires_grad_()
    expected = [oracle.attribute(leaf, target=t, interpolate_mode="bilinear").sum(1) for t in range(3)]
    assert_near(maps, torch.stack(expected, dim=1).detach())


def test_guided_grad_cam_of_a_layer_is_the_product_of_both(make_network, make_images) -> None:
    model, images = make_network("resnet18").double(), make_images(2, 64, 80)
    coarse = GradCAM(layer="layer2")(model, images, TARGETS)
    expected = coarse.on_input((64, 80)) * GuidedBackprop()(model, images, TARGETS).values
    maps = GuidedGradCAM(layer="layer2")(model, images, TARGETS)
    assert_near(maps.values, expected)
    assert maps.values.shape == (2, 2, 64, 80)
    with pytest.raises(SettingsError, match="layer22: resnet18 has no layer of this name"):
        GuidedGradCAM(layer="layer22")(model, images)
