import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.training.losses import elastic_net


def slow_elastic_net(maps: list, l1: float, l2: float, form: str) -> float:
    """The formula, one number after the other."""
    total = 0.0
    for sample in maps:
        absolute, squares = 0.0, 0.0
        for evidence in sample:
            for row in evidence:
                for value in row:
                    absolute += abs(value)
                    squares += value * value
        total += l1 * absolute + l2 * (math.sqrt(squares) if form == "norm" else squares)
    return total / len(maps)


coefficients = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    l1=coefficients,
    l2=coefficients,
    form=st.sampled_from(["norm", "squared"]),
    seed=st.integers(0, 1000),
)
def test_equals_the_formula(shape, l1, l2, form, seed) -> None:
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3
    expected = slow_elastic_net(maps.tolist(), l1, l2, form)
    assert float(elastic_net(maps, l1, l2, form)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_every_sample_counts() -> None:
    maps = torch.zeros(4, 2, 3, 3)
    maps[3] = 1.0
    assert float(elastic_net(maps, 1.0, 0.0)) == pytest.approx(18 / 4)


@pytest.mark.parametrize("form", ["norm", "squared"])
def test_gradient(form: str) -> None:
    maps = torch.randn(2, 2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: elastic_net(m, 0.3, 0.7, form), maps)


@pytest.mark.parametrize("form", ["norm", "squared"])
def test_gradient_of_an_empty_map_is_zero(form: str) -> None:
    maps = torch.zeros(2, 2, 3, 3, requires_grad=True)
    elastic_net(maps, 0.1, 0.1, form).backward()
    assert torch.equal(maps.grad, torch.zeros_like(maps))


def test_half_precision_does_not_overflow() -> None:
    maps = torch.full((1, 2, 64, 64), 100.0, dtype=torch.float16)
    assert float(elastic_net(maps, 1.0, 0.0)) == pytest.approx(819200)
