import pytest
import torch
import torchvision.models as tv
from torch import nn

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.models.card import ArchitectureOptions, ModelCard
from softcam_core.models.conversion import convert
from softcam_core.models.families import FAMILIES, architectures, family_of
from softcam_core.models.layouts import skeleton
from softcam_core.models.receptive_field import ReceptiveField
from softcam_core.models.softcam import SoftCAM

SIZES = ((96, 96), (97, 118))
NAMES = ("a", "b", "c")

# The smallest member of each family, and of timm.
SMALLEST = {
    **{family: entry.architectures[0] for family, entry in FAMILIES.items()},
    "resnet": "resnet18",
    "efficientnet": "efficientnet_b0",
    "vgg": "vgg11_bn",
    "timm": "timm/resnet18",
    "timm, same padding": "timm/tf_efficientnet_b0",
}
EXACT = [name for name in SMALLEST.values() if not family_of(name).inexact]
INEXACT = [name for name in SMALLEST.values() if family_of(name).inexact]
# Bigger members whose blocks differ from the smallest one's.
MORE = ["resnet50", "wide_resnet50_2", "resnext50_32x4d", "densenet161", "efficientnet_v2_s", "regnet_y_400mf"]
MORE += ["shufflenet_v2_x1_0", "mnasnet1_0", "squeezenet1_1", "bagnet33", "bagnet17"]


def card(architecture: str, classes: int = 3, **options) -> ModelCard:
    names = [f"c{i}" for i in range(classes)]
    return ModelCard(name="m", architecture=architecture, class_names=names, options=options)


def softcam_of(network: nn.Module, architecture: str) -> SoftCAM:
    return convert(network.state_dict(), NAMES, architecture, retrain_head=bool(family_of(architecture).inexact))


def inputs(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 3, *size, generator=generator, dtype=dtype) for size in SIZES]


def test_the_table_names_torchvisions_networks() -> None:
    """All of torchvision's classifiers are here but those that are no CNNs."""
    ours = {name for name in architectures() if name not in ("compact", "bagnet9", "bagnet17", "bagnet33")}
    others = {name for name in tv.list_models(module=tv) if name.startswith(("vit", "swin", "maxvit"))}
    assert ours == set(tv.list_models(module=tv)) - others
    assert len(set(architectures())) == len(architectures())


@pytest.mark.parametrize("architecture", SMALLEST.values())
def test_logits_are_the_means_of_the_maps(architecture: str, black_box) -> None:
    model = softcam_of(black_box(architecture), architecture)
    for x in inputs():
        with torch.inference_mode():
            logits, maps = model(x)
        assert logits.shape == (1, 3)
        assert maps.shape[:2] == (1, 3)
        assert maps.std() > 1e-3
        scale = float(maps.abs().max())
        assert float((maps.double().mean((2, 3)) - logits).abs().max()) <= 1e-5 * scale


@pytest.mark.parametrize("architecture", [*EXACT, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_converted_logits_are_the_black_boxs(architecture: str, black_box) -> None:
    network = black_box(architecture)
    model = softcam_of(network, architecture)
    assert model.card.conversion is not None
    assert model.card.conversion.exact
    for x in inputs()[1 if architecture in MORE else 0 :]:
        with torch.inference_mode():
            expected = network(x)
            assert expected.std() > 1e-3
            torch.testing.assert_close(model(x).logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("architecture", EXACT)
def test_converted_logits_in_double_precision(architecture: str, black_box) -> None:
    network = black_box(architecture).double()
    model = softcam_of(network, architecture).double()
    weights, shapes = network.state_dict(), {name: tensor.shape for name, tensor in model.state_dict().items()}
    model.load_state_dict({ours: weights[its].reshape(shapes[ours]) for ours, its in model.black_box_names().items()})
    x = inputs(torch.float64)[-1]
    with torch.inference_mode():
        torch.testing.assert_close(model(x).logits, network(x), atol=1e-9, rtol=0)


@pytest.mark.parametrize("architecture", INEXACT)
def test_heads_that_cannot_be_exact_are_refused(architecture: str, black_box) -> None:
    network = black_box(architecture)
    with pytest.raises(SettingsError) as caught:
        convert(network.state_dict(), NAMES, architecture)
    assert family_of(architecture).inexact in str(caught.value)
    assert "--retrain-head" in str(caught.value)
    model = convert(network.state_dict(), NAMES, architecture, retrain_head=True)
    assert model.card.conversion is not None
    assert not model.card.conversion.exact
    assert model.card.conversion.max_logit_difference is None
    with pytest.raises(SettingsError, match="no black box computes"):
        model.black_box()
    x = inputs()[0]
    with torch.inference_mode():  # the features are the trained ones
        torch.testing.assert_close(model.features(x), network.features(x))


@pytest.mark.parametrize("architecture", SMALLEST.values())
def test_loading_is_strict_and_gradients_reach_the_backbone(architecture: str, black_box) -> None:
    model = softcam_of(black_box(architecture), architecture)
    state = model.state_dict()
    SoftCAM.from_card(model.card).load_state_dict(state)
    first = next(iter(state))
    with pytest.raises(RuntimeError, match="Missing key"):
        SoftCAM.from_card(model.card).load_state_dict({k: v for k, v in state.items() if k != first})
    model(inputs()[0]).maps.abs().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
    assert float(next(model.features.parameters()).grad.abs().max()) > 0


@pytest.mark.parametrize("architecture", architectures())
def test_every_architecture_has_the_black_boxs_names(architecture: str) -> None:
    """No weights needed: each parameter of the SoftCAM has its place in the black box, and none is left over."""
    model = skeleton(architecture)
    family = family_of(architecture)
    with torch.device("meta"):
        network = family.network(architecture, 2, ArchitectureOptions())
    names, theirs = model.black_box_names(), network.state_dict()
    assert set(names.values()) == set(theirs)
    assert len(set(names.values())) == len(names)
    if not family.inexact:
        own = model.state_dict()
        assert all(own[name].numel() == theirs[names[name]].numel() for name in names)


@pytest.mark.parametrize(
    ("architecture", "size", "grid"),
    [
        ("resnet18", (512, 512), (16, 16)),
        ("resnet18", (496, 496), (16, 16)),
        ("resnet18", (100, 300), (4, 10)),
        ("vgg11", (512, 512), (16, 16)),
        ("vgg11", (496, 496), (15, 15)),
        ("bagnet33", (512, 512), (60, 60)),
        ("squeezenet1_1", (320, 320), (19, 19)),
        ("compact", (128, 96), (32, 24)),
    ],
)
def test_grid_follows_the_input(architecture: str, size: tuple[int, int], grid: tuple[int, int]) -> None:
    model = skeleton(architecture).eval()
    assert model(torch.zeros(1, 3, *size, device="meta")).maps.shape[2:] == grid


def test_squeezenets_evidence_is_not_negative(black_box) -> None:
    model = softcam_of(black_box("squeezenet1_1"), "squeezenet1_1")
    with torch.inference_mode():
        assert model(torch.randn(1, 3, 64, 64)).maps.min() >= 0


@pytest.mark.parametrize(
    "architecture", ["squeezenet1_1", "efficientnet_b0", "googlenet", "vgg11", "mobilenet_v3_small"]
)
def test_dropout_drops_whole_channels(architecture: str) -> None:
    head = SoftCAM.from_card(card(architecture)).head
    dropout = next(module for module in head.modules() if isinstance(module, nn.Dropout2d))
    assert not any(type(module) is nn.Dropout for module in head.modules())
    dropped = dropout.train()(torch.ones(1, 512, 3, 3))
    assert set(dropped.flatten(2).std(2).flatten().tolist()) == {0.0}


def test_compact_network_is_small_and_looks_straight() -> None:
    model = skeleton("compact")
    assert model.receptive_field == ReceptiveField(stride=(4, 4), size=(54, 54), centre=(2.0, 2.0))
    assert sum(p.numel() for p in model.parameters()) < 0.25e6


def test_unknown_architectures() -> None:
    with pytest.raises(KeyError, match="squeezenet1_1"):
        family_of("alexnett")
    with pytest.raises(SettingsError, match=r"timm has no network.*resnet"):
        SoftCAM.from_card(card("timm/resnet18x"))


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224", "timm/resnet50_clip"])
def test_timm_networks_without_a_pooled_linear_head_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="average pooling and one linear layer"):
        skeleton(name)


def test_timm_networks_with_layers_behind_the_pool_are_refused(black_box) -> None:
    network = black_box("timm/mobilenetv3_small_050")
    for weights in (network, network.state_dict()):
        with pytest.raises(CheckpointError, match="computes something else"):
            convert(weights, NAMES, "timm/mobilenetv3_small_050")


def test_without_timm_its_names_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(SettingsError, match=r"pip install softcam\[timm\]"):
        family_of("timm/resnet18")


# --- output stride

# Padding that depends on the input's size puts the cells of another stride elsewhere.
STRIDED = [
    name for name in SMALLEST.values() if family_of(name).stages is not None and name != "timm/tf_efficientnet_b0"
]


@pytest.mark.parametrize("architecture", STRIDED)
@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_finer_grid_holds_the_coarse_one(architecture: str, output_stride: int, black_box) -> None:
    """Between its new cells a dilated network has the old ones; only gates that see all cells move a little."""
    coarse = softcam_of(black_box(architecture), architecture)
    fine = SoftCAM.from_card(card(architecture, output_stride=output_stride))
    fine.load_state_dict(coarse.state_dict())
    x = torch.randn(1, 3, 128, 160, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected, maps = coarse(x).maps, fine.eval()(x).maps
    step = 32 // output_stride
    assert maps.shape[2:] == (128 // output_stride, 160 // output_stride)
    is_gated = architecture in ("efficientnet_b0", "mobilenet_v3_small")
    difference = (maps[:, :, ::step, ::step] - expected).abs().max() / expected.abs().max()
    assert float(difference) < (0.5 if is_gated else 1e-4)


def test_output_stride_is_told_apart_from_the_black_box(black_box) -> None:
    network = black_box("resnet18")
    model = convert(network, NAMES, "resnet18", output_stride=16)
    assert model.card.conversion is not None
    assert not model.card.conversion.exact
    assert model.card.conversion.max_logit_difference > 0
    x = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():  # its twin is dilated too
        torch.testing.assert_close(model.black_box()(x), model(x).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["vgg11", "squeezenet1_1", "inception_v3", "timm/densenet121"])
def test_networks_that_cannot_be_dilated(architecture: str) -> None:
    with pytest.raises(SettingsError, match="output stride of 8"):
        skeleton(architecture, output_stride=8)


def test_a_stride_that_is_reached_anyway_changes_nothing() -> None:
    assert str(skeleton("resnet18", output_stride=32).features) == str(skeleton("resnet18").features)
