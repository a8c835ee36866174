"""Class folders, Kermany's OCT release among them."""

from pathlib import Path

import pytest
import yaml

from softcam_core.data.source import DataSource, read_source
from softcam_core.errors import ManifestError
from softcam_core.resources import resource


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def refusal(path: Path, **options) -> str:
    with pytest.raises(ManifestError) as caught:
        read_source(DataSource(path=path, **options))
    return str(caught.value)


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    dicom = tmp_path / "sick" / "1.2.840"
    fill(tmp_path, "healthy/a.png", "healthy/deep/b.TIFF", "healthy/notes.txt", "sick/.a.png", "sick/c.jpeg", "x.png")
    dicom.write_bytes(b"\0" * 128 + b"DICM")
    manifest = read_source(DataSource(path=tmp_path, val_share=0, test_share=0))
    assert manifest.class_names == ("healthy", "sick")
    names = [(str(sample.path.relative_to(tmp_path)), sample.label, sample.row) for sample in manifest.samples]
    assert names == [
        ("healthy/a.png", 0, 1),
        ("healthy/deep/b.TIFF", 0, 2),
        ("sick/1.2.840", 1, 3),
        ("sick/c.jpeg", 1, 4),
    ]
    assert manifest.notes == ("Left out: 1 image beside the class folders.",)


def test_splits_and_then_classes(tmp_path: Path) -> None:
    fill(
        tmp_path, "Train/a/1.png", "Train/b/2.png", "valid/a/3.png", "valid/b/4.png", "test/b/5.png", "__MACOSX/a/1.png"
    )
    manifest = read_source(DataSource(path=tmp_path, labels={"a": "A"}, class_names=("b", "A")))
    assert [(s.path.name, s.label, s.split) for s in manifest.samples] == [
        ("1.png", 1, "train"),
        ("2.png", 0, "train"),
        ("5.png", 0, "test"),
        ("3.png", 1, "val"),
        ("4.png", 0, "val"),
    ]


def test_splits_are_drawn_where_there_are_none(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{name}/p{i // 2}_{i}.png" for name in ("a", "b") for i in range(40)))
    manifest = read_source(DataSource(path=tmp_path, patient_pattern="^(p[0-9]+)_"))
    splits = {name: manifest.counts(name) for name in ("train", "val", "test")}
    assert splits == {"train": {"a": 28, "b": 28}, "val": {"a": 6, "b": 6}, "test": {"a": 6, "b": 6}}
    assert len({(sample.patient, sample.split) for sample in manifest.samples}) == 20


def test_folders_that_mix_splits_and_classes(tmp_path: Path) -> None:
    fill(tmp_path / "mixed", "train/a/1.png", "b/2.png")
    assert "holds splits, and b beside them" in refusal(tmp_path / "mixed")
    fill(tmp_path / "outer", "OCT/train/a/1.png", "OCT/test/a/2.png")
    assert f"Choose {tmp_path / 'outer' / 'OCT'}" in refusal(tmp_path / "outer")
    fill(tmp_path / "none", "a/1.txt", "b/2.txt")
    assert "no images in class folders" in refusal(tmp_path / "none")
    assert "no such folder" in refusal(tmp_path / "nothing", format="folders")


def test_unknown_classes_are_listed_by_file(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    assert "c/3.png: unknown label 'c'" in refusal(tmp_path, class_names=("a", "b"))


@pytest.fixture
def kermany(tmp_path: Path) -> Path:
    """The release's layout: many training images of few patients, a test split, a token validation split."""
    for number, name in enumerate(("CNV", "DME", "DRUSEN", "NORMAL")):
        fill(
            tmp_path,
            *(f"train/{name}/{name}-{1000 * number + i // 4}-{i % 4 + 1}.jpeg" for i in range(120)),
            *(f"test/{name}/{name}-{9000 + 100 * number + i}-1.jpeg" for i in range(5)),
            f"val/{name}/{name}-{1000 * number}-9.jpeg",
        )
    return tmp_path


def preset(name: str, path: Path, **more) -> DataSource:
    data = yaml.safe_load(resource(f"presets/{name}.yaml").read_text(encoding="utf-8"))["data"]
    return DataSource(path=path, **{**data, **more})


def test_kermanys_release_with_four_classes(kermany: Path) -> None:
    manifest = read_source(preset("oct4", kermany))
    assert manifest.class_names == ("normal", "drusen", "DME", "CNV")
    assert manifest.counts("test") == dict.fromkeys(manifest.class_names, 5)
    assert all(16 <= count <= 20 for count in manifest.counts("val").values())  # 15 % of 121
    assert sum(len(manifest.split(name)) for name in ("train", "val", "test")) == 504
    splits = {}
    for sample in manifest.samples:
        assert splits.setdefault(sample.patient, sample.split) == sample.split
        assert sample.path.parent.name.lower() == manifest.class_names[sample.label].lower()
    assert "validation split was put back into train: 4 images are too few" in manifest.notes[0]


def test_kermanys_release_with_two_classes_keeps_test_patients_out_of_train(kermany: Path) -> None:
    fill(kermany, "train/NORMAL/NORMAL-9300-7.jpeg")  # a patient of the test split
    manifest = read_source(preset("oct", kermany))
    assert manifest.class_names == ("normal", "drusen")
    assert len(manifest.samples) == 252
    assert [s.split for s in manifest.samples if s.patient == "9300"] == ["test"]
    assert "Left out: 1 image of patients who are in another split too." in manifest.notes
    assert "Left out: 126 images labelled CNV." in manifest.notes
    assert "its patient is in train here and in test" in refusal(kermany, patient_pattern=r"-(\d+)-\d+")


def test_a_validation_split_of_some_size_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, *(f"train/{c}/{i}.png" for c in "ab" for i in range(40)), "val/a/x.png", "val/b/x.png")
    manifest = read_source(DataSource(path=tmp_path))
    assert manifest.counts("val") == {"a": 1, "b": 1}
