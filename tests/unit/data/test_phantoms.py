import argparse
import csv
import dataclasses
import hashlib

import cv2
import numpy as np
import pydicom
import pytest

from softcam_core.cli import phantoms as command
from softcam_core.data import phantom_anatomy as anatomy
from softcam_core.data.manifest import read_manifest
from softcam_core.data.phantom_files import MANIFEST_COLUMNS, write_dicom, write_phantoms
from softcam_core.data.phantom_view import View, band, smooth
from softcam_core.data.phantoms import CLASS_NAMES, SIZE_LIMITS, _draw_view, make_phantom
from softcam_core.errors import SettingsError

SIZE = 160
SEEDS = range(12)


@pytest.fixture(scope="module")
def pairs():
    """The same studies with lesions and without."""
    return [(make_phantom(s, SIZE, lesion=True), make_phantom(s, SIZE, lesion=False)) for s in SEEDS]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    return write_phantoms(folder, 20, seed=3, size=96)


def rows_of(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digest(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


# The study


def test_a_seed_decides_everything():
    first, second = make_phantom(7, SIZE), make_phantom(7, SIZE)
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


def test_other_seeds_are_other_patients():
    films = [make_phantom(s, SIZE, lesion=False).display().astype(float) for s in range(4)]
    for i, film in enumerate(films):
        for other in films[:i]:
            assert np.abs(film - other).mean() > 5


def test_pixels_are_twelve_bits_and_the_window_shows_them():
    for seed in range(4):
        phantom = make_phantom(seed, (180, 150))
        assert phantom.pixels.shape == phantom.mask.shape == (180, 150)
        assert phantom.pixels.dtype == np.uint16
        assert phantom.pixels.max() <= 4095
        shown = phantom.display()
        # Neither a black nor a white sheet: air, lungs and belly lie apart.
        assert (shown < 10).mean() < 0.5
        assert (shown > 250).mean() < 0.4
        assert 60 < shown.mean() < 200


def test_lungs_are_darker_than_heart_and_brighter_than_air():
    shown = np.mean([make_phantom(s, 128, lesion=False).display() for s in range(8)], axis=0)
    lung, heart, air = shown[60:70, 25:35].mean(), shown[85:95, 60:75].mean(), shown[2:8, 10:25].mean()
    assert air < lung < heart - 60


def test_the_label_says_whether_there_are_lesions(pairs):
    for with_lesion, without in pairs:
        assert (with_lesion.label, with_lesion.class_name) == (1, "opacity")
        assert 1 <= len(with_lesion.boxes) <= 2
        assert with_lesion.mask.any()
        assert (without.label, without.class_name) == (0, "no finding")
        assert not without.boxes
        assert not without.mask.any()


def test_boxes_surround_the_mask(pairs):
    for phantom, _ in pairs:
        covered = np.zeros_like(phantom.mask)
        for x, y, width, height in phantom.boxes:
            covered[y : y + height, x : x + width] = True
            assert 0.03 * SIZE < max(width, height) < 0.25 * SIZE
        assert not (phantom.mask & ~covered).any()


def test_lesions_are_brighter_than_the_same_place_without_them(pairs):
    for phantom, healthy in pairs:
        for x, y, width, height in phantom.boxes:
            region = np.zeros_like(phantom.mask)
            region[y : y + height, x : x + width] = True
            region &= phantom.mask
            added = phantom.display()[region].astype(float) - healthy.display()[region]
            assert added.mean() > 8  # grey levels of 255


def test_a_pair_differs_in_its_lesions_only(pairs):
    for phantom, healthy in pairs:
        added = phantom.pixels.astype(int) - healthy.pixels
        assert added.min() >= 0
        margin = round(0.06 * SIZE)
        near = cv2.dilate(phantom.mask.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0
        assert not added[~near].any()
        assert added[~phantom.mask].mean() < 0.02 * added[phantom.mask].mean()
        assert phantom.window_center == healthy.window_center
        assert phantom.marker_box == healthy.marker_box


def test_lesions_lie_in_clear_lung(pairs):
    for phantom, _ in pairs:
        # The study's own geometry, drawn again from its streams.
        patient = anatomy.draw_patient(np.random.default_rng((phantom.seed, 1)))
        view = _draw_view(np.random.default_rng((phantom.seed, 2)), SIZE, SIZE)
        x, y = view.grid()
        clear = anatomy.lungs(patient, view, x, y).field
        assert (clear[phantom.mask] > 0).all()
        heart = view.fill(view.blank(), patient.heart)
        assert (heart[phantom.mask] < 255).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_same_seed_is_the_same_patient_at_every_size(seed):
    small, large = make_phantom(seed, 128, lesion=True), make_phantom(seed, 256, lesion=True)
    reduced = cv2.resize(large.mask.astype(np.float32), (128, 128), interpolation=cv2.INTER_AREA) > 0.5
    assert iou(small.mask, reduced) > 0.85
    film = cv2.resize(large.display().astype(np.float32), (128, 128), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(film.ravel(), small.display().ravel())[0, 1] > 0.99
    assert small.marker == large.marker
    assert len(small.boxes) == len(large.boxes)
    assert small.spacing[0] == pytest.approx(2 * large.spacing[0], rel=1e-4)


def test_seeds_give_both_classes_and_both_markers_independently():
    studies = [make_phantom(s, 64) for s in range(140)]
    label = np.array([p.label for p in studies])
    left = np.array([p.marker == "L" for p in studies])
    assert 0.38 < label.mean() < 0.62
    assert 0.38 < left.mean() < 0.62
    assert abs(np.corrcoef(label, left)[0, 1]) < 0.2


def test_the_marker_is_bright_and_on_its_side(pairs):
    for phantom, _ in pairs:
        x, y, width, height = phantom.marker_box
        assert (x + width / 2 > SIZE / 2) == (phantom.marker == "L")
        assert phantom.display()[y : y + height, x : x + width].max() == 255


def test_noise_is_drawn_for_each_seed():
    def grain(phantom):
        film = phantom.pixels.astype(np.float32)
        return (film - cv2.GaussianBlur(film, (0, 0), 1.0))[60:90, 70:90].ravel()

    one, other = grain(make_phantom(0, SIZE, lesion=False)), grain(make_phantom(1, SIZE, lesion=False))
    assert one.std() > 0.5
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


@pytest.mark.parametrize("size", [SIZE_LIMITS[0] - 1, SIZE_LIMITS[1] + 1, (0, 128), (128, 10)])
def test_a_useless_size_is_refused(size):
    with pytest.raises(ValueError, match="size must be 64 to 4096"):
        make_phantom(0, size)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed must be at least 0"):
        make_phantom(-1)


# Drawing


def test_the_grid_is_the_inverse_of_the_view():
    view = View(90, 120, scale=1.1, angle=0.2, shift=(0.05, -0.02))
    x, y = view.grid()
    pixels = np.column_stack([x.ravel(), y.ravel()]).astype(float) @ view.matrix[:, :2].T + view.matrix[:, 2]
    rows, columns = np.indices((90, 120))
    np.testing.assert_allclose(pixels, np.column_stack([columns.ravel(), rows.ravel()]), atol=1e-3)


def test_a_smooth_curve_passes_through_its_points():
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 4.0)])
    np.testing.assert_allclose(smooth(points, steps=8)[::8], points)
    np.testing.assert_allclose(smooth(points, closed=True, steps=8)[::8], points)


def test_a_band_has_the_width_asked_for():
    path = np.column_stack([np.linspace(0, 1, 5), np.zeros(5)])
    outline = band(path, (0.5, 0.1))
    assert np.ptp(outline[:, 1]) == pytest.approx(0.2)


# The files


def test_the_manifest_lists_every_study(dataset):
    rows = rows_of(dataset)
    assert len(rows) == 20
    assert tuple(rows[0]) == MANIFEST_COLUMNS
    for row in rows:
        mask = cv2.imdecode(np.fromfile(dataset.parent / row["mask"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) <= {0, 255}
        boxes = [tuple(map(int, box.split())) for box in row["boxes"].split(";") if box]
        phantom = make_phantom(int(row["seed"]), 96, lesion=row["label"] == "opacity")
        assert tuple(boxes) == phantom.boxes
        np.testing.assert_array_equal(mask > 0, phantom.mask)
        pixels = pydicom.dcmread(dataset.parent / row["image"]).pixel_array
        np.testing.assert_array_equal(pixels, phantom.pixels)
    assert len({row["seed"] for row in rows}) == 20
    assert len(list((dataset.parent / "images").iterdir())) == 20


def test_our_own_reader_takes_the_manifest(dataset):
    manifest = read_manifest(dataset)
    assert manifest.class_names == CLASS_NAMES
    assert sum(len(manifest.split(name)) for name in ("train", "val", "test")) == 20


def test_labels_are_balanced_in_every_split(dataset):
    rows = rows_of(dataset)
    assert sum(row["label"] == "opacity" for row in rows) == 10
    sizes = {}
    for name, expected in (("train", 14), ("val", 3), ("test", 3)):
        labels = [row["label"] for row in rows if row["split"] == name]
        sizes[name] = len(labels)
        assert abs(len(labels) - expected) <= 1
        assert abs(labels.count("opacity") - len(labels) / 2) <= 1
    assert sum(sizes.values()) == 20


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (0.3, 3), (1.0, 10)])
def test_the_lesion_fraction_is_met(tmp_path, fraction, expected):
    rows = rows_of(write_phantoms(tmp_path, 10, size=64, lesion_fraction=fraction))
    assert sum(row["label"] == "opacity" for row in rows) == expected


def test_files_are_the_same_again_and_others_with_another_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_phantoms(tmp_path / name, 2, seed=seed, size=64)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a")["images/phantom_00001.dcm"] != digest(tmp_path / "c")["images/phantom_00001.dcm"]


def test_a_dicom_file_says_what_it_is(tmp_path):
    phantom = make_phantom(5, (120, 100), lesion=True)
    write_dicom(phantom, tmp_path / "p.dcm", number=42)
    ds = pydicom.dcmread(tmp_path / "p.dcm")
    assert str(ds.PatientName) == "Phantom^Synthetic 00042"
    assert ds.PatientID == "PHANTOM-00042"
    assert (ds.Modality, ds.BodyPartExamined, ds.ViewPosition) == ("CR", "CHEST", "PA")
    assert (ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored) == ("MONOCHROME2", 16, 12)
    assert (ds.Rows, ds.Columns) == (120, 100)
    assert (float(ds.WindowCenter), float(ds.WindowWidth)) == (phantom.window_center, phantom.window_width)
    assert [float(v) for v in ds.PixelSpacing] == pytest.approx(phantom.spacing)
    assert "Synthetic" in ds.ImageComments
    assert all(uid.is_valid for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID))
    np.testing.assert_array_equal(ds.pixel_array, phantom.pixels)


def test_compressed_equals_uncompressed(tmp_path):
    plain, packed = write_phantoms(tmp_path / "plain", 2, size=128), tmp_path / "packed"
    write_phantoms(packed, 2, size=128, compress=True)
    for path in (plain.parent / "images").iterdir():
        one, other = pydicom.dcmread(path), pydicom.dcmread(packed / "images" / path.name)
        assert other.file_meta.TransferSyntaxUID.is_compressed
        np.testing.assert_array_equal(one.pixel_array, other.pixel_array)
        assert one.SOPInstanceUID == other.SOPInstanceUID == other.file_meta.MediaStorageSOPInstanceUID
        assert (packed / "images" / path.name).stat().st_size < path.stat().st_size


def test_sizes_vary_when_asked_to(tmp_path):
    rows = rows_of(write_phantoms(tmp_path, 8, size=100, vary_size=True))
    shapes = {pydicom.dcmread(tmp_path / row["image"], stop_before_pixels=True).get("Rows") for row in rows}
    assert len(shapes) > 3
    for row in rows:
        ds = pydicom.dcmread(tmp_path / row["image"], stop_before_pixels=True)
        assert 0.93 < ds.Rows / ds.Columns < 1.27


def test_progress_is_reported(tmp_path):
    seen = []
    write_phantoms(tmp_path, 3, size=64, progress=lambda written, count: seen.append((written, count)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"count": 0}, "cannot hold 0 phantoms"),
        ({"count": 2, "seed": -1}, "seed -1"),
        ({"count": 2, "size": 10}, "sides of 10 pixels"),
        ({"count": 2, "size": 70, "vary_size": True}, "sides of 56 to"),
        ({"count": 2, "lesion_fraction": 1.5}, "lesion fraction is 1.5"),
        ({"count": 2, "lesion_fraction": float("nan")}, "lesion fraction is nan"),
        ({"count": 2, "splits": (0.5, 0.5, 0.5)}, "splits are"),
        ({"count": 2, "splits": (1.5, -0.5, 0.0)}, "splits are"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(tmp_path, options, reason):
    with pytest.raises(SettingsError, match=reason):
        write_phantoms(tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(SettingsError, match="is not empty"):
        write_phantoms(tmp_path, 2, size=64)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(SettingsError, match="is not a folder"):
        write_phantoms(tmp_path / "mine.txt", 2, size=64)
    with pytest.raises(SettingsError, match="cannot be made"):
        write_phantoms(tmp_path / "mine.txt" / "below", 2, size=64)


# The command


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["phantoms", *map(str, words)])


def test_the_command_writes_a_data_set(tmp_path, capsys):
    args = parse("--out", tmp_path / "set", "--count", 3, "--size", 64, "--lesion-fraction", 1, "--compress")
    args.run(args)
    assert {row["label"] for row in rows_of(tmp_path / "set" / "manifest.csv")} == {"opacity"}
    assert "3 studies" in capsys.readouterr().out


def test_the_command_needs_a_folder(capsys):
    with pytest.raises(SystemExit):
        parse("--count", 3)
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--count", -4), ("--size", 3), ("--lesion-fraction", 2)])
def test_the_command_refuses_nonsense(tmp_path, words):
    args = parse("--out", tmp_path / "set", *words)
    with pytest.raises(SettingsError):
        args.run(args)
