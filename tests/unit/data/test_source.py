"""Any labelled data -> checked manifest."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from PIL import Image
from pydantic import ValidationError

from softcam_core.data.checks import check_for_training
from softcam_core.data.manifest import Manifest
from softcam_core.data.phantom_files import write_phantoms
from softcam_core.data.source import DataSource, read_source
from softcam_core.errors import ManifestError
from softcam_core.resources import resource


def preset(name: str, path: Path, **more) -> DataSource:
    data = yaml.safe_load(resource(f"presets/{name}.yaml").read_text(encoding="utf-8"))["data"]
    return DataSource(path=path, **{**data, **more})


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def listed(path: Path, text: str, **options) -> Manifest:
    return read_source(DataSource(path=write(path / "t.csv", text), **options), check_images=False)


def refusal(source: DataSource, **options) -> str:
    with pytest.raises(ManifestError) as caught:
        read_source(source, **options)
    return str(caught.value)


def table_refusal(path: Path, text: str, **options) -> str:
    return refusal(DataSource(path=write(path / "t.csv", text), **options), check_images=False)


# Numbers of images as the authors give them; of those with a disease as their tables have them.
@pytest.mark.parametrize(
    ("name", "folder", "options", "sizes", "positive"),
    [
        ("fundus", "kaggle", {}, (34350, 4617, 6956), {"DR": (9105, 1197, 1838)}),
        ("fundus", "kaggle", {"label_column": "onset2"}, (34350, 4617, 6956), {"DR": (6404, 837, 1301)}),
        ("fundus5", "kaggle", {}, (34350, 4617, 6956), {"Mild": (2701, 360, 537), "Proliferative": (456, 58, 77)}),
        ("oct", "Retinal_OCT", {}, (27430, 7532, 498), {"drusen": (6636, 1980, 248)}),
        ("oct4", "Retinal_OCT", {}, (14894, 2306, 998), {"drusen": (1228, 172, 248), "CNV": (5248, 752, 250)}),
        ("rsna", "RSNA", {}, (11369, 1264, 2230), {"Pneumonia": (4599, 511, 902)}),
    ],
)
def test_presets_read_the_authors_tables(shared_data: Path, name, folder, options, sizes, positive) -> None:
    source = preset(name, shared_data / "authors_csv" / folder, **options)
    manifest = read_source(source, check_images=False)
    counts = [manifest.counts(split) for split in ("train", "val", "test")]
    assert tuple(sum(count.values()) for count in counts) == sizes
    for class_name, expected in positive.items():
        assert tuple(count[class_name] for count in counts) == expected
    assert manifest.notes == ()
    assert all(sample.patient for sample in manifest.samples)
    check_for_training(manifest)


def test_the_reduced_training_set_of_the_authors(shared_data: Path) -> None:
    source = preset("fundus", shared_data / "authors_csv" / "kaggle")
    files = {**source.files, "train": Path("kaggle_gradable_train_reduce.csv")}
    manifest = read_source(source.model_copy(update={"files": files}), check_images=False)
    assert manifest.counts("train") == {"No DR": 6000, "DR": 9105}


def test_the_authors_boxes_belong_to_pneumonia(shared_data: Path) -> None:
    manifest = read_source(preset("rsna", shared_data / "authors_csv" / "RSNA"), check_images=False)
    assert all(len(sample.boxes) == sample.label for sample in manifest.samples)
    assert manifest.samples[1].boxes == ((49.0, 270.0, 318.0, 574.0),)


def test_reading_looks_for_images_unless_told_otherwise(shared_data: Path) -> None:
    message = refusal(preset("oct4", shared_data / "authors_csv" / "Retinal_OCT"))
    assert "18198 problems" in message
    assert "multiclass/train.csv row 2: no such image file train/NORMAL/NORMAL-9287393-7.png" in message


def test_phantoms_bring_masks_and_boxes(tmp_path: Path) -> None:
    table = write_phantoms(tmp_path / "phantoms", 6, size=96, vary_size=True, lesion_fraction=0.5)
    manifest = read_source(DataSource(path=table))
    assert sum(bool(sample.boxes) for sample in manifest.samples) == 3
    assert all(sample.mask is not None and sample.mask.is_file() for sample in manifest.samples)
    written = Counter(box for sample in manifest.samples for box in sample.extra["boxes"].split(";") if box)
    read = Counter(" ".join(f"{n:g}" for n in box) for sample in manifest.samples for box in sample.boxes)
    assert read == written


@pytest.mark.parametrize("orientation", [1, 6])
def test_boxes_are_scaled_to_the_upright_image(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("L", (200, 100)).save(tmp_path / "a.jpg", exif=exif)
    table = write(tmp_path / "t.csv", "image,label,split,x,y,w,h\na.jpg,1,train,512,256,512,100\n")
    source = DataSource(path=table, box_columns=("x", "y", "w", "h"), boxes_size=1024)
    width, height = (200, 100) if orientation == 1 else (100, 200)
    (box,) = read_source(source).samples[0].boxes
    assert box == pytest.approx((width / 2, height / 4, width / 2, height * 100 / 1024))


def test_boxes_in_a_file_that_is_no_image_wait_for_the_decoder(tmp_path: Path) -> None:
    for content in (b"", b"\xff\xd8\xff", b"\0" * 128 + b"DICM\x08\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"):
        (tmp_path / "a.png").write_bytes(content)
        table = write(tmp_path / "t.csv", "image,label,split,boxes\na.png,1,train,5 6 7 8\n")
        assert read_source(DataSource(path=table, boxes_size=10_000)).samples[0].boxes == ((5, 6, 7, 8),)


def test_rows_that_differ_in_the_box_are_one_image(tmp_path: Path) -> None:
    header = "image,label,split,x,y,w,h\n"
    options = {"box_columns": ("x", "y", "w", "h"), "boxes_size": 100}
    text = "a.png,1,train,1,2,3,4\nb.png,0,train,,NaN,nan,\na.png,1,train,5,6,7,8\n"
    first, second = listed(tmp_path, header + text, **options).samples
    assert (first.boxes, first.row) == (((1, 2, 3, 4), (5, 6, 7, 8)), 2)
    assert second.boxes == ()
    wrong = "a.png,1,train,1,2,3,4\na.png,1,train,1,2,3,4\na.png,0,train,5,6,7,8\nb.png,0,val,,,,\nb.png,0,val,,,,\n"
    message = table_refusal(tmp_path, header + wrong + "c.png,1,val,90,2,11.5,4\nd.png,1,val,1,2,3,\n", **options)
    for line in (
        "row 3: a.png is in row 2 already",
        "row 4: a.png is 0 here and 1 in row 2",
        "row 6: b.png is in row 5 already",
        "row 7: the box 90 2 11.5 4 reaches beyond the image",
        "row 8: '1 2 3 ' is not a box",
    ):
        assert line in message
    assert "5 problems:" in message


def test_several_labels_an_image(tmp_path: Path) -> None:
    text = "image,split,opacity,effusion\na.png,train,1,0\nb.png,train,1.0,1\nc.png,val,0,0.0\n"
    manifest = listed(tmp_path, text, label_columns=("opacity", "effusion"), class_names=("Opacity", "Effusion"))
    assert manifest.task == "multi_label"
    assert [sample.label for sample in manifest.samples] == [(1, 0), (1, 1), (0, 0)]
    assert manifest.counts("train") == {"Opacity": 2, "Effusion": 1}
    assert listed(tmp_path, text, label_columns=("opacity", "effusion")).class_names == ("opacity", "effusion")
    wrong = "image,split,opacity,effusion\na.png,train,2,0\nb.png,train,,1\nc.png,val,0,yes\n"
    message = table_refusal(tmp_path, wrong, label_columns=("opacity", "effusion"))
    for line in (
        "row 2: column 'opacity' is '2', not 0 or 1",
        "row 3: column 'opacity' is empty",
        "row 4: column 'effusion' is 'yes', not 0 or 1",
        "3 problems:",
    ):
        assert line in message


def test_splits_are_drawn_by_patient_where_the_table_has_none(tmp_path: Path) -> None:
    rows = [f"{i:03d}_{side}.png,{i % 3 == 0}" for i in range(60) for side in ("left", "right")]
    text = "\n".join(["image,label", *rows])
    options = {"patient_pattern": "^(.+)_", "val_share": 0.2, "test_share": 0.1, "split_seed": 4}
    manifest = listed(tmp_path, text, **options)
    assert {name: len(manifest.split(name)) for name in ("train", "val", "test")} == {
        "train": 84,
        "val": 24,
        "test": 12,
    }
    assert manifest.counts("val") == {"False": 16, "True": 8}
    assert len({(sample.patient, sample.split) for sample in manifest.samples}) == 60
    assert manifest.notes == ("The splits were drawn by patient, with the seed 4.",)
    backwards = listed(tmp_path, "\n".join(["image,label", *rows[::-1]]), **options)
    assert {s.path: s.split for s in backwards.samples} == {s.path: s.split for s in manifest.samples}


def test_a_missing_validation_split_is_drawn_from_train(tmp_path: Path) -> None:
    rows = [f"{i}.png,{i % 2},{'test' if i < 10 else 'train'}" for i in range(50)]
    manifest = listed(tmp_path, "\n".join(["image,label,split", *rows]), val_share=0.25)
    assert manifest.counts("val") == {"0": 5, "1": 5}
    assert {sample.path.name for sample in manifest.split("test")} == {f"{i}.png" for i in range(10)}
    assert "drawn from train by image, because patients are not known" in manifest.notes[0]


def test_a_table_of_given_splits_keeps_them(tmp_path: Path) -> None:
    text = "image,label,split\na.png,x,train\nb.png,y,val\n"
    assert [sample.split for sample in listed(tmp_path, text).samples] == ["train", "val"]


@pytest.mark.parametrize("column", ["Split", "type"])
def test_splits_are_not_drawn_beside_a_column_that_looks_like_them(tmp_path: Path, column: str) -> None:
    text = f"image,label,{column}\na.png,x,Train\nb.png,y,Val\n"
    assert f"no column 'split'; its columns are image, label, {column}" in table_refusal(tmp_path, text)
    assert [sample.split for sample in listed(tmp_path, text, split_column=column).samples] == ["train", "val"]
    assert "drawn" in listed(tmp_path, text, split_column="").notes[0]


def test_patients_in_two_splits_are_refused_or_left_out(tmp_path: Path) -> None:
    text = "image,label,split,who\na.png,x,train,p\nb.png,x,test,p\nc.png,x,val,q\nd.png,x,train,r\ne.png,x,train,p\n"
    message = table_refusal(tmp_path, text, patient_column="who")
    assert "row 3: its patient is in test here and in train in row 2" in message
    assert "1 problem:" in message
    twice = "image,label,split,who\na.png,x,train,p\na.png,x,test,p\n"
    assert "1 problem:" in table_refusal(tmp_path, twice, patient_column="who")  # said of the image, not again of p
    manifest = listed(tmp_path, text, patient_column="who", shared_patients="leave_out")
    assert [sample.path.name for sample in manifest.samples] == ["b.png", "c.png", "d.png"]
    assert manifest.notes == ("Left out: 2 images of patients who are in another split too.",)


def test_patients_that_are_not_found_are_listed(tmp_path: Path) -> None:
    text = "image,label,split,who\np-1.png,x,train,\nscan.png,x,test,q\n"
    assert "row 2: column 'who' is empty" in table_refusal(tmp_path, text, patient_column="who")
    message = table_refusal(tmp_path, text, patient_pattern=r"^(\w+)-")
    assert r"row 3: the pattern ^(\w+)- finds no patient in scan.png" in message


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("a", {"image_suffix": ".jpeg"}, "a.jpeg"),
        ("a.png", {"image_suffix": ".jpeg"}, "a.png"),
        ("x/1.2.840", {"image_suffix": ".dcm"}, "x/1.2.840.dcm"),
        ("a.png", {"image_suffix": ".dcm", "replace_suffix": True}, "a.dcm"),
        ("a", {}, "a"),
    ],
)
def test_suffixes(tmp_path: Path, name: str, options, expected: str) -> None:
    manifest = listed(tmp_path, f"image,label,split\n{name},x,train\n", **options)
    assert manifest.samples[0].path == tmp_path / expected


def test_labels_are_mapped_and_left_out(tmp_path: Path) -> None:
    text = "image,label,split\na.png,0,train\nb.png,2.0,train\nc.png,9,val\nd.png,1,val\n"
    manifest = listed(tmp_path, text, labels={0: "none", 1: "some", 2: "some"}, exclude=[9])
    assert manifest.class_names == ("none", "some")
    assert [sample.label for sample in manifest.samples] == [0, 1, 1]
    assert manifest.notes == ("Left out: 1 image labelled 9.",)
    assert "row 4: unknown label '9'" in table_refusal(tmp_path, text, labels={0: "none", 1: "some", 2: "some"})
    assert "not excluded" in table_refusal(tmp_path, text, exclude=[0, 1, 2, 9])


def test_problems_of_all_files_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "image,label\n1.png,x\n2.png,\n")
    write(tmp_path / "b.csv", "image,label\n1.png,x\n,y\n")
    files = {"train": "a.csv", "val": "b.csv"}
    message = refusal(DataSource(path=tmp_path, files=files), check_images=False)
    for line in (
        "a.csv row 3: column 'label' is empty",
        "b.csv row 2: 1.png is in val here and in train in a.csv row 2",
        "b.csv row 3: column 'image' is empty",
    ):
        assert line in message
    assert "no such file" in refusal(DataSource(path=tmp_path, files={"train": "a.csv", "val": "none.csv"}))
    assert "is a file, but a.csv, b.csv are looked for" in refusal(DataSource(path=tmp_path / "a.csv", files=files))


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({"mask_column": "lesions"}, "lesions"),
        ({"boxes_column": "rois"}, "rois"),
        ({"split_column": "part"}, "part"),
        ({"patient_column": "who"}, "who"),
        ({"label_columns": ("a", "b")}, "a"),
        ({"box_columns": ("x", "y", "w", "h")}, "x"),
    ],
)
def test_columns_that_are_asked_for_must_be_there(tmp_path: Path, options, column: str) -> None:
    assert f"no column {column!r}" in table_refusal(tmp_path, "image,label,split\na.png,x,train\n", **options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"patient_pattern": "(["}, "is not a regular expression"),
        ({"patient_pattern": "[0-9]+"}, "has no group"),
        ({"class_names": ("a", "a")}, "must differ"),
        ({"class_names": ("a", "b"), "labels": {"0": "c"}}, "labels leads to 'c', but the classes are a, b"),
        ({"val_share": 0.5, "test_share": 0.5}, "nothing to train on"),
        ({"label_columns": ("a", "a")}, "must differ"),
        ({"label_columns": ("a", "b"), "class_names": ("x",)}, "2 label columns need as many class names"),
        ({"label_columns": ("a", "b"), "exclude": ("x",)}, "not for label_columns"),
        ({"image_suffix": "png"}, "must start with a dot"),
        ({"replace_suffix": True}, "needs an image_suffix"),
    ],
)
def test_sources_that_make_no_sense(options, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        DataSource(path="t.csv", **options)


def test_folders_that_are_no_source(tmp_path: Path) -> None:
    assert "nothing in it" in refusal(DataSource(path=tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    write(tmp_path / "labels.csv", "image,label\na.png,x\n")
    message = refusal(DataSource(path=tmp_path))
    assert "is a folder of tables (labels.csv)" in message
    assert str(tmp_path / "labels.csv") in message
    assert "no such file" in refusal(DataSource(path=tmp_path / "none"))


def test_training_needs_each_class_in_train_and_val(tmp_path: Path) -> None:
    def reason(text: str, **options) -> str:
        with pytest.raises(ManifestError) as caught:
            check_for_training(listed(tmp_path, text, **options))
        return str(caught.value)

    text = "image,label,split\na.png,x,train\nb.png,y,train\nc.png,y,test\n"
    assert "no image in the split 'val'" in reason(text, val_share=0)
    assert "one class only (x)" in reason("image,label,split\na.png,x,train\nb.png,x,val\n")
    both = reason(text + "d.png,y,val\n", class_names=("x", "y", "z"))
    assert "has no image of z in the split 'train', and has no image of x, z in the split 'val'" in both
    check_for_training(listed(tmp_path, text + "d.png,y,val\ne.png,x,val\n"))


def test_training_of_several_labels_needs_images_with_and_without_each(tmp_path: Path) -> None:
    text = "image,a,b,split\n1.png,1,0,train\n2.png,1,1,train\n3.png,0,0,val\n4.png,1,0,val\n"
    with pytest.raises(ManifestError) as caught:
        check_for_training(listed(tmp_path, text, label_columns=("a", "b")))
    assert "has no image without a in the split 'train', and has no image of b in the split 'val'" in str(caught.value)
