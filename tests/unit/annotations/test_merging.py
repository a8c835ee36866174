from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softcam_core.annotations import store as store_module
from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Review
from softcam_core.annotations.merging import Difference, merge
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.annotations.stored_records import Stored, name_of
from softcam_core.errors import AnnotationError

CASE = CaseRecord(key="file-1", height=20, width=30, path="/here/1.png")


def flag(**values) -> Annotation:
    box = Rectangle(top=1, left=2, height=3, width=4)
    return Annotation(**{"case": "file-1", "verdict": "wrong", "class_name": "opacity", "shape": box} | values)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that edits are written at; it goes on by itself."""
    now = [1000.0]

    def tick() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(store_module.time, "time", tick)
    return now


@pytest.fixture
def stores(tmp_path, clock):
    with AnnotationStore(tmp_path / "a.sqlite") as a, AnnotationStore(tmp_path / "b.sqlite") as b:
        for store in (a, b):
            store.register(CASE)
        yield a, b


def change(store: AnnotationStore, before, after) -> None:
    store.apply(Edit(title="Edit", changes=(Change(before=before, after=after),)))


def content(store: AnnotationStore) -> tuple[dict, dict]:
    return {one.name: one for one in store.stored()}, store.cases()


def test_what_only_the_other_has_is_added(stores) -> None:
    a, b = stores
    other_case = CaseRecord(key="dicom-2", height=5, width=6, sop_instance_uid="1.2", path="/there/2.dcm")
    b.register(other_case, CASE.model_copy(update={"path": "/there/1.png", "sop_instance_uid": "1.1"}))
    mine, theirs, review = flag(), flag(case="dicom-2"), Review(case="file-1", reviewer="Bob", labels=("opacity",))
    change(a, None, mine)
    change(b, None, theirs)
    change(b, None, review)
    report = merge(a, b)
    assert (report.cases, report.added, report.unchanged, report.differing) == (1, 2, 0, ())
    assert (report.replaced, report.removed, report.kept) == (0, 0, 0)
    assert set(a.find(Query())) == {mine, theirs}
    assert a.reviews() == (review,)
    # A path tells where a file lies here; an identifier is that of the image.
    assert a.cases() == {"file-1": CASE.model_copy(update={"sop_instance_uid": "1.1"}), "dicom-2": other_case}
    assert b.count(Query()) == 1
    again = merge(a, b)
    assert (again.cases, again.added, again.unchanged, again.differing) == (0, 0, 2, ())


def test_of_what_both_have_the_later_stands_and_is_told(stores) -> None:
    a, b = stores
    records = [flag(comment=str(i)) for i in range(4)]
    for record in records:
        change(a, None, record)
    merge(b, a)
    changed_there, changed_here, removed_there, removed_here = records
    new_there = changed_there.model_copy(update={"comment": "there"})
    new_here = changed_here.model_copy(update={"comment": "here"})
    old_there = changed_here.model_copy(update={"comment": "earlier"})
    change(b, changed_here, old_there)
    change(a, changed_here, new_here)
    change(b, changed_there, new_there)
    change(b, removed_there, None)
    change(a, removed_here, None)
    report = merge(a, b)
    assert set(report.differing) == {
        Difference(changed_there.id, changed_there, new_there, is_theirs_kept=True),
        Difference(changed_here.id, new_here, old_there, is_theirs_kept=False),
        Difference(removed_there.id, removed_there, None, is_theirs_kept=True),
        Difference(removed_here.id, None, removed_here, is_theirs_kept=False),
    }
    assert (report.added, report.replaced, report.removed, report.kept, report.unchanged) == (0, 1, 1, 2, 0)
    assert set(a.find(Query())) == {new_there, new_here}
    back = merge(b, a)
    assert (back.added, back.replaced, back.removed, back.kept, back.unchanged) == (0, 1, 1, 0, 1)
    assert content(a) == content(b)


def test_a_removal_comes_through_a_third_store_and_an_undo_of_it_stands(stores, tmp_path) -> None:
    a, b = stores
    one = flag()
    change(a, None, one)
    merge(b, a)
    change(a, one, None)
    with AnnotationStore(tmp_path / "c.sqlite") as c:
        first = merge(c, a)
        assert (first.added, c.count(Query())) == (0, 0)
        assert merge(b, c).removed == 1
        assert b.count(Query()) == 0
        change(a, None, one)
        merge(c, a)
        assert merge(b, c).replaced == 1
    assert b.find(Query()) == (one,)


steps = st.lists(
    st.tuples(st.sampled_from(["set", "set", "remove", "review"]), st.integers(0, 3), st.integers(0, 9)), max_size=12
)


def play(store: AnnotationStore, steps: list[tuple[str, int, int]]) -> None:
    """Write records at times that other stores write at too."""
    with store.writing():
        store.put(CASE)
        for kind, which, number in steps:
            record = flag(id=f"{which:032x}", comment=str(number % 3), created=1.0, modified=1.0)
            if kind == "review":
                record = Review(case="file-1", reviewer=str(which), comment=str(number % 3), modified=1.0)
            known = store.stored_as(name_of(record))
            if known is None or known.written < number:
                store.put(Stored(name_of(record), float(number), None if kind == "remove" else record))


@given(plays=st.tuples(steps, steps, steps))
@settings(max_examples=10)
def test_stores_agree_in_whatever_order_they_are_merged(tmp_path_factory, plays) -> None:
    folder = tmp_path_factory.getbasetemp()
    for path in folder.glob("merge-*"):
        path.unlink()
    contents = []
    with ExitStack() as opened:
        parts, wholes = (
            [opened.enter_context(AnnotationStore(folder / f"merge-{kind}-{i}.sqlite")) for i in range(3)]
            for kind in ("part", "whole")
        )
        for part, steps in zip(parts, plays, strict=True):
            play(part, steps)
        for whole, order in zip(wholes, ((0, 1, 2), (2, 1, 0), (1, 2, 0)), strict=True):
            for which in order:
                merge(whole, parts[which])
            contents.append(content(whole))
    assert contents[0] == contents[1] == contents[2]
    for name in contents[0][0]:
        latest = max((n for play in plays for kind, which, n in play if _is_of(name, kind, which)), default=None)
        assert contents[0][0][name].written == latest


def _is_of(name: str, kind: str, which: int) -> bool:
    return name == (f'["file-1", "{which}"]' if kind == "review" else f"{which:032x}")


def test_a_store_is_not_merged_into_itself(stores, tmp_path) -> None:
    a, _ = stores
    (tmp_path / "link.sqlite").symlink_to(a.path)
    with (
        AnnotationStore(tmp_path / "link.sqlite", read_only=True) as same,
        pytest.raises(AnnotationError, match=r"link\.sqlite: is the store that it was to be merged into\. Choose"),
    ):
        merge(a, same)


def test_a_merge_that_fails_changes_nothing(stores) -> None:
    a, b = stores
    for i in range(3):
        change(b, None, flag(comment=str(i)))
    last = b.find(Query())[0].id
    b._db.execute("UPDATE records SET body = '{}' WHERE name = ?", (last,))
    with pytest.raises(AnnotationError, match=rf"b\.sqlite: is damaged: the record {last} cannot be read"):
        merge(a, b)
    assert a.count(Query()) == 0
    with AnnotationStore(b.path, read_only=True) as other, pytest.raises(AnnotationError, match="to be read only"):
        merge(other, a)
