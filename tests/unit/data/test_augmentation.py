import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF  # noqa: N812

from softcam_core.data.augmentation import Augmentation, Change
from softcam_core.imaging.geometry import Geometry

SQUARE = Geometry.plan((64, 64), None)
WIDE = Geometry.plan((48, 96), None, (48, 48))
FUNDUS = Augmentation(
    flip_vertical=0.5,
    resized_crop=0.5,
    rotation=180,
    rotation_probability=0.5,
    translation=0.2,
    translation_probability=0.5,
    brightness=(0.8, 1.2),
    contrast=(0.8, 1.2),
    saturation=(0.8, 1.2),
    hue=0.1,
    jitter_probability=0.5,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def waves(height: int, width: int) -> torch.Tensor:
    """Smooth enough that resampling it twice is as good as once."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return (0.5 + 0.25 * torch.sin(x / 9) + 0.25 * torch.cos(y / 7 + x / 23))[None]


def centre(image: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    (top, left), (height, width) = geometry.origin, geometry.input_size
    return image[:, top : top + height, left : left + width]


def rotated(image: torch.Tensor, angle: float, down: float, across: float) -> torch.Tensor:
    return TF.affine(
        image, angle, [across, down], 1.0, [0.0, 0.0], interpolation=v2.InterpolationMode.BILINEAR, fill=None
    )


# Movements, against torchvision's


@pytest.mark.parametrize(("angle", "down", "across"), [(30.0, 0.0, 0.0), (-180.0, 4.0, -7.0), (0.0, 0.0, 12.5)])
@pytest.mark.parametrize("geometry", [SQUARE, WIDE, Geometry.plan((64, 40), None)])
def test_rotates_and_shifts_as_torchvision_does(geometry: Geometry, angle: float, down: float, across: float) -> None:
    image = noise(3, *geometry.resized)
    moved = Change(geometry, angle=angle, shift=(down, across)).move(image)
    torch.testing.assert_close(moved, centre(rotated(image, angle, down, across), geometry), atol=2e-4, rtol=0)


@pytest.mark.parametrize("geometry", [SQUARE, WIDE])
@pytest.mark.parametrize("part", [(3, 5, 40, 36), (0, 0, 48, 48), (10, 0, 38, 61)])
def test_cuts_out_a_part_as_torchvision_does(geometry: Geometry, part: tuple[int, int, int, int]) -> None:
    image = noise(1, *geometry.resized)
    expected = TF.resized_crop(image, *part, list(geometry.input_size), antialias=False)
    moved = Change(geometry, part=part).move(image)
    # At the part's own edge torchvision repeats its outermost pixels; here the image goes on.
    torch.testing.assert_close(moved[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=2e-5, rtol=0)


def test_a_part_at_the_edge_of_the_image_has_no_black_rim() -> None:
    moved = Change(SQUARE, part=(0, 0, 40, 64)).move(torch.ones(1, 64, 64))
    assert moved.min() > 0.9999


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("left_to_right", [False, True])
@pytest.mark.parametrize("geometry", [SQUARE, WIDE, Geometry.plan((33, 52), None, (30, 31))])
def test_flips_exactly_and_before_the_centre_crop(geometry: Geometry, upside_down: bool, left_to_right: bool) -> None:
    image = noise(3, *geometry.resized)
    expected = TF.horizontal_flip(image) if left_to_right else image
    expected = TF.vertical_flip(expected) if upside_down else expected
    flips = upside_down, left_to_right
    assert torch.equal(Change(geometry, flips).move(image), centre(expected, geometry))
    # The way through the grid, which a shift takes, is the same.
    shifted = Change(geometry, flips, shift=(0.0, 1e-9)).move(image)
    torch.testing.assert_close(shifted, centre(expected, geometry), atol=5e-5, rtol=0)


def test_all_movements_together_are_torchvisions_one_after_the_other() -> None:
    image = waves(48, 96)
    change = Change(WIDE, (True, True), (2, 20, 44, 52), angle=25.0, shift=(3.0, -5.0))
    steps = TF.vertical_flip(TF.horizontal_flip(image))
    steps = TF.resized_crop(steps, 2, 20, 44, 52, [48, 48], antialias=False)
    steps = rotated(steps, 25.0, 3.0, -5.0)
    covered = rotated(torch.ones(1, 48, 48), 25.0, 3.0, -5.0) > 0.999
    assert covered.float().mean() > 0.6
    difference = (change.move(image) - steps)[covered]
    assert difference.abs().max() < 0.02
    assert difference.abs().mean() < 0.002


def test_rotation_turns_in_what_the_centre_crop_cuts_off_and_black_elsewhere() -> None:
    moved = Change(WIDE, angle=45.0).move(torch.ones(1, 48, 96))[0]
    # 24 px up and down from the centre the picture ends; along its length it goes on.
    inside = torch.tensor([[(abs((j - i) / 2**0.5) < 23) for j in np.arange(48)] for i in np.arange(48)])
    assert moved[inside].min() > 0.999
    assert moved[0, 47] == 0
    assert moved[47, 0] == 0
    assert moved[0, 0] == moved[47, 47] == 1


# Colours


@given(shift=st.floats(-0.5, 0.5), seed=st.integers(0, 20))
@settings(max_examples=40)
def test_hue_turns_as_torchvisions(shift: float, seed: int) -> None:
    image = noise(3, 9, 11, seed=seed)
    image[:, 0] = image[:1, 0]  # grey has no hue
    image[:, 1, :3] = torch.eye(3)
    image[:, 1, 3] = 0
    changed = Change(SQUARE, colours=(("hue", shift),)).recolour(image)
    torch.testing.assert_close(changed, TF.adjust_hue(image, shift), atol=5e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("contrast", [0.0, 0.7, 1.4])
def test_colours_change_in_order_as_torchvisions(channels: int, contrast: float) -> None:
    image = noise(channels, 20, 30)
    steps = (("contrast", contrast), ("hue", 0.05), ("brightness", 1.3), ("saturation", 0.6))
    expected = image
    for name, factor in steps:
        expected = getattr(TF, f"adjust_{name}")(expected, factor)
    before = image.clone()
    torch.testing.assert_close(Change(SQUARE, colours=steps).recolour(image), expected, atol=5e-6, rtol=0)
    assert torch.equal(image, before)
    other = Change(SQUARE, colours=steps[::-1]).recolour(image)
    assert not torch.allclose(other, expected, atol=1e-3)


# What is drawn


def test_a_seed_decides_everything_and_no_other_generator_does() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = FUNDUS.draw(11, WIDE)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    torch.manual_seed(5)
    assert FUNDUS.draw(11, WIDE) == first
    assert len({repr(FUNDUS.draw(seed, WIDE)) for seed in range(100)}) > 95


def test_by_default_half_of_the_images_are_mirrored_and_no_more() -> None:
    changes = [Augmentation().draw(seed, SQUARE) for seed in range(400)]
    assert 160 < sum(change.flips[1] for change in changes) < 240
    assert all(change == Change(SQUARE, (False, change.flips[1])) for change in changes)


def test_each_change_comes_as_often_as_asked_for_and_within_its_limits() -> None:
    changes = [FUNDUS.draw(seed, SQUARE) for seed in range(1500)]
    chances = {
        "vertical": [c.flips[0] for c in changes],
        "horizontal": [c.flips[1] for c in changes],
        "rotation": [c.angle != 0 for c in changes],
        "translation": [c.shift != (0, 0) for c in changes],
        "jitter": [bool(c.colours) for c in changes],
    }
    for name, happened in chances.items():
        assert 0.45 < np.mean(happened) < 0.55, name
    # No one of them brings another with it.
    assert np.abs(np.corrcoef(list(chances.values())) - np.eye(5)).max() < 0.1
    angles = np.array([c.angle for c in changes if c.angle])
    assert -180 <= angles.min() < -170
    assert 170 < angles.max() <= 180
    assert abs(angles.mean()) < 15
    shifts = np.array([c.shift for c in changes])
    assert np.abs(shifts).max(0) == pytest.approx([0.2 * 64] * 2, rel=0.02)
    factors = {name: [f for c in changes for n, f in c.colours if n == name] for name in ("contrast", "hue")}
    assert 0.8 <= min(factors["contrast"]) < 0.82
    assert 1.18 < max(factors["contrast"]) <= 1.2
    assert -0.1 <= min(factors["hue"]) < -0.098
    assert {c.colours[0][0] for c in changes if c.colours} == {"brightness", "contrast", "saturation", "hue"}


def test_parts_are_drawn_as_torchvision_draws_them() -> None:
    augmentation = Augmentation(resized_crop=1.0, crop_scale=(0.4, 1.15), crop_ratio=(0.6, 1.3))
    parts = [augmentation.draw(seed, SQUARE).part for seed in range(1500)]
    ours = np.array([part for part in parts if part is not None])
    assert len(ours) > 1490
    oracle = v2.RandomResizedCrop(64, scale=(0.4, 1.15), ratio=(0.6, 1.3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [oracle.make_params([torch.empty(1, 64, 64)]) for _ in range(1500)]
    theirs = np.array([[d["top"], d["left"], d["height"], d["width"]] for d in drawn])
    # Whole pixels there, so half a pixel of difference at most beside the draws' own spread.
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.8)
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.08)


@given(seed=st.integers(0, 2**63), size=st.tuples(st.integers(40, 200), st.integers(40, 200)))
@settings(max_examples=100)
def test_parts_lie_within_the_image_and_are_as_large_as_asked_for(seed: int, size: tuple[int, int]) -> None:
    geometry = Geometry.plan(size, None, (40, 50))
    part = FUNDUS.model_copy(update={"resized_crop": 1.0}).draw(seed, geometry).part
    if part is not None:
        top, left, height, width = part
        assert 0 <= top <= top + height <= size[0] + 1e-9
        assert 0 <= left <= left + width <= size[1] + 1e-9
        rows, columns = geometry.input_size
        assert 0.87 <= height * width / (rows * columns) <= 1.15 + 1e-9
        assert 0.7 - 1e-9 <= width / height / (columns / rows) <= 1.3 + 1e-9


def test_where_no_part_fits_the_image_is_not_cut() -> None:
    assert Augmentation(resized_crop=1.0, crop_scale=(1.1, 1.2)).draw(0, SQUARE).part is None


@pytest.mark.parametrize(
    "settings_",
    [
        {"flip_horizontal": 1.1},
        {"rotation": 181},
        {"hue": 0.6},
        {"contrast": (1.2, 0.8)},
        {"brightness": (-0.1, 1.0)},
        {"crop_scale": (0.0, 1.0)},
        {"crop_ratio": (float("nan"), 1.0)},
        {"rotate": 3},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings_))):
        Augmentation(**settings_)
