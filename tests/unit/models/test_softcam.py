import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM


def card(**changes) -> ModelCard:
    return ModelCard(**({"name": "m", "architecture": "compact", "class_names": ("a", "b", "c")} | changes))


def tiny(seed: int = 0, **changes) -> SoftCAM:
    torch.manual_seed(seed)
    features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
    return SoftCAM(features, nn.Conv2d(6, 3, 1), card(**changes)).eval()


def slow_evidence(model: SoftCAM, image: torch.Tensor) -> torch.Tensor:
    """A_kij = sum_d W_kd Z_dij + b_k, one cell after the other, in float64."""
    weight, bias = model.head.weight.double()[:, :, 0, 0], model.head.bias.double()
    z = model.features(image[None])[0].double()
    maps = torch.empty(len(weight), *z.shape[1:], dtype=torch.float64)
    for k in range(len(weight)):
        for i in range(z.shape[1]):
            for j in range(z.shape[2]):
                maps[k, i, j] = sum(weight[k, d] * z[d, i, j] for d in range(len(z))) + bias[k]
    return maps


@settings(max_examples=25)
@given(size=st.tuples(st.integers(1, 17), st.integers(1, 17)), seed=st.integers(0, 50))
def test_evidence_and_logits_are_the_papers(size: tuple[int, int], seed: int) -> None:
    model = tiny(seed)
    image = torch.randn(3, *size)
    with torch.inference_mode():
        logits, maps = model(image[None])
        expected = slow_evidence(model, image)
    torch.testing.assert_close(maps[0].double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits[0].double(), expected.mean((1, 2)), atol=1e-5, rtol=1e-5)


@settings(max_examples=25)
@given(size=st.tuples(st.integers(1, 200), st.integers(1, 200)))
def test_logits_are_the_means_of_the_maps_at_any_size(size: tuple[int, int]) -> None:
    model = tiny()
    with torch.inference_mode():
        logits, maps = model(torch.randn(2, 3, *size))
    assert maps.shape[2:] == tuple((n + 1) // 2 for n in size)
    assert float((maps.double().mean((2, 3)) - logits).abs().max()) <= 1e-5


def test_maps_are_signed() -> None:
    with torch.inference_mode():
        maps = SoftCAM.from_card(card()).eval()(torch.randn(1, 3, 64, 64)).maps
    assert maps.min() < 0 < maps.max()


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_probabilities(task: str) -> None:
    model, logits = tiny(task=task), torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    expected = logits.exp() / logits.exp().sum(1, keepdim=True) if task == "single_label" else 1 / (1 + (-logits).exp())
    torch.testing.assert_close(model.probabilities(logits), expected)
    torch.testing.assert_close(model.probabilities(logits[0]), expected[0])


def test_gradients_reach_every_parameter_through_the_maps() -> None:
    model = SoftCAM.from_card(card()).train()
    model(torch.randn(2, 3, 32, 32)).maps.abs().sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in model.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ("a", "a")},
        {"class_names": ("a", " ")},
        {"class_names": ("a",)},
        {"class_names": ()},
        {"name": ""},
        {"version": 3},
        {"task": "regression"},
        {"surprise": 1},
    ],
)
def test_cards_that_make_no_sense(changes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        card(**changes)


def test_class_index() -> None:
    assert card().class_index("b") == 1
    assert card(class_names=("only",), task="multi_label").class_index("only") == 0
    with pytest.raises(KeyError, match="a, b, c"):
        card().class_index("z")


@pytest.mark.parametrize("architecture", ["compact", "resnet18"])
def test_channels_last_and_compiled_networks_compute_the_same(architecture: str) -> None:
    torch.manual_seed(0)
    model = SoftCAM.from_card(card(architecture=architecture)).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        expected = model(x)
        last = model.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
        # The graph and its operations, without the minutes that code generation takes.
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)(x)
    for found in (last, compiled):
        torch.testing.assert_close(found.logits, expected.logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.maps, expected.maps, atol=1e-5, rtol=1e-5)


def test_the_offset_of_a_linear_head_is_its_bias() -> None:
    model = tiny()
    assert torch.equal(model.offset, model.head.bias)
    assert not model.offset.requires_grad
    assert model.double().offset.dtype == torch.float64


def test_a_head_without_bias_has_no_offset() -> None:
    model = tiny()
    model.head = nn.Conv2d(6, 3, 1, bias=False)
    assert torch.equal(model.offset, torch.zeros(3))


def test_the_offset_is_what_the_head_says_of_zero_features_anywhere_and_leaves_the_modes() -> None:
    model = tiny()
    torch.manual_seed(3)
    # Layers after the first take dropout in training mode; the offset must not.
    model.head = nn.Sequential(nn.Conv2d(6, 32, 1), nn.ReLU(), nn.Dropout2d(0.5), nn.Conv2d(32, 3, 1)).train()
    model.head[3].eval()
    hidden = model.head[0].bias.double().clamp(min=0)
    expected = model.head[3].weight.double()[:, :, 0, 0] @ hidden + model.head[3].bias.double()
    torch.testing.assert_close(model.offset.double(), expected.detach(), atol=1e-6, rtol=1e-6)
    assert [part.training for part in model.head] == [True, True, True, False]


@pytest.mark.parametrize("architecture", ["squeezenet1_1", "convnext_tiny"])
def test_heads_that_are_not_linear_have_offsets_too(architecture: str) -> None:
    torch.manual_seed(0)
    model = SoftCAM.from_card(card(architecture=architecture)).eval()
    with torch.inference_mode():
        channels = model.features(torch.zeros(1, 3, 64, 64)).shape[1]
        expected = model.head(torch.zeros(1, channels, 2, 3))
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(expected[0, :, i, j], model.offset)
