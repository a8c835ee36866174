import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import CONSERVATION_LIMIT
from softcam_core.explainers.lrp import LRP
from softcam_core.explainers.lrp_canonizers import canonical, unsupported
from softcam_core.explainers.untouched import untouched
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ArchitectureOptions, ModelCard
from softcam_core.models.classifier import Classifier
from softcam_core.models.families import FAMILIES
from softcam_core.models.softcam import SoftCAM

MEMBERS = {
    "compact": ("compact",),
    "bagnet": ("bagnet9",),
    "resnet": ("resnet18", "resnext50_32x4d"),
    "densenet": ("densenet121",),
    "efficientnet": ("efficientnet_b0", "efficientnet_v2_s"),
    "regnet": ("regnet_x_400mf", "regnet_y_400mf"),
    "mobilenetv2": ("mobilenet_v2",),
    "mnasnet": ("mnasnet0_5",),
    "shufflenetv2": ("shufflenet_v2_x0_5",),
    "squeezenet": ("squeezenet1_1",),
    "googlenet": ("googlenet",),
    "inception": ("inception_v3",),
    "vgg": ("vgg11_bn",),
    "alexnet": ("alexnet",),
    "mobilenetv3": ("mobilenet_v3_small",),
}
"""Families that LRP explains, each with members that have all kinds of blocks that it has."""

WIDE = ("inception_v3", "efficientnet_v2_s")
"""Their last features have too few cells on smaller images for statistics that mean anything."""

BOUND = 1e-3
"""Relative error of the sum, float32; 2e-5 was the largest when this was written."""


def settled(model: Classifier, images: Tensor) -> Classifier:
    """Weights as of a trained network: activations of all layers have a size, and normalisations know it."""
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=generator)
            if part.bias is not None:
                part.bias.data.normal_(0, 0.1, generator=generator)
        elif isinstance(part, nn.BatchNorm2d):
            part.weight.data.uniform_(0.5, 1.5, generator=generator)
            part.bias.data.normal_(0, 0.2, generator=generator)
            part.reset_running_stats()
            part.momentum = None  # the mean over all batches
    for part in model.eval().modules():
        part.training = isinstance(part, nn.BatchNorm2d)
    with torch.no_grad():
        model.logits(images)
    return model.eval()


@pytest.fixture(scope="module")
def card_of(make_network) -> Callable[[str], ModelCard]:
    card = make_network("compact").card
    return lambda architecture: card.model_copy(update={"architecture": architecture})


@pytest.mark.parametrize("architecture", [name for names in MEMBERS.values() for name in names])
def test_relevance_is_conserved_in_every_family_and_logits_stay(architecture: str, card_of, make_images) -> None:
    images = make_images(2, *(96, 96) if architecture in WIDE else (64, 64)).float()
    with torch.device("meta"):
        model = SoftCAM.from_card(card_of(architecture))
    settled(model, images)
    images = images[:1]
    with torch.no_grad(), untouched(model):
        expected = model.logits(images)
        torch.testing.assert_close(canonical(model).logits(images), expected, rtol=1e-3, atol=1e-5)
    target = int(expected[0].abs().argmax())
    maps = LRP()(model, images, target)
    print(f"{architecture}: error {float(maps.errors):.1e}")  # noqa: T201
    assert float(maps.errors) < BOUND < CONSERVATION_LIMIT
    torch.testing.assert_close(maps.values.sum(), expected[0, target], rtol=1e-3, atol=0)


def test_every_family_is_explained_or_refused_by_name() -> None:
    for name, family in FAMILIES.items():
        assert {bool(unsupported(member)) for member in family.architectures} == {name not in MEMBERS}
    assert {name for name in FAMILIES if name not in MEMBERS} == {"convnext"}


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [("convnext_tiny", "layer normalisations mix all channels"), ("timm/resnet10t", "not in timm's")],
)
def test_refusals_say_why(architecture: str, reason: str, make_network, make_images) -> None:
    model = make_network("compact")
    model.card = model.card.model_copy(update={"architecture": architecture})
    with pytest.raises(SettingsError, match=f"{architecture}: LRP cannot explain it: .*{reason}"):
        LRP()(model, make_images())


def test_black_boxes_whose_head_no_convolution_computes(card_of, make_images) -> None:
    images = make_images(2, 64, 64).float()
    with torch.device("meta"):
        network = FAMILIES["mobilenetv3"].network("mobilenet_v3_small", 3, ArchitectureOptions())
        model = BlackBox(network, card_of("mobilenet_v3_small"))
    assert float(LRP()(settled(model, images), images[:1], 0).errors) < BOUND


def parts_of(model: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [name for name, part in model.named_modules() if isinstance(part, kind)]


def test_normalisations_that_follow_a_convolution_are_merged_and_others_stay(make_network) -> None:
    assert parts_of(canonical(make_network("resnet18")), nn.BatchNorm2d) == []
    left = parts_of(canonical(make_network("densenet121")), nn.BatchNorm2d)
    assert "features.denseblock1.denselayer1.norm1" in left
    assert "features.transition1.norm" in left
    assert "features.norm5" in left
    assert not [name for name in left if name.endswith(("norm0", "norm2"))]


def test_means_come_before_pointwise_convolutions(make_network) -> None:
    kinds = [type(layer) for layer in canonical(make_network("densenet121")).features.transition1]
    assert kinds == [nn.BatchNorm2d, nn.ReLU, nn.AvgPool2d, nn.Conv2d]


def addresses(model: nn.Module) -> set[int]:
    return {tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())} - {0}


def test_copies_share_nothing(mixed_network: SoftCAM) -> None:
    copy = canonical(mixed_network.eval())
    assert not addresses(copy) & addresses(mixed_network)
    assert not {id(part) for part in copy.modules()} & {id(part) for part in mixed_network.modules()}


class Recorder:
    """Belongs to somebody, and cannot be copied."""

    def __init__(self) -> None:
        self.lock, self.seen = threading.Lock(), 0

    def hook(self, *_: object) -> None:
        self.seen += 1


@pytest.mark.parametrize(
    "register",
    [
        lambda part, hook: part.register_forward_hook(hook),
        lambda part, hook: part.register_forward_hook(hook, with_kwargs=True, always_call=True),
        lambda part, hook: part.register_forward_pre_hook(hook),
        lambda part, hook: part.register_full_backward_hook(hook),
        lambda part, hook: part.register_load_state_dict_pre_hook(hook),
    ],
)
def test_hooks_of_the_model_stay_with_the_model(register, make_network, make_images) -> None:
    model, images, recorder = make_network("compact"), make_images(1).float(), Recorder()
    expected = LRP()(model, images, 0).values
    for part in (model.features.stem[0], model.features.stem[1], model.head):
        register(part, recorder.hook)
    assert torch.equal(LRP()(model, images, 0).values, expected)
    assert recorder.seen == 0


def test_inference_tensors_are_explained_too(make_network, make_images) -> None:
    with torch.inference_mode():
        model = make_network("compact")
        maps = LRP()(model, make_images(1).float(), 0).values
    expected: Tensor = LRP()(make_network("compact"), make_images(1).float(), 0).values
    torch.testing.assert_close(maps, expected)
