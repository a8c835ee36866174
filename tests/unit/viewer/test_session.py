from pathlib import Path

import numpy as np
import pytest

from softcam_viewer.model import backend
from softcam_viewer.model.session import Session


@pytest.fixture
def session(session_of_tests) -> Session:
    return session_of_tests


def test_the_evidence_of_a_case_left_behind_is_not_shown_for_the_next(session, lanes, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("two")])
    lanes.model.run_all()
    lanes.case.run_all()
    work, done, _ = lanes.quick.waiting.pop(0)
    late = work()
    session.select(1)
    lanes.case.run_all()
    done(late)
    assert session.film.image.source == Path("two")
    assert session.panes.active.explanation is None
    settle()
    assert session.panes.active.explanation is not late.explanation


def test_an_image_that_arrives_late_does_not_replace_the_case_chosen_since(session, lanes, settle):
    session.open_paths([Path("one"), Path("two")])
    settle()
    session._on_image_read(1, backend.read(Path("two"), 0))
    assert session.film.image.source == Path("one")


def test_a_failed_read_says_so_and_shows_no_film(session, lanes, settle):
    messages = []
    session.failed.connect(messages.append)
    session.open_paths([Path("one"), Path("bad")])
    settle()
    session.step(1)
    settle()
    assert session.film.image is None
    assert session.film.window is None
    assert len(messages) == 1
    assert "bad" in messages[0]
    assert session.cases[1].error
    assert session.busy == ""


def test_the_wheel_goes_through_frames_before_it_goes_to_the_next_case(session, lanes, settle):
    session.open_paths([Path("multi"), Path("one")])
    settle()
    seen = []
    for _ in range(4):
        seen.append((session.row, session.film.image.frame))
        session.step_frame(1)
        settle()
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 0)]
    session.step_frame(-1)
    settle()
    assert (session.row, session.film.image.frame) == (0, 0)


def test_the_worklist_tells_the_prediction_of_the_first_frame_whichever_is_in_view(session, settle):
    session.open_model(Path("a-b-c"))
    session.open_paths([Path("multi"), Path("one")])
    settle()
    first = session.cases[0].prediction
    assert first is not None
    session.cases.update_case(0, prediction=("before", 0.5))
    session.step_frame(1)
    settle()
    assert session.film.image.frame == 1
    assert session.panes.active.explanation is not None
    assert session.cases[0].prediction == ("before", 0.5)
    session.step_frame(-1)
    settle()
    assert session.cases[0].prediction == first


def test_stepping_keeps_the_class_shown_and_another_model_resets_it(session, lanes, settle):
    session.open_model(Path("a-b-c"))
    session.open_paths([Path("one"), Path("two")])
    settle()
    assert session.panes.active.overlay.target == 2  # predicted
    session.panes.active.set_overlay(target=0, threshold=0.7)
    session.step(1)
    settle()
    assert session.panes.active.overlay.target == 0
    session.open_model(Path("x-y"))
    settle()
    assert (session.panes.active.overlay.target, session.panes.active.overlay.against) == (1, 0)
    assert session.panes.active.overlay.threshold == 0.7


def test_next_class_goes_round_and_swaps_two_exclusive_classes(session, lanes, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one")])
    settle()
    session.panes.active.next_class()
    assert (session.panes.active.overlay.target, session.panes.active.overlay.against) == (0, 1)
    session.panes.active.next_class()
    assert (session.panes.active.overlay.target, session.panes.active.overlay.against) == (1, 0)


def test_only_a_change_of_class_makes_a_new_map(session, lanes, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one")])
    settle()
    made = session.panes.active.overlay_map
    session.panes.active.set_overlay(threshold=0.5, opacity=0.1, sign="positive")
    assert session.panes.active.overlay_map is made
    session.panes.active.set_overlay(against=None)
    assert session.panes.active.overlay_map is not made


def test_a_setting_that_does_not_change_is_not_announced(session, lanes, settle):
    announced = []
    session.panes.overlay_changed.connect(lambda: announced.append(1))
    session.panes.active.set_overlay(threshold=session.panes.active.overlay.threshold)
    assert announced == []


def test_predictions_of_an_earlier_model_are_forgotten(session, lanes, settle, monkeypatch):
    preview = backend.Preview(np.zeros((4, 4), np.uint8), 1, ("a", 0.9))
    monkeypatch.setattr(backend, "preview", lambda path, model: preview)
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("two")])
    settle()
    session.cases.data(session.cases.index(1), session.cases.CASE_ROLE)
    settle()
    assert session.cases[1].prediction == ("a", 0.9)
    session.open_model(Path("x-y"))
    lanes.model.run_all()
    assert session.cases[1].prediction is None


def test_a_late_prediction_is_not_written_beside_another_case(session, lanes, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("bad")])
    lanes.model.run_all()
    lanes.case.run_all()
    session.select(1)  # its image is not read yet, the film of the first is still in view
    lanes.quick.run_all()
    assert session.cases[0].prediction == ("b", pytest.approx(5.5 / 7))
    assert session.cases[1].prediction is None
    settle()
    assert session.cases[1].prediction is None


def test_a_worklist_learns_the_prediction_whatever_the_panes_show(session, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("two")])
    settle()
    session.panes.active.set_method("cam")
    session.select(1)
    settle()
    assert session.cases[1].prediction[0] == "b"
    assert session.panes.active.explanation.method == "cam"


def test_a_model_is_compared_under_its_own_name_and_closing_it_brings_the_main_one_back(session, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one")])
    settle()
    main = session.model
    session.add_model(Path("x-y-z"))
    settle()
    assert [model.card.name for model in session.models] == ["a b", "x y z"]
    assert session.panes.active.model is session.compared[0]
    session.add_model(Path("x-y-z"))  # again: nothing new
    settle()
    assert len(session.models) == 2
    session.close_compared()
    settle()
    assert session.models == (main,)
    assert session.panes.active.model is main
    assert session.panes.active.explanation.class_names == ("a", "b")


def test_another_main_model_leaves_the_compared_one_where_it_is(session, settle):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one")])
    session.panes.set_layout("1x2")
    settle()
    session.panes.activate(1)
    session.add_model(Path("x-y"))
    settle()
    compared = session.panes.active.model
    session.open_model(Path("c-d"))
    settle()
    assert [pane.model for pane in session.panes.shown] == [session.model, compared]
    assert session.panes.shown[0].explanation.class_names == ("c", "d")


def test_a_model_to_compare_is_the_main_one_where_there_is_none(session, settle):
    session.add_model(Path("a-b"))
    settle()
    assert session.model.card.name == "a b"
    assert session.compared == ()


def test_the_user_sees_that_a_case_is_awaited_until_it_is_there(session, lanes, settle):
    session.open_paths([Path("one"), Path("two")])
    settle()
    session.select(1)
    assert session.busy == "Reading the image…"
    lanes.case.run_all()
    assert session.busy == ""
