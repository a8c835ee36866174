"""Annotating where the store refuses, and where somebody else works on it: told in words, and nothing lost."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from softcam_core.annotations import store as core_store
from softcam_core.annotations import store_connection
from softcam_core.annotations.annotation import Annotation, Edit
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Polygon, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_viewer.model.annotating import Annotating

BOX = Rectangle(top=1, left=1, height=3, width=4)
OUTLINE = Polygon(points=tuple((1 + i % 2, i / 50) for i in range(500)), is_freehand=True)
"""More than a page of a store holds."""
REMARK = "side marker"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "annotations.sqlite"


def stored(path: Path) -> dict[str, Annotation]:
    with AnnotationStore(path, read_only=True) as known:
        return {annotation.id: annotation for annotation in known.find(Query())}


@contextmanager
def newer(path: Path, _monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    (version,) = other.execute("PRAGMA user_version").fetchone()
    other.execute(f"PRAGMA user_version = {version + 1}")
    yield
    other.execute(f"PRAGMA user_version = {version}")
    other.close()


@contextmanager
def read_only(_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(store_connection, "_may_write", lambda _path: False)
        yield


@contextmanager
def full(_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def connect_to_full_disk(path: Path, *, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
        connection = store_connection.connect(path, read_only=read_only, busy_seconds=busy_seconds)
        if path.name == "annotations.sqlite":
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(core_store, "connect", connect_to_full_disk)
        yield


@pytest.mark.parametrize(
    ("refusing", "words"),
    [
        (newer, "newer version"),
        (read_only, "is read-only. Make the file and its folder writable"),
        (full, "there is no more space. Make room and try again"),
    ],
)
def test_what_a_store_refuses_is_kept_and_told_until_it_takes_it(
    opened, make_bench, store, settle, monkeypatch, tmp_path, refusing, words
):
    first = opened.annotating
    first.book.use_store(store)
    first.draw(BOX)
    settle()
    (made,) = first.annotations
    with refusing(store, monkeypatch):
        # Another viewer is opened on it.
        bench = make_bench()
        bench.session.annotating.book.use_store(store)
        bench.session.open_paths([Path("two"), Path("one")])
        bench.settle()
        annotating = bench.session.annotating
        annotating.draw(OUTLINE)
        annotating.change(annotating.selected, comment=REMARK)
        bench.settle()
        assert annotating.unsaved == 2
        assert annotating.problem.startswith(str(store))
        assert words in annotating.problem
        # All that was said is there as if it were saved, and goes where one wants to have it.
        bench.session.select(1)
        bench.settle()
        bench.session.select(0)
        bench.settle()
        (said,) = annotating.annotations
        assert said.comment == REMARK
        done: list[object] = []
        annotating.book.save_copy(tmp_path / "copy.sqlite", done.append, done.append)
        bench.settle()
        assert done == [None]
        assert list(stored(tmp_path / "copy.sqlite").values()) == [said]
        annotating.undo()
        annotating.redo()
        bench.settle()
        assert annotating.unsaved == 4
    annotating.retry()
    bench.settle()
    assert (annotating.unsaved, annotating.problem) == (0, "")
    assert stored(store) == {made.id: made, said.id: said}


class Person:
    """Somebody without a name, who makes random edits of the case in view.

    Attributes
    ----------
    made, saved, refused : int
        Edits that were handed over, that are in the store, and that the user was told were not done.
    """

    def __init__(self, annotating: Annotating, rng: random.Random) -> None:
        self.annotating, self._rng = annotating, rng
        self.made = self.saved = self.refused = 0
        self._put, annotating.book.put = annotating.book.put, self._count_made
        annotating.book._saving.written.connect(self._count_saved)
        annotating.failed.connect(self._count_refused)

    def _count_made(self, edit: Edit) -> None:
        self.made += 1
        self._put(edit)

    def _count_saved(self, edits: tuple[Edit, ...]) -> None:
        self.saved += len(edits)

    def _count_refused(self, message: str) -> None:
        assert "somebody else has changed it meanwhile, so this was not done" in message
        self.refused += 1

    def act(self) -> None:
        rng, annotating = self._rng, self.annotating
        known = [annotation.id for annotation in annotating.annotations]
        match rng.choice(("draw", "draw", "change", "change", "remove", "undo", "redo", "review")):
            case "draw":
                annotating.draw(BOX.moved(rng.uniform(0, 5), rng.uniform(0, 5)))
            case "change" if known:
                annotating.change(rng.choice(known), comment=f"said {rng.random()}")
            case "remove" if known:
                annotating.remove(rng.choice(known))
            case "undo":
                annotating.undo()
            case "redo":
                annotating.redo()
            case "review":
                annotating.set_review(comment=f"said {rng.random()}")


@pytest.mark.parametrize("seed", range(3))
def test_two_viewers_on_one_store_agree_and_tell_all_that_was_not_done(make_bench, store, seed):
    rng = random.Random(seed)
    benches = [make_bench(), make_bench()]
    for bench in benches:
        bench.session.annotating.book.use_store(store)
        bench.session.open_paths([Path("one")])
        bench.settle()
    people = [Person(bench.session.annotating, rng) for bench in benches]
    for _ in range(120):
        number = rng.randrange(2)
        people[number].act()
        if rng.random() < 0.2:
            people[number].annotating.book.look()
        waiting = [lane for lane in benches[number].all_lanes if lane.waiting]
        if waiting and rng.random() < 0.5:
            rng.choice(waiting).run_next()
    for bench in benches * 2:
        bench.settle()
        bench.session.annotating.book.look()
        bench.settle()
    there = stored(store)
    assert there
    for person in people:
        assert {annotation.id: annotation for annotation in person.annotating.annotations} == there
        assert person.annotating.unsaved == 0
        assert person.made == person.saved + person.refused
    assert sum(person.refused for person in people) > 0
