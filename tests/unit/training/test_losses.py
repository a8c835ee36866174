"""Losses against the equations, one number after the other in float64, and what the authors' code does differently."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812
from torchvision.ops import sigmoid_focal_loss

from softcam_core.training.losses import ClassificationLoss, ElasticNet


def slow_elastic_net(sample: list, l1: float, l2: float, form: str, weights: list[float]) -> tuple[float, float]:
    """Both terms for the maps of one sample."""
    absolute = squares = 0.0
    for evidence, weight in zip(sample, weights, strict=True):
        for row in evidence:
            for value in row:
                absolute += abs(weight * value)
                squares += (weight * value) ** 2
    return l1 * absolute, l2 * (math.sqrt(squares) if form == "norm" else squares)


def slow_softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(value - max(logits)) for value in logits]
    return [power / sum(powers) for power in powers]


def slow_cross_entropy(logits: list[float], label: int, weights: list[float], smoothing: float, gamma: float) -> float:
    p = slow_softmax(logits)
    total = 0.0
    for k in range(len(p)):
        wanted = (1 - smoothing) * (k == label) + smoothing / len(p)
        total -= weights[k] * wanted * math.log(p[k])
    return total * (1 - p[label]) ** gamma


def slow_binary(logits: list[float], labels: list[int], weights: list[float], gamma: float) -> float:
    total = 0.0
    for logit, label, weight in zip(logits, labels, weights, strict=True):
        p = 1 / (1 + math.exp(-logit))
        right = p if label else 1 - p
        total -= (weight if label else 1.0) * (1 - right) ** gamma * math.log(right)
    return total / len(logits)


def numbers(shape: tuple[int, ...], seed: int, scale: float = 2.0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


coefficients = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))
seeds = st.integers(0, 1000)


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    l1=coefficients,
    l2=coefficients,
    form=st.sampled_from(["norm", "squared"]),
    weighted=st.booleans(),
    seed=seeds,
)
def test_elastic_net_equals_the_formula(shape, l1, l2, form, weighted, seed) -> None:
    maps = numbers(shape, seed, 3.0)
    weights = [0.0, 0.5, 2.0][: shape[1]] if weighted else [1.0] * shape[1]
    penalty = ElasticNet(l1, l2, form, tuple(weights) if weighted else None)
    expected = [slow_elastic_net(sample, l1, l2, form, weights) for sample in maps.tolist()]
    found = list(zip(*(term.tolist() for term in penalty(maps)), strict=True))
    assert found == [pytest.approx(terms, rel=1e-12, abs=1e-12) for terms in expected]


@given(seed=seeds, smoothing=st.sampled_from([0.0, 0.1, 0.7]), weighted=st.booleans(), classes=st.integers(2, 5))
def test_cross_entropy_equals_the_formula(seed, smoothing, weighted, classes) -> None:
    logits = numbers((3, classes), seed)
    labels = torch.arange(3) % classes
    weights = [0.3 + k for k in range(classes)] if weighted else [1.0] * classes
    loss = ClassificationLoss(
        "cross_entropy", class_weights=tuple(weights) if weighted else None, label_smoothing=smoothing
    )
    expected = [
        slow_cross_entropy(row, int(y), weights, smoothing, 0.0) for row, y in zip(logits.tolist(), labels, strict=True)
    ]
    assert loss(logits, labels).tolist() == pytest.approx(expected, rel=1e-6)  # weights are kept in float32


@given(seed=seeds, gamma=st.sampled_from([0.0, 1.0, 2.0, 3.5]))
def test_focal_loss_equals_the_formula(seed, gamma) -> None:
    logits, labels = numbers((4, 3), seed), torch.tensor([0, 1, 2, 1])
    expected = [
        slow_cross_entropy(row, int(y), [1.0] * 3, 0.0, gamma) for row, y in zip(logits.tolist(), labels, strict=True)
    ]
    assert ClassificationLoss("focal", gamma=gamma)(logits, labels).tolist() == pytest.approx(expected, rel=1e-9)


@given(seed=seeds, kind=st.sampled_from(["bce", "focal"]), gamma=st.sampled_from([0.5, 2.0]))
def test_multi_label_losses_equal_the_formula(seed, kind, gamma) -> None:
    logits = numbers((4, 3), seed)
    labels = torch.tensor([[0, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]])
    weights = [0.5, 1.0, 4.0]
    loss = ClassificationLoss(kind, multi_label=True, class_weights=tuple(weights), gamma=gamma)
    power = gamma if kind == "focal" else 0.0
    expected = [slow_binary(row, y, weights, power) for row, y in zip(logits.tolist(), labels.tolist(), strict=True)]
    assert loss(logits, labels).tolist() == pytest.approx(expected, rel=1e-9)


def test_multi_label_focal_loss_agrees_with_torchvision() -> None:
    logits, labels = numbers((5, 4), 7), (numbers((5, 4), 8) > 0).long()
    expected = sigmoid_focal_loss(logits, labels.double(), alpha=-1, gamma=2.0).mean(1)
    torch.testing.assert_close(ClassificationLoss("focal", multi_label=True)(logits, labels), expected)


@pytest.mark.parametrize("form", ["norm", "squared"])
def test_gradient_of_the_elastic_net(form: str) -> None:
    maps = numbers((2, 2, 3, 4), 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: torch.stack(ElasticNet(0.3, 0.7, form)(m)), maps)


def test_gradients_of_the_elastic_net_equal_the_formula() -> None:
    maps = numbers((3, 2, 4, 4), 2).requires_grad_()
    sum(term.mean() for term in ElasticNet(0.3, 0.7)(maps)).backward()
    norms = maps.detach().flatten(1).pow(2).sum(1).sqrt()[:, None, None, None]
    expected = (0.3 * maps.detach().sign() + 0.7 * maps.detach() / norms) / 3
    torch.testing.assert_close(maps.grad, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["cross_entropy", "focal"])
def test_gradient_of_the_classification_loss(kind: str) -> None:
    logits, labels = numbers((3, 4), 3).requires_grad_(), torch.tensor([0, 3, 1])
    assert torch.autograd.gradcheck(lambda z: ClassificationLoss(kind)(z, labels), logits)


@pytest.mark.parametrize("form", ["norm", "squared"])
def test_gradient_of_an_empty_map_is_zero(form: str) -> None:
    maps = torch.zeros(2, 2, 3, 3, requires_grad=True)
    sum(term.mean() for term in ElasticNet(0.1, 0.1, form)(maps)).backward()
    assert torch.equal(maps.grad, torch.zeros_like(maps))


def test_half_precision_does_not_overflow() -> None:
    maps = torch.full((1, 2, 64, 64), 100.0, dtype=torch.float16)
    assert float(ElasticNet(1.0, 0.0)(maps)[0]) == pytest.approx(819200)


# --- the authors' code, and what is done here instead


def test_quirk_first_sample_only_is_not_taken_over() -> None:
    """Their penalty looks at the first sample of a batch; here each counts."""
    maps = torch.zeros(4, 2, 3, 3)
    maps[3] = 1.0
    assert ElasticNet(1.0, 0.0)(maps)[0].tolist() == [0, 0, 0, 18]


def test_quirk_first_sample_only_keeps_their_coefficients() -> None:
    """A batch of equal samples is penalised as their code penalises its first: coefficients carry over."""
    one = numbers((1, 2, 4, 4), 5)
    theirs = 1e-3 * one[0].abs().sum() + 1e-2 * torch.linalg.norm(one[0].flatten())
    ours = sum(term.mean() for term in ElasticNet(1e-3, 1e-2)(one.expand(6, -1, -1, -1)))
    torch.testing.assert_close(ours, theirs)


def test_quirk_norm_is_not_squared_by_default() -> None:
    """Their code has the norm where the paper's figure has squares: both can be had, theirs by default."""
    maps = numbers((1, 2, 4, 4), 6)
    norm, square = (float(ElasticNet(0.0, 1.0, form)(maps)[1]) for form in ("norm", "squared"))
    assert square == pytest.approx(norm**2)
    assert float(ElasticNet(0.0, 1.0)(maps)[1]) == pytest.approx(norm)


def test_weighted_mean_can_be_split_where_torchs_cannot() -> None:
    logits, labels = numbers((4, 2), 9), torch.tensor([0, 1, 1, 1])
    loss = ClassificationLoss("cross_entropy", class_weights=(3.0, 0.5))
    whole = loss(logits, labels).mean()
    halves = (loss(logits[:2], labels[:2]).mean() + loss(logits[2:], labels[2:]).mean()) / 2
    torch.testing.assert_close(whole, halves)
    theirs = [F.cross_entropy(logits[i], labels[i], torch.tensor([3.0, 0.5]).double()) for i in (slice(2), slice(2, 4))]
    assert float(sum(theirs) / 2) != pytest.approx(
        float(F.cross_entropy(logits, labels, torch.tensor([3.0, 0.5]).double())), rel=1e-3
    )
