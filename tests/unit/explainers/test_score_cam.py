from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchcam import methods as torchcam

from softcam_core.errors import SettingsError
from softcam_core.explainers.layers import lattice_of
from softcam_core.explainers.score_cam import ScoreCAM
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.softcam import SoftCAM

CHANNELS = 5
SIDE = 24


@pytest.fixture
def network(make_network) -> SoftCAM:
    """Five channels, the last of which is the same everywhere."""
    features = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, 4, 3, 2, 1), relu=nn.ReLU(inplace=True), last=nn.Conv2d(4, CHANNELS, 3, 2, 1))
    )
    generator = torch.Generator().manual_seed(0)
    model = SoftCAM(features, nn.Conv2d(CHANNELS, 3, 1), make_network("compact").card).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
        features.last.weight[-1] = 0
    return model


@pytest.fixture
def images(make_images) -> Tensor:
    return make_images(2, SIDE, SIDE)


def slow_surface(grid: np.ndarray, first: float, stride: float) -> np.ndarray:
    """A grid over the input: linear between the middles of its cells, which lie at half pixels, and averaged."""
    middles = [first + stride * np.arange(n) for n in grid.shape]
    halves = np.arange(2 * SIDE) / 2 + 0.25
    rows = np.stack([np.interp(halves, middles[0], column) for column in grid.T], axis=1)
    both = np.stack([np.interp(halves, middles[1], row) for row in rows])
    return both.reshape(SIDE, 2, SIDE, 2).mean((1, 3))


def slow_alpha(model: SoftCAM, image: np.ndarray, features: np.ndarray, of: int, against: int | None, *, by: str):
    """Channel-wise increase of confidence and algorithm 1, channel by channel, for one image (3, H, W)."""

    def f(x: np.ndarray) -> float:
        with torch.no_grad():
            scores = model.logits(torch.from_numpy(x)[None])[0]
        scores = scores.softmax(0) if by == "increase" else scores
        return float(scores[of] - (scores[against] if against is not None else 0))

    lattice, increases = lattice_of(model), []
    for z in features:
        surface = slow_surface(z, lattice.first[0], lattice.stride[0])
        spread = surface.max() - surface.min()
        mask = (surface - surface.min()) / spread if spread > 1e-12 else np.zeros_like(surface)
        increases.append(f(image * mask) - f(np.zeros_like(image)))
    increases = np.array(increases)
    return increases if by == "increase" else np.exp(increases) / np.exp(increases).sum()


@pytest.mark.parametrize("by", ["increase", "softmax"])
@pytest.mark.parametrize("top", [0, 2])
def test_equals_a_slow_version_from_the_equations(by: str, top: int, network: SoftCAM, images: Tensor) -> None:
    with torch.no_grad():
        features = network.features(images).numpy()
    maps = ScoreCAM(weights=by, top=top, relu=False)(network, images, [1, Target(2, 0)]).values
    for i in range(2):
        chosen = np.argsort(-features[i].var((1, 2)))[:top] if top else np.arange(CHANNELS)
        for t, (of, against) in enumerate([(1, None), (2, 0)]):
            alpha = slow_alpha(network, images[i].numpy(), features[i, chosen], of, against, by=by)
            expected = np.tensordot(alpha, features[i, chosen], 1)
            np.testing.assert_allclose(maps[i, t], expected, atol=1e-10)
    cut = ScoreCAM(weights=by, top=top)(network, images, [1, Target(2, 0)]).values
    assert torch.equal(cut, maps.relu())
    assert cut.any()


def test_equals_torchcam(make_network, make_images) -> None:
    """By the softmax of logits, where cells tile the input; torchcam scales masks before it resizes them."""

    class AsThePaperOrders(torchcam.ScoreCAM):
        def _upsample(self, activation: Tensor) -> Tensor:
            return self._normalize(super()._upsample(activation), 2)

    model, images = make_network("compact"), make_images(2, 32, 32).float()
    with torch.no_grad():
        model.head.weight.mul_(30)  # so that channels differ
    network = model.black_box()
    with AsThePaperOrders(network, "smooth") as extractor, torch.no_grad():
        network(images)
        expected = extractor([2, 1], normalized=False)[0]
    maps = ScoreCAM(weights="softmax")(model, images, [[2], [1]]).values[:, 0]
    torch.testing.assert_close(maps, expected, rtol=1e-3, atol=1e-4)
    means = model.features(images).mean(1).detach()
    assert not torch.allclose(maps, means, rtol=0.01)


def test_masked_inputs_are_run_once_for_all_targets(network: SoftCAM, images: Tensor) -> None:
    runs: list[int] = []
    assert network.receptive_field
    network.features.register_forward_hook(lambda module, inputs, output: runs.append(len(output)))
    ScoreCAM()(network, images)
    assert sum(runs) == 1 + 2 * (1 + 4)  # nothing; of both images features and the channels that vary
    assert len(runs) == 1 + 2 * 2
    runs.clear()
    ScoreCAM(top=2)(network, images, 1)
    assert sum(runs) == 1 + 2 * (1 + 2)


def test_many_targets_and_images_equal_one_by_one(network: SoftCAM, images: Tensor) -> None:
    targets = [[Target(0), Target(2, 1)], [Target(1, "rest"), Target(0)]]
    for explainer in (ScoreCAM(), ScoreCAM(weights="softmax", top=3)):
        everything = explainer(network, images, targets).values
        for i in range(2):
            for t in range(2):
                alone = explainer(network, images[i : i + 1], targets[i][t]).values[0, 0]
                torch.testing.assert_close(everything[i, t], alone)


def test_all_channels_and_as_many_are_the_same(network: SoftCAM, images: Tensor) -> None:
    everything = ScoreCAM()(network, images).values
    assert torch.equal(ScoreCAM(top=CHANNELS)(network, images).values, everything)
    assert torch.equal(ScoreCAM(top=99)(network, images).values, everything)


def test_inner_layers_lie_where_they_look(network: SoftCAM, images: Tensor) -> None:
    maps = ScoreCAM(layer="conv")(network, images)
    assert maps.values.shape[2:] == (SIDE // 2, SIDE // 2)
    assert maps.lattice is not None
    assert maps.lattice.stride == (2, 2)
    assert maps.lattice.first == (0.5, 0.5)


def test_a_layer_that_is_the_same_everywhere_says_nothing(network: SoftCAM, images: Tensor) -> None:
    with torch.no_grad():
        network.features.last.weight.zero_()
    assert not ScoreCAM()(network, images).values.any()


def test_a_cancel_comes_between_passes(network: SoftCAM, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softcam_core.explainers.score_cam.forward_pixels", lambda device: 1)
    told: list[float] = []
    with pytest.raises(CancelledError):
        ScoreCAM()(network, images, watch=Watch(told.append, lambda: len(told) == 4))
    assert told == [0, 0, 1 / 8, 2 / 8]


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="scorecam:top: -1 is too small"):
        ScoreCAM(top=-1)
    with pytest.raises(SettingsError, match=r"'mean' is unknown\. There are increase, softmax"):
        ScoreCAM(weights="mean")
