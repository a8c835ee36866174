import csv
from pathlib import Path

import numpy as np
import pytest
from annotation_samples import SIZE, annotation, case
from PIL import Image

from softcam_core.annotations.collection import Collection
from softcam_core.annotations.mask_files import MANIFEST, read_masks, write_masks
from softcam_core.annotations.shapes import Ellipse, Rectangle
from softcam_core.errors import AnnotationError, SettingsError
from softcam_core.notice import NOTICE

KEY = case().key


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Masks of three classes and verdicts, two annotations on one."""
    drawn = (
        annotation(reviewer="B"),
        annotation(Ellipse(row=30, column=40, down=4, across=6), reviewer="A"),
        annotation(verdict="missed", frame=2),
        annotation(class_name="a/b: c"),
        annotation(class_name="a b c"),
        annotation(Rectangle(top=5, left=5, height=0.4, width=9), verdict="unsure"),
    )
    remarks = write_masks(tmp_path / "masks", Collection(tmp_path, (case(path="/patients/Doe.dcm"),), drawn))
    assert remarks == ("Left out: 1 annotation covering no pixel by half or more.",)
    return tmp_path / "masks"


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / MANIFEST).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_mask_holds_all_of_one_verdict_and_class(masks: Path) -> None:
    rows = _rows(masks)
    assert {row["file"] for row in rows} | {MANIFEST} == {path.name for path in masks.iterdir()}
    assert [row["file"] for row in rows] == [
        f"{KEY}_wrong_a-b-c.png", f"{KEY}_wrong_a-b-c_2.png", f"{KEY}_wrong_pneumonia.png",
        f"{KEY}_frame2_missed_pneumonia.png",
    ]  # fmt: skip
    assert (rows[2]["reviewers"], rows[2]["annotations"], rows[2]["notice"]) == ("A; B", "2", NOTICE)
    with Image.open(masks / rows[2]["file"]) as file:
        assert (file.mode, file.info["Comment"]) == ("L", NOTICE)
        pixels = np.asarray(file)
    expected = np.zeros(SIZE, dtype=bool)
    expected[2:12, 3:23] = True
    expected |= Ellipse(row=30, column=40, down=4, across=6).coverage(SIZE) >= 0.5
    np.testing.assert_array_equal(pixels, expected * 255)
    assert int(rows[2]["pixels"]) == expected.sum()
    assert "Doe" not in (masks / MANIFEST).read_text()


def test_masks_come_back_as_their_pixels(masks: Path) -> None:
    found = read_masks(masks)
    assert found.cases == (case(),)
    assert [(each.frame, each.verdict, each.class_name, each.reviewer) for each in found.annotations] == [
        (0, "wrong", "a b c", ""), (0, "wrong", "a/b: c", ""), (0, "wrong", "pneumonia", "A; B"),
        (2, "missed", "pneumonia", ""),
    ]  # fmt: skip
    for each, row in zip(found.annotations, _rows(masks), strict=True):
        np.testing.assert_array_equal(each.shape.coverage(SIZE) * 255, np.asarray(Image.open(masks / row["file"])))
    again = read_masks(masks)
    assert [each.id for each in again.annotations] == [each.id for each in found.annotations]
    assert again.undated == {each.id for each in found.annotations}
    assert {each.reviewer for each in read_masks(masks, reviewer="R").annotations} == {"R"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (np.zeros((40, 61), dtype=np.uint8), "has 61 x 40 pixels, and not 60 x 40"),
        (np.zeros(SIZE, dtype=np.uint8), "has no area"),
        (b"no picture", "is not that of an image file"),
    ],
)
def test_masks_that_cannot_be_used_are_refused_or_left_out(masks: Path, content, message: str) -> None:
    path = masks / _rows(masks)[2]["file"]
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        Image.fromarray(content).save(path)
    with pytest.raises(
        AnnotationError, match=rf"masks\.csv: 1 annotation cannot be used:\n  line 4: {path.name}.*{message}"
    ):
        read_masks(masks)
    assert len(read_masks(masks, skip_bad=True).annotations) == 3


def test_tables_of_masks_are_checked(masks: Path) -> None:
    table = masks / MANIFEST
    text = table.read_text()
    table.write_text(text.replace("missed,", "odd,"))
    with pytest.raises(AnnotationError, match="line 5: verdict: Input should be"):
        read_masks(masks)
    table.write_text(text.replace(f"{KEY}_wrong_a-b-c.png", "../secret.png"))
    with pytest.raises(AnnotationError, match="its file is not one beside the table"):
        read_masks(masks)
    table.write_text("file,case\n")
    with pytest.raises(AnnotationError, match="it lacks the columns class_name, frame, height, verdict, width"):
        read_masks(masks)
    table.unlink()
    with pytest.raises(AnnotationError, match=r"masks\.csv: there is no such file"):
        read_masks(masks)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(SettingsError, match="cannot be made"):
        write_masks(tmp_path / "a", Collection(tmp_path, (), ()))
