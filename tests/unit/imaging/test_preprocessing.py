import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision.transforms import v2

from softcam_core.errors import ImageReadError
from softcam_core.imaging.image import Window
from softcam_core.imaging.preprocessing import Preprocessing


def color(grey_image, values: np.ndarray):
    import dataclasses

    image = grey_image(np.zeros(values.shape[:2]))
    return dataclasses.replace(
        image, pixels=values, values=values, presentation=values, window=Window.from_limits(0, 255)
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("size", [(60, 60), (64, 90), (91, 64), (300, 200), (40, 37)])
@pytest.mark.parametrize("crop", [None, (48, 48), (32, 44)])
def test_sees_what_torchvision_shows(grey_image, rng, size, crop) -> None:
    values = rng.random(size)
    preprocessing = Preprocessing(shorter_side=48, crop=crop)
    transforms = [v2.Resize(48, antialias=True), *([v2.CenterCrop(crop)] if crop else [])]
    expected = v2.Compose(transforms)(torch.from_numpy(values)[None].float())[0].numpy()
    np.testing.assert_allclose(preprocessing.resized(grey_image(values)), expected, atol=2e-4)


def test_normalises_grey_to_three_channels(grey_image, rng) -> None:
    values = rng.random((20, 30))
    prepared = Preprocessing(shorter_side=None, mean=(0.1, 0.2, 0.3), std=(1, 2, 4)).apply(grey_image(values))
    assert prepared.array.shape == (3, 20, 30)
    assert prepared.array.dtype == np.float32
    expected = [(values - mean) / std for mean, std in ((0.1, 1), (0.2, 2), (0.3, 4))]
    np.testing.assert_allclose(prepared.array, expected, atol=1e-6)


def test_colour_keeps_its_channels(grey_image, rng) -> None:
    values = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    prepared = Preprocessing(shorter_side=None, mean=(0, 0, 0), std=(1, 1, 1)).apply(color(grey_image, values))
    np.testing.assert_allclose(prepared.array, np.moveaxis(values, -1, 0) / 255, atol=1e-6)


@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    shorter_side=st.none() | st.integers(16, 40),
    crop=st.none() | st.tuples(st.integers(1, 16), st.integers(1, 16)),
)
def test_array_has_the_size_that_the_geometry_says(size, shorter_side, crop) -> None:
    from pathlib import Path

    from softcam_core.imaging.image import MedicalImage

    values = np.random.default_rng(0).random(size).astype(np.float32)
    image = MedicalImage(Path("x.png"), values, values, values, Window.from_limits(0, 1))
    prepared = Preprocessing(shorter_side=shorter_side, crop=crop).apply(image)
    assert prepared.array.shape == (3, *prepared.geometry.input_size)
    assert prepared.geometry.image_size == size
    assert np.isfinite(prepared.array).all()


def test_refuses_to_blow_up_a_thread(grey_image) -> None:
    with pytest.raises(ImageReadError, match=r"image\.png: its 1 x 5,000 pixels would become 512 x 2,560,000"):
        Preprocessing(shorter_side=512).apply(grey_image(np.zeros((1, 5000))))


@pytest.mark.parametrize(
    "fields",
    [
        {"std": (1, 0, 1)},
        {"crop": (0, 5)},
        {"shorter_side": 32, "crop": (64, 64)},
        {"shorter_side": 4},
        {"shorter_side": 100_000},
        {"mean": (0, 0)},
        {"blur": 3},
    ],
)
def test_refuses_what_makes_no_sense(fields) -> None:
    with pytest.raises(ValidationError):
        Preprocessing(**fields)
