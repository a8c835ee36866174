from pathlib import Path

import numpy as np
import pytest

from softcam_core.errors import ImageReadError
from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model import ahead, backend, cases, last_used, pane
from softcam_viewer.model.ahead import ImageCache
from softcam_viewer.model.answers import AnswerCache


def opened_of(name: str, side: int = 10) -> backend.OpenedImage:
    pixels = np.zeros((side, side), np.uint8)
    image = MedicalImage(Path(name), pixels, pixels, pixels, Window.from_limits(0, 255))
    return backend.OpenedImage(image, (name,))


def test_images_not_used_for_longest_are_forgotten_first():
    cache = ImageCache(count=2)
    for name in ("a", "b"):
        cache.put((Path(name), 0), opened_of(name))
    assert cache.get((Path("a"), 0)) is not None
    cache.put((Path("c"), 0), opened_of("c"))
    assert cache.get((Path("b"), 0)) is None
    assert cache.get((Path("a"), 0)) is not None


def test_memory_is_bounded_but_the_image_in_view_is_kept():
    cache = ImageCache(count=9, limit=250)
    for name in "abc":
        cache.put((Path(name), 0), opened_of(name))
    assert (len(cache), cache.size) == (2, 200)
    cache.put((Path("d"), 0), opened_of("d", 100))
    assert len(cache) == 1


@pytest.fixture
def rest(monkeypatch, qtbot, settle):
    """Let the machine do all that it does while nobody asks for anything."""
    monkeypatch.setattr(ahead, "WAIT_MS", 1)

    def wait() -> None:
        for _ in range(6):
            qtbot.wait(2 * 40)
            settle()

    return wait


@pytest.fixture
def session(session_of_tests, settle, rest):
    session_of_tests.open_model(Path("a-b-c"))
    session_of_tests.open_paths([Path(name) for name in ("one", "two", "three", "four")])
    settle()
    rest()
    return session_of_tests


def test_a_step_to_the_next_case_needs_nothing_but_a_look_at_its_file(session, lanes):
    asked = len(session.model.network.asked)
    session.step(1)
    assert session.film.image.source == Path("two")  # at once
    assert session.panes.active.explanation is not None
    assert len(lanes.case.waiting) == 1  # whether the file is what it was
    assert lanes.quick.waiting == []
    assert len(session.model.network.asked) == asked
    assert session.busy == ""


def test_the_next_case_is_that_of_the_worklist_as_it_is_sorted(session, rest, settle):
    session.worklist.sort_by("name")  # four, one, three, two
    rest()
    session.step(1)
    assert session.film.image.source == Path("three")
    settle()
    session.step(-1)
    settle()
    session.step(-1)
    settle()
    assert session.film.image.source == Path("four")


def test_methods_that_the_panes_show_are_made_ready_and_slow_ones_are_not(session, rest, settle):
    session.panes.set_layout("1x2")
    session.panes.shown[0].set_method("rise")
    session.panes.shown[1].set_method("cam")
    settle()
    asked = session.model.network.asked
    asked.clear()
    rest()
    assert "rise" not in {method for method, _ in asked}
    assert "cam" in {method for method, _ in asked}
    session.step(1)
    assert session.panes.shown[1].explanation is not None
    assert session.panes.shown[0].explanation is None


def test_another_method_in_any_pane_is_made_ready_too(session, rest, settle):
    session.panes.set_layout("1x2")
    settle()
    rest()
    session.panes.shown[1].set_method("cam2")
    settle()
    rest()
    session.step(1)
    assert session.panes.shown[1].explanation is not None


def test_nothing_is_prepared_while_the_case_in_view_is_waited_for(session, lanes, qtbot):
    session.select(3)  # not read yet, and nobody does
    qtbot.wait(200)
    assert lanes.ahead.waiting == []
    assert lanes.quick.waiting == []


def test_a_file_that_is_gone_when_it_is_shown_from_memory_says_so(session, settle, monkeypatch):
    messages = []
    session.failed.connect(messages.append)

    def gone(path, frame):
        raise ImageReadError(path, "was removed")

    monkeypatch.setattr(backend, "key_of", gone)
    session.step(1)
    settle()
    assert session.film.image is None
    assert session.cases[1].error
    assert len(messages) == 1


def test_frames_of_a_file_are_read_ahead_too(session_of_tests, settle, rest):
    session = session_of_tests
    session.open_paths([Path("multi"), Path("one")])
    settle()
    rest()
    session.step_frame(1)
    assert session.film.image.frame == 1  # at once


def test_memory_is_bounded_when_many_cases_are_looked_at(session_of_tests, settle, monkeypatch):
    session = session_of_tests
    limit = 30 * 2**20
    monkeypatch.setattr(cases, "THUMBNAILS", 5)
    monkeypatch.setattr(session._explaining, "cache", AnswerCache(limit))
    session.open_model(Path("a-b-c"))
    session.open_paths([Path(f"case {n}") for n in range(40)])
    session.panes.set_layout("1x2")
    session.panes.shown[1].set_method("cam")
    settle()
    sizes = []
    for _ in range(39):
        session.step(1)
        settle()
        sizes.append(session._explaining.cache.size)
    session.explain_all()
    settle()
    assert session.row == 39
    assert len(session._images) <= ahead.IMAGES
    assert limit / 2 < max(sizes) <= limit
    assert sum(case.is_explained for case in session.cases.snapshot) == 40
    assert sum(case.thumbnail is not None for case in session.cases.snapshot) <= 5
    assert len(session.figures._cells._values) <= last_used.KEPT


def test_maps_of_evidence_are_ready_to_be_drawn_in_the_classes_that_are_shown(session, rest, settle, monkeypatch):
    panes = session.panes
    panes.set_layout("1x2")
    panes.shown[1].set_method("evidence")
    panes.shown[1].set_overlay(target=0, against=None)
    session.step(1)
    settle()
    rest()
    made = []
    monkeypatch.setattr(pane, "make_overlay_map", lambda *arguments, **options: made.append(arguments))
    session.step(1)
    assert session.film.image.source == Path("three")
    assert [shown.overlay_map is not None for shown in panes.shown] == [True, True]
    assert panes.shown[0].overlay.target != panes.shown[1].overlay.target
    assert made == []


def test_what_is_made_ready_is_what_the_panes_then_ask_for(session, settle):
    panes = session.panes
    panes.set_layout("2x2")
    panes.shown[1].set_method("rise")
    settle()
    panes.toggle_pinned(panes.shown[2])
    opened = opened_of("elsewhere")
    asked = [request.question.method for request in panes.requests(opened)]
    assert asked == ["evidence", "rise", panes.shown[3].method]
    assert {request.question.image for request in panes.requests(opened)} == {opened.key}
    assert [request.is_quick for request in panes.requests(opened)] == [True, False, True]
