import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from annotation_samples import SIZE, annotation, case, collections, shapes
from hypothesis import HealthCheck, given, settings
from PIL import Image

from softcam_core.annotations.annotation import CaseRecord
from softcam_core.annotations.coco import write_coco
from softcam_core.annotations.coco_import import Given, read_coco
from softcam_core.annotations.collection import Collection, bring_in
from softcam_core.annotations.identity import case_key
from softcam_core.annotations.image_files import ImageFiles
from softcam_core.annotations.masks import mask_of, mask_of_runs, run_lengths
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle, area_of
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError
from softcam_core.notice import NOTICE

_QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _by_key(cases: tuple[CaseRecord, ...]) -> dict[str, CaseRecord]:
    return {each.key: each for each in cases}


@_QUICK
@given(collections())
def test_any_annotations_reviews_and_cases_come_back_as_they_were(collection: Collection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        write_coco(path, collection, identifiers=True)
        found = read_coco(path)
    assert found.annotations == collection.annotations
    assert found.reviews == collection.reviews
    assert _by_key(found.cases) == _by_key(collection.cases)
    assert not found.remarks


@_QUICK
@given(shapes())
def test_runs_are_column_by_column_and_come_back(shape) -> None:
    mask = mask_of(shape, SIZE)
    runs = run_lengths(shape, SIZE)
    # As the standard has it, a pixel at a time.
    expected: list[int] = [0]
    inside = False
    for column in range(SIZE[1]):
        for row in range(SIZE[0]):
            if bool(mask[row, column]) != inside:
                inside = not inside
                expected.append(0)
            expected[-1] += 1
    assert runs == expected
    np.testing.assert_array_equal(mask_of_runs(runs, SIZE), mask)
    np.testing.assert_array_equal(mask_of_runs(_compressed(runs), SIZE), mask)


def _compressed(counts: list[int]) -> str:
    """pycocotools' rleToString, line by line."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            c = x & 0x1F
            x >>= 5
            more = x != -1 if c & 0x10 else x != 0
            text += chr((c | 0x20 if more else c) + 48)
    return text


def test_compressed_runs_are_read_as_pycocotools_writes_them() -> None:
    mask = np.zeros((4, 5), dtype=bool)
    mask[1:3, 1:4] = True
    assert run_lengths(Rectangle(top=1, left=1, height=2, width=3), (4, 5)) == [5, 2, 2, 2, 2, 2, 5]
    # Worked by hand: from the fourth on, differences from the one before the last.
    np.testing.assert_array_equal(mask_of_runs("5220003", (4, 5)), mask)
    np.testing.assert_array_equal(mask_of_runs("P4", (8, 16)), False)  # 128 = 4 * 32: two letters
    with pytest.raises(ValueError, match="damaged"):
        mask_of_runs("P", (10, 13))


@_QUICK
@given(shapes())
def test_masks_are_where_half_a_pixel_is_covered(shape) -> None:
    # Cut out around the shape, and not of the whole image, only for speed: edges at 0.5 may fall either way.
    coverage = shape.coverage(SIZE)
    clear = np.abs(coverage - 0.5) > 1e-3
    np.testing.assert_array_equal(mask_of(shape, SIZE)[clear], coverage[clear] >= 0.5)


def test_others_read_what_the_standard_has(tmp_path: Path) -> None:
    cut = Rectangle(top=-10, left=5, height=20, width=10)
    bitmap = Bitmap.of(np.array([[True, False], [True, True]]), (10, 20, 14, 24))
    assert bitmap is not None
    drawn = (
        annotation(cut, confidence=0.25),
        annotation(Polygon(points=((1, 2), (3, 4), (5, 0))), class_name="normal"),
        annotation(Ellipse(row=20, column=30, down=5, across=8)),
        annotation(bitmap, frame=2),
    )
    path = tmp_path / "a.json"
    write_coco(path, Collection(tmp_path, (case(),), drawn))
    content = json.loads(path.read_text())
    assert content["softcam"]["notice"] == NOTICE
    assert NOTICE in content["info"]["description"]
    key = case().key
    images = {image["id"]: image for image in content["images"]}
    assert [(i["file_name"], i["height"], i["width"]) for i in images.values()] == [
        (key, *SIZE), (f"{key}_frame2", *SIZE)
    ]  # fmt: skip
    categories = {each["id"]: each["name"] for each in content["categories"]}
    written = content["annotations"]
    assert [categories[each["category_id"]] for each in written] == ["pneumonia", "normal", "pneumonia", "pneumonia"]
    assert [images[each["image_id"]]["softcam"]["frame"] for each in written] == [0, 0, 0, 2]
    assert written[0]["segmentation"] == [[5, -10, 15, -10, 15, 10, 5, 10]]
    assert written[0]["bbox"] == [5, 0, 10, 10]
    assert (written[0]["area"], written[0]["score"]) == (100, 0.25)
    assert "score" not in written[1]
    assert written[1]["segmentation"] == [[2, 1, 4, 3, 0, 5]]
    for each, made in zip(written[2:], drawn[2:], strict=True):
        assert each["segmentation"]["size"] == list(SIZE)
        mask = mask_of_runs(each["segmentation"]["counts"], SIZE)
        np.testing.assert_array_equal(mask, made.shape.coverage(SIZE) >= 0.5)
        assert each["area"] == pytest.approx(area_of(made.shape, SIZE), abs=1e-3)
        assert each["iscrowd"] == 0


def test_identifiers_are_only_where_they_are_asked_for(tmp_path: Path) -> None:
    known = case(sop_instance_uid="1.2.3.4", path="C:\\patients\\Doe.dcm")
    collection = Collection(tmp_path / "store", (known,), (annotation(),))
    write_coco(tmp_path / "a", collection)
    text = (tmp_path / "a").read_text()
    assert not [secret for secret in ("1.2.3.4", "Doe", "patients", str(tmp_path)) if secret in text]
    write_coco(tmp_path / "b", collection, identifiers=True)
    image = json.loads((tmp_path / "b").read_text())["images"][0]
    assert (image["file_name"], image["softcam"]["sop_instance_uid"]) == ("Doe.dcm", "1.2.3.4")


# What others wrote


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.png", "sub/b.png", "twice.png", "sub/twice.png")):
        Image.fromarray(np.full(SIZE, number, dtype=np.uint8)).save(folder / name)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return ImageFiles(folder)


def _foreign(path: Path, *annotations: dict, name: str = "a.png", **image: object) -> Path:
    entry = {"id": 7, "file_name": name, "height": SIZE[0], "width": SIZE[1], **image}
    content = {
        "images": [entry],
        "categories": [{"id": 3, "name": "opacity"}, {"id": 4, "name": "nodule"}],
        "annotations": [{"id": i, "image_id": 7, "category_id": 3, **each} for i, each in enumerate(annotations, 1)],
    }
    path.write_text(json.dumps(content))
    return path


_SQUARE = [[10, 5, 20, 5, 20, 15, 10, 15]]


def test_foreign_annotations_are_of_the_images_they_name(tmp_path: Path, images: ImageFiles) -> None:
    path = _foreign(tmp_path / "a.json", {"segmentation": _SQUARE, "score": 0.5}, {"bbox": [1, 2, 3, 4]}, name="b.png")
    found = read_coco(path, Given(images=images, reviewer="R", verdict="wrong"))
    file = images.folder / "sub" / "b.png"
    assert [(each.key, each.height, each.width, each.path) for each in found.cases] == [
        (case_key(file), *SIZE, str(file.resolve()))
    ]
    first, second = found.annotations
    assert first.shape == Polygon(points=((5, 10), (5, 20), (15, 20), (15, 10)))
    assert second.shape == Rectangle(top=2, left=1, height=4, width=3)
    assert (first.verdict, first.reviewer, first.class_name, first.confidence) == ("wrong", "R", "opacity", 0.5)
    assert (first.case, second.confidence) == (case_key(file), None)
    assert read_coco(path, Given(images=images)).annotations[0].verdict == "missed"


def test_reading_a_foreign_file_twice_adds_nothing_and_changes_nothing(tmp_path: Path, images: ImageFiles) -> None:
    path = _foreign(tmp_path / "a.json", {"segmentation": _SQUARE})
    with AnnotationStore(tmp_path / "store.sqlite") as store:
        assert bring_in(store, read_coco(path, Given(images=images))).added == 1
        path.touch()
        again = bring_in(store, read_coco(path, Given(images=images)))
        assert (again.added, again.changed, again.known, again.cases) == (0, 0, 1, 0)
        assert store.count(Query()) == 1


def test_rings_and_runs_become_their_pixels(tmp_path: Path, images: ImageFiles) -> None:
    rings = [[0, 0, 4, 0, 4, 4, 0, 4], [10, 10, 14, 10, 14, 14, 10, 14]]
    mask = np.zeros(SIZE, dtype=bool)
    mask[0:4, 0:4] = mask[10:14, 10:14] = True
    shape = Bitmap.of(mask, (0, 0, *SIZE))
    assert shape is not None
    runs = {"counts": run_lengths(shape, SIZE), "size": list(SIZE)}
    compressed = {"counts": _compressed(runs["counts"]), "size": list(SIZE)}
    path = _foreign(tmp_path / "a.json", {"segmentation": rings}, {"segmentation": runs, "category_id": 4})
    for each in read_coco(path, Given(images=images)).annotations:
        assert isinstance(each.shape, Bitmap)
        np.testing.assert_array_equal(each.shape.coverage(SIZE), mask)
    path = _foreign(tmp_path / "b.json", {"segmentation": compressed})
    np.testing.assert_array_equal(read_coco(path, Given(images=images)).annotations[0].shape.coverage(SIZE), mask)


def test_polygons_that_cross_themselves_are_kept_and_told_of(tmp_path: Path, images: ImageFiles) -> None:
    bow_tie = [[0, 0, 20, 20, 20, 0, 0, 20, 0, 0]]
    found = read_coco(_foreign(tmp_path / "a.json", {"segmentation": bow_tie}), Given(images=images))
    (kept,) = found.annotations
    assert kept.shape == Polygon(points=((0, 0), (20, 20), (0, 20), (20, 0)))
    assert len(found.remarks) == 1
    assert "1 polygon crossing itself (annotation 1): places that the outline goes around" in found.remarks[0]


def test_polygons_partly_outside_are_kept_as_they_are(tmp_path: Path, images: ImageFiles) -> None:
    found = read_coco(_foreign(tmp_path / "a.json", {"segmentation": [[-5, -5, 5, -5, 5, 5]]}), Given(images=images))
    assert found.annotations[0].shape.bounds == (-5, -5, 5, 5)
    assert not found.remarks


_BAD = [
    ({"segmentation": [[100, 100, 120, 100, 120, 120]]}, r"lies outside the image \(60 x 40 pixels\)"),
    ({"segmentation": [[5, 5, 9, 9, 7, 7]]}, "has no area"),
    ({"segmentation": [[5, 5, 5, 5, 5, 5]]}, "has no area"),
    ({"bbox": [5, 5, 0, 9]}, "has no area"),
    ({"segmentation": [[5, 5, 9]]}, "neither polygons"),
    ({"segmentation": "x"}, "neither polygons"),
    ({"segmentation": [[5, 5, 9, 9, 7, True]]}, "neither polygons"),
    ({"segmentation": [[5, 5, 9, 9, 7, 10**400]]}, "neither polygons"),
    ({"segmentation": [[5, 5, 9, 9, 7, 1e7]]}, "reaches farther than 1,000,000 pixels"),
    ({}, "has neither a segmentation nor a bbox"),
    ({"segmentation": {"counts": [3, 4], "size": [1, 7]}}, r"its runs are of \[1, 7\] pixels"),
    ({"segmentation": {"counts": [3, 4], "size": list(SIZE)}}, "its runs do not add up to the image"),
    ({"segmentation": {"counts": "o", "size": list(SIZE)}}, "its compressed runs are damaged"),
    ({"segmentation": {"counts": [2400], "size": list(SIZE)}}, "covers no pixel"),
    ({"segmentation": {"size": list(SIZE)}}, "its runs need counts and size"),
    ({"segmentation": _SQUARE, "image_id": 8}, "there is no image 8"),
]


@pytest.mark.parametrize(("bad", "message"), _BAD)
def test_what_cannot_be_used_is_listed_and_refused_or_left_out(tmp_path: Path, images, bad: dict, message: str) -> None:
    path = _foreign(tmp_path / "a.json", {"segmentation": _SQUARE}, bad)
    with pytest.raises(AnnotationError, match=rf"a\.json: 1 annotation cannot be used:\n  annotation 2: .*{message}"):
        read_coco(path, Given(images=images))
    found = read_coco(path, Given(images=images, skip_bad=True))
    assert len(found.annotations) == 1
    assert found.remarks[0].startswith("Left out: 1 annotation:\n  annotation 2: ")


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("gone.png", {}, r"no image is named 'gone\.png' in "),
        ("else/twice.png", {}, "several images are named"),
        ("broken.png", {}, r"its image 'broken\.png' cannot be read"),
        ("a.png", {"width": 61}, "has 60 x 40 pixels, and not 61 x 40"),
    ],
)
def test_images_that_are_gone_or_others_are_listed(
    tmp_path: Path, images, name: str, image: dict, message: str
) -> None:
    path = _foreign(tmp_path / "a.json", {"segmentation": _SQUARE}, name=name, **image)
    with pytest.raises(AnnotationError, match=message):
        read_coco(path, Given(images=images))
    assert not read_coco(path, Given(images=images, skip_bad=True)).annotations


def test_a_name_with_its_folder_means_one_of_several(tmp_path: Path, images: ImageFiles) -> None:
    path = _foreign(tmp_path / "a.json", {"segmentation": _SQUARE}, name="sub\\twice.png")
    assert read_coco(path, Given(images=images)).cases[0].path == str((images.folder / "sub/twice.png").resolve())


def test_unknown_categories_are_named(tmp_path: Path, images: ImageFiles) -> None:
    path = _foreign(tmp_path / "a.json", {"segmentation": _SQUARE}, {"segmentation": _SQUARE, "category_id": 4})
    with pytest.raises(AnnotationError, match=r"annotation 2: unknown category 'nodule' \(known: opacity\)"):
        read_coco(path, Given(images=images, class_names=("opacity",)))
    assert len(read_coco(path, Given(images=images, class_names=("opacity", "nodule"))).annotations) == 2


def test_without_images_a_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"names 1 image without saying what they show\. Give the folder"):
        read_coco(_foreign(tmp_path / "a.json", {"segmentation": _SQUARE}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON: "),
        ("[" * 100_000, "is not JSON: "),
        ("[]", "is not in the form of COCO annotations"),
        ('{"images": [{"file_name": "a"}]}', r"images\.0\.id: Field required"),
        ('{"images": [{"id": 1}, {"id": 1}]}', "has the same id twice: image 1"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 5}]}', "are not in it: 5"),
        ('{"images": [], "softcam": {"version": 2, "more": 1}}', r"newer version \(its form is 2, known is 1\)\. U"),
        ('{"images": [], "softcam": {"version": 1, "more": 1}}', r"softcam\.more: Extra inputs"),
    ],
)  # fmt: skip
def test_files_of_another_form_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_coco(tmp_path / "a.json")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"gone\.json: there is no such file\. Check the path"):
        read_coco(tmp_path / "gone.json")
    with pytest.raises(AnnotationError, match="is a folder"):
        read_coco(tmp_path)
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(AnnotationError, match="is not a text file in UTF-8"):
        read_coco(tmp_path / "a")
