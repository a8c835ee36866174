import pytest
import torch
from torch import nn

from softcam_core.models.card import ModelCard
from softcam_core.models.conversion import convert
from softcam_core.models.families import FAMILIES
from softcam_core.models.layouts import skeleton
from softcam_core.models.receptive_field import receptive_field


def all_seeing(features: nn.Module) -> nn.Module:
    """The same windows, through which every pixel of a field is seen: positive weights and no choice of a maximum."""
    for name, module in list(features.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            mean = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            features.set_submodule(name, mean) if name else None
        elif isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return features.double().eval()


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("compact", {}),
        ("bagnet9", {}),
        ("bagnet17", {}),
        ("bagnet33", {}),
        ("squeezenet1_1", {}),
        ("resnet18", {}),
        ("shufflenet_v2_x0_5", {"output_stride": 16}),
        ("vgg11", {}),
    ],
)
def test_field_is_where_gradients_come_from(architecture: str, options: dict[str, int]) -> None:
    from softcam_core.models.softcam import SoftCAM

    torch.manual_seed(0)
    card = ModelCard(name="m", architecture=architecture, class_names=("a", "b"), options=options)
    features = all_seeing(SoftCAM.from_card(card).features)
    field = receptive_field(features)
    # Large enough for a field in the middle to lie within.
    side = 2 * max(field.size)
    x = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    out = features(x)
    cell = out.shape[2] // 2, out.shape[3] // 2 - 1
    out[0, :, cell[0], cell[1]].sum().backward()
    seen = torch.nonzero(x.grad[0].abs().sum(0))
    first, last = seen.min(0).values, seen.max(0).values + 1
    assert (*first.tolist(), *last.tolist()) == field.box(cell)


@pytest.mark.parametrize("entry", FAMILIES.values(), ids=list(FAMILIES))
def test_every_family_has_a_field(entry) -> None:
    model = skeleton(entry.architectures[0])
    field = receptive_field(model.features)
    assert all(size >= stride for size, stride in zip(field.size, field.stride, strict=True))
    out = model.features.eval()(torch.zeros(1, 3, 320, 320, device="meta"))
    assert 320 // field.stride[0] - 2 <= out.shape[2] <= 320 // field.stride[0]


@pytest.mark.parametrize(("architecture", "size", "stride"), [("resnet50", 427, 32), ("bagnet33", 33, 8)])
def test_known_fields(architecture: str, size: int, stride: int) -> None:
    """Araujo et al., Distill 2019, gives 483 for the ResNet-50 whose 1x1 convolutions halve; torchvision's has 427."""
    field = receptive_field(skeleton(architecture).features)
    assert field.size == (size, size)
    assert field.stride == (stride, stride)


def test_windows_that_are_not_square() -> None:
    features = nn.Sequential(nn.Conv2d(3, 2, (1, 7), padding=(0, 3)), nn.AvgPool2d((2, 1)))
    field = receptive_field(features)
    assert field.stride == (2, 1)
    assert field.size == (2, 7)
    assert field.centre == (1.0, 0.5)
    assert field.box((3, 4)) == (6.0, 1.0, 8.0, 8.0)


def test_the_network_is_left_as_it_was(black_box) -> None:
    model = convert(black_box("resnet18"), ("a", "b", "c")).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    assert model.receptive_field.stride == (32, 32)
    assert model.features.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize(("architecture", "off"), [("compact", 0), ("resnet18", 15.5)])
def test_what_changes_a_cell_most_lies_in_the_middle_of_its_field(architecture: str, off: float, black_box) -> None:
    """The centre of mass of a cell's gradient, over noise; `off` tells how far it is from where a tile would be."""
    model = convert(black_box(architecture), ("a", "b", "c"), architecture)
    field = model.receptive_field
    total = torch.zeros(256, 256)
    for seed in range(6):
        x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        maps = model(x).maps
        cell = maps.shape[2] // 2, maps.shape[3] // 2
        maps[0, :, cell[0], cell[1]].square().sum().backward()
        total += x.grad[0].square().sum(0)
    middle = torch.arange(256) + 0.5
    found = float((total.sum(1) * middle).sum() / total.sum()), float((total.sum(0) * middle).sum() / total.sum())
    top, left, bottom, right = field.box(cell)
    expected = (top + bottom) / 2, (left + right) / 2
    spread = max(1.0, 0.02 * field.size[0])
    assert found == pytest.approx(expected, abs=spread)
    if off:
        assert (cell[0] + 0.5) * field.stride[0] - expected[0] == off
