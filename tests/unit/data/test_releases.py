"""Kaggle's and RSNA's releases as they are published."""

from pathlib import Path

import pytest
import yaml
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from softcam_core.data.releases import AMBIGUOUS
from softcam_core.data.source import DataSource, read_source
from softcam_core.errors import ManifestError
from softcam_core.resources import resource


def preset(name: str, path: Path, **more) -> DataSource:
    data = yaml.safe_load(resource(f"presets/{name}.yaml").read_text(encoding="utf-8"))["data"]
    return DataSource(path=path, **{**data, **more})


def refusal(source: DataSource) -> str:
    with pytest.raises(ManifestError) as caught:
        read_source(source)
    return str(caught.value)


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    """40 patients, two eyes each; a patient's level is 0 to 4."""
    (tmp_path / "train").mkdir()
    rows = ["image,level"]
    for number in range(40):
        for side in ("left", "right"):
            (tmp_path / "train" / f"{number}_{side}.jpeg").touch()
            rows.append(f"{number}_{side},{number % 5}")
    (tmp_path / "trainLabels.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("source", ["plain", "preset"])
def test_kaggles_levels_from_1_on_are_disease(kaggle: Path, source: str) -> None:
    manifest = read_source(DataSource(path=kaggle) if source == "plain" else preset("fundus", kaggle))
    assert manifest.class_names == ("No DR", "DR")
    assert manifest.samples[2].path == kaggle / "train" / "1_left.jpeg"
    assert [sample.label for sample in manifest.samples] == [int(i // 2 % 5 > 0) for i in range(80)]
    assert {name: len(manifest.split(name)) for name in ("train", "val", "test")} == {
        "train": 56,
        "val": 12,
        "test": 12,
    }
    assert len({(sample.patient, sample.split) for sample in manifest.samples}) == 40
    assert {sample.patient for sample in manifest.samples} == {str(i) for i in range(40)}


def test_kaggles_levels_from_2_on_are_disease_when_mapped_so(kaggle: Path) -> None:
    labels = {**preset("fundus", kaggle).labels, "1": "No DR"}
    manifest = read_source(preset("fundus", kaggle, labels=labels))
    assert [sample.label for sample in manifest.samples] == [int(i // 2 % 5 > 1) for i in range(80)]


def test_kaggles_five_levels(kaggle: Path) -> None:
    manifest = read_source(preset("fundus5", kaggle))
    assert [sample.label for sample in manifest.samples] == [i // 2 % 5 for i in range(80)]
    assert manifest.class_names[4] == "Proliferative"


def test_kaggles_images_may_lie_beside_the_table(kaggle: Path) -> None:
    for file in (kaggle / "train").iterdir():
        file.rename(kaggle / file.name)
    (kaggle / "train").rmdir()
    assert read_source(DataSource(path=kaggle)).samples[0].path == kaggle / "0_left.jpeg"


def test_kaggles_missing_images_are_listed(kaggle: Path) -> None:
    (kaggle / "train" / "3_right.jpeg").unlink()
    assert "row 9: no such image file 3_right.jpeg" in refusal(DataSource(path=kaggle))


def write_dicom(path: Path, side: int) -> None:
    """DICOM header of a square image; nobody decodes it here."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Rows = dataset.Columns = side
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def rsna(tmp_path: Path) -> Path:
    """Four patients with two boxes, eight with one, eight normal and four ambiguous ones."""
    (tmp_path / "stage_2_train_images").mkdir()
    boxes, classes = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    kinds = ["two"] * 4 + ["one"] * 8 + ["normal"] * 8 + ["ambiguous"] * 4
    for number, kind in enumerate(kinds):
        patient = f"{number:04x}-aa"
        write_dicom(tmp_path / "stage_2_train_images" / f"{patient}.dcm", 1024)
        count = {"two": 2, "one": 1}.get(kind, 0)
        boxes += [f"{patient},{100.0 + 300 * i},200.0,250.0,300.0,1" for i in range(count)] or [f"{patient},,,,,0"]
        name = "Lung Opacity" if count else "Normal" if kind == "normal" else AMBIGUOUS
        classes += [f"{patient},{name}"] * max(1, count)
    (tmp_path / "stage_2_train_labels.csv").write_text("\n".join(boxes), encoding="utf-8")
    (tmp_path / "stage_2_detailed_class_info.csv").write_text("\n".join(classes), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "classes"), [("plain", ("Normal", "Lung Opacity")), ("preset", ("Normal", "Pneumonia"))]
)
def test_rsnas_boxes_belong_to_patients_and_the_ambiguous_are_left_out(rsna: Path, name: str, classes) -> None:
    manifest = read_source(DataSource(path=rsna) if name == "plain" else preset("rsna", rsna))
    assert manifest.class_names == classes
    assert [sample.label for sample in manifest.samples] == [1] * 12 + [0] * 8
    assert [len(sample.boxes) for sample in manifest.samples] == [2] * 4 + [1] * 8 + [0] * 8
    assert manifest.samples[0].boxes == ((100, 200, 250, 300), (400, 200, 250, 300))
    assert (manifest.samples[1].row, manifest.samples[1].patient) == (4, "0001-aa")
    assert f"Left out: 4 images labelled {AMBIGUOUS}." in manifest.notes
    assert {split: len(manifest.split(split)) for split in ("train", "val", "test")} == {
        "train": 14,
        "val": 3,
        "test": 3,
    }


def test_rsnas_ambiguous_may_be_healthy_or_a_class(rsna: Path) -> None:
    merged = read_source(DataSource(path=rsna, labels={AMBIGUOUS: "Normal"}))
    assert merged.class_names == ("Normal", "Lung Opacity")
    assert sum(sample.label == 0 for sample in merged.samples) == 12
    three = read_source(DataSource(path=rsna, class_names=("Normal", AMBIGUOUS, "Lung Opacity")))
    assert sum(sample.label == 1 for sample in three.samples) == 4


def test_rsna_needs_the_class_info(rsna: Path) -> None:
    (rsna / "stage_2_detailed_class_info.csv").unlink()
    message = refusal(DataSource(path=rsna))
    assert "stage_2_detailed_class_info.csv: there is no such file" in message
    assert "does not tell healthy patients from otherwise ill ones" in message
    assert "no such file" in refusal(DataSource(path=rsna / "none", format="rsna"))


def test_rsnas_damaged_rows_are_listed(rsna: Path) -> None:
    with (rsna / "stage_2_train_labels.csv").open("a", encoding="utf-8") as file:
        file.write("\nffff-aa,,,,,0\n0013-aa,1,2,3,4,1\n0000-aa,1,2,x,4,1\n0001-aa,100.0,200.0,250.0,300.0,1\n")
        file.write("0002-aa,900,200,250,300,1\n")
    message = refusal(DataSource(path=rsna))
    for line in (
        "row 30: ffff-aa has 0 classes in stage_2_detailed_class_info.csv, not one",
        "row 31: Target is '1', but stage_2_detailed_class_info.csv says Normal",
        "row 32: '1 2 x 4' is not a box",
        "row 33: 0001-aa.dcm is in row 4 already",
        "row 6: the box 900 200 250 300 reaches beyond the image of 1024 x 1024 pixels",
        "no such image file ffff-aa.dcm",
    ):
        assert line in message


def test_tables_beside_a_release_come_first(rsna: Path) -> None:
    (rsna / "train.csv").write_text("filename,bin_target,x,y,width,height\n0000-aa.dcm,1,1,2,3,4\n", encoding="utf-8")
    source = preset("rsna", rsna, files={"train": "train.csv"}, root=rsna / "stage_2_train_images", val_share=0)
    assert [sample.boxes for sample in read_source(source).samples] == [((1, 2, 3, 4),)]
