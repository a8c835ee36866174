import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from annotation_samples import annotation, case
from PIL import Image
from pydicom import dcmread

from softcam_core.annotations.annotation import Annotation, Review
from softcam_core.annotations.collection import Collection, bring_in, collect
from softcam_core.annotations.image_files import record_of
from softcam_core.annotations.shapes import Ellipse
from softcam_core.annotations.store import AnnotationStore
from softcam_core.cli import main
from softcam_core.notice import NOTICE


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((40, 60), dtype=np.uint8)).save(tmp_path / "images" / "Doe.png")
    return tmp_path / "images"


@pytest.fixture
def drawn(images: Path) -> tuple[Annotation, ...]:
    key = record_of(images / "Doe.png").key
    return (
        annotation(case=key, reviewer="A", comment="marker", created=1.0),
        annotation(case=key, reviewer="B", verdict="missed", class_name="normal", created=2.0),
        annotation(Ellipse(row=20, column=30, down=5, across=8), case=key, reviewer="B", created=3.0),
    )


@pytest.fixture
def store(tmp_path: Path, images: Path, drawn) -> Path:
    known = record_of(images / "Doe.png")
    reviews = [Review(case=known.key, reviewer=name, status="reviewed", labels=("normal",)) for name in "AB"]
    path = tmp_path / "store.sqlite"
    with AnnotationStore(path) as opened:
        bring_in(opened, Collection(tmp_path, (known,), drawn, tuple(reviews)))
    return path


def _all(path: Path) -> Collection:
    with AnnotationStore(path, read_only=True) as store:
        return collect(store)


def test_coco_brings_everything_back(store: Path, tmp_path: Path, accepted, capsys) -> None:
    accepted("annotations", "export", store, "--out", tmp_path / "a.json")
    assert "3 annotations of 1 image, in" in capsys.readouterr().out
    assert "Doe" not in (tmp_path / "a.json").read_text()
    accepted("annotations", "import", tmp_path / "b.sqlite", tmp_path / "a.json")
    assert "5 added, 0 changed, 0 known already, 0 kept in their later form; 1 new image" in capsys.readouterr().out
    first, second = _all(store), _all(tmp_path / "b.sqlite")
    assert (first.annotations, first.reviews) == (second.annotations, second.reviews)
    assert second.cases[0] == first.cases[0].model_copy(update={"path": ""})


@pytest.mark.parametrize(("name", "out", "kept"), [("csv", "a.csv", "same"), ("png", "masks", "pixels")])
def test_tables_and_masks_come_back(store, drawn, tmp_path: Path, accepted, name: str, out: str, kept: str) -> None:
    accepted("annotations", "export", store, "--out", tmp_path / out, "--format", name)
    accepted("annotations", "import", tmp_path / "b.sqlite", tmp_path / out)
    found = _all(tmp_path / "b.sqlite").annotations
    if kept == "same":
        assert found == drawn
    else:
        assert {(each.verdict, each.class_name, each.reviewer) for each in found} == {
            ("wrong", "pneumonia", "A; B"), ("missed", "normal", "B")
        }  # fmt: skip


def test_only_what_is_asked_for_is_written(store: Path, tmp_path: Path, accepted, refused) -> None:
    out = tmp_path / "a.csv"
    choice = ("--reviewer", "B", "--verdict", "wrong", "--class", "pneumonia", "--format", "csv")
    accepted("annotations", "export", store, "--out", out, *choice)
    assert [line.count("ellipse") for line in out.read_text().splitlines()[1:]] == [2]  # the kind, and the shape
    accepted("annotations", "export", store, "--out", out, "--overwrite", "--format", "csv", "--text", "MARKER")
    assert len(out.read_text().splitlines()) == 2
    message = refused("annotations", "export", store, "--out", tmp_path / "b.csv", "--format", "csv", "--text", "none")
    assert "has no such annotations. Ask for other verdicts" in message


@pytest.mark.parametrize(("name", "ending"), [("seg", "annotations"), ("sr", "report_1")])
def test_dicom_is_written_for_the_images(store, images, tmp_path: Path, accepted, name: str, ending: str) -> None:
    out = tmp_path / "out"
    accepted("annotations", "export", store, "--out", out, "--format", name, "--images", images)
    key = record_of(images / "Doe.png").key
    assert {f"{key}_image.dcm", f"{key}_{ending}.dcm"} <= {path.name for path in out.iterdir()}
    assert NOTICE in dcmread(out / f"{key}_{ending}.dcm").SeriesDescription


def test_dicom_without_its_images_is_refused_or_told(store, images, tmp_path: Path, refused, capsys) -> None:
    message = refused("annotations", "export", store, "--out", tmp_path / "out", "--format", "seg")
    assert "Name their folder with --images" in message
    (images / "Doe.png").rename(images / "other.txt")
    Image.fromarray(np.ones((40, 60), dtype=np.uint8)).save(images / "another.png")
    argv = ["annotations", "export", store, "--out", tmp_path / "out", "--format", "seg", "--images", images]
    assert main([str(each) for each in argv]) == 2
    assert "warning: 3 annotations left out: no image in" in capsys.readouterr().err


def test_what_is_there_is_not_replaced_unasked(store: Path, tmp_path: Path, refused, accepted) -> None:
    out = tmp_path / "a.json"
    out.write_text("mine")
    assert "exists already. Choose another name with --out" in refused("annotations", "export", store, "--out", out)
    assert out.read_text() == "mine"
    (tmp_path / "masks").mkdir()
    accepted("annotations", "export", store, "--out", tmp_path / "masks", "--format", "png")
    assert "exists already" in refused("annotations", "export", store, "--out", tmp_path / "masks", "--format", "png")


def test_a_foreign_file_comes_in_as_it_is_said(images: Path, tmp_path: Path, accepted, refused, capsys) -> None:
    path, store = tmp_path / "a.json", tmp_path / "new.sqlite"
    square = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    content = {"images": [{"id": 1, "file_name": "Doe.png"}], "categories": [{"id": 1, "name": "x"}]}
    path.write_text(json.dumps({**content, "annotations": [square, {**square, "bbox": [99, 99, 1, 1]}]}))
    command = ("annotations", "import", store, path, "--images", images, "--verdict", "correct", "--reviewer", "R")
    message = refused(*command)
    assert "annotation 2: lies outside the image (60 x 40 pixels)" in message
    assert "or leave them out (--skip-bad)" in message
    assert not store.exists()
    accepted(*command, "--skip-bad")
    assert "warning: Left out: 1 annotation" in capsys.readouterr().err
    (found,) = _all(store).annotations
    assert (found.verdict, found.reviewer, found.class_name) == ("correct", "R", "x")
    assert "unknown category 'x' (known: a, b)" in refused(*command, "--classes", "a, b")


def test_stores_are_merged(store: Path, tmp_path: Path, drawn, accepted, capsys) -> None:
    other = tmp_path / "other.sqlite"
    known = case()
    with AnnotationStore(other) as opened:
        bring_in(opened, Collection(tmp_path, (known,), (annotation(),)))
    accepted("annotations", "merge", store, other)
    assert "1 added, 0 replaced and 0 removed as in" in capsys.readouterr().out
    assert len(_all(store).annotations) == len(drawn) + 1
    accepted("annotations", "merge", store, other)
    assert "0 added" in capsys.readouterr().out


def test_stats_count_and_compare(store: Path, accepted, capsys) -> None:
    accepted("annotations", "stats", store)
    text = capsys.readouterr().out
    assert text.startswith("3 annotations and 2 reviews on 1 image\n")
    for line in ("  Wrong evidence                          2", "  B                                       2"):
        assert line in text.splitlines()
    assert "A and B" in text
    assert NOTICE in text
    accepted("annotations", "stats", store, "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["statistics"]["by_verdict"] == {"wrong": 2, "missed": 1}
    (pair,) = content["agreement"]
    assert (pair["reviewer_a"], pair["reviewer_b"], pair["cases"]) == ("A", "B", 1)
    assert content["notice"] == NOTICE


def test_stores_that_cannot_be_used_are_named(tmp_path: Path, refused) -> None:
    for command in ("stats", "export"):
        more = ("--out", tmp_path / "a") if command == "export" else ()
        assert "gone.sqlite" in refused("annotations", command, tmp_path / "gone.sqlite", *more)
    assert not list(tmp_path.iterdir())
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE a (b)")
    connection.close()
    assert "another program's" in refused("annotations", "stats", tmp_path / "other.sqlite")
