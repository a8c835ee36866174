from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softcam_core.imaging.fundus import find_disc
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.imaging.readers import read_image


def photograph(pixels: np.ndarray) -> MedicalImage:
    return MedicalImage(Path("eye.png"), pixels, pixels, pixels, Window.from_limits(0, 255))


def disc(
    size: tuple[int, int], center: tuple[float, float], radius: float, brightness: float = 150, cut: float = 1
) -> np.ndarray:
    """RGB of a disc that is darker towards its rim; above and below `cut` of its radius the camera's mask is black."""
    rows, columns = (axis + 0.5 - c for axis, c in zip(np.indices(size), center, strict=True))
    distance = np.hypot(rows, columns) / radius
    shown = (distance < 1) & (np.abs(rows) < cut * radius)
    return (shown * brightness * (1 - 0.5 * distance**2))[..., None] * (1, 0.55, 0.3)


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels, 0, 255).astype(np.uint8)


def expected_box(size, center, radius, cut=1.0) -> tuple[float, ...]:
    (row, column), tall = center, cut * radius
    return max(row - tall, 0), max(column - radius, 0), min(row + tall, size[0]), min(column + radius, size[1])


def assert_found(pixels: np.ndarray, box: tuple[float, ...]) -> None:
    found = find_disc(photograph(pixels)) or (0, 0, *pixels.shape[:2])
    pixel = max(1, max(pixels.shape[:2]) / 384)
    assert found == pytest.approx(box, abs=2 * pixel + 1)


@settings(max_examples=40)
@given(
    height=st.integers(150, 500),
    aspect=st.floats(1.1, 1.6),
    radius=st.floats(0.36, 0.62),
    off=st.tuples(st.floats(-0.04, 0.04), st.floats(-0.08, 0.08)),
    brightness=st.floats(25, 250),
    cut=st.sampled_from([1.0, 0.85]),
)
def test_finds_discs_of_all_kinds(height, aspect, radius, off, brightness, cut) -> None:
    """Off-centre, whole, cut off by the image at top and bottom, cut off by the camera's mask, bright and dark."""
    size = height, round(height * aspect)
    center, radius = (size[0] * (0.5 + off[0]), size[1] * (0.5 + off[1])), radius * height
    assert_found(as_bytes(disc(size, center, radius, brightness, cut)), expected_box(size, center, radius, cut))


@pytest.mark.parametrize("brightness", [40, 180])
def test_noise_in_the_margin_is_no_disc(brightness: float) -> None:
    size, center, radius = (400, 600), (190.0, 310.0), 170.0
    noisy = disc(size, center, radius, brightness) + np.random.default_rng(0).normal(4, 3, (*size, 3))
    assert_found(as_bytes(noisy), expected_box(size, center, radius))


def test_labels_in_the_corner_do_not_matter() -> None:
    size, center, radius = (400, 600), (200.0, 300.0), 190.0
    pixels = as_bytes(disc(size, center, radius))
    cv2.putText(pixels, "OD 12.03.", (5, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
    cv2.rectangle(pixels, (560, 360), (595, 395), (230, 230, 230), cv2.FILLED)
    assert_found(pixels, expected_box(size, center, radius))


def test_a_notch_at_the_rim_does_not_matter() -> None:
    size, center, radius = (400, 600), (200.0, 300.0), 180.0
    pixels = as_bytes(disc(size, center, radius))
    cv2.fillPoly(pixels, [np.array([(425, 65), (448, 66), (436, 90)])], (110, 60, 40))
    assert_found(pixels, expected_box(size, center, radius))


def test_a_dark_side_does_not_shift_the_box() -> None:
    size, center, radius = (400, 600), (200.0, 300.0), 180.0
    rows, columns = np.indices(size)
    shade = np.clip(1.2 - np.hypot(rows - 200, columns - 370) / 205, 0.01, 1)
    assert (shade[200, 120:140] < 0.08).all()
    assert_found(as_bytes(disc(size, center, radius) * shade[..., None]), expected_box(size, center, radius))


def test_a_red_free_photograph_has_a_disc_too() -> None:
    size, center, radius = (300, 420), (150.0, 200.0), 130.0
    assert_found(as_bytes(disc(size, center, radius))[..., 1], expected_box(size, center, radius))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((200, 300, 3), np.uint8),
        np.full((200, 300, 3), 180, np.uint8),
        np.random.default_rng(0).integers(0, 20, (200, 300, 3), dtype=np.uint8),
        np.random.default_rng(0).integers(0, 255, (200, 300), dtype=np.uint8),
        np.repeat(np.arange(240, dtype=np.uint8)[None], 200, axis=0),  # a ramp
        np.pad(np.full((120, 160, 3), 150, np.uint8), ((40, 40), (60, 60), (0, 0))),  # a bright rectangle
        as_bytes(disc((200, 200), (100, 100), 160)),  # the corners, too, lie in the disc
        as_bytes(disc((400, 600), (200, 300), 40)),  # a spot
        np.full((1, 5000), 80, np.uint8),
        np.full((3, 3, 3), 80, np.uint8),
    ],
)
def test_images_without_a_disc_keep_their_frame(pixels: np.ndarray) -> None:
    assert find_disc(photograph(pixels)) is None


def test_real_photographs(shared_data: Path) -> None:
    """Theirs fill the width of the image and are cut off at top and bottom; with margins, they are found again."""
    rng = np.random.default_rng(0)
    for path in sorted((shared_data / "fundus_idrid_lesions" / "images").glob("*.jpg"))[::3]:
        pixels = read_image(path).values
        height, width = pixels.shape[:2]
        assert_found(pixels, (0, 0, height, width))
        top, bottom, left, right = (int(n) for n in rng.integers(10, 300, 4))
        padded = np.pad(pixels, ((top, bottom), (left, right), (0, 0)))
        noisy = as_bytes(padded * rng.choice([0.25, 1]) + rng.normal(3, 2, padded.shape))
        assert_found(noisy, (top, left, top + height, left + width))


def test_real_chest_films_keep_their_frame(shared_data: Path) -> None:
    for path in sorted((shared_data / "cxr_nih_train320" / "images").glob("*.jpg"))[::10]:
        assert find_disc(read_image(path)) is None
