import argparse
import csv
import dataclasses
import hashlib

import cv2
import numpy as np
import pytest
from PIL import Image

from softcam_core.cli import phantoms as command
from softcam_core.data import phantom_fundus
from softcam_core.data import phantom_retina as retina
from softcam_core.data.manifest import read_manifest
from softcam_core.data.phantom_files import MANIFEST_COLUMNS, write_phantoms
from softcam_core.data.phantom_fundus import CLASS_NAMES, make_fundus_phantom
from softcam_core.data.phantom_view import View
from softcam_core.data.phantoms import SIZE_LIMITS
from softcam_core.errors import SettingsError
from softcam_core.imaging.fundus import find_disc
from softcam_core.imaging.readers import read_image

SIZE = 192
SEEDS = range(12)


@pytest.fixture(scope="module")
def pairs():
    """The same eyes with lesions and without."""
    return [(make_fundus_phantom(s, SIZE, lesion=True), make_fundus_phantom(s, SIZE, lesion=False)) for s in SEEDS]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    return write_phantoms(folder, 10, kind="fundus", seed=3, size=128)


def rows_of(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def eye_of(seed):
    """The eye itself, drawn again from its streams."""
    streams = phantom_fundus._STREAMS
    return retina.draw_eye(*(np.random.default_rng((seed, streams.index(name))) for name in ("eye", "vessels")))


# The photograph


def test_a_seed_decides_everything():
    first, second = make_fundus_phantom(7, SIZE), make_fundus_phantom(7, SIZE)
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


def test_other_seeds_are_other_eyes(pairs):
    photographs = [healthy.pixels.astype(float) for _, healthy in pairs[:5]]
    for i, photograph in enumerate(photographs):
        for other in photographs[:i]:
            assert np.abs(photograph - other).mean() > 5


def test_a_disc_lies_on_black(pairs):
    for phantom, _ in pairs:
        assert phantom.pixels.shape == (SIZE, SIZE, 3)
        assert phantom.pixels.dtype == np.uint8
        top, left, bottom, right = phantom.disc
        assert 0 <= top < bottom <= SIZE
        assert 0 <= left < right <= SIZE
        assert right - left > 0.89 * SIZE
        rows, columns = (axis + 0.5 for axis in np.indices((SIZE, SIZE)))
        radius, center = (right - left) / 2, ((top + bottom) / 2, (left + right) / 2)
        outside = np.hypot(rows - center[0], columns - center[1]) > radius + 2
        outside |= (rows < top - 2) | (rows > bottom + 2)
        assert phantom.pixels[outside].mean() < 12
        assert phantom.pixels[~outside].mean() > 40
        red, green, blue = np.moveaxis(phantom.pixels[~outside], -1, 0).astype(float)
        assert red.mean() > green.mean() + 20 > blue.mean() + 20


def test_the_fundus_crop_finds_the_disc(tmp_path):
    for seed in range(6):
        phantom = make_fundus_phantom(seed, (200, 290))
        Image.fromarray(phantom.pixels).save(tmp_path / "eye.png")
        found = find_disc(read_image(tmp_path / "eye.png"))
        assert found == pytest.approx(phantom.disc, abs=4)


def test_the_optic_disc_is_bright_and_on_its_side():
    for seed in range(6):
        phantom, eye = make_fundus_phantom(seed, SIZE, lesion=False), eye_of(seed)
        assert phantom.eye == eye.side
        green = cv2.GaussianBlur(phantom.pixels[..., 1].astype(float), (0, 0), 0.03 * SIZE)
        view = phantom_fundus._draw_camera(np.random.default_rng((seed, 2)), SIZE, SIZE).view
        (column, row), (fovea_column, fovea_row) = (
            view.matrix @ (*point, 1.0) for point in (eye.optic_disc, eye.fovea)
        )
        at_disc, at_fovea = green[round(row), round(column)], green[round(fovea_row), round(fovea_column)]
        assert at_disc > 1.1 * at_fovea
        assert (column > fovea_column) == (phantom.eye == "R")


def test_vessels_cross_darker_than_they_are():
    eye = eye_of(0)
    view = View(400, 400)
    cross = dataclasses.replace(
        eye,
        vessels=tuple(
            retina.Vessel(np.column_stack(points), np.full(20, 0.0075), kind)
            for points, kind in (
                ((np.linspace(-0.4, 0.4, 20), np.full(20, 0.5)), "vein"),
                ((np.zeros(20), np.linspace(0.1, 0.9, 20)), "artery"),
            )
        ),
    )
    density = retina.blood(cross, view)
    vein, artery, crossing, beside = density[200, 100], density[100, 200], density[200, 200], density[100, 100]
    assert crossing == pytest.approx(vein + artery, rel=0.1)
    assert vein > 1.4 * artery > 0.5
    assert beside == 0


def test_no_vessels_in_the_fovea():
    for seed in range(6):
        eye = eye_of(seed)
        trunks_too = np.concatenate([vessel.path for vessel in eye.vessels])
        assert np.hypot(*(trunks_too - eye.fovea).T).min() > 0.02
        assert sum(len(vessel.path) for vessel in eye.vessels) > 1000


# Its lesions


def test_the_label_says_whether_there_are_lesions(pairs):
    for with_lesion, without in pairs:
        assert (with_lesion.label, with_lesion.class_name) == (1, "lesion")
        assert 1 <= len(with_lesion.boxes) == len(with_lesion.kinds) <= 8
        assert with_lesion.mask.any()
        assert (without.label, without.class_name) == (0, "healthy")
        assert not without.boxes
        assert not without.mask.any()


def test_lesions_are_small():
    areas, widths = [], []
    for seed in range(30, 38):
        phantom = make_fundus_phantom(seed, 512, lesion=True)
        diameter = phantom.disc[3] - phantom.disc[1]
        count, _, stats, _ = cv2.connectedComponentsWithStats(phantom.mask.astype(np.uint8))
        assert count - 1 == len(phantom.boxes)  # apart from each other
        areas += [100 * row[cv2.CC_STAT_AREA] / phantom.mask.size for row in stats[1:]]
        widths += [100 * max(box[2:]) / diameter for box in phantom.boxes]
    assert min(areas) > 0.01
    assert max(areas) < 0.15
    assert 0.02 < np.median(areas) < 0.08
    assert min(widths) > 1
    assert max(widths) < 5


def test_no_lesion_is_lost_between_the_pixels_of_a_small_image():
    view = View(64, 64, scale=0.9)
    ragged = np.column_stack([np.full(3, -0.12), np.zeros(3)])
    for row, column in ((30.5, 30.5), (31.0, 31.5), (30.75, 31.0)):
        x, y = np.linalg.solve(view.matrix[:, :2], np.array([column, row]) - view.matrix[:, 2])
        _, profile = phantom_fundus._profile(np.array([x, y]), 0.0105, view, 0.7, ragged)
        assert profile.max() > 0


def test_boxes_surround_the_mask(pairs):
    for phantom, _ in pairs:
        covered = np.zeros_like(phantom.mask)
        for x, y, width, height in phantom.boxes:
            assert phantom.mask[y : y + height, x : x + width].any(axis=0).all()
            assert phantom.mask[y : y + height, x : x + width].any(axis=1).all()
            covered[y : y + height, x : x + width] = True
        assert not (phantom.mask & ~covered).any()


def test_a_pair_differs_in_its_lesions_only(pairs):
    for phantom, healthy in pairs:
        changed = (phantom.pixels != healthy.pixels).any(axis=2)
        near = cv2.dilate(phantom.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        assert not changed[~near].any()
        difference = np.abs(phantom.pixels.astype(int) - healthy.pixels).sum(axis=2)
        assert difference[near & ~phantom.mask].mean() < 0.2 * difference[phantom.mask].mean()
        assert (phantom.eye, phantom.disc) == (healthy.eye, healthy.disc)


def test_blood_is_darker_and_exudates_are_brighter_than_the_same_place_without_them():
    seen = set()
    for seed in range(14):
        phantom, healthy = (make_fundus_phantom(seed, SIZE, lesion=lesion) for lesion in (True, False))
        for kind, (x, y, width, height) in zip(phantom.kinds, phantom.boxes, strict=True):
            box = slice(y, y + height), slice(x, x + width)
            inside = phantom.mask[box]
            red, green, blue = (phantom.pixels[box].astype(int) - healthy.pixels[box])[inside].mean(axis=0)
            seen.add(kind)
            if kind == "exudate":
                assert green > 12
                assert green > red
            else:
                assert green < -8
                assert green < red < 3
                assert green < blue
    assert seen == {"microaneurysm", "haemorrhage", "exudate"}


def test_lesions_are_seen_and_clear_of_optic_disc_and_large_vessels():
    for seed in range(8):
        phantom, eye = make_fundus_phantom(seed, 256, lesion=True), eye_of(seed)
        view = phantom_fundus._draw_camera(np.random.default_rng((seed, 2)), 256, 256).view
        x, y = view.grid()
        away = np.hypot(x - eye.optic_disc[0], y - eye.optic_disc[1])
        assert away[phantom.mask].min() > 1.1 * max(eye.radii)
        assert np.hypot(x, y - 0.5)[phantom.mask].max() < 0.48
        rows = np.flatnonzero(phantom.mask.any(axis=1))
        assert phantom.disc[0] < rows[0]
        assert rows[-1] < phantom.disc[2]
        large = dataclasses.replace(eye, vessels=tuple(v for v in eye.vessels if v.half_width[0] > 0.004))
        assert retina.blood(large, view)[phantom.mask].max() < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_the_same_seed_is_the_same_eye_at_every_size(seed):
    small, large = make_fundus_phantom(seed, 256, lesion=True), make_fundus_phantom(seed, 512, lesion=True)
    assert small.kinds == large.kinds
    np.testing.assert_allclose(np.array(small.disc) * 2, large.disc, atol=1e-6)
    reduced = cv2.resize(large.pixels, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(reduced.ravel(), small.pixels.ravel())[0, 1] > 0.99
    for box, twice in zip(small.boxes, large.boxes, strict=True):
        np.testing.assert_allclose(np.array(box) * 2, twice, atol=3)


def test_seeds_give_both_classes_and_both_eyes_independently():
    phantoms = [make_fundus_phantom(s, 64) for s in range(60)]
    label = np.array([p.label for p in phantoms])
    right = np.array([p.eye == "R" for p in phantoms])
    assert 0.35 < label.mean() < 0.65
    assert 0.35 < right.mean() < 0.65
    assert abs(np.corrcoef(label, right)[0, 1]) < 0.3


def test_all_numbers_of_lesions_occur():
    counts = [len(make_fundus_phantom(s, 64, lesion=True).boxes) for s in range(30)]
    assert set(range(1, 7)) <= set(counts) <= set(range(1, 9))
    assert 2.5 < np.mean(counts) < 5


@pytest.mark.parametrize("size", [SIZE_LIMITS[0] - 1, SIZE_LIMITS[1] + 1, (0, 128), (128, 10)])
def test_a_useless_size_is_refused(size):
    with pytest.raises(ValueError, match="size must be 64 to 4096"):
        make_fundus_phantom(0, size)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed must be at least 0"):
        make_fundus_phantom(-1)


# The files


def test_the_manifest_lists_every_photograph(dataset):
    rows = rows_of(dataset)
    assert len(rows) == 10
    assert tuple(rows[0]) == MANIFEST_COLUMNS
    for row in rows:
        phantom = make_fundus_phantom(int(row["seed"]), 128, lesion=row["label"] == "lesion")
        with Image.open(dataset.parent / row["image"]) as image:
            assert "not an image of a person" in image.info["Comment"]
            np.testing.assert_array_equal(np.asarray(image), phantom.pixels)
        with Image.open(dataset.parent / row["mask"]) as mask:
            np.testing.assert_array_equal(np.asarray(mask), phantom.mask * np.uint8(255))
        boxes = [tuple(map(int, box.split())) for box in row["boxes"].split(";") if box]
        assert tuple(boxes) == phantom.boxes
    assert sum(row["label"] == "lesion" for row in rows) == 5


def test_our_own_reader_takes_the_manifest(dataset):
    manifest = read_manifest(dataset)
    assert manifest.class_names == CLASS_NAMES
    image = read_image(manifest.samples[0].path)
    assert image.is_color
    assert image.size == (128, 128)


def test_files_are_the_same_again(tmp_path):
    digests = []
    for name in ("a", "b"):
        write_phantoms(tmp_path / name, 2, kind="fundus", seed=1, size=64)
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in files])
    assert digests[0] == digests[1]
    assert len(digests[0]) == 5


def test_sizes_vary_when_asked_to(tmp_path):
    write_phantoms(tmp_path, 6, kind="fundus", size=120, vary_size=True)
    sizes = {read_image(path).size for path in (tmp_path / "images").iterdir()}
    assert len(sizes) > 3
    assert all(0.65 < height / width < 1.02 for height, width in sizes)


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["phantoms", *map(str, words)])


def test_the_command_writes_photographs(tmp_path, capsys):
    args = parse("--kind", "fundus", "--out", tmp_path / "set", "--count", 3, "--size", 64, "--lesion-fraction", 1)
    args.run(args)
    rows = rows_of(tmp_path / "set" / "manifest.csv")
    assert {row["label"] for row in rows} == {"lesion"}
    assert all(row["image"].endswith(".png") for row in rows)
    assert "3 studies" in capsys.readouterr().out


def test_the_command_refuses_nonsense(tmp_path):
    args = parse("--kind", "fundus", "--out", tmp_path / "set", "--size", 100, "--vary-size")
    with pytest.raises(SettingsError, match="sides of 56 to"):
        args.run(args)
    with pytest.raises(SystemExit):
        parse("--kind", "brain", "--out", tmp_path / "set")
