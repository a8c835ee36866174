from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.data.dataset import ImageDataset
from softcam_core.data.manifest import Sample, read_manifest
from softcam_core.errors import ManifestError, SettingsError
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.imaging.readers import read_image

PREPROCESSING = Preprocessing(shorter_side=32, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))


def make(path: Path, values: np.ndarray, label: int = 0, row: int = 2) -> Sample:
    Image.fromarray(values.astype(np.uint8)).save(path)
    return Sample(path, label, "train", row)


def test_gives_what_the_preprocessing_makes(spot_table: Path) -> None:
    samples = read_manifest(spot_table).split("val")
    dataset = ImageDataset(samples, PREPROCESSING, manifest=spot_table)
    assert len(dataset) == 16
    assert dataset.is_in_memory
    for (tensor, label), sample in zip((dataset[i] for i in range(16)), samples, strict=True):
        assert label == sample.label
        np.testing.assert_array_equal(tensor.numpy(), PREPROCESSING.apply(read_image(sample.path)).array)


def test_reads_again_what_does_not_fit_the_budget(spot_table: Path) -> None:
    samples = read_manifest(spot_table).split("val")
    kept = ImageDataset(samples, PREPROCESSING, manifest=spot_table)
    some = ImageDataset(samples, PREPROCESSING, manifest=spot_table, memory_budget=5 * 32 * 32 * 4)
    none = ImageDataset(samples, PREPROCESSING, manifest=spot_table, memory_budget=0)
    assert not some.is_in_memory
    assert [d.bytes_in_memory // (32 * 32 * 4) for d in (kept, some, none)] == [16, 5, 0]
    for i in range(len(samples)):
        assert torch.equal(kept[i][0], some[i][0])
        assert torch.equal(kept[i][0], none[i][0])


def test_measures_mean_and_spread_of_grey_and_colour(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 255, (32, 32)), rng.integers(0, 255, (32, 32, 3))
    samples = [make(tmp_path / "grey.png", grey), make(tmp_path / "colour.png", colour)]
    statistics = ImageDataset(samples, PREPROCESSING, manifest=tmp_path).statistics
    pixels = np.stack([np.repeat(grey[..., None], 3, 2), colour]).reshape(-1, 3) / 255
    assert statistics is not None
    np.testing.assert_allclose(statistics.mean, pixels.mean(0), atol=2e-5)
    np.testing.assert_allclose(statistics.std, pixels.std(0), atol=2e-5)


def test_constant_images_get_a_spread_above_zero(tmp_path: Path) -> None:
    statistics = ImageDataset(
        [make(tmp_path / "flat.png", np.full((32, 32), 90))], PREPROCESSING, manifest=tmp_path
    ).statistics
    assert statistics is not None
    assert min(statistics.std) > 0


def test_flips_each_way_in_half_of_the_cases(tmp_path: Path) -> None:
    values = np.zeros((32, 32))
    values[:8, :8] = 255
    sample = make(tmp_path / "corner.png", values)
    corners = ((0, 0), (0, -1), (-1, 0), (-1, -1))

    def counts(**flips: bool) -> list[int]:
        dataset = ImageDataset([sample], PREPROCESSING, manifest=tmp_path, **flips)
        torch.manual_seed(0)
        bright = [[float(dataset[0][0][0][corner]) > 0 for corner in corners] for _ in range(200)]
        return [sum(column) for column in zip(*bright, strict=True)]

    assert counts() == [200, 0, 0, 0]
    horizontal = counts(flip_horizontal=True)
    assert horizontal[2:] == [0, 0]
    assert 70 < horizontal[0] < 130
    assert all(30 < n < 70 for n in counts(flip_horizontal=True, flip_vertical=True))


def test_all_unreadable_images_are_in_one_error(tmp_path: Path) -> None:
    good = make(tmp_path / "good.png", np.zeros((32, 32)))
    bad = []
    for row, content in ((5, b""), (9, b"not an image")):
        path = tmp_path / f"bad{row}.png"
        path.write_bytes(content)
        bad.append(Sample(path, 0, "train", row))
    with pytest.raises(ManifestError) as caught:
        ImageDataset([good, *bad], PREPROCESSING, manifest=tmp_path / "labels.csv")
    message = str(caught.value)
    assert "labels.csv: 2 images cannot be read" in message
    assert "row 5" in message
    assert "row 9" in message
    assert "good.png" not in message


def test_images_of_different_shapes_ask_for_a_crop(tmp_path: Path) -> None:
    samples = [make(tmp_path / "a.png", np.zeros((32, 40))), make(tmp_path / "b.png", np.zeros((40, 32)), row=3)]
    with pytest.raises(SettingsError, match=r"32 x 40 in row 2, 40 x 32 in row 3.*--crop"):
        ImageDataset(samples, PREPROCESSING, manifest=tmp_path)
    cropped = PREPROCESSING.model_copy(update={"crop": (32, 32)})
    assert ImageDataset(samples, cropped, manifest=tmp_path)[1][0].shape == (3, 32, 32)
