import pytest
import torch
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from softcam_core.errors import SettingsError
from softcam_core.explainers.cam import GradCAM
from softcam_core.explainers.layers import activations_and_logits, changed_logits, find_layer, is_last, lattice_of
from softcam_core.explainers.untouched import untouched
from softcam_core.imaging.geometry import Lattice
from softcam_core.models.black_box import BlackBox
from softcam_core.models.receptive_field import receptive_field
from softcam_core.models.softcam import SoftCAM


@pytest.fixture(scope="module")
def resnet(make_network) -> SoftCAM:
    """Not to be changed."""
    return make_network("resnet18")


@pytest.fixture
def images(make_images) -> Tensor:
    return make_images(2, 64, 48).float()


# --- names


def test_layers_are_found_by_their_names_in_the_network_and_in_its_features(resnet: SoftCAM) -> None:
    assert find_layer(resnet, "") is resnet.features
    assert find_layer(resnet, "layer3.1.conv2") is resnet.features.layer3[1].conv2
    assert find_layer(resnet, "features.layer3.1.conv2") is resnet.features.layer3[1].conv2
    assert find_layer(BlackBox.twin_of(resnet), "layer1") is not None


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("layer5", r"Near names: layer[1-4], "),
        ("layer3.1.conv7", r"Near names: layer3\.1\.conv[12], "),
        ("zzz", r"Leave it out for the last features\."),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name: str, advice: str, resnet: SoftCAM, images: Tensor) -> None:
    for use in (lambda: find_layer(resnet, name), lambda: GradCAM(layer=name)(resnet, images)):
        with pytest.raises(SettingsError, match=rf"{name}: resnet18 has no layer of this name\. {advice}"):
            use()


@pytest.mark.parametrize(
    ("architecture", "last", "others"),
    [
        ("resnet18", ["", "layer4", "features.layer4", "layer4.1"], ["layer3", "layer4.0", "layer4.1.bn2"]),
        ("squeezenet1_1", ["", "12"], ["11", "12.expand3x3"]),
        ("compact", ["", "smooth"], ["layer3"]),
    ],
)
def test_the_last_layer_has_many_names(architecture: str, last: list[str], others: list[str], make_network) -> None:
    model = make_network(architecture)
    assert all(is_last(model, name) for name in last)
    assert not any(is_last(model, name) for name in others)


# --- activations and gradients


@pytest.mark.parametrize("layer", ["", "layer2", "layer2.0.bn2", "layer3.0.conv1", "maxpool"])
def test_activations_and_gradients_are_those_of_the_whole_backward_pass(layer: str, make_network, make_images) -> None:
    model, images = make_network("resnet18").double(), make_images(2, 64, 48)
    with untouched(model, in_place=True):
        activations, logits = activations_and_logits(model, images, layer)
        (gradient,) = torch.autograd.grad(logits[:, 1].sum(), activations)
        assert not images.requires_grad
    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # a block adds its input to its last normalisation's output in place

    find_layer(model, layer).register_forward_hook(keep)
    expected = model.logits(images.clone().requires_grad_())
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(activations, kept[0])
    torch.testing.assert_close(gradient, torch.autograd.grad(expected[:, 1].sum(), kept[0])[0])


def test_the_way_back_ends_at_the_layer(resnet: SoftCAM, images: Tensor) -> None:
    with untouched(resnet):
        activations, logits = activations_and_logits(resnet, images, "layer2")
        assert activations.is_leaf
        assert logits.requires_grad
        values, same = activations_and_logits(resnet, images, "layer2", differentiable=False)
        assert torch.is_grad_enabled()
    assert not values.requires_grad
    assert not same.requires_grad
    assert torch.equal(values, activations)
    assert torch.equal(same, logits)


@pytest.mark.parametrize("layer", ["", "layer1"])
def test_what_takes_a_layers_place_is_what_the_rest_sees(layer: str, resnet: SoftCAM, images: Tensor) -> None:
    with torch.no_grad():
        assert torch.equal(changed_logits(resnet, images, lambda z: z, layer), resnet.logits(images))
        halved = changed_logits(resnet, images, lambda z: z / 2, layer)
        expected = find_layer(resnet, layer).register_forward_hook(lambda module, inputs, output: output / 2)
        torch.testing.assert_close(resnet.logits(images), halved)
        expected.remove()


def test_layers_without_places_are_refused(make_network, make_images) -> None:
    model, images = make_network("compact"), make_images().float()
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid())

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.flat = gate, nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            self.flat(x)
            return x * self.gate(x)

    model.features.add_module("gated", Gated())
    for name in ("gated.gate", "gated.flat"):
        with pytest.raises(SettingsError, match=rf"{name}: .*Choose a layer of convolutions\."):
            GradCAM(layer=name)(model, images)
    with pytest.raises(SettingsError, match=r"gated\.flat: its output is no feature map"), untouched(model):
        activations_and_logits(model, images, "gated.flat")
    GradCAM(layer="layer3")(model, images)


def test_layers_that_run_twice_or_never_are_refused(make_network, make_images) -> None:
    """A ResNet's block has one ReLU, which it uses twice."""
    model, images = make_network("resnet18"), make_images().float()
    model.features.layer1[0].unused = nn.ReLU()
    for name, times in (("layer1.0.relu", 2), ("layer1.0.unused", 0)):
        with pytest.raises(SettingsError, match=rf"{name}: it runs {times} times in a pass"), untouched(model):
            activations_and_logits(model, images, name)
        with pytest.raises(SettingsError, match=name):
            GradCAM(layer=name)(model, images)


def test_hooks_are_gone_also_after_an_exception(make_network, make_images) -> None:
    model, images = make_network("compact"), make_images().float()

    def fail(output: Tensor) -> Tensor:
        raise ArithmeticError

    for layer in ("", "layer2"):
        with pytest.raises(ArithmeticError):
            changed_logits(model, images, fail, layer)
    assert not any(part._forward_hooks for part in model.modules())


# --- where cells lie


@pytest.mark.parametrize(
    ("architecture", "layer"),
    [("resnet18", "layer2"), ("resnet18", "layer2.0.bn2"), ("squeezenet1_1", "4"), ("compact", "layer2.bn1")],
)
def test_cells_of_inner_layers_lie_where_their_gradients_come_from(architecture: str, layer: str, make_network) -> None:
    model = make_network(architecture)
    for name, part in list(model.features.named_modules()):  # all-seeing: no pixel of a field is missed
        if isinstance(part, nn.MaxPool2d):
            model.features.set_submodule(name, nn.AvgPool2d(part.kernel_size, part.stride, part.padding))
        elif isinstance(part, nn.Conv2d):
            nn.init.constant_(part.weight, 1 / part.weight[0].numel())
    with untouched(model.double()):
        images = torch.ones(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
        kept: list[Tensor] = []
        module = find_layer(model, layer)
        module.register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
        model.features(images)
        row, column = kept[0].shape[2] // 2, kept[0].shape[3] // 2 - 1
        (gradient,) = torch.autograd.grad(kept[0][0, :, row, column].sum(), images)
    seen = torch.nonzero(gradient[0].abs().sum(0))
    first, last = seen.min(0).values, seen.max(0).values + 1
    assert (*first.tolist(), *last.tolist()) == receptive_field(model.features, module).box((row, column))


def test_the_lattice_is_that_of_the_layer(resnet: SoftCAM, images: Tensor) -> None:
    assert lattice_of(resnet) == lattice_of(resnet, "layer4") == Lattice((0.5, 0.5), (32, 32))
    assert lattice_of(resnet, "layer2") == Lattice((0.5, 0.5), (8, 8))
    assert lattice_of(resnet, "conv1") == Lattice((0.5, 0.5), (2, 2))
    assert GradCAM(layer="layer2")(resnet, images).lattice == Lattice((0.5, 0.5), (8, 8))


def test_the_lattice_of_a_layer_is_asked_for_once(resnet: SoftCAM, monkeypatch: pytest.MonkeyPatch) -> None:
    lattice = lattice_of(resnet, "layer3")
    monkeypatch.setattr("softcam_core.explainers.layers.receptive_field", None)
    assert lattice_of(resnet, "layer3") == lattice


def test_a_block_with_two_ways_through_has_the_wider_field(make_network) -> None:
    model = make_network("squeezenet1_1")
    fire = model.features[3]
    assert isinstance(fire, Fire)
    assert receptive_field(model.features, fire.expand1x1).size == (7, 7)
    assert receptive_field(model.features, fire.expand3x3).size == (15, 15)
    assert receptive_field(model.features, fire).size == (15, 15)


def test_the_field_of_a_layer_that_sees_everything_or_does_not_run() -> None:
    features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d(1)))
    for layer in (features[1][1], nn.ReLU()):
        with pytest.raises(LookupError, match="sees no part of the image of its own"):
            receptive_field(features, layer)
    assert receptive_field(features, features[1][0]).size == (3, 3)
    assert not any(part._forward_hooks for part in features.modules())
