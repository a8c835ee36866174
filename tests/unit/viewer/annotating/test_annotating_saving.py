"""Annotations are written in the background, beside other viewers, and are never lost."""

import sqlite3
from pathlib import Path

import pytest

from softcam_core.annotations.annotation import Change, Edit
from softcam_core.annotations.shapes import Ellipse
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError
from tests.support.annotated_store import BOX, meddle, stored

# Coming back, and others


def test_what_was_said_is_there_again_with_its_marks_in_the_worklist(annotating, session, store, settle, make_bench):
    annotating.use_reviewer("AB")
    annotating.draw(BOX)
    session.toggle_reviewed()
    settle()
    other = make_bench()
    other.session.annotating.book.use_store(store)
    other.session.annotating.use_reviewer("AB")
    other.session.open_paths([Path("two"), Path("one")])
    other.settle()
    assert [(case.flags, case.reviewed) for case in other.session.cases.snapshot] == [(0, False), (1, True)]
    other.session.worklist.filter_by("flags>0 verdict:wrong reviewer:ab")
    assert [other.session.cases[row].name for row in other.session.worklist.shown] == ["one"]
    other.session.select(1)
    other.settle()
    assert other.session.annotating.annotations == annotating.annotations
    other.session.annotating.book.close()


def test_what_another_viewer_writes_comes_into_view(annotating, session, store, settle):
    annotating.draw(BOX)
    settle()
    (made,) = annotating.annotations
    theirs = made.model_copy(
        update={"id": "f" * 32, "reviewer": "CD", "verdict": "correct", "created": made.created + 1}
    )
    meddle(store, lambda s: s.apply(Edit(title="", changes=(Change(before=None, after=theirs),))))
    annotating.book.look()
    settle()
    assert annotating.annotations == (made, theirs)
    assert (session.cases[0].flags, session.cases[0].reviewers) == (2, {"", "CD"})


def test_an_edit_that_somebody_came_before_with_is_told_and_dropped(annotating, session, store, settle):
    annotating.draw(BOX)
    settle()
    (made,) = annotating.annotations
    theirs = made.model_copy(update={"comment": "theirs"})
    meddle(store, lambda s: s.apply(Edit(title="", changes=(Change(before=made, after=theirs),))))
    annotating.change(made.id, comment="mine")
    annotating.draw(Ellipse(row=5, column=5, down=2, across=2))
    settle()
    assert [a.comment for a in annotating.annotations] == ["theirs", ""]
    assert "somebody else has changed it meanwhile" in session.messages[0]
    assert annotating.unsaved == 0
    assert [edit.title for edit in annotating.history.done] == ["Draw wrong evidence"] * 2
    annotating.undo()
    settle()
    assert [a.comment for a in stored(store)] == ["theirs"]


# What cannot be saved


@pytest.fixture
def lock(store):
    """Lets another program keep the store."""
    connections = []

    def keep() -> sqlite3.Connection:
        connection = sqlite3.connect(store, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        connections.append(connection)
        return connection

    yield keep
    for connection in connections:
        connection.close()


@pytest.fixture
def impatient(monkeypatch):
    """No store waits for another program."""
    make = AnnotationStore.__init__

    def init(self, path, *, read_only=False, busy_seconds=0.0):
        make(self, path, read_only=read_only, busy_seconds=0.0)

    monkeypatch.setattr(AnnotationStore, "__init__", init)


def test_edits_of_a_locked_store_stay_in_memory_until_it_is_free(annotating, session, store, settle, lock, impatient):
    annotating.draw(BOX)
    settle()
    other = lock()
    annotating.draw(Ellipse(row=5, column=5, down=2, across=2), "correct")
    annotating.change(annotating.annotations[0].id, comment="said meanwhile")
    settle()
    assert annotating.unsaved == 2
    assert str(store) in annotating.problem
    session.select(1)
    settle()
    session.select(0)
    settle()
    assert [a.comment for a in annotating.annotations] == ["said meanwhile", ""]
    other.execute("ROLLBACK")
    annotating.retry()
    settle()
    assert (annotating.unsaved, annotating.problem) == (0, "")
    assert stored(store) == list(annotating.annotations)


def test_what_cannot_be_saved_is_saved_elsewhere(annotating, store, settle, lock, impatient, tmp_path):
    annotating.draw(BOX)
    annotating.draw(Ellipse(row=5, column=5, down=2, across=2))
    settle()
    first, second = annotating.annotations
    lock()
    annotating.change(first.id, comment="new")
    annotating.remove(second.id)
    settle()
    assert annotating.unsaved == 2
    done, copy = [], tmp_path / "copy.sqlite"
    annotating.book.save_copy(copy, done.append, done.append)
    settle()
    assert done == [None]
    assert [a.comment for a in stored(copy)] == ["new"]
    with AnnotationStore(copy, read_only=True) as known:
        assert known.stored_as(second.id).record is None  # a merge takes it away
    with pytest.raises(AnnotationError, match="2 edits could not be saved"):
        annotating.book.close()
    annotating.book._saving._pending.clear()


def test_a_store_that_is_none_is_told_and_edits_wait(annotating, session, store, settle, tmp_path):
    store.write_bytes(b"no database at all, but long enough to look like one" * 40)
    annotating.draw(BOX)
    settle()
    assert annotating.unsaved == 1
    assert "annotations.sqlite" in annotating.problem
    assert len(annotating.annotations) == 1
    store.unlink()
    annotating.retry()
    settle()
    assert (annotating.unsaved, annotating.problem) == (0, "")


def test_another_store_is_used_when_all_is_in_the_one_before(annotating, session, store, settle, tmp_path):
    annotating.draw(BOX)
    annotating.book.use_store(tmp_path / "other.sqlite")
    assert session.messages[0].startswith("Not all annotations are saved yet.")
    settle()
    assert len(stored(store)) == 1
    assert annotating.store_path == tmp_path / "other.sqlite"
    assert annotating.annotations == ()
    assert session.cases[0].flags == 0
    assert annotating.undo_title == ""


def test_what_is_left_when_the_lanes_end_is_written_at_the_end(annotating, store):
    annotating.draw(BOX)
    annotating.book.close()
    assert len(stored(store)) == 1


def test_what_is_said_before_a_case_is_known_waits_for_it(annotating, session, store, lanes, settle):
    session.select(1)
    lanes.case.run_all()  # the image is there
    annotating.draw(BOX)
    assert annotating.annotations == ()
    settle()
    assert [a.case for a in stored(store)] == [annotating.keys.key_of(Path("two"))]
    assert len(annotating.annotations) == 1
