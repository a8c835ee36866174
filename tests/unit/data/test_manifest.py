from pathlib import Path

import pytest
from PIL import Image

from softcam_core.data.manifest import read_manifest
from softcam_core.errors import ManifestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcdef":
        (tmp_path / f"{name}.png").touch()
    return tmp_path


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path: Path, **options) -> str:
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_reads_names_splits_and_rows(folder: Path) -> None:
    table = write(folder, "image,label,split\na.png,sick,train\nb.png,healthy,val\nc.png,sick,test\n")
    manifest = read_manifest(table)
    assert manifest.class_names == ("healthy", "sick")
    assert [(s.path, s.label, s.split, s.row) for s in manifest.samples] == [
        (folder / "a.png", 1, "train", 2),
        (folder / "b.png", 0, "val", 3),
        (folder / "c.png", 1, "test", 4),
    ]
    assert manifest.counts("train") == {"healthy": 0, "sick": 1}
    assert [s.path.name for s in manifest.split("val")] == ["b.png"]


def test_maps_columns_and_root_and_keeps_the_others(folder: Path) -> None:
    (folder / "tables").mkdir()
    table = write(folder / "tables", "note,file,finding,part\nblurred,a.png,1,TRAIN\n,b.png,0,Validation\n")
    options = {"image_column": "file", "label_column": "finding", "split_column": "part", "root": folder}
    manifest = read_manifest(table, **options, class_names=["no", "yes"])
    assert [(s.path, s.label, s.split) for s in manifest.samples] == [
        (folder / "a.png", 1, "train"),
        (folder / "b.png", 0, "val"),
    ]
    assert manifest.samples[0].extra == {"note": "blurred"}


@pytest.mark.parametrize(
    ("labels", "class_names", "expected_names", "expected"),
    [
        (("0", "1", "2"), None, ("0", "1", "2"), (0, 1, 2)),
        (("10", "2", "2"), None, ("2", "10"), (1, 0, 0)),
        (("1.0", "0.0", "1"), None, ("0", "1"), (1, 0, 1)),
        (("1", "0", "1.0"), ("no", "yes"), ("no", "yes"), (1, 0, 1)),
        (("yes", "0", "no"), ("no", "yes"), ("no", "yes"), (1, 0, 0)),
        (("2", "1", "2"), ("1", "2"), ("1", "2"), (1, 0, 1)),
        (("b", "a", "ä"), None, ("a", "b", "ä"), (1, 0, 2)),
    ],
)
def test_labels_are_names_or_numbers(folder: Path, labels, class_names, expected_names, expected) -> None:
    rows = [f"{image}.png,{label},train" for image, label in zip("abc", labels, strict=True)]
    manifest = read_manifest(write(folder, "\n".join(["image,label,split", *rows])), class_names=class_names)
    assert manifest.class_names == expected_names
    assert tuple(s.label for s in manifest.samples) == expected


@pytest.mark.parametrize("split", ["val", "valid", "validation", "VAL", "Validation"])
def test_spellings_of_validation(folder: Path, split: str) -> None:
    assert read_manifest(write(folder, f"image,label,split\na.png,x,{split}\n")).samples[0].split == "val"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("image,label,split\na.png,ä,train\n", "utf-8-sig"),
        ("image;label;split\r\na.png;ä;train\r\n", "utf-8"),
        ("image\tlabel\tsplit\na.png\tä\ttrain\n", "utf-8"),
        ('"image","label","split"\n"a.png"," ä ","train"\n', "utf-8"),
    ],
)
def test_what_spreadsheets_write(folder: Path, text: str, encoding: str) -> None:
    manifest = read_manifest(write(folder, text, encoding))
    assert manifest.class_names == ("ä",)
    assert len(manifest.samples) == 1


def test_blank_rows_count_as_in_a_spreadsheet(folder: Path) -> None:
    manifest = read_manifest(write(folder, "image,label,split\n\n,,\na.png,x,train\n"))
    assert [s.row for s in manifest.samples] == [4]


def test_lists_all_problems_with_their_rows(folder: Path) -> None:
    table = write(
        folder,
        "image,label,split\na.png,sick,train\nmissing.png,sick,train\nb.png,odd,val\nc.png,sick,dev\n,sick,test\n"
        "d.png,,test\ne.png,sick\n",
    )
    message = refusal(table, class_names=["healthy", "sick"])
    for line in (
        "row 3: no such image file missing.png",
        "row 4: unknown label 'odd'",
        "row 5: unknown split 'dev'",
        "row 6: column 'image' is empty",
        "row 7: column 'label' is empty",
        "row 8: column 'split' is empty",
        "healthy, sick",
        "train, val and test",
    ):
        assert line in message
    assert "row 2:" not in message


def test_long_lists_are_cut(folder: Path) -> None:
    rows = "".join(f"{i}.png,x,train\n" for i in range(50))
    message = refusal(write(folder, "image,label,split\n" + rows))
    assert "50 problems" in message
    assert "row 21:" in message
    assert "row 22:" not in message
    assert "and 30 more" in message


def test_says_where_missing_images_are(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / "x.png").touch()
    message = refusal(write(folder, "image,label,split\nx.png,a,train\n"))
    assert f"--root {folder / 'images'}" in message


def test_one_image_in_two_splits_or_classes_is_refused(folder: Path) -> None:
    table = write(folder, "image,label,split\na.png,x,train\na.png,x,test\nb.png,x,val\nb.png,y,val\nc.png,x,val\n")
    message = refusal(table)
    assert "row 3: a.png is in test here and in train in row 2" in message
    assert "row 5: b.png is y here and x in row 4" in message


def test_duplicate_rows_are_refused_even_within_a_split(folder: Path) -> None:
    message = refusal(write(folder, "image,label,split\na.png,1,train\nb.png,0,train\n./a.png,1,train\n"))
    assert "row 4: ./a.png is in row 2 already" in message
    assert "1 problem:" in message


@pytest.mark.parametrize(
    ("labels", "odd"),
    [
        (("0", "1", "yes", "1"), ["row 4: the label 'yes' is a word, while others are numbers"]),
        (("no", "yes", "1", "nan"), ["row 4: the label '1' is a number, while others are words"]),
        (("0", "1", "1", "nan"), ["row 5: the label 'nan' is a word"]),
        (("0", "1", "1", "0.5"), ["row 5: the label '0.5' is a word"]),
    ],
)
def test_labels_of_mixed_types_are_refused(folder: Path, labels, odd) -> None:
    rows = [f"{image}.png,{label},train" for image, label in zip("abcd", labels, strict=True)]
    message = refusal(write(folder, "\n".join(["image,label,split", *rows])))
    assert f"{len(odd)} problem:" in message
    for line in odd:
        assert line in message


def test_masks_and_boxes_are_read_where_there_are_such(folder: Path) -> None:
    Image.new("L", (40, 30)).save(folder / "a.png")
    table = write(folder, "image,label,split,mask,boxes\na.png,1,train,f.png,1 2 3 4;5 6 7.5 8\nb.png,0,val,,\n")
    first, second = read_manifest(table).samples
    assert (first.mask, first.boxes) == (folder / "f.png", ((1, 2, 3, 4), (5, 6, 7.5, 8)))
    assert (second.mask, second.boxes) == (None, ())


def test_missing_masks_and_wrong_boxes_are_listed(folder: Path) -> None:
    for name in "abcde":
        Image.new("L", (40, 30)).save(folder / f"{name}.png")
    rows = ["a.png,g.png,", "b.png,,1 2 3", "c.png,,1 2 x 4", "d.png,,30 2 20 4", "e.png,,1 2 0 4;1 2 3 inf", "f.png,,"]
    table = write(folder, "\n".join(["image,mask,boxes,label,split", *(f"{row},x,train" for row in rows)]))
    message = refusal(table)
    for line in (
        "row 2: no such mask file g.png",
        "row 3: '1 2 3' is not a box",
        "row 4: '1 2 x 4' is not a box",
        "row 5: the box 30 2 20 4 reaches beyond the image of 40 x 30 pixels",
        "row 6: '1 2 0 4;1 2 3 inf' is not a box",
    ):
        assert line in message
    assert "5 problems:" in message


def test_a_box_without_area_is_refused(folder: Path) -> None:
    message = refusal(write(folder, "image,label,split,boxes\na.png,x,train,1 2 0 4\n"))
    assert "row 2: the box 1 2 0 4 has no area" in message


def test_a_table_without_splits_is_refused(folder: Path) -> None:
    assert "'split'" in refusal(write(folder, "image,label\na.png,x\n"))


def test_a_name_no_file_can_have_is_a_missing_image(folder: Path) -> None:
    assert "no such image file nnn" in refusal(write(folder, f"image,label,split\n{'n' * 300},x,train\n"))


def test_missing_columns_are_named_with_those_there_are(folder: Path) -> None:
    message = refusal(write(folder, "file,label,part\na.png,x,train\n"))
    assert "'image'" in message
    assert "'split'" in message
    assert "file, label, part" in message
    assert "--image-column" in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"image,label,split\n", "no rows"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text file in UTF-8"),
        (b"image,label,split\n\0\0", "not a text file"),
        ("image,label,split\na.png,x,train\n".encode("utf-16"), "not a text file"),
        (b"image,image,label,split\na.png,a.png,x,train\n", "more than one column 'image'"),
        (b'image,label,split\n"' + b"a" * 200_000 + b'",x,train\n', "not a CSV table"),
    ],
)
def test_unusable_files(folder: Path, content: bytes, reason: str) -> None:
    path = folder / "labels.csv"
    path.write_bytes(content)
    assert reason in refusal(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.csv")
    assert "is a folder" in refusal(tmp_path)


def test_reads_the_nih_table(shared_data: Path) -> None:
    folder = shared_data / "cxr_nih_train320"
    manifest = read_manifest(
        folder / "labels.csv",
        label_column="pneumonia",
        root=folder / "images",
        class_names=["no finding", "pneumonia"],
    )
    assert len(manifest.samples) == 1000
    assert manifest.counts("train") == {"no finding": 350, "pneumonia": 334}
