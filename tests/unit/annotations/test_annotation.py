import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from softcam_core.annotations.annotation import (
    STATUSES,
    VERDICTS,
    Annotation,
    CaseRecord,
    Change,
    Edit,
    Review,
)
from softcam_core.annotations.shapes import Polygon, Rectangle

BOX = Rectangle(top=1, left=2, height=3, width=4)

texts = st.text(st.characters(), max_size=40)  # lone surrogates too
numbers = st.floats(allow_nan=False, allow_infinity=False)
annotations = st.builds(
    Annotation,
    case=st.sampled_from(["file-1", "dicom-2"]),
    frame=st.integers(0, 10_000),
    verdict=st.sampled_from(list(VERDICTS)),
    class_name=texts,
    against=texts,
    shape=st.builds(
        Rectangle, top=st.floats(-1e6, 1e6), left=st.floats(-1e6, 1e6), height=st.floats(1e-9, 1e6), width=st.just(1)
    )
    | st.builds(Polygon, points=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 2), min_size=3, max_size=5).map(tuple)),
    comment=texts,
    reviewer=texts,
    confidence=st.none() | st.floats(0, 1),
    threshold=st.none() | numbers,
    created=numbers,
    modified=numbers,
)
reviews = st.builds(
    Review,
    case=st.just("file-1"),
    reviewer=texts,
    status=st.sampled_from(list(STATUSES)),
    labels=st.none() | st.lists(texts, max_size=3).map(tuple),
    comment=texts,
    modified=numbers,
)


@given(record=annotations | reviews)
def test_records_are_read_as_they_were_written(record) -> None:
    assert type(record).model_validate_json(record.model_dump_json()) == record


@given(before=st.none() | annotations, after=annotations)
def test_an_inverse_edit_takes_the_edit_back(before, after) -> None:
    first, second = Change(before=before, after=after), Change(before=after, after=None)
    edit = Edit(title="Flag", changes=(first, second))
    assert edit.inverse == Edit(title="Flag", changes=(second.inverse, first.inverse))
    assert edit.inverse.changes[1] == Change(before=after, after=before)
    assert edit.inverse.inverse == edit


def test_each_annotation_has_an_id_of_its_own() -> None:
    ids = {Annotation(case="file-1", verdict="wrong", class_name="a", shape=BOX).id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in ids)


def test_text_that_is_no_unicode_is_mended_and_kept() -> None:
    annotation = Annotation(case="file-1", verdict="wrong", class_name="a\ud800", shape=BOX, comment="b\udfff c")
    assert (annotation.class_name, annotation.comment) == ("a?", "b? c")
    assert CaseRecord(key="file-1", height=1, width=1, path="/images/\udcff.png").path == "/images/?.png"


@pytest.mark.parametrize(
    "values",
    [
        {"id": "1"},
        {"id": "G" * 32},
        {"case": ""},
        {"case": "k" * 201},
        {"frame": -1},
        {"verdict": "maybe"},
        {"class_name": "c" * 201},
        {"comment": "c" * 10_001},
        {"confidence": 1.5},
        {"confidence": float("nan")},
        {"threshold": float("inf")},
        {"model_sha256": "abc"},
        {"patient": "somebody"},
    ],
)
def test_what_is_no_annotation_is_refused(values) -> None:
    good = {"case": "file-1", "verdict": "wrong", "class_name": "a", "shape": BOX}
    assert Annotation(**good)
    with pytest.raises(ValidationError):
        Annotation(**good | values)


@pytest.mark.parametrize("values", [{"status": "done"}, {"labels": "a"}, {"labels": ("l" * 201,)}, {"reviewer": None}])
def test_what_is_no_review_is_refused(values) -> None:
    with pytest.raises(ValidationError):
        Review(**{"case": "file-1"} | values)
