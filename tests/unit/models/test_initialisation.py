import io
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision.models as tv

from softcam_core.errors import SettingsError
from softcam_core.models.card import ModelCard
from softcam_core.models.initialisation import initialise, load_backbone
from softcam_core.models.softcam import SoftCAM


def fresh(architecture: str) -> SoftCAM:
    torch.manual_seed(0)
    return SoftCAM.from_card(ModelCard(name="m", architecture=architecture, class_names=("a", "b")))


@pytest.mark.parametrize("architecture", ["resnet18", "squeezenet1_1", "densenet121", "vgg11_bn", "mobilenet_v3_small"])
def test_features_are_filled_and_the_head_stays(architecture: str, black_box, tmp_path: Path) -> None:
    network = black_box(architecture)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    model = fresh(architecture).eval()
    head = {name: tensor.clone() for name, tensor in model.head.state_dict().items()}
    load_backbone(model, tmp_path / "weights.pth")
    ours, theirs = model.state_dict(), network.state_dict()
    for name, their_name in model.black_box_names().items():
        if name.startswith("features."):
            assert torch.equal(ours[name], theirs[their_name])
    assert all(torch.equal(tensor, head[name]) for name, tensor in model.head.state_dict().items())


def test_old_weights_without_batch_counters(black_box, tmp_path: Path) -> None:
    state = {k: v for k, v in black_box("resnet18").state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "weights.pth")
    model = fresh("resnet18")
    load_backbone(model, tmp_path / "weights.pth")
    assert torch.equal(model.features.conv1.weight, state["conv1.weight"])


def test_imagenet_weights_from_shared_data(shared_data) -> None:
    path = shared_data / "weights_squeezenet1_1" / "squeezenet1_1_imagenet.pth"
    model = fresh("squeezenet1_1")
    initialise(model, path)
    state = torch.load(path, weights_only=True)
    assert torch.equal(model.features[0].weight, state["features.0.weight"])


def test_without_a_network_the_message_says_where_the_weights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(url, *args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", no_network)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    with pytest.raises(SettingsError) as caught:
        initialise(fresh("resnet18"), "imagenet")
    message = str(caught.value)
    assert "no route to host" in message
    assert tv.ResNet18_Weights.DEFAULT.url in message
    assert "--init FILE" in message


def test_downloaded_weights_are_used(black_box, monkeypatch: pytest.MonkeyPatch) -> None:
    state = black_box("resnet18", 1000).state_dict()
    asked = io.StringIO()

    def download(url, *args, **kwargs):
        asked.write(url)
        return state

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    model = fresh("resnet18")
    initialise(model, "imagenet")
    assert asked.getvalue() == tv.ResNet18_Weights.DEFAULT.url
    assert torch.equal(model.features.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize("architecture", ["compact", "bagnet33"])
def test_networks_without_published_weights(architecture: str) -> None:
    with pytest.raises(SettingsError, match="no ImageNet weights are published"):
        initialise(fresh(architecture), "imagenet")
