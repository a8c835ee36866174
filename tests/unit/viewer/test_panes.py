from pathlib import Path

import numpy as np
import pytest

from softcam_viewer.model import backend


@pytest.fixture
def panes(opened):
    return opened.panes


def methods(panes) -> list[str]:
    return [pane.method for pane in panes.shown]


def test_new_panes_show_quick_methods_of_other_families_that_can_explain_the_model(opened, panes, settle):
    opened.model.refusals["lrp"] = "no rule"
    panes.set_layout("2x2")
    settle()
    assert methods(panes) == ["evidence", "cam", "cam2", "evidence"]
    assert all(pane.explanation is not None for pane in panes.shown)


def test_new_panes_take_over_the_class_and_the_look_of_the_active_one(panes, settle):
    panes.active.set_overlay(target=0, against=1, opacity=0.3)
    panes.set_layout("1x2")
    settle()
    assert panes.shown[1].aim == (0, 1)
    assert panes.shown[1].overlay.opacity == 0.3
    assert panes.shown[1].explanation.targets[0].against == 1


def test_panes_out_of_view_are_not_computed_and_come_back_as_they_were(opened, panes, settle):
    panes.set_layout("2x2")
    settle()
    panes.activate(3)
    panes.shown[1].set_method("rise")
    panes.set_layout("1x1")
    assert panes.active_index == 0
    opened.model.network.asked.clear()
    opened.step(1)
    settle()
    assert {method for method, _ in opened.model.network.asked} == {"evidence"}
    panes.set_layout("1x2")
    settle()
    assert methods(panes) == ["evidence", "rise"]
    assert panes.shown[1].explanation.method == "rise"


def test_the_active_pane_goes_round_and_stays_in_view(panes, settle):
    panes.set_layout("1x2")
    seen = []
    panes.active_changed.connect(lambda: seen.append(panes.active_index))
    panes.step(1)
    panes.step(1)
    panes.step(-1)
    panes.activate(2)  # not in view
    assert seen == [1, 0, 1]


def test_what_the_panels_hear_is_of_the_active_pane(panes, settle):
    panes.set_layout("1x2")
    settle()
    heard = []
    panes.overlay_changed.connect(lambda: heard.append(panes.active_index))
    panes.shown[1].set_overlay(opacity=0.1)
    panes.shown[0].set_overlay(opacity=0.2)
    assert heard == [0]


def test_a_method_is_asked_for_the_class_that_is_shown(panes, settle):
    panes.active.set_overlay(target=1, against="rest")
    panes.active.set_method("cam")
    settle()
    assert panes.active.explanation.targets[0].against == "rest"
    panes.active.set_overlay(target=0)
    assert panes.active.explanation is None  # never the map of one class under the name of another
    settle()
    assert panes.active.explanation.targets[0].of == 0
    assert np.array_equal(panes.active.overlay_map.grid, panes.active.explanation.grid[0])


def test_going_back_computes_nothing(opened, panes, settle):
    panes.active.set_method("cam")
    settle()
    opened.step(1)
    settle()
    asked = opened.model.network.asked
    asked.clear()
    opened.step(-1)
    settle()
    assert panes.active.explanation.method == "cam"
    panes.active.set_method("evidence")
    assert panes.active.explanation.is_evidence  # at once
    panes.active.set_method("cam:layer=x")
    settle()
    panes.active.set_method("cam")
    assert panes.active.explanation.method == "cam"
    assert [method for method, _ in asked] == ["cam:layer=x"]


def test_evidence_is_computed_once_for_all_classes_and_panes(opened, panes, settle):
    panes.set_layout("1x2")
    panes.shown[1].set_method("evidence")
    opened.model.network.asked.clear()
    opened.step(1)
    settle()
    for target in range(3):
        panes.shown[1].set_overlay(target=target)
    settle()
    assert opened.model.network.asked == [("evidence", None)]


def test_a_file_that_changed_is_explained_again(opened, panes, settle, monkeypatch):
    read = backend.read
    opened.step(1)
    settle()
    monkeypatch.setattr(backend, "read", lambda path, frame: backend.OpenedImage(read(path, frame).image, (path, 1, 2)))
    opened.model.network.asked.clear()
    opened.step(-1)
    settle()
    assert opened.model.network.asked == [("evidence", None)]


def test_slow_methods_do_not_hold_up_quick_ones(panes, lanes, settle):
    panes.set_layout("1x2")
    settle()
    panes.shown[1].set_method("rise")
    panes.shown[0].set_method("cam2")
    lanes.quick.run_all()
    assert panes.shown[0].explanation.method == "cam2"
    assert panes.shown[1].progress == 0
    settle()
    assert panes.shown[1].explanation.method == "rise"


def test_progress_is_told_and_ends_with_the_map(panes, lanes, monkeypatch):
    monkeypatch.setattr("softcam_viewer.model.explaining.PROGRESS_SECONDS", 0.0)
    pane, seen = panes.active, []
    pane.progressed.connect(lambda: seen.append(pane.progress))
    pane.set_method("rise")
    assert pane.progress == 0
    lanes.slow.run_all()
    assert [share for share in seen if share is not None][-4:] == [0, 0.25, 0.5, 0.75]
    assert pane.progress is None
    assert pane.overlay_map is not None


def test_a_method_that_was_stopped_says_so_and_can_be_started_again(opened, panes, lanes, settle):
    pane = panes.active
    pane.set_method("rise")
    panes.cancel(pane)
    assert pane.is_stopped
    assert pane.progress is None
    opened.model.network.asked.clear()
    settle()
    assert opened.model.network.asked == []  # it had not begun
    assert pane.explanation is None
    panes.retry(pane)
    settle()
    assert pane.explanation.method == "rise"
    assert not pane.is_stopped


def test_what_runs_is_told_to_stop_when_its_answer_is_not_wanted_any_more(opened, panes, lanes, settle, monkeypatch):
    pane, explained, asked = panes.active, backend.explain, []

    def switch_while_running(network, image, method, aim, views, on_progress, should_stop):
        if method == "rise":
            asked.append(should_stop())
            pane.set_method("cam")
            asked.append(should_stop())
        return explained(network, image, method, aim, views, on_progress, should_stop)

    monkeypatch.setattr(backend, "explain", switch_while_running)
    pane.set_method("rise")
    settle()
    assert asked == [False, True]
    assert pane.explanation.method == "cam"


@pytest.mark.parametrize("change", ["case", "class", "model", "layout"])
def test_a_change_stops_what_is_computed_for_before(opened, panes, lanes, settle, change):
    panes.set_layout("1x2")
    settle()
    pane = panes.shown[1]
    pane.set_method("rise")
    opened.model.network.asked.clear()
    changes = {
        "case": lambda: opened.step(1),
        "class": lambda: pane.set_overlay(target=0),
        "model": lambda: opened.open_model(Path("x-y")),
        "layout": lambda: panes.set_layout("1x1"),
    }
    changes[change]()
    lanes.case.run_all()
    lanes.model.run_all()
    first, lanes.slow.waiting[:] = lanes.slow.waiting[0], lanes.slow.waiting[1:]
    assert first[0]() is None
    assert all(method != "rise" for method, _ in opened.model.network.asked)
    settle()
    assert (pane.explanation is None) == (change == "layout")


def test_two_panes_that_ask_the_same_share_the_work(opened, panes, lanes, settle):
    panes.set_layout("1x2")
    settle()
    opened.model.network.asked.clear()
    for pane in panes.shown:
        pane.set_method("rise")
    panes.shown[0].set_method("evidence")  # the other one still wants it
    settle()
    assert [method for method, _ in opened.model.network.asked] == ["rise"]
    assert panes.shown[1].explanation.method == "rise"


def test_a_refusal_is_the_panes_alone_and_the_prediction_is_still_known(opened, panes, settle):
    messages = []
    opened.failed.connect(messages.append)
    panes.set_layout("1x2")
    panes.shown[1].set_method("lrp")
    settle()
    assert "no rule for a layer" in panes.shown[1].error
    assert panes.shown[0].explanation is not None
    assert messages == []
    assert panes.prediction_of(panes.shown[1]).class_names == ("a", "b", "c")
    panes.shown[1].set_method("cam")
    settle()
    assert panes.shown[1].error == ""


def test_a_model_with_other_classes_shows_the_class_that_its_method_chooses(opened, panes, settle):
    panes.active.set_overlay(target=0, against=2)
    panes.active.set_method("cam")
    settle()
    opened.add_model(Path("x-y"))
    settle()
    assert panes.active.aim == (1, None)
    assert panes.active.explanation.class_names == ("x", "y")


def test_without_an_image_nothing_is_asked(session_of_tests, settle, lanes):
    session_of_tests.open_model(Path("a-b"))
    settle()
    session_of_tests.panes.active.set_method("cam")
    assert not lanes.quick.waiting
    assert session_of_tests.panes.active.explanation is None


def test_peeking_hides_nothing_for_good(panes):
    told = []
    panes.peeked.connect(lambda: told.append(panes.is_peeking))
    panes.peek(on=True)
    panes.peek(on=True)
    panes.peek(on=False)
    assert told == [True, False]
    assert panes.active.overlay.visible


def test_swapped_panes_change_places_and_the_active_one_stays_active(panes, settle):
    panes.set_layout("2x2")
    settle()
    first, fourth = panes.shown[0], panes.shown[3]
    panes.swap(0, 3)
    assert (panes.shown[3], panes.shown[0]) == (first, fourth)
    assert panes.active is first
    assert panes.active_index == 3
    panes.swap(0, 4)  # not in view
    panes.swap(2, 2)
    assert panes.shown[0] is fourth


def test_a_maximised_pane_is_alone_on_screen_until_it_is_let_go_or_the_layout_changes(panes, settle):
    panes.maximise(on=True)
    assert not panes.is_maximised  # there is but one
    panes.set_layout("1x2")
    settle()
    panes.maximise(on=True)
    assert panes.visible == (panes.shown[0],)
    panes.step(1)
    assert panes.visible == (panes.shown[1],)
    panes.maximise(on=False)
    assert panes.visible == panes.shown
    panes.maximise(on=True)
    panes.set_layout("2x2")
    assert panes.visible == panes.shown


def test_two_panes_blink_in_one_place_until_stopped(panes, settle, qtbot):
    panes.toggle_blinking()
    assert not panes.is_blinking  # with whom?
    panes.set_layout("2x2")
    settle()
    panes.activate(3)
    panes.toggle_blinking()
    seen = [panes.visible]
    for _ in range(2):
        with qtbot.waitSignal(panes.active_changed):
            pass
        seen.append(panes.visible)
    assert seen == [(panes.shown[3],), (panes.shown[0],), (panes.shown[3],)]
    panes.toggle_blinking()
    assert panes.visible == panes.shown
    assert panes.active_index == 3
    panes.toggle_blinking()
    panes.activate(1)
    assert not panes.is_blinking
    assert panes.active_index == 1


def test_the_look_of_a_pane_is_copied_to_all_but_their_classes_stay(panes, settle):
    panes.set_layout("1x2")
    settle()
    panes.shown[1].set_overlay(target=0, against=None)
    panes.active.set_overlay(target=1, against=0, opacity=0.3, threshold=0.5, sign="negative")
    panes.copy_overlay()
    copied = panes.shown[1].overlay
    assert (copied.opacity, copied.threshold, copied.sign) == (0.3, 0.5, "negative")
    assert (copied.target, copied.against) == (0, None)


def test_a_pinned_pane_keeps_its_case_and_window_and_asks_about_it(opened, panes, settle):
    panes.set_layout("1x2")
    settle()
    pane, path = panes.shown[1], opened.film.image.source
    panes.toggle_pinned(pane)
    settle()
    assert panes.is_pinned(pane)
    window = pane.film.window
    shown = pane.explanation
    opened.step(1)
    opened.film.toggle_inverted()
    settle()
    assert opened.film.image.source != path
    assert (pane.film.image.source, pane.film.window, pane.film.inverted) == (path, window, False)
    assert pane.explanation is shown
    opened.model.network.asked.clear()
    pane.set_method("rise")
    settle()
    assert pane.explanation.method == "rise"
    panes.toggle_pinned(pane)
    settle()
    assert pane.film is opened.film
    assert pane.explanation is not None


def test_a_pane_that_goes_out_of_view_follows_the_worklist_again(panes, settle):
    panes.set_layout("1x2")
    settle()
    panes.toggle_pinned(panes.shown[1])
    settle()
    panes.set_layout("1x1")
    assert not panes.is_pinned(panes.made[1])


def test_panes_of_one_unit_share_a_scale_and_others_keep_theirs(panes, settle):
    panes.set_layout("2x2")
    for pane, method in zip(panes.shown, ("evidence", "evidence", "cam", "random"), strict=True):
        pane.set_method(method)
    settle()
    first, second, cam, _ = panes.shown
    first.set_overlay(target=2, against=None)
    second.set_overlay(target=0, against=None)
    own = first.overlay_map.limit, second.overlay_map.limit
    assert own[0] > own[1]
    panes.share_scale(on=True)
    assert (first.overlay_map.scale, second.overlay_map.scale) == (own[0], own[0])
    assert first.overlay_map.is_shared
    assert not cam.overlay_map.is_shared  # in percent of its own largest value
    first.set_overlay(target=1)
    assert second.overlay_map.scale == first.overlay_map.limit < own[0]
    panes.share_scale(on=False)
    assert second.overlay_map.scale == own[1]
    assert not first.overlay_map.is_shared
