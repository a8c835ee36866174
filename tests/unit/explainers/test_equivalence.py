import pytest
import torch
from torch import nn

from softcam_core.explainers.base import Explainer
from softcam_core.explainers.cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from softcam_core.explainers.eigen_cam import EigenCAM
from softcam_core.explainers.equivalence import has_affine_head, same_as_evidence
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ArchitectureOptions, ModelCard
from softcam_core.models.families import FAMILIES, family_of
from softcam_core.models.layouts import skeleton

NOT_AFFINE = {"squeezenet", "vgg", "alexnet", "mobilenetv3", "convnext"}
each_family = pytest.mark.parametrize(("family", "entry"), FAMILIES.items(), ids=list(FAMILIES))


@each_family
def test_heads_are_asked_for_what_they_are(family: str, entry) -> None:
    model = skeleton(entry.architectures[0])
    assert has_affine_head(model) == (family not in NOT_AFFINE)


@each_family
def test_heads_of_black_boxes_too(family: str, entry) -> None:
    architecture = entry.architectures[0]
    card = ModelCard(name="m", architecture=architecture, class_names=("a", "b"))
    with torch.device("meta"):
        network = family_of(architecture).network(architecture, 2, ArchitectureOptions())
        assert has_affine_head(BlackBox(network, card)) == (family not in NOT_AFFINE)


@pytest.mark.parametrize(
    "head",
    [
        nn.Sequential(nn.Conv2d(96, 8, 1), nn.ReLU(), nn.Conv2d(8, 3, 1)),
        nn.Sequential(nn.Conv2d(96, 3, 3, padding=1)),
        nn.Sequential(nn.Conv2d(96, 3, 1, stride=2)),
        nn.Sequential(nn.BatchNorm2d(96), nn.Conv2d(96, 3, 1)),
    ],
)
def test_other_heads_are_not_affine_at_each_place(head: nn.Module, make_network, make_images) -> None:
    model = make_network("compact")
    model.head = head
    assert not has_affine_head(model)
    assert GradCAM()(model, make_images().float()).notes == ()


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d(2), nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d((1, 2))])
def test_other_pools_are_not_the_mean(pool: nn.Module, make_network) -> None:
    model = BlackBox.twin_of(make_network("compact"))
    assert has_affine_head(model)
    model.head.avgpool = pool
    assert not has_affine_head(model)


@pytest.mark.parametrize("explainer", [GradCAM(), GradCAM(relu=False), HiResCAM(), XGradCAM(layer="layer4")])
def test_says_how_a_method_is_the_evidence(explainer: Explainer, make_network, make_images) -> None:
    model, images = make_network("resnet18"), make_images().float()
    is_cut = explainer.options().get("relu", explainer.defaults().get("relu", False))
    for explained in (model, BlackBox.twin_of(model)):
        sentence = same_as_evidence(explainer, explained)
        assert sentence.startswith("The same as SoftCAM's evidence, without its bias")
        assert ("cut at zero" in sentence) == is_cut
        maps = explainer(explained, images)
        assert maps.notes == (sentence,)
        evidence = SoftCAMEvidence()(model, images).values - model.head.bias.detach()[:, None, None]
        expected = (evidence.relu() if is_cut else evidence) / evidence[0, 0].numel()
        torch.testing.assert_close(maps.values, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "explainer",
    [GradCAM(layer="layer3"), GradCAMPlusPlus(), LayerCAM(), EigenCAM(), SoftCAMEvidence(), HiResCAM(layer="layer1.0")],
)
def test_says_nothing_of_what_is_something_else(explainer: Explainer, make_network, make_images) -> None:
    model = make_network("resnet18")
    assert same_as_evidence(explainer, model) == ""
    assert not any("evidence" in note for note in explainer(model, make_images().float()).notes)


def test_an_activation_in_the_head_is_no_evidence(make_network, make_images) -> None:
    model, images = make_network("squeezenet1_1"), make_images().float()
    for explained in (model, BlackBox.twin_of(model)):
        assert same_as_evidence(GradCAM(), explained) == ""
        assert GradCAM()(explained, images).notes == ()
