from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from zennit.core import Composite

from softcam_core.explainers.lrp_rules import PlusOrFlat, epsilon_rule, gamma_rule

Array = npt.NDArray[np.float64]


def matrix_of(layer: nn.Module, shape: tuple[int, ...]) -> Array:
    """What each input adds to each output of a layer that is linear but for its bias, (outputs, inputs)."""
    size = int(np.prod(shape))
    with torch.no_grad():
        bias = layer(torch.zeros(1, *shape, dtype=torch.float64))
        return (layer(torch.eye(size, dtype=torch.float64).reshape(size, *shape)) - bias).flatten(1).T.numpy()


def propagate(rule, layer: nn.Module, x: torch.Tensor, relevance: torch.Tensor) -> Array:
    composite = Composite(module_map=lambda _, name, module: rule if module is layer else None)
    x = x.clone().requires_grad_()
    with composite.context(layer):
        return torch.autograd.grad(layer(x), x, relevance)[0].flatten().numpy()


@pytest.fixture(autouse=True)
def _same_weights() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


CONVOLUTIONS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 4},
    {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 2},
    {"kernel_size": (1, 3), "stride": 3},
    {"kernel_size": 2, "stride": 2, "bias": False},
]


@pytest.mark.parametrize("options", CONVOLUTIONS)
@pytest.mark.parametrize("signed", [False, True])
def test_plus_or_flat_is_that_of_the_formula(options, signed: bool, generator: torch.Generator) -> None:
    layer = nn.Conv2d(4, 8, **options).double().requires_grad_(False)
    x = torch.randn(1, 4, 7, 6, generator=generator, dtype=torch.float64)
    x = x if signed else x.relu()
    x[:, :, :4, :3] = 0  # outputs that nothing speaks for
    relevance = torch.randn(layer(x).shape, generator=generator, dtype=torch.float64)
    matrix, r = matrix_of(layer, (4, 7, 6)), relevance.flatten().numpy()
    ones = nn.Conv2d(4, 8, **options | {"bias": False}).double().requires_grad_(False)
    ones.weight.fill_(1)
    seen = matrix_of(ones, (4, 7, 6))
    expected = np.zeros(matrix.shape[1])
    for j, row in enumerate(matrix):
        contributions = [max(x.flatten()[i].item() * row[i], 0) for i in range(len(row))]
        denominator = sum(contributions) + 1e-6
        for i in np.flatnonzero(seen[j]):
            expected[i] += contributions[i] / denominator * r[j] + 1e-6 / denominator * r[j] / seen[j].sum()
    got = propagate(PlusOrFlat(), layer, x, relevance)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    reached = seen.sum(1) > 0  # all outputs, unless padding is all that one sees
    assert got.sum() == pytest.approx(r[reached].sum())


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(6, 4, 1)])
def test_epsilon_shares_out_the_bias(layer: nn.Module, generator: torch.Generator) -> None:
    layer = layer.double().requires_grad_(False)
    layer.weight.uniform_(-0.4, 0.4, generator=generator)
    x = torch.randn(1, 6, generator=generator, dtype=torch.float64).reshape(1, 6, *(1,) * (layer.weight.ndim - 2))
    layer.bias.copy_(torch.tensor([0.0, 5.0, -5.0, 0.1]))  # outweighs the rest, for and against
    y, weight = layer(x).flatten().numpy(), layer.weight.flatten(1).numpy()
    expected = np.zeros(6)
    for j in range(4):
        products = x.flatten().numpy() * weight[j]
        expected += products + layer.bias[j].item() * np.abs(products) / np.abs(products).sum()
    got = propagate(epsilon_rule(), layer, x, layer(x))
    np.testing.assert_allclose(got, expected, rtol=1e-3)
    assert got.sum() == pytest.approx(y.sum(), rel=1e-3)


def test_gamma_without_biases_stays_small_where_a_bias_turns_the_sign(generator: torch.Generator) -> None:
    layer = nn.Conv2d(8, 16, 3, padding=1).double().requires_grad_(False)
    layer.bias.normal_(0, 2, generator=generator)
    x = torch.randn(1, 8, 6, 6, generator=generator, dtype=torch.float64).relu()
    relevance = layer(x).relu()
    got = propagate(gamma_rule(["bias"]), layer, x, relevance)
    assert got.sum() == pytest.approx(relevance.sum().item(), rel=1e-4)
    assert np.abs(got).sum() < 20 * relevance.sum()
