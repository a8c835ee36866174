from collections import OrderedDict

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.composites import EpsilonAlpha2Beta1Flat, EpsilonGammaBox, EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

from softcam_core.errors import SettingsError
from softcam_core.explainers.lrp import LRP
from softcam_core.explainers.lrp_canonizers import canonical
from softcam_core.explainers.targets import Target
from softcam_core.explainers.untouched import untouched
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.black_box import BlackBox
from softcam_core.models.softcam import SoftCAM

Array = npt.NDArray[np.float64]
COMPOSITES = ("epsilon-plus-flat", "alpha-beta", "gamma")
TARGETS = [0, Target(1, 2), Target(2, "rest")]


@pytest.fixture(scope="module")
def network(make_network, make_images) -> SoftCAM:
    """A residual network in float64 whose normalisations know its activations, with biases in the head."""
    model = make_network("compact").double()
    generator = torch.Generator().manual_seed(0)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            part.weight.data.uniform_(0.5, 1.5, generator=generator)
            part.bias.data.normal_(0, 0.2, generator=generator)
    with torch.no_grad():
        model.train()(make_images(4, 48, 48))
        model.head.weight.normal_(0, 0.1, generator=generator)
        model.head.bias.copy_(torch.tensor([0.3, -0.2, 0.1]))
    return model.eval()


@pytest.fixture(scope="module")
def images(make_images) -> Tensor:
    return make_images(2, 48, 48)


def filled(model: SoftCAM) -> SoftCAM:
    """The same random weights and biases in all convolutions, always."""
    generator = torch.Generator().manual_seed(2)
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            for parameter in part.parameters():
                parameter.data.normal_(0, 0.5, generator=generator)
    return model


def without_head_bias(model: SoftCAM) -> BlackBox:
    twin = canonical(BlackBox.twin_of(model))
    assert isinstance(twin, BlackBox)
    twin.head.fc.bias.data.zero_()
    return twin


# --- what is right


def zennit_by_hand(model: BlackBox, composite: type, images: Tensor, target: int, **options: object) -> Tensor:
    """zennit's composite, its own canonizer of ResNets and its attributor."""
    start = torch.eye(3, dtype=torch.float64)[target]
    rules = composite(canonizers=[ResNetCanonizer()], **options)
    with untouched(model), Gradient(model=model, composite=rules) as attributor:
        return attributor(images.clone(), lambda logits: logits.detach() * start)[1].sum(1)


def test_is_zennits_epsilon_plus_flat(network: SoftCAM, images: Tensor) -> None:
    twin = without_head_bias(network)
    expected = zennit_by_hand(twin, EpsilonPlusFlat, images, 1, zero_params="bias")
    got = LRP()(twin, images, 1).values[:, 0]
    # zennit's stabiliser swallows what it divides by next to nothing; here that is kept.
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_with_biases_is_zennits_to_the_last_digits(composite: str, network: SoftCAM, images: Tensor) -> None:
    twin = without_head_bias(network)
    bounds = {}
    if composite == "gamma":
        values = ((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
        mean, std = (torch.tensor(each, dtype=torch.float64)[None, :, None, None] for each in values)
        bounds = {"low": -mean / std, "high": (1 - mean) / std}
    theirs = dict(zip(COMPOSITES, (EpsilonPlusFlat, EpsilonAlpha2Beta1Flat, EpsilonGammaBox), strict=True))[composite]
    expected = zennit_by_hand(twin, theirs, images, 1, **bounds)
    got = LRP(composite=composite, zero_bias=False)(twin, images, 1).values[:, 0]
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def convolution(layer: nn.Conv2d, x: Array) -> tuple[Array, Array]:
    """What each input adds to each output, (outputs, inputs), and which inputs an output sees."""
    (top, left), (down, across), groups = layer.padding, layer.stride, layer.groups
    weight = layer.weight.detach().numpy()
    size, depth, kernel = x.shape, weight.shape[1], weight.shape[2:]
    grid = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size[1:], (top, left), kernel, (down, across), strict=True)]
    matrix, seen = (np.zeros((len(weight), *grid, *size)) for _ in range(2))
    for out in range(len(weight)):
        first = out // (len(weight) // groups) * depth
        for i, j, c, k, m in np.ndindex(*grid, depth, *kernel):
            row, column = i * down + k - top, j * across + m - left
            if 0 <= row < size[1] and 0 <= column < size[2]:
                matrix[out, i, j, first + c, row, column] = weight[out, c, k, m] * x[first + c, row, column]
                seen[out, i, j, first + c, row, column] = 1
    return matrix, seen


def handed_back(shares: Array, relevance: Array) -> Array:
    """Relevance of outputs, each divided among the inputs by (unnormalised) shares."""
    totals = shares.sum((3, 4, 5))
    return np.einsum("oijchw,oij->chw", shares, np.divide(relevance, totals, where=totals != 0, out=0 * totals))


def plus_or_flat(layer: nn.Conv2d, x: Array, relevance: Array) -> Array:
    contributions, seen = convolution(layer, x)
    positive = contributions.clip(0)
    swallowed = 1e-6 / (positive.sum((3, 4, 5)) + 1e-6)
    return handed_back(positive, relevance * (1 - swallowed)) + handed_back(seen, relevance * swallowed)


@pytest.mark.parametrize("groups", [1, 4])
def test_equals_a_slow_version_from_the_rules(groups: int, make_network) -> None:
    """Flat, z+, the mean's and the epsilon rule, output by output (Bach et al. 2015; Lapuschkin et al. 2019)."""
    generator = torch.Generator().manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 3, 1, 1, groups=groups)
    parts = [("first", first), ("relu1", nn.ReLU(True)), ("second", second), ("relu2", nn.ReLU(True))]
    features = nn.Sequential(OrderedDict([*parts, ("pool", nn.AvgPool2d(2))]))
    model = SoftCAM(features, nn.Conv2d(8, 3, 1), make_network("compact").card).double()
    filled(model)
    image = torch.randn(1, 3, 8, 8, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        x0 = image[0].numpy()
        x1, x2 = (features[:n](image)[0].numpy() for n in (2, 4))
        pooled, evidence = features(image)[0].numpy(), model(image).maps[0].numpy()
    for k in range(3):
        products = model.head.weight.detach().numpy()[k, :, 0, 0, None, None] * pooled
        shared = products + model.head.bias[k].item() * np.abs(products) / np.abs(products).sum(0)
        relevance = shared / evidence[k].size  # of a logit, the mean of the evidence
        relevance = x2 * (relevance / np.maximum(pooled, 1e-300) / 4).repeat(2, 1).repeat(2, 2)
        relevance = plus_or_flat(second, x1, relevance)
        expected = handed_back(convolution(first, x0)[1], relevance).sum(0)
        got = LRP()(model, image, k).values[0, 0].numpy()
        np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_of_a_softcam_is_that_of_its_twin(network: SoftCAM, images: Tensor) -> None:
    """A classifier as convolution has the rule of the classifier; only a bias is shared out in other proportions."""
    softcam, twin = (LRP()(m, images).values for m in (network, BlackBox.twin_of(network)))
    assert np.corrcoef(softcam.flatten(), twin.flatten())[0, 1] > 0.999
    unbiased = canonical(network)
    unbiased.head.bias.data.zero_()
    softcam, twin = (LRP()(m, images).values for m in (unbiased, without_head_bias(network)))
    torch.testing.assert_close(softcam, twin, rtol=0, atol=1e-3 * float(twin.abs().max()))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_adds_up_to_the_target_whatever_the_rules(composite: str, network: SoftCAM, images: Tensor) -> None:
    maps = LRP(composite=composite)(network, images, TARGETS)
    logits = network(images).logits.detach()
    expected = torch.stack([logits[:, 0], logits[:, 1] - logits[:, 2], logits[:, 2] - logits[:, :2].mean(1)], dim=1)
    torch.testing.assert_close(maps.values.sum((2, 3)), expected, rtol=1e-2, atol=0)
    assert float(maps.values.abs().sum((2, 3)).max()) < 50 * float(logits.abs().max())
    assert (maps.scale, maps.unit, maps.lattice, maps.values.dtype) == ("sum", "logit", None, torch.float64)
    assert maps.values.shape == (2, 3, 48, 48)
    assert not maps.warning(0, 0)


def test_relevance_stays_at_its_place_in_a_softcam(make_network, make_images) -> None:
    layers = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, bias=False)]
    model = filled(SoftCAM(nn.Sequential(*layers), nn.Conv2d(8, 3, 1, bias=False), make_network("compact").card))
    image = torch.zeros(1, 3, 32, 40)
    image[:, :, 10:14, 20:26] = make_images(1, 4, 6).float() + 2
    maps = LRP()(model, image).values
    near, seen = (torch.zeros(32, 40, dtype=torch.bool) for _ in range(2))
    near[8:16, 18:28] = True  # a convolution away from features that see the patch
    seen[6:18, 16:30] = True  # by cells that see the patch
    assert float(maps.abs().sum((2, 3)).min()) > 0
    assert not maps[..., ~seen].any()
    assert float(maps[..., near].abs().sum()) > 0.99 * float(maps.abs().sum())


# --- what is reported


def test_error_is_the_distance_of_the_sum_from_the_target(network: SoftCAM, images: Tensor) -> None:
    maps = LRP(zero_bias=False)(network, images, TARGETS)
    logits = network(images).logits.detach()
    target = logits[:, 1] - logits[:, 2]
    torch.testing.assert_close(maps.errors[:, 1], (maps.values[:, 1].sum((1, 2)) - target).abs() / target.abs())
    assert maps.errors.shape == (2, 3)
    assert float(maps.errors.max()) > 0.05  # biases keep their share
    image, number = divmod(int(maps.errors.argmax()), 3)
    assert "Relevance is not conserved" in maps.warning(image, number)


def test_without_any_contribution_the_biases_relevance_is_spread(make_network, make_images) -> None:
    second = nn.Conv2d(4, 4, 3, padding=1)
    features = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), second, nn.ReLU())
    model = filled(SoftCAM(features, nn.Conv2d(4, 3, 1), make_network("compact").card))
    with torch.no_grad():
        second.weight.copy_(-second.weight.abs())
        second.bias.fill_(10)
    maps = LRP()(model, make_images(1, 12, 12).float())
    assert float(maps.errors.max()) < 1e-4
    assert float(maps.values.std((2, 3)).max()) > 0


def test_targets_that_are_zero_have_maps_of_zeros(make_network, make_images) -> None:
    model = make_network("squeezenet1_1")
    with torch.no_grad():
        model.head[1].bias.fill_(-100)  # its ReLU cuts all evidence off
    maps = LRP()(model, make_images(1, 64, 64).float(), [0, Target(0, 1)])
    assert not maps.values.any()
    assert not maps.errors.any()


# --- many at once


def test_targets_combine_as_their_weights(network: SoftCAM, images: Tensor) -> None:
    classes, combined = LRP()(network, images).values, LRP()(network, images, TARGETS).values
    expected = [classes[:, 0], classes[:, 1] - classes[:, 2], classes[:, 2] - classes[:, :2].mean(1)]
    torch.testing.assert_close(combined, torch.stack(expected, dim=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_all_at_once_is_one_by_one(composite: str, network: SoftCAM, images: Tensor) -> None:
    explainer = LRP(composite=composite)
    targets = [TARGETS, [Target(1), Target(0, "rest"), 2]]
    together = explainer(network, images, targets)
    for number, image in enumerate(images):
        for t, target in enumerate(targets[number]):
            alone = explainer(network, image[None], target)
            torch.testing.assert_close(together.values[number, t], alone.values[0, 0], rtol=0, atol=1e-12)
            torch.testing.assert_close(together.errors[number, t], alone.errors[0, 0], rtol=0, atol=1e-9)


def test_passes_do_not_mix(network: SoftCAM, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = LRP()(network, images, TARGETS)
    monkeypatch.setattr("softcam_core.explainers.lrp.backward_pixels", lambda device: 2)
    one_by_one = LRP()(network, images, TARGETS)
    torch.testing.assert_close(one_by_one.values, expected.values, rtol=0, atol=1e-12)
    torch.testing.assert_close(one_by_one.errors, expected.errors, rtol=0, atol=1e-9)


def test_tells_how_far_it_is_and_stops_between_targets(network: SoftCAM, images: Tensor) -> None:
    shares: list[float] = []
    LRP()(network, images, watch=Watch(on_progress=shares.append))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(set(shares)) == 4
    shares.clear()
    with pytest.raises(CancelledError):
        LRP()(network, images, watch=Watch(shares.append, lambda: len(shares) >= 3))
    assert max(shares) < 0.5


def test_gradients_may_be_off_outside(network: SoftCAM, images: Tensor) -> None:
    expected = LRP()(network, images, 0).values
    with torch.no_grad():
        assert torch.equal(LRP()(network, images, 0).values, expected)
        assert not torch.is_grad_enabled()
    assert not expected.requires_grad


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"lrp:composite: 'z' is unknown\. There are epsilon-plus-flat, alpha"):
        LRP(composite="z")
