"""Annotating: edits act at once and can be taken back, on whichever case."""

from pathlib import Path

import numpy as np
import pytest

from softcam_core.annotations.annotation import CaseRecord
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_viewer.model.annotation_facts import facts_of
from tests.support.annotated_store import BOX, stored

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
