import numpy as np
import pytest
import torch
from torch import Tensor, nn

from softcam_core.explainers.cam import GradCAM
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM

SIDE = 48


def grad_cam(model: SoftCAM, images: Tensor, targets=None, *, relu: bool = True) -> Tensor:
    return GradCAM(relu=relu)(model, images, targets).values


def network(architecture: str) -> SoftCAM:
    torch.manual_seed(0)
    card = ModelCard(
        name="m",
        architecture=architecture,
        class_names=("a", "b", "c"),
        preprocessing=Preprocessing(shorter_side=SIDE),
    )
    return SoftCAM.from_card(card).eval()


def images(count: int = 3) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(count, 3, SIDE, SIDE))).float()


def slow_grad_cam(features: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, has_relu: bool) -> np.ndarray:
    """Equations 1 and 2, without the final ReLU, of the mean of [relu](weight features + bias), cell by cell."""
    depth, height, width = features.shape
    maps = np.zeros((len(weight), height, width))
    for c in range(len(weight)):
        for k in range(depth):
            alpha = 0.0
            for i in range(height):
                for j in range(width):
                    cell = weight[c] @ features[:, i, j] + bias[c]
                    slope = weight[c, k] / (height * width)
                    alpha += (slope if cell > 0 or not has_relu else 0.0) / (height * width)
            maps[c] += alpha * features[k]
    return maps


@pytest.mark.parametrize(("architecture", "has_relu"), [("compact", False), ("squeezenet1_1", True)])
def test_equals_a_slow_version_from_the_equations(architecture: str, has_relu: bool) -> None:
    model = network(architecture).double()
    convolution = next(part for part in model.head.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        convolution.weight.mul_(20)  # evidence on both sides of the ReLU
        convolution.bias.normal_()
        features = model.features(images().double())
        evidence = torch.einsum("kd,bdij->bkij", convolution.weight[:, :, 0, 0], features)
        evidence += convolution.bias[:, None, None]
    assert (evidence > 0).any()
    assert (evidence < 0).any()
    weight, bias = (p.detach().numpy() for p in (convolution.weight[:, :, 0, 0], convolution.bias))
    expected = np.stack([slow_grad_cam(f, weight, bias, has_relu=has_relu) for f in features.numpy()])
    signed = grad_cam(model, images().double(), relu=False)
    np.testing.assert_allclose(signed, expected, atol=1e-12 * np.abs(expected).max())
    assert (signed < 0).any()
    np.testing.assert_allclose(grad_cam(model, images().double()), expected.clip(0), atol=1e-12)


@pytest.mark.parametrize("architecture", ["compact", "resnet18"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_of_a_linear_head_is_the_evidence_without_its_bias(architecture: str, dtype: torch.dtype, tolerance) -> None:
    model = network(architecture).to(dtype)
    with torch.no_grad():
        model.head.bias.normal_()
        evidence = model(images().to(dtype)).maps
    cells = evidence.shape[2] * evidence.shape[3]
    expected = evidence - model.head.bias.detach()[:, None, None]
    torch.testing.assert_close(
        grad_cam(model, images().to(dtype), relu=False) * cells, expected, rtol=0, atol=tolerance
    )


@pytest.mark.parametrize(("architecture", "last"), [("resnet18", "layer4"), ("squeezenet1_1", "features")])
def test_is_that_of_the_black_box_by_its_whole_backward_pass(architecture: str, last: str) -> None:
    model = network(architecture)
    black_box = model.black_box()
    kept: list[Tensor] = []
    black_box.get_submodule(last).register_forward_hook(lambda module, inputs, output: kept.append(output))
    logits = black_box(images().requires_grad_())
    kept[0].retain_grad()
    logits[1, 2].backward()
    weights = kept[0].grad[1].mean((1, 2))
    expected = torch.einsum("k,kij->ij", weights, kept[0][1].detach()).relu()
    torch.testing.assert_close(grad_cam(model, images(), [2])[1, 0], expected)


def test_classes_in_any_order_and_images_of_a_batch_do_not_touch_each_other() -> None:
    model = network("squeezenet1_1")
    everything = grad_cam(model, images())
    assert everything.shape == (3, 3, *model(images()).maps.shape[2:])
    torch.testing.assert_close(grad_cam(model, images(), [2, 0]), everything[:, [2, 0]])
    for i, image in enumerate(images()):
        torch.testing.assert_close(grad_cam(model, image[None])[0], everything[i], rtol=1e-4, atol=1e-6)


def test_the_features_are_computed_once() -> None:
    model, calls = network("compact"), []
    model.features.register_forward_hook(lambda *_: calls.append(1))
    grad_cam(model, images())
    assert len(calls) == 1


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_off(off) -> None:
    model = network("compact")
    expected = grad_cam(model, images())
    with off():
        torch.testing.assert_close(grad_cam(model, images()), expected)
    model.requires_grad_(False)
    torch.testing.assert_close(grad_cam(model, images()), expected)


def test_leaves_the_images_as_they_were() -> None:
    model, given = network("compact"), images()
    model.features, model.head = nn.Identity(), nn.Conv2d(3, 3, 1)
    grad_cam(model, given)
    assert not given.requires_grad


def state_of(model: SoftCAM) -> tuple:
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        [part.training for part in model.modules()],
        [(parameter.requires_grad, parameter.grad is None) for parameter in model.parameters()],
        [len(part._forward_hooks) + len(part._backward_hooks) for part in model.modules()],
    )


def mixed() -> SoftCAM:
    """Parts in different modes and some frozen, as in fine-tuning."""
    model = network("resnet18").train()
    model.features.layer1.eval()
    model.features.conv1.requires_grad_(False)
    return model


def assert_same(before: tuple, after: tuple) -> None:
    assert all(torch.equal(tensor, after[0][name]) for name, tensor in before[0].items())
    assert before[1:] == after[1:]


def test_leaves_the_model_as_it_was() -> None:
    model = mixed()
    before = state_of(model)
    grad_cam(model, images())
    assert_same(before, state_of(model))


@pytest.mark.parametrize("part", ["features", "head"])
def test_leaves_the_model_as_it_was_after_an_exception(part: str) -> None:
    class BrokenError(Exception):
        pass

    def fail(module, args, output) -> None:
        raise BrokenError

    model = mixed()
    handle = model.get_submodule(part).register_forward_hook(fail)
    before = state_of(model)
    with pytest.raises(BrokenError):
        grad_cam(model, images())
    assert_same(before, state_of(model))
    assert torch.is_grad_enabled()
    handle.remove()
