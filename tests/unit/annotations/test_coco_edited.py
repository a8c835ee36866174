"""COCO files of our own that other tools have edited, and what comes into a store."""

import json
from pathlib import Path

import pytest
from annotation_samples import annotation, case

from softcam_core.annotations.coco import write_coco
from softcam_core.annotations.coco_import import Given, read_coco
from softcam_core.annotations.collection import Collection, bring_in, collect
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Polygon
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError

_SQUARE = [[10, 5, 20, 5, 20, 15, 10, 15]]


def _edited(tmp_path: Path, change) -> Path:
    path = tmp_path / "a.json"
    drawn = (annotation(Polygon(points=((1, 2), (30, 4), (5, 20))), comment="c", reviewer="R", modified=1.0),)
    write_coco(path, Collection(tmp_path, (case(),), drawn))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_an_outline_that_another_tool_changed_counts(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        content["annotations"][0]["segmentation"] = _SQUARE
        content["categories"][0]["name"] = "nodule"

    found = read_coco(_edited(tmp_path, change))
    (kept,) = found.annotations
    assert kept.shape.bounds == (5, 10, 15, 20)
    assert (kept.class_name, kept.comment, kept.reviewer) == ("nodule", "c", "R")
    assert kept.modified > 1e9
    assert found.remarks == ("Changed by another tool, and taken as changed: annotation 1.",)


def test_numbers_that_are_spelt_otherwise_are_no_change(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        (outline,) = content["annotations"][0]["segmentation"]
        assert all(isinstance(number, float) for number in outline)
        content["annotations"][0]["segmentation"] = [[int(number) for number in outline]]

    assert not read_coco(_edited(tmp_path, change)).remarks


def test_images_are_known_by_their_names_where_our_facts_were_dropped(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        del content["softcam"], content["images"][0]["softcam"], content["annotations"][0]["softcam"]

    found = read_coco(_edited(tmp_path, change), Given(verdict="correct"))
    assert found.cases == (case(),)
    assert (found.annotations[0].case, found.annotations[0].verdict) == (case().key, "correct")


def test_annotations_that_were_put_on_other_images_are_refused(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        content["images"][0]["softcam"]["frame"] = 1

    with pytest.raises(AnnotationError, match="its image is another one than it was made on"):
        read_coco(_edited(tmp_path, change))


# Into a store


def test_all_comes_into_a_store_or_nothing(tmp_path: Path) -> None:
    first, second = annotation(modified=10.0), annotation(comment="b", modified=10.0)
    with AnnotationStore(tmp_path / "store.sqlite") as store:
        assert bring_in(store, Collection(tmp_path, (case(),), (first, second))).added == 2
        later = first.model_copy(update={"comment": "later", "modified": 20.0})
        earlier = second.model_copy(update={"comment": "earlier", "modified": 5.0})
        brought = bring_in(store, Collection(tmp_path, (case(),), (later, earlier)))
        assert (brought.added, brought.changed, brought.kept) == (0, 1, 1)
        assert {each.comment for each in store.of_case(case().key)} == {"later", "b"}
        grown = Collection(tmp_path / "f", (case(size=(40, 61)),), (annotation(),))
        with pytest.raises(AnnotationError, match=r"has 61 x 40 pixels for the image .* it has 60 x 40"):
            bring_in(store, grown)
        orphan = Collection(tmp_path, (case(),), (annotation(), annotation(case="file-unknown")))
        with pytest.raises(AnnotationError, match="knows no image"):
            bring_in(store, orphan)
        assert store.count(Query()) == 2


def test_what_is_collected_is_what_was_asked_for(tmp_path: Path) -> None:
    other = case("file-" + "b" * 40)
    drawn = (annotation(created=2.0), annotation(verdict="missed", case=other.key, created=1.0))
    with AnnotationStore(tmp_path / "store.sqlite") as store:
        bring_in(store, Collection(tmp_path, (case(), other), drawn))
        assert collect(store).annotations == drawn[::-1]
        assert len(collect(store).cases) == 2
        some = collect(store, Query(verdicts=("wrong",)))
        assert (some.annotations, some.cases) == (drawn[:1], (case(),))
