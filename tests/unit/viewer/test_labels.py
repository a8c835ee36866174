from pathlib import Path

import cv2
import numpy as np
import pytest

from softcam_core.errors import ManifestError
from softcam_viewer.model import backend
from softcam_viewer.model.labels import class_folders, images_of, labels_of_folders, read_labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((8, 8), np.uint8))
    return tmp_path


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def known_of(folder: Path, opened: Path | None = None):
    images = sorted((folder / "images").glob("*.png"))
    return read_labels([opened or folder / "images"], images)


def test_labels_stand_in_a_table_above_the_images(folder):
    write(folder / "labels.csv", "image,nih_labels,age", "b.png,Edema|Pneumonia,50", "gone.png,Mass,1")
    found, problems = known_of(folder)
    assert {path.name: known.label for path, known in found.items()} == {"b.png": "Edema|Pneumonia"}
    assert problems == ()


def test_boxes_of_another_table_keep_what_they_are_around_and_are_no_labels(folder):
    write(folder / "boxes.csv", "image,finding,x,y,w,h", "a.png,Mass,1,2,3,4", "a.png,Nodule,0,0,2,2")
    write(folder / "labels.csv", "image,label", "a.png,sick")
    found, _ = known_of(folder)
    known = found[folder / "images/a.png"]
    assert known.label == "sick"
    assert known.boxes == ((1, 2, 3, 4), (0, 0, 2, 2))
    assert known.box_labels == ("Mass", "Nodule")


def test_a_manifest_as_training_takes_it_gives_boxes_and_masks(folder):
    write(folder / "images/set.csv", "image;label;split;boxes;mask", "a.png;1;train;1 2 3 4;m.png", "b.png;0;val;;")
    found, _ = known_of(folder)
    a, b = found[folder / "images/a.png"], found[folder / "images/b.png"]
    assert (a.label, a.boxes, a.mask) == ("1", ((1, 2, 3, 4),), folder / "images/m.png")
    assert (b.label, b.boxes, b.mask) == ("0", (), None)


def test_tables_that_are_not_of_images_are_left_alone(folder):
    write(folder / "notes.csv", "date,remark", "today,none")
    (folder / "images/data.csv").write_bytes(b"\x00\xff\x80")
    assert known_of(folder) == ({}, ())


def test_a_table_beside_the_images_that_is_damaged_is_told_and_the_others_are_read(folder):
    (folder / "bad.csv").write_bytes(b"image,label\na.png,\xff\xfe\n")
    write(folder / "odd.csv", "image,label,boxes", "b.png,sick,1 2 three 4")
    found, problems = known_of(folder)
    assert found[folder / "images/b.png"].label == "sick"
    assert len(problems) == 2
    assert "bad.csv" in problems[0]
    assert "row 2: '1 2 three 4' is not a box" in problems[1]


def test_a_table_that_is_opened_opens_its_images_and_no_other_table_counts(folder):
    table = write(folder / "mine.csv", "image,label", "b.png,sick", "gone.png,well", "b.png,sick")
    write(folder / "labels.csv", "image,label", "b.png,well")
    images = backend.find_paths([table])
    assert images == [folder / "images/b.png", folder / "gone.png"]
    found, _ = read_labels([table], images)
    assert [found[image].label for image in images] == ["sick", "well"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("file name,kind", "a.png,x"), "no column 'image'"),
        (("image,kind", "a.png,x"), "no column 'label'"),
        (("image,label", "z.png,x"), "none of its images is there"),
        (("image,label",), "no rows"),
    ],
)
def test_a_table_that_opens_nothing_says_why(folder, lines, told):
    with pytest.raises(ManifestError, match=told):
        images_of(write(folder / "t.csv", *lines))


def test_labels_of_the_radiographs_with_boxes_are_found(shared_data):
    images = sorted((shared_data / "cxr_nih_boxes/images").glob("*.png"))
    found, problems = read_labels([images[0].parent], images)
    assert problems == ()
    assert len(found) == len(images)
    sick = [known for known in found.values() if "Pneumonia" in known.box_labels]
    assert sick
    assert all("Pneumonia" in known.label for known in sick)


CLASSES = ("Normal", "Pneumonia")


@pytest.fixture
def sorted_folder(tmp_path: Path) -> Path:
    """Images in two folders, one deeper, and one beside them."""
    for name in ("normal/a.png", "pneumonia/old/b.png", "c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def by_folder(opened: list[Path], names: tuple[str, ...] = CLASSES) -> dict[str, str]:
    labels = labels_of_folders(class_folders(opened, backend.find_paths(opened)), names)
    return {path.name: label for path, label in labels.items()}


def test_folders_called_like_classes_are_labels_of_what_is_in_them(sorted_folder):
    assert by_folder([sorted_folder]) == {"a.png": "Normal", "b.png": "Pneumonia"}


def test_nothing_is_guessed_of_folders_that_are_not_all_classes(sorted_folder):
    assert by_folder([sorted_folder], ("normal", "edema")) == {}
    assert by_folder([sorted_folder], ()) == {}
    (sorted_folder / "ward 3").mkdir()
    (sorted_folder / "ward 3" / "d.png").touch()
    assert by_folder([sorted_folder]) == {}


def test_splits_may_stand_above_the_classes(tmp_path):
    for name in ("train/normal/a.png", "test/pneumonia/b.png", "test/normal/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert by_folder([tmp_path]) == {"a.png": "Normal", "b.png": "Pneumonia", "c.png": "Normal"}


def test_one_folder_is_no_list_of_classes_and_several_files_of_two_are(sorted_folder):
    (sorted_folder / "pneumonia" / "e.png").touch()
    assert by_folder([sorted_folder / "pneumonia"]) == {}
    assert by_folder([sorted_folder / "pneumonia" / "e.png"]) == {}
    files = [sorted_folder / "normal" / "a.png", sorted_folder / "pneumonia" / "e.png"]
    assert by_folder(files) == {"a.png": "Normal", "e.png": "Pneumonia"}
