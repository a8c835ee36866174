"""ROAD: the imputation against the authors' direct solver as grad-cam ships it, the curves against loops."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from softcam_core.evaluation.imputation import TOLERANCE, linear_imputation
from softcam_core.evaluation.road import NOISE, road_curves
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def model_of(features: nn.Module | None = None) -> SoftCAM:
    torch.manual_seed(0)
    card = ModelCard(name="m", architecture="compact", class_names=("a", "b"), task="multi_label")
    return SoftCAM(features or nn.Identity(), nn.Conv2d(3, 2, 1), card).double().eval().requires_grad_(False)


def theirs(image: Tensor, removed: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls numpy with tensors
        return NoisyLinearImputer(noise=0)(image.float(), 1 - removed.int()).double()


def areas(kind: str, size: tuple[int, int], share: float, seed: int = 0) -> Tensor:
    values = np.random.default_rng(seed).normal(size=size)
    if kind == "connected":
        values = gaussian_filter(values, max(size) / 8)
    return torch.from_numpy(values > np.quantile(values, 1 - share))


@pytest.mark.parametrize("kind", ["scattered", "connected"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("size", [(48, 48), (31, 50)])
def test_imputation_equals_the_authors(kind: str, share: float, size: tuple[int, int]) -> None:
    images, removed = numbers(2, 3, *size), torch.stack([areas(kind, size, share, seed) for seed in (1, 2)])
    exact = linear_imputation(images, removed, tolerance=1e-10)
    usual = linear_imputation(images.float(), removed)
    for i in range(2):
        expected = theirs(images[i], removed[i])
        torch.testing.assert_close(exact[i], expected, rtol=0, atol=2e-6)  # theirs gives float32
        assert float((usual[i] - expected).abs().max()) < NOISE


@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_imputed_pixels_are_the_weighted_mean_of_their_neighbours(size, share, seed) -> None:
    image, removed = numbers(1, 2, *size, seed=seed), torch.from_numpy(np.random.default_rng(seed).random(size) < share)
    removed[seed % size[0], seed % size[1]] = False
    filled = linear_imputation(image, removed[None], tolerance=1e-12)[0]
    assert torch.equal(filled[:, ~removed], image[0][:, ~removed])
    for i, j in removed.nonzero().tolist():
        total, weights = torch.zeros(2).double(), 0.0
        for a in range(max(0, i - 1), min(size[0], i + 2)):
            for b in range(max(0, j - 1), min(size[1], j + 2)):
                weight = {0: 0.0, 1: 1 / 6, 2: 1 / 12}[abs(a - i) + abs(b - j)]
                total, weights = total + weight * filled[:, a, b], weights + weight
        assert (total / weights).tolist() == pytest.approx(filled[:, i, j].tolist(), abs=1e-9)


def test_imputed_pixels_solve_the_equations_to_the_tolerance() -> None:
    image, removed = numbers(1, 1, 64, 64), areas("connected", (64, 64), 0.9)
    filled = linear_imputation(image, removed[None])[0, 0]
    inner = removed.clone()
    inner[[0, -1]] = inner[:, [0, -1]] = False
    mean = sum(
        (1 / 6 if abs(a) + abs(b) == 1 else 1 / 12) * filled.roll((a, b), (0, 1))
        for a in (-1, 0, 1)
        for b in (-1, 0, 1)
        if (a, b) != (0, 0)
    )
    assert float((mean - filled)[inner].abs().max()) <= TOLERANCE


def test_an_image_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to fill"):
        linear_imputation(numbers(2, 3, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool))


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_curves_equal_one_pass_after_the_other(order: str) -> None:
    model, images, maps = model_of(), numbers(2, 3, 20, 16), numbers(2, 20, 16, seed=1)
    percents, classes = (0, 25, 50, 90), torch.tensor([1, 0])
    curves = road_curves(model, images, {"a": maps}, classes, percents=percents, order=order).values["a"]
    assert curves.dtype == torch.float64
    for i in range(2):
        ranked = maps[i].flatten().argsort(descending=order == "morf")
        for percent, found in zip(percents, curves[i].tolist(), strict=True):
            removed = torch.zeros(320, dtype=torch.bool)
            removed[ranked[: round(percent / 100 * 320)]] = True
            filled = theirs(images[i], removed.view(20, 16)) if percent else images[i]
            expected = float(model.probabilities(model(filled[None]).logits)[0, classes[i]])
            # The mean of the image, and with it the logit, moves by the noise's mean over hundreds of values.
            assert found == pytest.approx(expected, abs=4 * NOISE / 320**0.5 if percent else 1e-12)


def test_the_noise_is_as_large_as_stated_and_the_same_for_all_methods() -> None:
    seen: list[Tensor] = []
    model, images = model_of(), numbers(1, 3, 40, 40)
    model.features.register_forward_pre_hook(lambda _, args: seen.extend(args[0].clone()))
    maps = {"a": torch.arange(1600.0).view(1, 40, 40), "b": torch.arange(1600.0).view(1, 40, 40) ** 2}
    curves = road_curves(model, images, maps, torch.tensor([0]), percents=(40, 60))
    assert (curves.spent.asked, curves.passes, len(seen)) == (4, 2, 2)
    assert torch.equal(curves.values["a"], curves.values["b"])
    removed = (torch.arange(1600).view(40, 40) >= 960)[None], (torch.arange(1600).view(40, 40) >= 640)[None]
    added = [given - linear_imputation(images, each)[0] for given, each in zip(seen, removed, strict=True)]
    assert float(added[0][:, removed[0][0]].std()) == pytest.approx(NOISE, rel=0.1)
    assert not added[0][:, ~removed[0][0]].any()
    torch.testing.assert_close(added[0][:, removed[0][0]], added[1][:, removed[0][0]], rtol=0, atol=1e-12)
    again = road_curves(model, images, maps, torch.tensor([0]), percents=(40, 60), seed=1)
    assert not torch.equal(again.values["a"], curves.values["a"])


def test_an_image_has_the_same_curve_in_any_batch() -> None:
    model, images, maps = model_of(), numbers(3, 3, 24, 24), numbers(3, 24, 24, seed=1)
    classes = torch.tensor([0, 1, 0])
    whole = road_curves(model, images, {"a": maps, "b": -maps}, classes).values["a"]
    alone = road_curves(model, images[1:2], {"a": maps[1:2]}, classes[1:2]).values["a"]
    torch.testing.assert_close(alone[0], whole[1], rtol=1e-10, atol=1e-12)


def test_what_was_not_analysed_goes_last_in_either_order() -> None:
    model, images, maps = model_of(), numbers(1, 3, 10, 10), numbers(1, 10, 10, seed=1)
    maps[:, :5] = torch.nan
    seen: list[Tensor] = []
    model.features.register_forward_pre_hook(lambda _, args: seen.extend(args[0].clone()))
    for order in ("morf", "lerf"):
        road_curves(model, images, {"a": maps}, torch.tensor([0]), percents=(50,), order=order)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0][:, :5], images[0, :, :5])


def test_constant_and_negative_maps_have_curves() -> None:
    model, images = model_of(), numbers(2, 3, 12, 12)
    maps = {"constant": torch.ones(2, 12, 12), "zero": torch.zeros(2, 12, 12), "negative": -numbers(2, 12, 12).abs()}
    curves = road_curves(model, images, maps, torch.tensor([0, 1]))
    assert all(values.isfinite().all() and values.shape == (2, 9) for values in curves.values.values())
    assert torch.equal(curves.values["constant"], curves.values["zero"])


def test_half_precision() -> None:
    model, images = model_of().bfloat16(), numbers(1, 3, 12, 12)
    exact = road_curves(model_of(), images, {"a": images[:, 0]}, torch.tensor([0])).values["a"]
    found = road_curves(model, images.bfloat16(), {"a": images[:, 0]}, torch.tensor([0])).values["a"]
    assert float((found - exact).abs().max()) < 0.02


@pytest.mark.parametrize("percents", [(), (100,), (-1, 50)])
def test_refuses_percentages(percents: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="percentages"):
        road_curves(model_of(), numbers(1, 3, 6, 6), {"a": numbers(1, 6, 6)}, torch.tensor([0]), percents=percents)
