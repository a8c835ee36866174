"""Other libraries do the same job: their maps are ours, where both are right."""

import importlib.util

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from softcam_core.evaluation.agreement import rank_correlation
from softcam_core.evaluation.method_inputs import bench_networks, phantom_input
from softcam_core.evaluation.rivals import rivals_of
from softcam_core.explainers.methods import METHODS, parse_method
from softcam_core.models.classifier import Classifier

CLASSES = range(3)


@pytest.fixture(scope="module")
def network() -> Classifier:
    torch.manual_seed(0)
    return bench_networks("compact", len(CLASSES), torch.device("cpu"))[1]


@pytest.fixture(scope="module")
def image(network: Classifier) -> Tensor:
    return phantom_input(network, 64)


def as_maps(given: list) -> Tensor:
    """(K, H, W) of what libraries give: arrays or tensors with or without channels."""
    maps = torch.stack([torch.as_tensor(each).detach().float() for each in given])
    maps = maps.flatten(0, 1)
    return maps.sum(1) if maps.ndim == 4 else maps


@pytest.mark.parametrize(
    "method", ["gradcam", "layercam", "gradxinput", "guided", "lrp", "scorecam:top=6,weights=softmax"]
)
def test_their_maps_are_like_ours(method: str, network: Classifier, image: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    explainer = parse_method(method)
    ours = explainer(network, image).values[0]
    rivals = rivals_of(explainer, network, image, CLASSES)
    assert rivals
    for name, run in rivals.items():
        assert run is not None
        theirs = as_maps(run())
        assert len(theirs) == len(CLASSES)
        size = max(theirs.shape[1:], ours.shape[1:])
        a, b = (F.interpolate(m[None], size, mode="bilinear", align_corners=False)[0] for m in (ours, theirs))
        likeness = rank_correlation(a, b)
        assert float(likeness.nan_to_num(nan=1.0).min()) > 0.9, (name, likeness)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(part._forward_hooks for part in network.modules())


def test_each_runs_again_and_again(network: Classifier, image: Tensor) -> None:
    for name, run in rivals_of(parse_method("gradcam"), network, image, CLASSES).items():
        torch.testing.assert_close(as_maps(run()), as_maps(run()), msg=name)


def test_which_library_has_which_method(network: Classifier, image: Tensor) -> None:
    found = {name: list(rivals_of(parse_method(name), network, image, CLASSES)) for name in METHODS}
    assert found["evidence"] == found["random"] == []
    assert found["gradcam"] == ["torch-cam", "grad-cam"]
    assert found["eigencam"] == ["grad-cam"]
    assert found["ig"] == ["captum"]
    assert rivals_of(parse_method("gradcam:layer=layer2"), network, image, CLASSES) == {}
    assert list(rivals_of(parse_method("scorecam:top=4"), network, image, CLASSES)) == ["torch-cam"]


def test_libraries_that_are_not_installed(network: Classifier, image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "softcam_core.evaluation.rivals.find_spec", lambda name: None if name == "torchcam" else find(name)
    )
    found = rivals_of(parse_method("gradcam"), network, image, CLASSES)
    assert found["torch-cam"] is None
    assert found["grad-cam"] is not None


def test_torchcam_sees_the_same_channels_of_the_whole_network(network: Classifier, image: Tensor) -> None:
    """Fewer channels are fewer passes, and the network that they run through is the same."""
    runs = rivals_of(parse_method("scorecam:top=4"), network, image, [1])["torch-cam"]
    alone = rivals_of(parse_method("scorecam"), network, image, [1])["torch-cam"]
    assert runs is not None
    assert alone is not None
    assert as_maps(runs()).shape == as_maps(alone()).shape
    assert not torch.allclose(as_maps(runs()), as_maps(alone()))
