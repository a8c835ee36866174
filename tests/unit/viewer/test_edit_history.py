"""The history of edits: one line over all cases, in which held keys are one step."""

import pytest

from softcam_core.annotations.annotation import Annotation, Change, Edit
from softcam_core.annotations.shapes import Rectangle
from softcam_viewer.model.edit_history import EditHistory


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def annotation(top: float = 0.0, case: str = "a") -> Annotation:
    return Annotation(
        id="0" * 32, case=case, verdict="wrong", class_name="x", created=1.0, modified=1.0,
        shape=Rectangle(top=top, left=0, height=1, width=1),
    )  # fmt: skip


def move(begin: float, end: float, title: str = "Move") -> Edit:
    return Edit(title=title, changes=(Change(before=annotation(begin), after=annotation(end)),))


def test_what_was_done_last_is_undone_first_and_done_again_last():
    history = EditHistory()
    first, second = move(0, 1, "One"), move(1, 2, "Two")
    history.push(first)
    history.push(second)
    assert (history.undo_title, history.redo_title) == ("Two", "")
    assert history.undo() == second.inverse
    assert history.undo() == first.inverse
    assert (history.undo_title, history.redo_title) == ("", "One")
    assert history.undo() is None
    assert (history.redo(), history.redo()) == (first, second)
    assert history.redo() is None


def test_a_new_edit_ends_what_could_be_done_again():
    history = EditHistory()
    history.push(move(0, 1))
    history.undo()
    history.push(move(0, 5))
    assert history.redo() is None
    assert history.undo().changes[0].before == annotation(5)


def test_a_key_that_is_held_down_is_one_step(clock):
    history = EditHistory(clock)
    for step in range(5):
        history.push(move(step, step + 1), joins=True)
        clock.now += 0.05
    assert len(history.done) == 1
    assert history.undo() == move(0, 5).inverse


@pytest.mark.parametrize(
    ("second", "pause"),
    [(move(1, 2), 2.0), (move(1, 2, "Other"), 0.1), (move(3, 4), 0.1)],
    ids=["later", "something else", "not from where the first ended"],
)
def test_other_steps_are_not_joined(clock, second, pause):
    history = EditHistory(clock)
    history.push(move(0, 1), joins=True)
    clock.now += pause
    history.push(second, joins=True)
    assert len(history.done) == 2


def test_what_was_undone_is_not_joined_with_what_follows(clock):
    history = EditHistory(clock)
    history.push(move(0, 1), joins=True)
    history.undo()
    history.redo()
    history.push(move(1, 2), joins=True)
    assert len(history.done) == 2


def test_a_step_that_could_not_be_done_is_dropped_whichever_way_it_went():
    history = EditHistory()
    done, undone = move(0, 1, "One"), move(1, 2, "Two")
    history.push(done)
    history.push(undone)
    history.drop(history.undo())
    assert (history.undo_title, history.redo_title) == ("One", "")
    history.drop(done)
    assert history.undo() is None
    history.push(done)
    history.undo()
    history.drop(history.redo())
    assert history.undo() is None
