"""What was said is found again, in the store and in the worklist."""

from pathlib import Path

import pytest

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Rectangle
from softcam_viewer.model.case_filter import parse_filter
from softcam_viewer.model.case_keys import READ_AT_ONCE
from softcam_viewer.model.finding import PAGE, Finding
from tests.support.annotated_store import BOX, meddle, stored

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
