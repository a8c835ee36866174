"""COCO-style annotations."""

import json
from pathlib import Path

import pytest
from PIL import Image

from softcam_core.data.source import DataSource, read_source
from softcam_core.errors import ManifestError

CATEGORIES = [{"id": 7, "name": "nodule"}, {"id": 3, "name": "mass"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        Image.new("L", (60, 40)).save(tmp_path / f"{name}.png")
    return tmp_path


def image(id_: int, **more) -> dict:
    return {"id": id_, "file_name": f"{'?abcd'[id_]}.png", **more}


def write(folder: Path, images, annotations, categories=CATEGORIES) -> Path:
    path = folder / "annotations.json"
    content = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def on(image_id, category_id, **more) -> dict:
    return {"id": 1, "image_id": image_id, "category_id": category_id, **more}


def refusal(path: Path, **options) -> str:
    with pytest.raises(ManifestError) as caught:
        read_source(DataSource(path=path, **options))
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_one_category_an_image_is_one_label(folder: Path) -> None:
    images = [image(1, split="train"), image(2, split="val"), image(3, split="test")]
    annotations = [on(1, 7, bbox=[1, 2, 3, 4]), on(1, 7, bbox=[10.5, 2, 3, 4]), on(3, 3)]
    path = write(folder, images, annotations)
    manifest = read_source(DataSource(path=path, negative_class="healthy"))
    assert manifest.task == "single_label"
    assert manifest.class_names == ("healthy", "nodule", "mass")
    assert [(s.path.name, s.label, s.split, s.row) for s in manifest.samples] == [
        ("a.png", 1, "train", 1),
        ("b.png", 0, "val", 2),
        ("c.png", 2, "test", 3),
    ]
    assert manifest.samples[0].boxes == ((1, 2, 3, 4), (10.5, 2, 3, 4))


def test_several_categories_an_image_are_several_labels(folder: Path) -> None:
    images = [image(i, split="train") for i in (1, 2, 3, 4)]
    path = write(folder, images, [on(1, 7), on(1, 3), on(2, 3)])
    manifest = read_source(DataSource(path=path, negative_class="healthy", val_share=0))
    assert manifest.task == "multi_label"
    assert manifest.class_names == ("nodule", "mass")
    assert [sample.label for sample in manifest.samples] == [(1, 1), (0, 1), (0, 0), (0, 0)]
    assert manifest.counts("train") == {"nodule": 1, "mass": 2}
    assert "healthy is no class" in manifest.notes[0]


def test_images_without_category_are_several_labels_unless_they_have_a_class(folder: Path) -> None:
    path = write(folder, [image(1, split="train"), image(2, split="train")], [on(1, 7)])
    assert read_source(DataSource(path=path, val_share=0)).task == "multi_label"
    assert read_source(DataSource(path=path, val_share=0, negative_class="none")).task == "single_label"


def test_categories_are_merged_and_left_out(folder: Path) -> None:
    images = [image(i, split="train") for i in (1, 2, 3)]
    categories = [*CATEGORIES, {"id": 1, "name": "artefact"}]
    path = write(folder, images, [on(1, 7), on(1, 3), on(2, 1)], categories)
    options = {"labels": {"nodule": "lesion", "mass": "lesion"}, "exclude": ("artefact",), "negative_class": "none"}
    manifest = read_source(DataSource(path=path, val_share=0, **options))
    assert (manifest.task, manifest.class_names) == ("single_label", ("none", "lesion"))
    assert [(s.path.name, s.label) for s in manifest.samples] == [("a.png", 1), ("c.png", 0)]
    assert manifest.notes == ("Left out: 1 image with artefact.",)


def test_splits_are_drawn_by_patient_where_images_have_none(folder: Path) -> None:
    images = [{"id": f"i{i}", "file_name": f"{i}.png", "who": i // 2} for i in range(40)]
    annotations = [on(f"i{i}", 7) for i in range(20)]
    source = DataSource(path=write(folder, images, annotations), patient_column="who", negative_class="no")
    manifest = read_source(source, check_images=False)
    for split in ("val", "test"):  # three patients of both classes
        assert sorted(manifest.counts(split).values()) == [0, 2, 4]
        assert manifest.counts(split)["mass"] == 0
    assert len({(sample.patient, sample.split) for sample in manifest.samples}) == 20


def test_boxes_are_drawn_around_polygons(folder: Path) -> None:
    polygons = [[5, 6, 15, 6, 10, 26], [1.5, 10, 2, 12, 3, 11]]
    mask = {"size": [40, 60], "counts": [1, 2]}
    path = write(folder, [image(1, split="train")], [on(1, 7, segmentation=polygons), on(1, 7, segmentation=mask)])
    assert read_source(DataSource(path=path, val_share=0)).samples[0].boxes == ((1.5, 6, 13.5, 20),)


def test_problems_are_listed_by_image(folder: Path) -> None:
    images = [image(1, split="train"), image(2), image(3, split="dev"), {"id": 9, "file_name": "x.png", "split": "val"}]
    annotations = [
        on(1, 7, bbox=[1, 2, 3]),
        on(1, 7, segmentation=[[1, 2, 3]]),
        on(2, 7, bbox=[50, 2, 30, 4]),
        on(3, 3),
        on(9, 3),
    ]
    message = refusal(write(folder, images, annotations))
    for line in (
        "image 1: the bbox [1.0, 2.0, 3.0] is not x, y, width and height",
        "image 1: a segmentation is not a list of polygons",
        "image 2: 'split' is missing",
        "image 3: unknown split 'dev'",
        "image 9: no such image file x.png",
    ):
        assert line in message
    path = write(folder, [image(1, split="train")], [on(1, 7, bbox=[50, 2, 30, 4])])
    assert "image 1: the box 50 2 30 4 reaches beyond the image of 60 x 40 pixels" in refusal(path)


def test_references_to_nothing_are_listed(folder: Path) -> None:
    annotations = [on(5, 7), on(1, 8)]
    path = write(folder, [image(1), image(1)], annotations, [*CATEGORIES, {"id": 3, "name": "nodule"}])
    message = refusal(path)
    for line in (
        "image 1: the id is used twice",
        "category 3: the id is used twice",
        "category nodule: the name is used twice",
        "annotation 1: there is no image 5",
        "annotation 2: there is no category 8",
    ):
        assert line in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON"),
        (b'{"images": [', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        (b"[]", "not in the form of COCO"),
        (b'{"images": []}', "images: List should have at least 1 item"),
        (b'{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}]}', "images.0.file_name: Field required"),
        (
            b'{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "a"}],'
            b' "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, NaN, 1]}]}',
            "annotations.0.bbox.2: Input should be a finite number",
        ),
        (b'{"images": "a.png", "categories": 3}', "images: Input should be a valid array"),
    ],
)
def test_damaged_files(folder: Path, content: bytes, reason: str) -> None:
    path = folder / "annotations.json"
    path.write_bytes(content)
    assert reason in refusal(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.json")
    assert "is a folder" in refusal(tmp_path, format="coco")
