import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision.transforms import v2

from softcam_core.errors import ImageReadError
from softcam_core.imaging import preprocessing as module
from softcam_core.imaging.image import Window
from softcam_core.imaging.preprocessing import MAX_SIDE, Preprocessing
from softcam_core.models.card import ModelCard


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


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (2, 300)])
@pytest.mark.parametrize("shorter_side", [64, 512])
def test_refuses_to_blow_up_a_thread(grey_image, size, shorter_side) -> None:
    grown = " x ".join(f"{shorter_side * pixels // min(size):,}" for pixels in size)
    told = rf"image\.png: its {size[0]:,} x {size[1]:,} pixels would become {grown} .* at most 8,192 a side\. Cut out"
    with pytest.raises(ImageReadError, match=told):
        Preprocessing(shorter_side=shorter_side).apply(grey_image(np.zeros(size)))


def test_the_longest_input_is_made_and_one_pixel_more_is_refused(grey_image) -> None:
    preprocessing = Preprocessing(shorter_side=None)
    assert preprocessing.apply(grey_image(np.zeros((2, MAX_SIDE)))).array.shape == (3, 2, MAX_SIDE)
    with pytest.raises(ImageReadError, match="8,193"):
        preprocessing.apply(grey_image(np.zeros((2, MAX_SIDE + 1))))


def test_only_what_the_model_sees_of_a_thread_counts(grey_image, rng) -> None:
    prepared = Preprocessing(shorter_side=32, crop=(16, 24)).apply(grey_image(rng.random((1, 400))))
    assert prepared.array.shape == (3, 16, 24)


def test_refuses_to_resize_to_more_pixels_than_an_image_may_have_though_little_is_seen(grey_image) -> None:
    with pytest.raises(ImageReadError, match="512 x 2,560,000"):
        Preprocessing(shorter_side=512, crop=(64, 64)).apply(grey_image(np.zeros((1, 5000))))


@pytest.fixture
def photograph(rng) -> np.ndarray:
    """A textured disc on black, off-centre and whole."""
    rows, columns = np.indices((180, 260))
    disc = np.hypot(rows + 0.5 - 95, columns + 0.5 - 150) < 70
    texture = cv2.GaussianBlur(rng.random((180, 260, 3)), (0, 0), 3)
    return (255 * disc[..., None] * (0.3 + 0.7 * (texture - texture.min()) / np.ptp(texture))).astype(np.uint8)


@pytest.mark.parametrize("crop", [None, (64, 48)])
def test_a_fundus_is_what_cutting_it_out_by_hand_gives(grey_image, photograph, crop) -> None:
    image = color(grey_image, photograph)
    whole, cut = (Preprocessing(shorter_side=64, crop=crop, fundus_crop=cuts) for cuts in (False, True))
    top, left, bottom, right = map(int, cut.geometry(image).extent)
    assert (top, left, bottom, right) == pytest.approx((25, 80, 165, 220), abs=3)
    cut_out = color(grey_image, photograph[top:bottom, left:right])
    by_hand = whole.apply(cut_out)
    prepared = cut.apply(image)
    np.testing.assert_array_equal(prepared.array, by_hand.array)
    assert prepared.geometry.image_size == (180, 260)
    assert prepared.geometry.input_size == by_hand.geometry.input_size
    np.testing.assert_array_equal(cut.scaled(image), whole.scaled(cut_out))


def test_the_disc_is_looked_for_once_and_only_where_asked_for(grey_image, photograph, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(module, "find_disc", lambda image: calls.append(image) or (20, 70, 170, 230))
    image = color(grey_image, photograph)
    Preprocessing(shorter_side=64).apply(image)
    assert not calls
    preprocessing = Preprocessing(shorter_side=64, fundus_crop=True)
    assert preprocessing.apply(image).geometry.extent == (20, 70, 170, 230)
    assert len(calls) == 1
    geometry = preprocessing.geometry(image)
    preprocessing.resized(image, geometry)
    preprocessing.scaled(image, geometry)
    assert len(calls) == 2


def test_other_images_keep_their_frame(grey_image, rng) -> None:
    prepared = Preprocessing(shorter_side=32, fundus_crop=True).apply(grey_image(rng.random((80, 60))))
    assert not prepared.geometry.is_cropped


def test_cards_without_fundus_crop_have_none() -> None:
    card = ModelCard(name="m", architecture="compact", class_names=("a", "b"))
    fields = card.model_dump(mode="json")
    assert "fundus_crop" not in fields["preprocessing"]  # programs from before it refuse what they do not know
    assert ModelCard.model_validate(fields) == card
    assert not ModelCard.model_validate(fields).preprocessing.fundus_crop
    cut = card.model_copy(update={"preprocessing": Preprocessing(fundus_crop=True)})
    assert ModelCard.model_validate_json(cut.model_dump_json()).preprocessing.fundus_crop


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
