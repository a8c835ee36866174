"""Annotating: edits act at once, are written in the background, and are never lost."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError
from softcam_viewer.model.annotation_facts import facts_of
from softcam_viewer.model.case_filter import parse_filter
from softcam_viewer.model.case_keys import READ_AT_ONCE
from softcam_viewer.model.finding import PAGE, Finding

BOX = Rectangle(top=1, left=1, height=3, width=4)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "annotations.sqlite"


@pytest.fixture
def session(opened, store, settle):
    """Three classes, two cases, the first in view, and a store that is not there yet."""
    opened.annotating.book.use_store(store)
    settle()
    opened.messages = []
    opened.annotating.failed.connect(opened.messages.append)
    return opened


@pytest.fixture
def annotating(session):
    return session.annotating


def stored(path: Path) -> list[Annotation]:
    with AnnotationStore(path, read_only=True) as store:
        return list(reversed(store.find(Query())))


def meddle(path: Path, change) -> None:
    """What another viewer does."""
    with AnnotationStore(path) as store:
        change(store)


# Edits


def test_nothing_is_made_before_something_is_said(annotating, store, settle, session):
    session.select(1)
    settle()
    assert not store.exists()
    annotating.draw(BOX)
    settle()
    assert store.exists()


def test_a_drawing_is_there_at_once_and_in_the_store_soon(annotating, session, store, settle):
    annotating.use_reviewer("AB")
    annotating.draw(BOX, "missed")
    (made,) = annotating.annotations
    assert (made.verdict, made.shape, made.reviewer, made.frame) == ("missed", BOX, "AB", 0)
    assert (made.class_name, made.method, made.model_name) == ("c", "evidence", "a b c")
    assert annotating.selected == made.id
    assert annotating.unsaved == 1
    settle()
    assert annotating.unsaved == 0
    assert stored(store) == [made]
    with AnnotationStore(store, read_only=True) as known:
        assert known.case(made.case) == CaseRecord(key=made.case, height=10, width=12, path=str(Path("one").absolute()))


def test_a_click_takes_over_the_region_of_the_ledger_under_it(annotating, session):
    session.panes.active.set_overlay(threshold=0.9)
    ledger, overlay = session.weighing.ledger, session.weighing.overlay
    region = ledger.regions[0]
    rows, columns = np.nonzero(ledger.labels == region.number)
    scale = 10 / ledger.labels.shape[0], 12 / ledger.labels.shape[1]
    annotating.flag_at((rows[0] + 0.5) * scale[0], (columns[0] + 0.5) * scale[1], "wrong")
    (made,) = annotating.annotations
    expected = Bitmap.of(ledger.labels == region.number, overlay.box)
    assert made.shape == expected
    assert made.threshold == pytest.approx(0.9 * overlay.scale)
    assert made.unit == overlay.unit
    facts = facts_of(made, session.weighing)
    assert facts.region == region.name
    assert facts.contribution == pytest.approx(region.contribution, rel=1e-4)
    assert facts.area == pytest.approx(region.area, rel=1e-4)


def test_a_click_takes_over_what_hangs_together_in_a_map_without_a_ledger(annotating, session, settle):
    session.panes.active.set_method("cam")
    session.panes.active.set_overlay(threshold=0.9)
    settle()
    assert session.weighing.ledger is None
    overlay = session.panes.active.overlay_map
    row, column = (int(i) for i in np.unravel_index(overlay.values.argmax(), overlay.values.shape))
    height, width = overlay.values.shape
    annotating.flag_at((row + 0.5) * 10 / height, (column + 0.5) * 12 / width)
    (made,) = annotating.annotations
    assert made.shape == Bitmap.of(overlay.values >= np.float32(0.9 * overlay.scale), overlay.box)
    assert (made.method, made.unit, made.threshold) == ("cam", "% of max", pytest.approx(90))
    assert facts_of(made, session.weighing).contribution is None


def test_a_click_beside_all_evidence_says_so(annotating, session):
    session.panes.active.set_overlay(threshold=1.0, sign="negative")
    annotating.flag_at(5, 5)
    session.panes.active.set_overlay(visible=False)
    annotating.flag_at(5, 5)
    assert annotating.annotations == ()
    assert session.messages[0].startswith("No evidence above the threshold lies there.")
    assert session.messages[1].startswith("The overlay is hidden.")


def test_the_same_region_is_flagged_once_and_another_verdict_takes_the_place_of_the_first(annotating):
    told = []
    annotating.told.connect(told.append)
    annotating.flag_region(1, "wrong")
    (first,) = annotating.annotations
    annotating.select("")
    annotating.flag_region(1, "wrong")
    assert annotating.annotations == (first,)
    assert annotating.selected == first.id
    assert len(told) == 1
    annotating.flag_region(1, "correct")
    (changed,) = annotating.annotations
    assert (changed.id, changed.verdict) == (first.id, "correct")
    annotating.use_reviewer("Somebody else")
    annotating.flag_region(1, "wrong")
    assert len(annotating.annotations) == 2


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (Rectangle(top=20, left=0, height=5, width=5), "beside the image"),
        (Polygon(points=((1, 1), (2, 2), (3, 3))), "no area"),
        (Rectangle(top=1, left=1, height=0.01, width=0.01), "no area"),
        (Bitmap(top=0, left=0, bottom=2, right=2, size=(2, 2), counts=(4,)), "no area"),
        (Ellipse(row=-5, column=-5, down=2, across=2), "beside the image"),
    ],
)
def test_what_is_no_place_on_the_image_is_refused_in_words(annotating, session, shape, why):
    annotating.draw(shape)
    assert annotating.annotations == ()
    assert why in session.messages[0]


def test_a_polygon_that_crosses_itself_is_a_place(annotating):
    annotating.draw(Polygon(points=((1, 1), (8, 8), (1, 8), (8, 1))))
    assert len(annotating.annotations) == 1


def test_changes_are_checked_and_each_is_a_step(annotating, session):
    annotating.draw(BOX)
    (made,) = annotating.annotations
    annotating.change(made.id, comment="side marker")
    annotating.change(made.id, confidence=0.67)
    annotating.change(made.id, comment="side marker")  # which it is already
    annotating.change(made.id, shape=Rectangle(top=99, left=0, height=1, width=1))
    annotating.change(made.id, comment="x" * 10_001)
    now = annotating.get(made.id)
    assert (now.comment, now.confidence, now.shape, now.created) == ("side marker", 0.67, BOX, made.created)
    assert len(annotating.history.done) == 3
    assert len(session.messages) == 2


def test_only_their_own_annotations_are_changed_by_reviewers(annotating, session):
    annotating.use_reviewer("AB")
    annotating.draw(BOX)
    (made,) = annotating.annotations
    annotating.use_reviewer("CD")
    annotating.change(made.id, verdict="correct")
    annotating.remove(made.id)
    assert annotating.annotations == (made,)
    assert session.messages == ["This is what AB said. Say what you think of it beside it."] * 2


def test_what_was_said_without_a_name_is_signed_when_there_is_one(annotating, store, settle):
    named = []
    annotating.reviewer_named.connect(named.append)
    assert not annotating.wants_reviewer
    annotating.draw(BOX)
    annotating.set_review(status="in_review")
    assert annotating.wants_reviewer
    annotating.name_reviewer(" AB ")
    assert not annotating.wants_reviewer
    assert named == ["AB"]
    assert [a.reviewer for a in annotating.annotations] == ["AB"]
    assert [review.reviewer for review in annotating.reviews] == ["AB"]
    settle()
    assert annotating.unsaved == 0
    assert stored(store)[0].reviewer == "AB"


def test_who_does_not_want_to_be_named_is_asked_once(annotating):
    annotating.draw(BOX)
    annotating.name_reviewer("")
    annotating.draw(Ellipse(row=5, column=5, down=2, across=2))
    assert not annotating.wants_reviewer
    assert {a.reviewer for a in annotating.annotations} == {""}


# Undo


def test_undo_and_redo_survive_switching_cases_and_bring_theirs_into_view(annotating, session, store, settle):
    annotating.draw(BOX, "wrong")
    session.select(1)
    settle()
    annotating.draw(BOX, "correct")
    told = []
    annotating.told.connect(told.append)
    annotating.undo()
    assert annotating.annotations == ()
    annotating.undo()
    settle()
    assert session.row == 0
    assert annotating.annotations == ()
    assert stored(store) == []
    annotating.redo()
    annotating.redo()
    settle()
    assert session.row == 1
    assert [a.verdict for a in annotating.annotations] == ["correct"]
    assert [a.verdict for a in stored(store)] == ["wrong", "correct"]
    assert told[1] == "Undone: draw wrong evidence, on one."
    assert [case.flags for case in session.cases.snapshot] == [1, 1]


def test_a_removed_annotation_comes_back_as_it_was(annotating, store, settle):
    annotating.draw(BOX)
    (made,) = annotating.annotations
    annotating.remove(made.id)
    assert annotating.annotations == ()
    settle()
    annotating.undo()
    settle()
    assert stored(store) == [made]


def test_annotations_are_of_a_frame_and_undo_goes_to_it(annotating, session, settle):
    session.open_paths([Path("multi"), Path("two")])
    settle()
    session.select(0, 1)
    settle()
    annotating.draw(BOX)
    session.select(0, 2)
    settle()
    assert (annotating.annotations, annotating.elsewhere) == ((), 1)
    annotating.undo()
    settle()
    assert (session.row, session.film.image.frame) == (0, 1)
    annotating.redo()
    assert len(annotating.annotations) == 1


# Reviews


def test_the_mark_of_the_worklist_and_the_review_are_one(annotating, session, store, settle):
    annotating.use_reviewer("AB")
    session.toggle_reviewed()
    settle()
    assert annotating.review.status == "reviewed"
    annotating.set_review(status="open")
    assert not session.cases[0].reviewed
    annotating.undo()
    assert session.cases[0].reviewed
    annotating.undo()  # nothing is said of it any more
    assert not session.cases[0].reviewed
    annotating.redo()
    annotating.use_reviewer("CD")  # who has not
    annotating.set_review(status="in_review", labels=("b",))
    settle()
    assert not session.cases[0].reviewed
    with AnnotationStore(store, read_only=True) as known:
        reviews = {r.reviewer: (r.status, r.labels) for r in known.reviews_of(annotating.case)}
    assert reviews == {"AB": ("reviewed", None), "CD": ("in_review", ("b",))}


def test_a_case_that_only_a_session_file_calls_reviewed_stays_so(annotating, session, settle):
    session.cases.set_reviewed([Path("one"), Path("two")])
    annotating.draw(BOX)
    settle()
    session.select(1)
    settle()
    assert [case.reviewed for case in session.cases.snapshot] == [True, True]


def test_a_case_that_is_not_in_view_is_marked_from_the_worklist(annotating, session, store, settle, monkeypatch):
    from softcam_core.imaging import readers
    from softcam_viewer.model import backend

    monkeypatch.setattr(readers, "read_image", lambda path, frame: backend.read(path, frame).image)
    annotating.set_reviewed(1, on=True)
    assert session.cases[1].reviewed
    settle()
    with AnnotationStore(store, read_only=True) as known:
        (review,) = known.reviews()
    assert (review.case, review.status) == (annotating.keys.key_of(Path("two")), "reviewed")


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


# Finding


def test_the_whole_store_is_found_page_by_page(annotating, session, store, settle):
    record = CaseRecord(key="file-x", height=10, width=12, path="gone.png")
    made = [
        Annotation(
            case="file-x", verdict="wrong", class_name=f"class {n % 3}", shape=BOX, created=float(n), comment="é"
        )
        for n in range(250)
    ]
    changes = tuple(Change(before=None, after=annotation) for annotation in made)
    meddle(store, lambda s: (s.register(record), s.apply(Edit(title="", changes=changes))))
    finding = Finding(annotating.book)
    finding.search()
    settle()
    assert finding.count == 250
    assert finding.row(0) == (made[249], record)
    assert finding.row(PAGE) is None
    settle()
    assert finding.row(PAGE) == (made[249 - PAGE], record)
    finding.look_for(Query(text="É", class_names=("class 1",)))
    finding.search()
    settle()
    assert finding.count == 83
    finding.stop()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flagged", ["two"]),
        ("not flagged", ["one"]),
        ("flags>2", ["two"]),
        ("flags>3", []),
        ("verdict:wrong", ["two"]),
        ("verdict:missed", []),
        ("reviewer:ab", ["two"]),
    ],
)
def test_the_worklist_is_filtered_by_what_was_said(opened, text, expected):
    opened.cases.update_case(1, flags=3, verdicts=frozenset({"wrong"}), reviewers=frozenset({"AB"}))
    shown = parse_filter(text)
    assert [case.name for case in opened.cases.snapshot if shown(case)] == expected


def test_the_worklist_is_sorted_by_flags(opened):
    opened.cases.update_case(1, flags=3)
    opened.worklist.sort_by("flags")
    assert opened.worklist.shown == [1, 0]


# Files that are open


def test_keys_of_all_files_are_found_a_few_at_a_time_as_soon_as_anything_is_said(session, store, settle, lanes):
    annotating = session.annotating
    session.open_paths([Path(f"film {number}") for number in range(20)])
    settle()
    assert annotating.keys.key_of(Path("film 7")) == ""  # nothing was said of any case: none is looked into
    annotating.draw(BOX)
    lanes.store.run_all()
    assert len(lanes.ahead.waiting) == 1
    lanes.ahead.run_next()
    known = [annotating.keys.key_of(Path(f"film {number}")) for number in range(20)]
    assert sum(map(bool, known)) == 1 + READ_AT_ONCE
    settle()
    for number in range(20):
        path = Path(f"film {number}")
        assert annotating.keys.rows_of(annotating.keys.key_of(path)) == (number,)


def test_files_that_are_opened_again_have_their_marks_again(annotating, session, settle):
    annotating.draw(BOX)
    session.toggle_reviewed()
    settle()
    session.open_paths([Path("three")])
    settle()
    session.open_paths([Path("two"), Path("one")])
    settle()
    assert [(case.flags, case.reviewed) for case in session.cases.snapshot] == [(0, False), (1, True)]
    session.select(1)
    annotating.undo()
    settle()
    assert not session.cases[1].reviewed


def test_the_settings_say_where_annotations_are_kept_and_who_reviews(make_bench, tmp_path):
    bench = make_bench()
    annotating = bench.session.annotating
    bench.desk.open_images([bench.disk / "one.png"])
    bench.settle()
    annotating.draw(BOX)
    annotating.name_reviewer("AB")
    bench.settle()
    assert bench.desk.settings.settings.reviewer == "AB"
    assert [a.reviewer for a in stored(bench.desk.folders.annotations)] == ["AB"]
    bench.desk.settings.change(annotation_store=str(tmp_path / "shared.sqlite"), reviewer="CD")
    bench.settle()
    assert annotating.annotations == ()
    annotating.draw(BOX)
    bench.settle()
    assert [a.reviewer for a in stored(tmp_path / "shared.sqlite")] == ["CD"]


def test_without_a_place_to_keep_them_annotations_last_as_long_as_the_session(opened, settle):
    annotating = opened.annotating
    annotating.draw(BOX)
    settle()
    opened.select(1)
    settle()
    opened.select(0)
    settle()
    assert len(annotating.annotations) == 1
    path = annotating.book._access.path
    assert path.exists()
    annotating.book.close()
    assert not path.parent.exists()


def test_agreement_of_reviewers_is_computed_beside_what_is_saved(annotating, session, settle):
    annotating.use_reviewer("AB")
    annotating.draw(BOX)
    settle()
    assert session.agreeing.reviewers == ("AB",)
    annotating.use_reviewer("CD")
    annotating.draw(Rectangle(top=1, left=1, height=3, width=2))
    settle()
    session.agreeing.compute()
    settle()
    (pair,) = session.agreeing.found
    assert (pair.reviewer_a, pair.reviewer_b, pair.cases) == ("AB", "CD", 1)
    assert pair.iou == pytest.approx(0.5)
