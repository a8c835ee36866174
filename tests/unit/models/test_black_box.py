from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.black_box import BlackBox, load_black_box
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.conversion import convert
from softcam_core.models.families import FAMILIES
from softcam_core.models.softcam import SoftCAM

NAMES = ("a", "b", "c")
LIKE = ModelCard(
    name="ours",
    architecture="compact",
    class_names=NAMES,
    preprocessing=Preprocessing(shorter_side=64),
    sha256="0" * 64,
)
EXACT = [entry.architectures[0] for entry in FAMILIES.values() if not entry.inexact]


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Not square, and of a size that every network takes."""
    return torch.randn(2, 3, 80, 96, generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def _few_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search through all of them takes seconds, and is tested where it lies."""
    names = ("resnet18", "resnet34", "squeezenet1_1", "alexnet", "mobilenet_v3_small")
    monkeypatch.setattr("softcam_core.models.fitting.architectures", lambda: names)
    monkeypatch.setattr("softcam_core.models.fitting.is_timm_installed", lambda: False)


def assert_same_logits(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4 * float(second.abs().max()))


# --- the twin


@pytest.mark.parametrize("architecture", [*EXACT, "timm/resnet18"])
def test_the_twin_computes_the_softcams_logits(architecture: str, black_box, images: Tensor) -> None:
    network = black_box(architecture)
    model = convert(network, NAMES, architecture)
    twin = BlackBox.twin_of(model)
    with torch.inference_mode():
        logits = model(images).logits
        assert_same_logits(twin(images), logits)
        assert_same_logits(twin(images), network(images))
        features = twin.features(images)
        torch.testing.assert_close(features, model.features(images), rtol=1e-4, atol=1e-4)
        assert torch.equal(twin.classify(features), twin(images))
    assert twin.card == model.card
    assert not twin.training
    assert twin.receptive_field == model.receptive_field


def test_the_twin_shares_the_weights(black_box, images: Tensor) -> None:
    model = convert(black_box("resnet18"), NAMES)
    twin = BlackBox.twin_of(model)
    assert {p.data_ptr() for p in twin.parameters()} == {p.data_ptr() for p in model.parameters()}
    with torch.no_grad():
        model.head.bias += 1
        assert_same_logits(twin(images), model(images).logits)


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "convnext_tiny", "alexnet"])
def test_a_head_that_no_convolution_computes_is_the_networks_own(architecture: str, black_box, images: Tensor) -> None:
    network = black_box(architecture)
    card = ModelCard(name="m", architecture=architecture, class_names=NAMES)
    with torch.inference_mode():
        expected = network(images)
        assert_same_logits(BlackBox(network, card)(images), expected)
    with pytest.raises(SettingsError, match=f"{architecture}: no black box computes what this model does"):
        BlackBox.twin_of(SoftCAM.from_card(card))


@pytest.mark.parametrize(("task", "expected"), [("single_label", 1 / 3), ("multi_label", 0.5)])
def test_probabilities_are_the_tasks(task: str, expected: float, black_box) -> None:
    model = BlackBox.twin_of(convert(black_box("resnet18"), NAMES, task=task))
    torch.testing.assert_close(model.probabilities(torch.zeros(2, 3)), torch.full((2, 3), expected))


# --- one from elsewhere


def test_a_model_file_gives_its_twin(black_box, images: Tensor, tmp_path: Path) -> None:
    model = convert(black_box("resnet18"), NAMES, name="theirs")
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_black_box(tmp_path / "model.safetensors", LIKE)
    assert isinstance(loaded, BlackBox)
    assert loaded.card.name == "theirs"
    with torch.inference_mode():
        assert_same_logits(loaded(images), model(images).logits)


def test_a_model_file_of_other_classes_is_refused(black_box, tmp_path: Path) -> None:
    save_model(convert(black_box("resnet18"), ("b", "a", "c")), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: has the classes b, a, c, not a, b, c\. Compare"):
        load_black_box(tmp_path / "model.safetensors", LIKE)


def test_a_model_file_without_a_black_box_of_its_function_is_refused(tmp_path: Path) -> None:
    card = ModelCard(name="m", architecture="mobilenet_v3_small", class_names=NAMES)
    save_model(SoftCAM.from_card(card), tmp_path / "model.safetensors")
    with pytest.raises(SettingsError, match="no black box computes what this model does: an activation"):
        load_black_box(tmp_path / "model.safetensors", LIKE)


@pytest.mark.parametrize(
    ("architecture", "prefix"),
    [("resnet18", ""), ("resnet18", "module."), ("mobilenet_v3_small", "model."), ("alexnet", "")],
)
def test_plain_weights_are_known_by_themselves(
    architecture: str, prefix: str, black_box, images: Tensor, tmp_path: Path
) -> None:
    """Of heads that can become convolutions, and of heads that cannot: SoftCAM's own file could not hold those."""
    network = black_box(architecture)
    torch.save({f"{prefix}{name}": t for name, t in network.state_dict().items()}, tmp_path / "theirs.pth")
    loaded = load_black_box(tmp_path / "theirs.pth", LIKE)
    with torch.inference_mode():
        assert_same_logits(loaded(images), network(images))
    assert not loaded.training
    card = loaded.card
    assert (card.architecture, card.class_names, card.task) == (architecture, NAMES, "single_label")
    assert card.preprocessing == LIKE.preprocessing
    assert card.name == "theirs"
    assert card.sha256 == ""


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_small"])
def test_plain_weights_of_other_classes_are_refused(architecture: str, black_box, tmp_path: Path) -> None:
    torch.save(black_box(architecture, 5).state_dict(), tmp_path / "theirs.pth")
    with pytest.raises(CheckpointError, match=r"theirs\.pth: (has 5 outputs|does not hold a .* with 3 classes)"):
        load_black_box(tmp_path / "theirs.pth", LIKE)


def test_plain_weights_that_lack_a_layer_are_refused(black_box, tmp_path: Path) -> None:
    state = dict(black_box("mobilenet_v3_small").state_dict())
    del state["classifier.0.bias"]
    torch.save(state, tmp_path / "theirs.pth")
    with pytest.raises(CheckpointError, match=r"lacks weights of mobilenet_v3_small \(classifier\.0\.bias\)\. Export"):
        load_black_box(tmp_path / "theirs.pth", LIKE)


@pytest.mark.parametrize("content", [{"layer.weight": torch.ones(3, 3)}, {}, [1, 2]])
def test_unknown_weights_are_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "theirs.pth")
    with pytest.raises(CheckpointError, match=r"theirs\.pth: (fits no architecture|holds no state dict)"):
        load_black_box(tmp_path / "theirs.pth", LIKE)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_black_box(tmp_path / "theirs.pth", LIKE)
    (tmp_path / "theirs.pth").write_bytes(b"not weights at all")
    with pytest.raises(CheckpointError, match=r"theirs\.pth: is damaged"):
        load_black_box(tmp_path / "theirs.pth", LIKE)


def test_another_pooling_is_not_taken_for_the_mean(black_box) -> None:
    """The parts are the network's own, whatever its weights are called."""
    network = black_box("resnet18")
    network.avgpool = nn.AdaptiveMaxPool2d(1)
    card = ModelCard(name="m", architecture="resnet18", class_names=NAMES)
    images = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        expected = network(images)
        assert_same_logits(BlackBox(network, card)(images), expected)
