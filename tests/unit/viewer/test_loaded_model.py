from pathlib import Path

import pytest
import torch

from softcam_core.explainers.methods import METHODS
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM
from softcam_viewer.model.loaded_model import LoadedModel, wrap
from softcam_viewer.model.methods import list_methods


def softcam(architecture: str) -> SoftCAM:
    torch.manual_seed(0)
    card = ModelCard(
        name="Test", architecture=architecture, class_names=("a", "b"), preprocessing=Preprocessing(shorter_side=64)
    )
    return SoftCAM.from_card(card)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return wrap(softcam("compact"), Path("model.safetensors"))


def method(name: str):
    return next(m for m in list_methods() if m.name == name)


def test_methods_run_on_the_black_box_twin_and_evidence_on_the_softcam(loaded):
    assert loaded.explained_by(method("evidence")) is loaded.network
    assert loaded.subject_of(method("evidence")) == "SoftCAM"
    assert isinstance(loaded.explained_by(method("gradcam")), BlackBox)
    assert loaded.subject_of(method("gradcam")) == "black-box twin"
    assert not loaded.is_black_box


def test_lanes_share_weights_but_no_module_in_which_a_hook_could_hang(loaded):
    parts = [set(map(id, network.modules())) for network in (loaded.network, loaded.quick, loaded.slow)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    for network in (loaded.quick, loaded.slow):
        ours = {parameter.data_ptr() for parameter in network.parameters()}
        assert ours == {parameter.data_ptr() for parameter in loaded.network.parameters()}


def test_all_copies_say_the_same(loaded):
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        said = [network.logits(images) for network in (loaded.network, loaded.quick, loaded.slow)]
    assert torch.allclose(said[0], said[1], atol=1e-5)
    assert torch.equal(said[1], said[2])


def test_nothing_is_ready_to_be_trained(loaded):
    for network in (loaded.network, loaded.quick, loaded.slow):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_model_without_a_twin_is_explained_itself_and_says_so():
    loaded = wrap(softcam("vgg11"), Path("model.safetensors"))
    assert isinstance(loaded.quick, SoftCAM)
    assert loaded.quick is not loaded.network
    assert "no black-box twin" in loaded.subject_of(method("gradcam"))


def test_a_black_box_refuses_evidence_with_the_reason():
    loaded = wrap(BlackBox.twin_of(softcam("compact")), Path("weights.pth"))
    assert loaded.is_black_box
    assert "no evidence" in loaded.refusals["evidence"]
    assert loaded.subject_of(method("gradcam")) == "black box"
    assert set(loaded.refusals) <= set(METHODS)
