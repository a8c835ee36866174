import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Review
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Bitmap, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError, ConflictError

CASE = CaseRecord(key="file-1", height=20, width=30, path="/images/1.png")
OTHER = CaseRecord(key="dicom-2", height=5, width=6, sop_instance_uid="1.2.3")
BOX = Rectangle(top=1, left=2, height=3, width=4)


def flag(**values) -> Annotation:
    return Annotation(**{"case": "file-1", "verdict": "wrong", "class_name": "opacity", "shape": BOX} | values)


def edit(*pairs) -> Edit:
    return Edit(title="Edit", changes=tuple(Change(before=before, after=after) for before, after in pairs))


def add(*records) -> Edit:
    return edit(*((None, record) for record in records))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "annotations.sqlite"


@pytest.fixture
def store(path):
    with AnnotationStore(path, busy_seconds=0.2) as store:
        store.register(CASE, OTHER)
        yield store


def test_what_was_written_is_there_when_it_is_opened_again(path, store) -> None:
    region = Bitmap(top=0.5, left=0.25, bottom=9.1, right=7.7, size=(2, 3), counts=(1, 2, 2, 1))
    records = [flag(), flag(shape=region, comment="«ß»\0\n", confidence=0.3, threshold=1e-300, frame=3)]
    review = Review(case="dicom-2", reviewer="Ann", status="reviewed", labels=())
    store.apply(add(*records, review))
    store.close()
    with AnnotationStore(path) as again:
        assert again.of_case("file-1") == tuple(records)
        assert again.of_case("file-1", 3) == (records[1],)
        assert again.of_case("dicom-2") == again.of_case("file-1", 1) == again.of_case("unknown") == ()
        assert again.reviews_of("dicom-2") == again.reviews() == (review,)
        assert again.cases() == {"file-1": CASE, "dicom-2": OTHER}
        assert again.case("file-3") is None
        assert again.remark == ""


def test_a_store_is_safe_from_a_loss_of_power(path, store) -> None:
    with sqlite3.connect(path) as outside:
        assert outside.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    outside.close()
    settings = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")}
    assert settings == {"synchronous": 2, "foreign_keys": 1}


def test_annotations_come_in_the_order_they_were_made(store) -> None:
    late, early = flag(created=20), flag(created=10)
    store.apply(add(late))
    store.apply(add(early))
    assert store.of_case("file-1") == (early, late)
    assert store.find(Query()) == (late, early)


def test_an_edit_is_taken_back_by_its_inverse(store) -> None:
    one, two, review = flag(), flag(verdict="missed"), Review(case="file-1", reviewer="Ann")
    store.apply(add(one, review))
    changes = edit((one, None), (None, two), (review, review.model_copy(update={"status": "in_review"})))
    store.apply(changes)
    assert store.of_case("file-1") == (two,)
    assert store.reviews_of("file-1")[0].status == "in_review"
    store.apply(changes.inverse)
    assert store.of_case("file-1") == (one,)
    assert store.reviews_of("file-1") == (review,)
    assert store.stored_as(one.id).record == one  # what was removed and came back is no longer gone
    store.apply(add(one, review).inverse)
    assert store.of_case("file-1") == store.reviews() == ()
    assert store.stored_as(one.id).record is None


def test_an_edit_of_what_somebody_else_changed_is_refused_whole(path, store) -> None:
    one, two = flag(), flag()
    store.apply(add(one))
    with AnnotationStore(path) as other:
        other.apply(edit((one, theirs := one.model_copy(update={"comment": "theirs"}))))
    with pytest.raises(ConflictError, match=r"was changed by somebody else meanwhile\. Look at what is there now"):
        store.apply(edit((None, two), (one, None)))
    assert store.of_case("file-1") == (theirs,)
    with pytest.raises(ConflictError, match="was added by somebody else before"):
        store.apply(add(one))
    store.apply(edit((theirs, None)))
    with pytest.raises(ConflictError, match="was removed by somebody else meanwhile"):
        store.apply(edit((theirs, one)))
    assert store.of_case("file-1") == ()


def test_an_edit_that_changes_nothing_writes_nothing(store) -> None:
    one = flag()
    store.apply(add(one))
    before, written = store.version, store.stored_as(one.id).written
    for nothing in (edit(), edit((one, one))):
        store.apply(nothing)
    store.register(CASE)
    assert (store.version, store.stored_as(one.id).written) == (before, written)
    with pytest.raises(ConflictError):
        store.apply(edit((one.model_copy(update={"comment": "old"}),) * 2))


def test_an_edit_that_makes_no_sense_is_refused(store) -> None:
    one = flag()
    with pytest.raises(ValueError, match="one change for each record"):
        store.apply(edit((None, one), (one, None)))
    for pair in ((one, flag()), (one, Review(case="file-1")), (None, None)):
        with pytest.raises(ValueError, match="a change is of one record"):
            store.apply(edit(pair))
    assert store.count(Query()) == 0


def test_an_annotation_of_an_unknown_image_is_refused_whole(store) -> None:
    for stranger in (flag(case="file-9"), Review(case="file-9")):
        with pytest.raises(AnnotationError, match=r"knows no image file-9\. Register the image first"):
            store.apply(add(flag(), stranger))
    assert store.count(Query()) == 0


def test_an_annotation_that_could_not_be_read_again_is_refused(store) -> None:
    for values in ({"confidence": 7}, {"shape": BOX.moved(1e7, 0)}, {"verdict": object()}):
        with pytest.raises(AnnotationError, match=r"cannot hold this annotation: .*\. Change it and save it again"):
            store.apply(add(flag().model_copy(update=values)))
    assert store.count(Query()) == 0


def test_what_is_known_of_a_case_is_kept_where_less_is_told(store) -> None:
    store.register(CASE.model_copy(update={"path": "", "sop_instance_uid": "1.2"}))
    assert store.case("file-1") == CASE.model_copy(update={"sop_instance_uid": "1.2"})
    store.register(CASE.model_copy(update={"path": "/elsewhere/1.png"}))
    assert store.case("file-1").path == "/elsewhere/1.png"


WORDS = ("corner", "Marker", "Größe", "100%", "a_b", "İ", "'")
texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
flags = st.builds(
    flag,
    case=st.sampled_from(["file-1", "dicom-2"]),
    verdict=st.sampled_from(["wrong", "missed"]),
    class_name=st.sampled_from(["opacity", "Nodule"]),
    reviewer=st.sampled_from(["", "Ann", "Bob"]),
    comment=texts,
    model_name=st.sampled_from(["", "DenseNet"]),
    model_sha256=st.sampled_from(["", "0" * 64, "f" * 64]),
    created=st.integers(0, 9).map(float),
)
queries = st.builds(
    Query,
    text=texts | st.sampled_from(["GRÖSSE", "ann nodule", "corn  ARK", "densenet", "%", "_", "\ud800", "opacity\n"]),
    verdicts=st.sampled_from([(), ("wrong",), ("wrong", "missed"), ("unsure",)]),
    class_names=st.sampled_from([(), ("Nodule",), ("nodule",)]),
    reviewers=st.sampled_from([(), ("",), ("Ann", "Bob")]),
    cases=st.sampled_from([(), ("file-1",), ("file-1", "x")]),
    model_sha256=st.sampled_from(["", "f" * 64]),
    since=st.none() | st.integers(0, 9),
    until=st.none() | st.integers(0, 9),
)


def slow_match(query: Query, one: Annotation) -> bool:
    said = [text.casefold() for text in (one.comment, one.class_name, one.reviewer, one.model_name)]
    return (
        all(any(word.casefold() in text for text in said) for word in query.text.replace("\ud800", "?").split())
        and (not query.verdicts or one.verdict in query.verdicts)
        and (not query.class_names or one.class_name in query.class_names)
        and (not query.reviewers or one.reviewer in query.reviewers)
        and (not query.cases or one.case in query.cases)
        and query.model_sha256 in ("", one.model_sha256)
        and (query.since is None or one.created >= query.since)
        and (query.until is None or one.created < query.until)
    )


@given(written=st.lists(flags, max_size=8), asked=st.lists(queries, min_size=1, max_size=6))
@settings(max_examples=60)
def test_what_meets_all_conditions_is_found_newest_first(tmp_path_factory, written, asked) -> None:
    path = tmp_path_factory.getbasetemp() / "found.sqlite"
    path.unlink(missing_ok=True)
    with AnnotationStore(path) as store:
        store.register(CASE, OTHER)
        store.apply(add(*written))
        order = sorted(range(len(written)), key=lambda i: (written[i].created, i), reverse=True)
        for query in asked:
            expected = [written[i] for i in order if slow_match(query, written[i])]
            assert list(store.find(query)) == expected
            assert list(store.iterate(query)) == expected
            assert store.count(query) == len(expected)
            assert list(store.find(query, limit=2, offset=1)) == expected[1:3]


def test_all_are_gone_through_though_they_are_many(store, monkeypatch) -> None:
    monkeypatch.setattr("softcam_core.annotations.store._AT_ONCE", 3)
    written = [flag(created=float(i)) for i in range(10)]
    store.apply(add(*written))
    found = store.iterate(Query())
    first = next(found)
    store.apply(edit((written[0], None)))  # the connection is free meanwhile
    assert [first, *found] == written[:0:-1]


def test_summaries_say_what_there_is_of_each_case(store) -> None:
    assert store.summaries() == {}
    review = Review(case="dicom-2", reviewer="Cem", status="in_review")
    store.apply(add(flag(reviewer="Bob"), flag(reviewer="Ann"), flag(verdict="missed", frame=2), review))
    found = store.summaries()
    assert found["file-1"].counts == {"wrong": 2, "missed": 1}
    assert found["file-1"].total == 3
    assert found["file-1"].reviewers == ("", "Ann", "Bob")
    assert (found["dicom-2"].total, found["dicom-2"].reviewers) == (0, ("Cem",))
    assert found["dicom-2"].statuses == {"Cem": "in_review"}
    assert store.summaries(["dicom-2", "file-9"]) == {"dicom-2": found["dicom-2"]}


def test_the_version_tells_that_anybody_has_written(path, store) -> None:
    seen = [store.version]
    store.apply(add(flag()))
    seen.append(store.version)
    with AnnotationStore(path) as other:
        other.apply(add(flag()))
    seen.append(store.version)
    store.register(CASE.model_copy(update={"path": "/new"}))
    seen.append(store.version)
    assert seen == sorted(set(seen))
    assert store.version == seen[-1]


def add_and_fail(store: AnnotationStore, record: Annotation) -> None:
    with store.writing():
        store.apply(add(record))
        raise KeyError


def test_what_is_written_within_one_transaction_is_there_whole_or_not(store) -> None:
    one, two = flag(), flag()
    with pytest.raises(KeyError):
        add_and_fail(store, one)
    assert store.of_case("file-1") == ()
    with store.writing():
        store.apply(add(one))
        with pytest.raises(ConflictError):
            store.apply(edit((None, two), (two.model_copy(update={"id": "0" * 32}), None)))
    assert store.of_case("file-1") == (one,)


def test_a_moment_is_read_though_others_write(path, store) -> None:
    with AnnotationStore(path) as other, store.snapshot():
        assert store.count(Query()) == 0
        other.apply(add(flag()))
        assert (store.count(Query()), store.summaries()) == (0, {})
    assert store.count(Query()) == 1


def test_what_is_written_later_is_later_though_a_clock_was_put_back(store, monkeypatch) -> None:
    one = flag()
    store.apply(add(one))
    first = store.stored_as(one.id).written
    monkeypatch.setattr("softcam_core.annotations.store.time.time", lambda: 5.0)
    store.apply(edit((one, None)))
    assert store.stored_as(one.id).written > first


WRITER = """
import sys
from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with AnnotationStore(path, busy_seconds=30) as store:
    store.register(CaseRecord(key="file-1", height=20, width=30))
    for number in range(count):
        shape = Rectangle(top=number, left=2, height=3, width=4)
        new = Annotation(case="file-1", verdict="wrong", class_name="a", reviewer=name, shape=shape)
        store.apply(Edit(title="Add", changes=(Change(before=None, after=new),)))
"""


def test_two_programs_that_make_a_store_and_write_at_once_lose_nothing(path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", WRITER, path, name, "60"]) for name in ("Ann", "Bob")]
    assert [child.wait(60) for child in children] == [0, 0]
    with AnnotationStore(path) as store:
        for name in ("Ann", "Bob"):
            tops = [one.shape.top for one in store.of_case("file-1") if one.reviewer == name]
            assert tops == list(range(60))
