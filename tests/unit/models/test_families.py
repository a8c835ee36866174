import pytest
import torch
import torchvision.models as tv
from torch import nn

from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_backbone
from softcam_core.models.families import architectures, build, family_of
from softcam_core.models.softcam import SoftCAM


def fresh(architecture: str, classes: int = 2) -> SoftCAM:
    torch.manual_seed(0)
    return build(ModelCard(name="m", architecture=architecture, class_names=[f"c{i}" for i in range(classes)]))


def settle(model: nn.Module) -> nn.Module:
    """Keep the activations of a fresh network, whose batch normalisation knows no data yet, from exploding."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.6)
    return model.eval()


@pytest.mark.parametrize("architecture", architectures())
def test_logits_are_the_means_of_the_maps(architecture: str) -> None:
    model = settle(fresh(architecture, classes=3))
    for size in ((65, 97), (33, 35)):
        with torch.inference_mode():
            logits, maps = model(torch.randn(1, 3, *size))
        assert logits.shape == (1, 3)
        assert maps.shape[:2] == (1, 3)
        assert 1e-3 < maps.abs().max() < 100
        assert float((maps.double().mean((2, 3)) - logits).abs().max()) <= 1e-5


@pytest.mark.parametrize(
    ("architecture", "size", "grid"),
    [
        ("resnet18", (512, 512), (16, 16)),
        ("resnet18", (496, 496), (16, 16)),
        ("resnet18", (100, 300), (4, 10)),
        ("squeezenet1_1", (320, 320), (19, 19)),
        ("compact", (128, 96), (32, 24)),
    ],
)
def test_grid_follows_the_input(architecture: str, size: tuple[int, int], grid: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert fresh(architecture).eval()(torch.zeros(1, 3, *size)).maps.shape[2:] == grid


def test_squeezenets_evidence_is_not_negative_and_drops_whole_channels() -> None:
    model = fresh("squeezenet1_1")
    with torch.inference_mode():
        assert model.eval()(torch.randn(1, 3, 64, 64)).maps.min() >= 0
    dropped = model.head.dropout.train()(torch.ones(1, 512, 3, 3))
    assert set(dropped.flatten(2).std(2).flatten().tolist()) == {0.0}


def test_compact_network_sees_30_pixels_around_the_middle_of_each_cell() -> None:
    model = settle(fresh("compact"))
    x = torch.randn(1, 3, 128, 128, requires_grad=True)
    model(x).maps[0, 0, 16, 20].backward()
    seen = torch.nonzero(x.grad[0].abs().sum(0))
    first, last = seen.min(0).values, seen.max(0).values + 1
    assert (last - first).tolist() == [30, 30]
    assert ((first + last) / 2).tolist() == [16 * 4 + 2, 20 * 4 + 2]
    assert sum(p.numel() for p in model.parameters()) < 0.25e6


def torchvision_features(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What torchvision's own forward pass has before its head, caught on the way."""
    caught: list[torch.Tensor] = []
    end = network.layer4 if hasattr(network, "layer4") else network.features
    handle = end.register_forward_hook(lambda module, args, output: caught.append(output))
    network(x)
    handle.remove()
    return caught[0]


@pytest.mark.parametrize("architecture", ["squeezenet1_0", "squeezenet1_1", "resnet18", "resnet50", "resnext50_32x4d"])
def test_torchvisions_weights_give_torchvisions_features(architecture: str, tmp_path) -> None:
    torch.manual_seed(1)
    network = settle(tv.get_model(architecture, weights=None))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    model = fresh(architecture).eval()
    head = {name: tensor.clone() for name, tensor in model.head.state_dict().items()}
    load_backbone(model, tmp_path / "weights.pth")
    x = torch.randn(1, 3, 70, 90)
    with torch.inference_mode():
        torch.testing.assert_close(model.features(x), torchvision_features(network, x), rtol=0, atol=0)
    assert all(torch.equal(tensor, head[name]) for name, tensor in model.head.state_dict().items())


def test_old_weights_without_batch_counters(tmp_path) -> None:
    state = {k: v for k, v in tv.resnet18(weights=None).state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "weights.pth")
    model = fresh("resnet18")
    load_backbone(model, tmp_path / "weights.pth")
    assert torch.equal(model.features.conv1.weight, state["conv1.weight"])


def test_imagenet_weights_from_shared_data(shared_data) -> None:
    path = shared_data / "weights_squeezenet1_1" / "squeezenet1_1_imagenet.pth"
    model = fresh("squeezenet1_1")
    load_backbone(model, path)
    state = torch.load(path, weights_only=True)
    assert torch.equal(model.features[0].weight, state["features.0.weight"])


def test_unknown_architecture() -> None:
    with pytest.raises(KeyError, match="squeezenet1_1"):
        family_of("alexnet")
    assert len(set(architectures())) == len(architectures())
