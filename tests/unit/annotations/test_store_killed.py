"""A program that writes is killed in the middle."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from softcam_core.annotations.annotation import Annotation, Edit, Review
from softcam_core.annotations.query import Query
from softcam_core.annotations.store import AnnotationStore
from softcam_core.annotations.stored_records import name_of

EDITS = 1000
WRITER = """
import random, sys
from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Review
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore

rng = random.Random(int(sys.argv[2]))
with AnnotationStore(sys.argv[1]) as store:
    keys = [f"file-{i}" for i in range(5)]
    store.register(*(CaseRecord(key=key, height=20, width=30) for key in keys))
    here, done = {}, []

    def new():
        shape = Rectangle(top=rng.random(), left=2, height=3, width=4)
        return Annotation(case=rng.choice(keys), verdict="wrong", class_name="a", shape=shape, comment="c" * 300)

    def edit():
        kind = rng.choice(["add", "add", "change", "remove", "several", "review"])
        known = list(here.values())
        if kind == "review":
            review = Review(case=rng.choice(keys), comment=str(rng.random()))
            return Edit(title=kind, changes=(Change(before=here.get(review.case), after=review),))
        if kind == "several":
            return Edit(title=kind, changes=tuple(Change(before=None, after=new()) for _ in range(rng.randrange(1, 9))))
        if kind in ("change", "remove") and known:
            one = rng.choice(known)
            after = one.model_copy(update={"comment": str(rng.random())}) if kind == "change" else None
            return Edit(title=kind, changes=(Change(before=one, after=after),))
        return Edit(title="add", changes=(Change(before=None, after=new()),))

    for _ in range(1000):
        is_undo = bool(done) and rng.random() < 0.2
        this = done.pop().inverse if is_undo else edit()
        print(this.model_dump_json(), flush=True)
        store.apply(this)
        print("written", flush=True)
        if not is_undo:
            done.append(this)
        for change in this.changes:
            record = change.before or change.after
            key = record.id if isinstance(record, Annotation) else record.case
            here.pop(key, None)
            if change.after is not None:
                here[key] = change.after
"""


def replay(edits: list[Edit]) -> dict[str, Annotation | Review]:
    records: dict[str, Annotation | Review] = {}
    for edit in edits:
        for change in edit.changes:
            if change.before is not None:
                assert records.pop(name_of(change.before)) == change.before
            if change.after is not None:
                records[name_of(change.after)] = change.after
    return records


def run_and_kill(path: Path, seed: int, after: int) -> tuple[list[Edit], Edit | None]:
    """Edits that were written for certain, and the one in flight."""
    written: list[Edit] = []
    last = None
    with subprocess.Popen([sys.executable, "-c", WRITER, path, str(seed)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "written\n":
                assert last is not None
                written.append(last)
                last = None
                if len(written) == after:
                    child.kill()
            elif line.endswith("\n"):
                last = Edit.model_validate_json(line)
    return written, last


@pytest.mark.parametrize(("seed", "after"), [(1, 40), (2, 400)])
def test_at_most_the_edit_in_flight_is_missing(tmp_path, seed: int, after: int) -> None:
    path = tmp_path / "annotations.sqlite"
    written, in_flight = run_and_kill(path, seed, after)
    assert after <= len(written) < EDITS
    assert len({edit.title for edit in written}) >= 5
    with AnnotationStore(path) as store:
        there = {name_of(record): record for record in (*store.find(Query()), *store.reviews())}
        assert there in [replay(written), replay([*written, in_flight] if in_flight else written)]
        assert {one.name for one in store.stored() if one.record is not None} == there.keys()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
