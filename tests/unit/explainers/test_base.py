from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import Watch
from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Echo(Explainer):
    """Maps that tell what the method was given."""

    size: int = option(2, "cells a side", least=1)
    share: float = option(0.5, "a number", least=0)
    mood: str = option("calm", "how it feels", choices=("calm", "wild"))

    about: ClassVar[About] = About("echo", "Echo", "nobody", "floor", "forward", True, "Never.")

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        assert not model.training
        targets = contrasted(images.mean((2, 3)), weights)
        return Maps(targets[..., None, None].expand(-1, -1, self.size, self.size), "relative")


@pytest.fixture
def model(make_network) -> Classifier:
    return make_network("compact").train()


# --- what comes in


@pytest.mark.parametrize(
    ("given_dtype", "model_dtype"), [(torch.float64, torch.float32), (torch.float32, torch.float64)]
)
def test_images_and_targets_come_in_the_models_precision(
    given_dtype, model_dtype, model: Classifier, make_images
) -> None:
    images = make_images().to(given_dtype)
    maps = Echo()(model.to(model_dtype), images, [Target(0, 2), 1]).values
    assert maps.dtype == model_dtype
    means = images.mean((2, 3))
    expected = torch.stack([means[:, 0] - means[:, 2], means[:, 1]], dim=1).to(model_dtype)
    torch.testing.assert_close(maps[..., 0, 0], expected)
    assert model.training


@pytest.mark.parametrize("shape", [(3, 48, 48), (0, 3, 48, 48), (2, 1, 48, 48), (1, 1, 3, 48, 48)])
def test_images_of_other_shapes_are_refused(shape: tuple[int, ...], model: Classifier) -> None:
    with pytest.raises(SettingsError, match=r"images: have the shape .*\. Give \(B, 3, H, W\), B at least 1\."):
        Echo()(model, torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused_by_name(dtype: torch.dtype, model: Classifier, make_images) -> None:
    with pytest.raises(SettingsError, match=r"compact: Echo cannot explain it: its weights have half precision"):
        Echo()(model.to(dtype), make_images())


def test_methods_refuse_what_they_cannot_explain(model: Classifier, make_images) -> None:
    @dataclass(frozen=True, slots=True)
    class Picky(Echo):
        def refusal(self, model: Classifier) -> str:
            return "it is not to its taste"

    with pytest.raises(SettingsError, match=r"Echo cannot explain it: it is not to its taste\. Choose another method"):
        Picky()(model, make_images())


# --- options


def test_equal_options_are_equal_methods() -> None:
    assert Echo(size=3) == Echo(3)
    assert Echo(size=3) != Echo()
    assert len({Echo(), Echo(size=2), Echo(mood="wild")}) == 2
    assert Echo.defaults() == {"size": 2, "share": 0.5, "mood": "calm"}
    assert Echo(size=3).options() == {"size": 3}
    assert str(Echo()) == "echo"
    assert str(Echo(size=3, mood="wild")) == "echo:size=3,mood=wild"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, r"echo:size: 0 is too small\. The least is 1\."),
        ({"share": float("nan")}, r"echo:share: nan is no finite number"),
        ({"mood": "odd"}, r"echo:mood: 'odd' is unknown\. There are calm, wild\."),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Echo(**options)


# --- what goes out

cells = st.tuples(st.integers(1, 6), st.integers(1, 6))
places = st.tuples(st.floats(-20, 40), st.floats(-20, 40))
strides = st.tuples(st.floats(0.5, 40), st.floats(0.5, 40))
lattices = st.none() | st.builds(Lattice, places, strides)


@given(grid=cells, size=st.tuples(st.integers(7, 50), st.integers(7, 50)), lattice=lattices)
def test_maps_on_the_input_are_those_of_the_geometry(grid, size, lattice) -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, *grid))
    expected = Geometry(size, size, (0, 0), size, lattice).on_image(values)
    on_input = Maps(torch.from_numpy(values), "relative", lattice=lattice).on_input(size)
    assert on_input.dtype == torch.float64
    np.testing.assert_allclose(on_input, expected, atol=1e-6)


def test_maps_of_pixels_stay_as_they_are() -> None:
    values = torch.randn(2, 1, 5, 7)
    assert Maps(values, "change").on_input((5, 7)) is values
    assert Maps(values, "change").on_input((10, 14)).shape == (2, 1, 10, 14)


def test_maps_say_where_their_sum_is_off() -> None:
    maps = Maps(torch.zeros(2, 2, 1, 1), "sum", errors=torch.tensor([[0.0, 0.049], [0.051, float("nan")]]))
    assert [maps.warning(0, t) for t in range(2)] == ["", ""]
    assert maps.warning(1, 0) == "Relevance is not conserved: its sum is 5% off the target."
    assert maps.warning(1, 1).startswith("Relevance is not conserved")
    assert Maps(torch.zeros(1, 1, 1, 1), "mean").warning(0, 0) == ""


def test_contrasts_of_logits() -> None:
    logits, weights = torch.randn(3, 4), torch.randn(3, 2, 4)
    expected = torch.stack(
        [torch.stack([(w * y).sum() for w in rows]) for rows, y in zip(weights, logits, strict=True)]
    )
    torch.testing.assert_close(contrasted(logits, weights), expected)
