from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader, default_collate

from softcam_core.data import dataset as module
from softcam_core.data import prepared
from softcam_core.data.augmentation import Augmentation
from softcam_core.data.cache import ImageCache
from softcam_core.data.dataset import AnnotatedItem, Draw, FlaggedItem, ImageDataset, Item
from softcam_core.data.manifest import Sample, read_manifest
from softcam_core.errors import ImageReadError, ManifestError, SettingsError
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.imaging.readers import read_image

PREPROCESSING = Preprocessing(shorter_side=32, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
PLAIN = Preprocessing(shorter_side=48, mean=(0, 0, 0), std=(1, 1, 1))
MOVING = Augmentation(flip_vertical=0.5, resized_crop=0.5, rotation=180, translation=0.2)
EVERYTHING = MOVING.model_copy(update={"brightness": (0.8, 1.2), "contrast": (0.8, 1.2), "hue": 0.1})


def make(path: Path, values: np.ndarray, label: int = 0, row: int = 2, **annotation) -> Sample:
    Image.fromarray(values.astype(np.uint8)).save(path)
    return Sample(path, label, "train", row, **annotation)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape)


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Sample, ...]:
    """Grey and colour, wide and high."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    arrays = [noise(40, 60), noise(40, 60, 3), noise(70, 50), noise(64, 50, 3)]
    return tuple(make(folder / f"{i}.png", array, i % 2, i + 2) for i, array in enumerate(arrays))


SQUARE_CROP = PREPROCESSING.model_copy(update={"crop": (32, 32)})


def same(ones: Sequence[Item | AnnotatedItem], others: Sequence[Item | AnnotatedItem]) -> bool:
    return len(ones) == len(others) and all(
        torch.equal(a, b) for one, other in zip(ones, others, strict=True) for a, b in zip(one, other, strict=True)
    )


def draws(dataset: ImageDataset, times: int = 1) -> list[Draw]:
    return [Draw(i, 100 * t + i) for t in range(times) for i in range(len(dataset))]


# Items


def test_gives_what_the_preprocessing_makes(spot_table: Path) -> None:
    samples = read_manifest(spot_table).split("val")
    dataset = ImageDataset(samples, PREPROCESSING, manifest=spot_table)
    assert len(dataset) == 16
    step = 0.51 / 65535 / min(PREPROCESSING.std)
    for i, sample in enumerate(samples):
        item = dataset[i]
        assert (item.label.item(), item.label.dtype) == (sample.label, torch.int64)
        assert item.index == i
        assert item.image.is_contiguous()
        expected = PREPROCESSING.apply(read_image(sample.path)).array
        np.testing.assert_allclose(item.image.numpy(), expected, atol=step, rtol=1e-6)


@pytest.mark.parametrize("shape", [(41, 60), (60, 41, 3)])
def test_images_of_8_bits_are_exact_where_they_are_not_resized(tmp_path: Path, shape: tuple[int, ...]) -> None:
    preprocessing = PREPROCESSING.model_copy(update={"shorter_side": None, "crop": (30, 33)})
    sample = make(tmp_path / "a.png", noise(*shape))
    (item,) = ImageDataset([sample], preprocessing, manifest=tmp_path)
    np.testing.assert_array_equal(item.image.numpy(), preprocessing.apply(read_image(sample.path)).array)


def test_the_normalisation_may_be_replaced(spot_table: Path) -> None:
    samples = read_manifest(spot_table).split("val")
    dataset = ImageDataset(samples, PREPROCESSING, manifest=spot_table)
    other = PREPROCESSING.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)})
    dataset.preprocessing = other
    assert same([dataset[3]], [ImageDataset(samples, other, manifest=spot_table)[3]])


def test_several_labels_are_a_vector_of_floats_and_items_make_batches(tmp_path: Path) -> None:
    samples = [
        Sample(make(tmp_path / f"{i}.png", noise(32, 32, seed=i)).path, label, "train", i + 2)
        for i, label in enumerate([(1, 0, 1), (0, 0, 0)])
    ]
    dataset = ImageDataset(samples, PREPROCESSING, manifest=tmp_path)
    batch = default_collate([dataset[0], dataset[1]])
    assert isinstance(batch, Item)
    assert batch.image.shape == (2, 3, 32, 32)
    assert torch.equal(batch.label, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    assert batch.index.tolist() == [0, 1]


# Caches, processes and order change nothing


@pytest.mark.parametrize("augmentation", [None, EVERYTHING])
@pytest.mark.parametrize("regions", [False, True])
def test_items_are_the_same_with_and_without_cache(
    mixed: tuple[Sample, ...], tmp_path: Path, augmentation: Augmentation | None, regions: bool
) -> None:
    mask = tmp_path / "mask.png"
    Image.fromarray((noise(40, 60, seed=5) > 128).astype(np.uint8)).save(mask)
    samples = [replace(sample, mask=mask if sample.row == 2 else None) for sample in mixed]
    caches = [None, ImageCache(2**20), ImageCache(15_000), *(ImageCache(2**20, tmp_path / "cache") for _ in range(2))]
    found = []
    for cache in caches:
        dataset = ImageDataset(
            samples, SQUARE_CROP, manifest=tmp_path, augmentation=augmentation, cache=cache, regions=regions
        )
        found.append([dataset[draw] for draw in draws(dataset, 3)])
        assert dataset.statistics == ImageDataset(samples, SQUARE_CROP, manifest=tmp_path).statistics
    assert all(same(found[0], other) for other in found[1:])


def test_workers_and_the_order_change_nothing(mixed: tuple[Sample, ...], tmp_path: Path) -> None:
    for cache in (ImageCache(2**20), ImageCache(2**20, tmp_path / "cache")):
        dataset = ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path, augmentation=EVERYTHING, cache=cache)
        asked = draws(dataset, 2)
        batches = [asked[i : i + 2] for i in range(0, len(asked), 2)]
        alone, shared = (
            [batch.image for batch in DataLoader(dataset, batch_sampler=batches, num_workers=workers)]
            for workers in (0, 2)
        )
        backwards = torch.stack([dataset[draw].image for draw in reversed(asked)]).flip(0)
        assert torch.equal(torch.cat(alone), torch.cat(shared))
        assert torch.equal(torch.cat(alone), backwards)


@pytest.mark.parametrize("regions", [False, True])
def test_a_batch_is_its_items_stacked(mixed: tuple[Sample, ...], tmp_path: Path, regions: bool) -> None:
    dataset = ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path, augmentation=EVERYTHING, regions=regions)
    asked = draws(dataset, 2)
    found, expected = dataset.batch(asked), default_collate([dataset[draw] for draw in asked])
    assert type(found) is type(expected)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_warm_folder_is_surveyed_without_decoding(
    mixed: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked = [replace(sample, mask=sample.path) for sample in mixed]
    cold = ImageDataset(
        masked, SQUARE_CROP, manifest=tmp_path, cache=ImageCache(2**20, tmp_path / "cache"), regions=True
    )
    expected = list(cold)
    decoded: list[Path] = []

    def count(path: Path):
        decoded.append(path)
        return read_image(path)

    monkeypatch.setattr(prepared, "read_image", count)
    seen: list[int] = []
    cache = ImageCache(2**20, tmp_path / "cache")
    warm = ImageDataset(
        masked, SQUARE_CROP, manifest=tmp_path, cache=cache, regions=True, on_read=lambda: seen.append(1)
    )
    assert same(list(warm), expected)
    assert warm.statistics == cold.statistics
    assert not decoded
    assert len(seen) == len(mixed)

    # A changed file is another file, and a damaged entry is decoded again, once.
    Image.fromarray(noise(40, 60, seed=9).astype(np.uint8)).save(mixed[0].path)
    changed = ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path, cache=cache)
    assert decoded == [mixed[0].path]
    assert not same([changed[0]], [Item(*expected[0][:3])])
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert same([changed[1], changed[1]], [Item(*expected[1][:3])] * 2)
    assert decoded == [mixed[0].path, mixed[1].path]


def test_without_a_seed_nothing_is_augmented(mixed: tuple[Sample, ...], tmp_path: Path) -> None:
    plain = ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path)
    moving = ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path, augmentation=EVERYTHING)
    assert same(list(plain), [moving[Draw(i, None)] for i in range(len(mixed))])
    assert same(list(plain), [plain[draw] for draw in draws(plain)])
    assert not same(list(plain), [moving[draw] for draw in draws(moving)])
    assert not torch.equal(moving[Draw(0, 1)].image, moving[Draw(0, 2)].image)


def test_an_augmented_item_is_the_draws_change_of_the_whole_image(mixed: tuple[Sample, ...], tmp_path: Path) -> None:
    dataset = ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path, augmentation=EVERYTHING)
    image = read_image(mixed[1].path)
    change = EVERYTHING.draw(7, SQUARE_CROP.geometry(image))
    scaled = torch.from_numpy(np.moveaxis(SQUARE_CROP.scaled(image), -1, 0).copy())
    expected = SQUARE_CROP.normalised(change.recolour(change.move(scaled)).permute(1, 2, 0).numpy())
    np.testing.assert_allclose(dataset[Draw(1, 7)].image.numpy(), expected, atol=3e-4)


# Annotations


SQUARES = st.tuples(st.integers(0, 80), st.integers(0, 100), st.integers(18, 40), st.integers(18, 40))


@given(square=SQUARES, seed=st.integers(0, 2**40), wide=st.booleans())
@settings(max_examples=30)
def test_masks_and_boxes_go_where_the_lesion_goes(
    tmp_path_factory: pytest.TempPathFactory, square: tuple[int, int, int, int], seed: int, wide: bool
) -> None:
    folder = tmp_path_factory.mktemp("lesion")
    top, left, height, width = square
    values = np.zeros((96, 120 if wide else 96))
    values[top : top + height, left : left + width] = 255
    found_height, found_width = (values[top:, left:].any(axis).sum() for axis in (1, 0))
    box = (float(left), float(top), float(found_width), float(found_height))
    path = make(folder / "a.png", values).path
    samples = [
        Sample(path, 1, "train", 2, mask=path),
        Sample(path, 1, "train", 3, boxes=(box,)),
    ]
    preprocessing = PLAIN.model_copy(update={"crop": (48, 48)})
    dataset = ImageDataset(samples, preprocessing, manifest=folder, augmentation=MOVING, regions=True)
    for seed_or_none in (None, seed):
        masked, boxed = (dataset[Draw(i, seed_or_none)] for i in range(2))
        assert masked.mask.shape == (1, 48, 48)
        assert torch.equal(masked.image[:1], masked.mask)
        # A box has sharp edges where resizing with antialiasing has soft ones.
        assert ((masked.image[:1] > 0.7) <= (boxed.mask > 0.05)).all()
        assert ((masked.image[:1] < 0.3) <= (boxed.mask < 0.95)).all()
        assert boxed.mask.sum() == pytest.approx(float(masked.image[0].sum()), abs=40, rel=0.02)


def test_boxes_are_joined_and_cover_parts_of_pixels(tmp_path: Path) -> None:
    boxes = ((10.0, 20.0, 20.0, 40.0), (20.0, 20.0, 15.0, 40.0), (90.0, 90.0, 50.0, 50.0))
    sample = make(tmp_path / "a.png", noise(96, 96), boxes=boxes)
    (item,) = ImageDataset([sample], PLAIN, manifest=tmp_path, regions=True)
    expected = np.zeros((48, 48))
    expected[10:30, 5:17] = 1
    expected[10:30, 17] = 0.5
    expected[45:, 45:] = 1
    np.testing.assert_allclose(item.mask[0].numpy(), expected)


def test_the_mask_goes_before_the_boxes_and_without_either_it_is_black(tmp_path: Path) -> None:
    values = np.zeros((48, 48, 3))
    values[:5, :7, 1] = 3
    mask = make(tmp_path / "m.png", values).path
    samples = [
        make(tmp_path / "a.png", noise(48, 48), mask=mask, boxes=((40.0, 40.0, 8.0, 8.0),)),
        make(tmp_path / "b.png", noise(48, 48)),
    ]
    masked, bare = ImageDataset(samples, PLAIN, manifest=tmp_path, regions=True)
    assert masked.mask[0, :5, :7].eq(1).all()
    assert masked.mask.sum() == 35
    assert isinstance(bare, AnnotatedItem)
    assert not bare.mask.any()


def test_places_move_with_their_images_and_are_told_apart_in_a_batch(tmp_path: Path) -> None:
    values = np.zeros((64, 64))
    values[8:24, 12:40] = 255
    samples = [make(tmp_path / f"{i}.png", values) for i in range(3)]
    preprocessing = PLAIN.model_copy(update={"shorter_side": 64, "crop": (48, 48)})
    dataset = ImageDataset(samples, preprocessing, manifest=tmp_path, augmentation=MOVING)

    def places(sample: Sample, geometry: Geometry) -> np.ndarray:
        count = {samples[0].path: 2, samples[1].path: 0, samples[2].path: 1}[sample.path]
        return np.repeat((values / 255)[None].astype(np.float32), count, 0)

    dataset.places = places
    batch = dataset.batch([Draw(2, 5), Draw(1, 6), Draw(0, 7)])
    assert isinstance(batch, FlaggedItem)
    assert (batch.owners.tolist(), batch.numbers.tolist()) == ([0, 2, 2], [0, 0, 1])
    for place, owner in zip(batch.places, batch.owners, strict=True):
        assert torch.allclose(place, batch.image[owner, 0], atol=1e-4)
    bare = dataset.batch([Draw(1, None)])
    assert bare.places.shape == (0, 48, 48)


def test_lesions_of_fundus_photographs_stay_with_their_image(shared_data: Path) -> None:
    folder = shared_data / "fundus_idrid_lesions"
    samples = [
        Sample(folder / "images" / f"{name}.jpg", 1, "train", 2, mask=folder / "masks" / f"{name}_lesions.png")
        for name in ("IDRiD_01", "IDRiD_39")
    ]
    preprocessing = Preprocessing(shorter_side=256, crop=(256, 256), fundus_crop=True, mean=(0, 0, 0), std=(1, 1, 1))
    turned = Augmentation(rotation=180, flip_vertical=0.5)
    dataset = ImageDataset(samples, preprocessing, manifest=folder, augmentation=turned, regions=True)
    for i in range(2):
        plain, moved = dataset[i], dataset[Draw(i, 3)]
        assert 0 < plain.mask.mean() < 0.5
        shades = [float((item.image[1] * item.mask[0]).sum() / item.mask.sum()) for item in (plain, moved)]
        assert shades[0] == pytest.approx(shades[1], rel=0.05)


# The survey


def test_measures_mean_and_spread_of_grey_and_colour(tmp_path: Path) -> None:
    grey, colour = noise(32, 32), noise(32, 32, 3, seed=1)
    samples = [make(tmp_path / "grey.png", grey), make(tmp_path / "colour.png", colour)]
    statistics = ImageDataset(samples, PREPROCESSING, manifest=tmp_path).statistics
    pixels = np.stack([np.repeat(grey[..., None], 3, 2), colour]).reshape(-1, 3) / 255
    assert statistics is not None
    np.testing.assert_allclose(statistics.mean, pixels.mean(0), atol=1e-5)
    np.testing.assert_allclose(statistics.std, pixels.std(0), atol=1e-5)


def test_what_the_crop_cuts_off_is_not_measured(tmp_path: Path) -> None:
    values = np.zeros((32, 64))
    values[:, 16:48] = noise(32, 32)
    statistics = ImageDataset([make(tmp_path / "a.png", values)], SQUARE_CROP, manifest=tmp_path).statistics
    assert statistics is not None
    assert statistics.mean[0] == pytest.approx(noise(32, 32).mean() / 255, abs=1e-5)


def test_constant_images_get_a_spread_above_zero(tmp_path: Path) -> None:
    statistics = ImageDataset(
        [make(tmp_path / "flat.png", np.full((32, 32), 90))], PREPROCESSING, manifest=tmp_path
    ).statistics
    assert statistics is not None
    assert min(statistics.std) > 0


@pytest.fixture
def with_bad(tmp_path: Path) -> list[Sample]:
    samples = [make(tmp_path / "good.png", np.zeros((32, 32)))]
    for row, content in ((5, b""), (9, b"not an image")):
        path = tmp_path / f"bad{row}.png"
        path.write_bytes(content)
        samples.append(Sample(path, 0, "train", row))
    return [*samples, Sample(tmp_path / "gone.png", 0, "train", 12)]


@pytest.mark.parametrize("cached", [False, True])
def test_all_unreadable_images_are_in_one_error(tmp_path: Path, with_bad: list[Sample], cached: bool) -> None:
    with pytest.raises(ManifestError) as caught:
        ImageDataset(
            with_bad, PREPROCESSING, manifest=tmp_path / "labels.csv", cache=ImageCache(2**20) if cached else None
        )
    message = str(caught.value)
    assert "labels.csv: 3 images cannot be read" in message
    assert all(f"row {row}: " in message for row in (5, 9, 12))
    assert "good.png" not in message


def test_bad_images_are_skipped_when_asked_to_and_named(tmp_path: Path, with_bad: list[Sample]) -> None:
    dataset = ImageDataset(with_bad, PREPROCESSING, manifest=tmp_path, skip_bad=True)
    assert dataset.samples == (with_bad[0],)
    assert len(list(dataset)) == 1
    assert [sample.row for sample, _ in dataset.skipped] == [5, 9, 12]
    assert "bad5.png: it is empty" in dataset.skipped[0][1]
    with pytest.raises(ManifestError, match="3 images cannot be read"):
        ImageDataset(with_bad[1:], PREPROCESSING, manifest=tmp_path, skip_bad=True)


def test_a_mask_that_does_not_fit_its_image_is_found_before_training(tmp_path: Path) -> None:
    mask = make(tmp_path / "m.png", np.ones((20, 30))).path
    sample = make(tmp_path / "a.png", noise(32, 32), row=7, mask=mask)
    with pytest.raises(ManifestError, match=r"row 7: .*m\.png: this mask has 20 x 30 pixels and its image 32 x 32"):
        ImageDataset([sample], PREPROCESSING, manifest=tmp_path, regions=True)
    assert len(ImageDataset([sample], PREPROCESSING, manifest=tmp_path)) == 1


def test_an_image_that_vanishes_later_is_named(tmp_path: Path) -> None:
    dataset = ImageDataset([make(tmp_path / "a.png", noise(32, 32))], PREPROCESSING, manifest=tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(ImageReadError, match=r"a\.png: there is no such file"):
        dataset[0]


def test_an_interruption_ends_the_survey(tmp_path: Path, mixed: tuple[Sample, ...]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ImageDataset(mixed, SQUARE_CROP, manifest=tmp_path, on_read=interrupt)


def test_images_of_different_shapes_ask_for_a_crop(tmp_path: Path) -> None:
    samples = [make(tmp_path / "a.png", np.zeros((32, 40))), make(tmp_path / "b.png", np.zeros((40, 32)), row=3)]
    with pytest.raises(SettingsError, match=r"32 x 40 in row 2, 40 x 32 in row 3.*--crop"):
        ImageDataset(samples, PREPROCESSING, manifest=tmp_path)
    assert ImageDataset(samples, SQUARE_CROP, manifest=tmp_path)[1].image.shape == (3, 32, 32)


def test_long_lists_of_bad_images_are_cut(tmp_path: Path) -> None:
    samples = [Sample(tmp_path / f"{i}.png", 0, "train", i + 2) for i in range(module._MAX_SHOWN + 5)]
    with pytest.raises(ManifestError, match="and 5 more"):
        ImageDataset(samples, PREPROCESSING, manifest=tmp_path)
