from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from softcam_core.data.manifest import Manifest, Sample
from softcam_core.data.source import DataSource, read_source
from softcam_core.errors import SettingsError
from softcam_core.sweep.images import without_test, write_images


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / 'a, "quoted" name.png'
    Image.new("L", (20, 10)).save(path)
    return path


def samples(picture: Path, labels: list) -> tuple[Sample, ...]:
    """One image a label, each by another name."""
    found = []
    for i, label in enumerate(labels):
        path = picture.with_name(f"{i} {picture.name}")
        path.write_bytes(picture.read_bytes())
        boxes = ((0.1, 1 / 3, 5.0, 4.0), (2.0, 2.0, 3.0, 3.0)) if i == 0 else ()
        mask = picture if i == 1 else None
        found.append(Sample(path, label, ("train", "val", "test")[i % 3], i + 2, f"patient {i}", boxes, mask))
    return tuple(found)


def essence(manifest: Manifest) -> list:
    return [(s.path, s.label, s.split, s.boxes, s.mask) for s in manifest.samples]


@pytest.mark.parametrize(
    ("names", "task", "labels"),
    [
        (("1", "0", "nan"), "single_label", [0, 1, 2, 2, 0, 1]),
        ((" odd, one ", "other;"), "multi_label", [(0, 1), (1, 0), (1, 1), (0, 0), (0, 1), (1, 0)]),
    ],
)
def test_the_table_says_the_same_as_the_data(names, task: str, labels: list, picture: Path, tmp_path: Path) -> None:
    manifest = Manifest(Path("data.csv"), names, samples(picture, labels), task)
    source = write_images(manifest, tmp_path / "table.csv", keep=False)
    again = read_source(source)
    assert essence(again) == essence(manifest)
    assert again.class_names == names
    assert again.task == task
    assert DataSource.model_validate(source.model_dump(mode="json")) == source
    assert "patient" not in (tmp_path / "table.csv").read_text()


def test_test_images_are_left_out(picture: Path) -> None:
    manifest = Manifest(Path("data.csv"), ("a", "b"), samples(picture, [0, 1, 1, 0, 1, 0]))
    assert {sample.split for sample in without_test(manifest).samples} == {"train", "val"}
    assert len(without_test(manifest).samples) == 4


def test_other_images_in_a_sweep_that_has_begun_are_refused(picture: Path, tmp_path: Path) -> None:
    manifest = Manifest(Path("data.csv"), ("a", "b"), samples(picture, [0, 1, 1]))
    fewer = replace(manifest, samples=manifest.samples[:-1])
    table = tmp_path / "table.csv"
    write_images(manifest, table, keep=False)
    write_images(manifest, table, keep=True)
    with pytest.raises(SettingsError, match="not those that this sweep began with"):
        write_images(fewer, table, keep=True)
    write_images(fewer, table, keep=False)
    assert len(table.read_text().splitlines()) == 3
