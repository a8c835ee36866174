"""Annotations are seen on the image, and panes show those of the case in view."""

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from softcam_core.annotations.annotation import Annotation
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.image_view import ImageView
from softcam_viewer.ui.canvas.verdict_looks import LOOKS
from tests.support.marking import BOX, TRIANGLE, Book, at, grey_image, shown_view

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(qapp) -> Iterator[ImageView]:
    yield from shown_view()


@pytest.fixture
def tools(view: ImageView) -> Tools:
    return view._tools


@pytest.fixture
def book(view: ImageView) -> Book:
    return Book(view)


def light(image: np.ndarray) -> int:
    """How much is drawn that is lighter than the film."""
    return int((image.max(axis=2) - 60).clip(0).sum())


def test_marks_are_drawn_by_verdict_with_thicker_selected_and_thinner_others(view, tools, pixels):
    counts = {}
    for name in LOOKS:
        mark = Annotation(case="a", class_name="", verdict=name, shape=BOX, reviewer="me")
        view.show_marks([mark], "", reviewer="me")
        usual = light(pixels(view))
        view.show_marks([mark], mark.id, reviewer="me")
        thick = light(pixels(view))
        view.show_marks([mark], "", reviewer="you")
        counts[name] = (light(pixels(view)), usual, thick)
    assert all(thin < usual < thick for thin, usual, thick in counts.values()), counts
    assert counts["missed"][1] < 0.9 * counts["wrong"][1]  # a dashed line, as bright in red
    assert len({(look.sign, look.color, look.dashes) for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.sign for look in LOOKS.values()}) == len(LOOKS)


def test_marks_can_be_hidden_and_belong_to_one_image(view, tools, book, pixels):
    empty = pixels(view)
    book.draw(BOX)
    drawn = pixels(view)
    assert (drawn != empty).any()
    tools.show_marks(on=False)
    assert np.array_equal(pixels(view), empty)
    assert view.marks.at(view.widget_position(30, 40), view) == ()
    tools.show_marks(on=True)
    assert np.array_equal(pixels(view), drawn)
    view.show_image(grey_image("b.png"))
    assert np.array_equal(pixels(view), empty)


def test_marks_move_with_the_image(view, book, pixels):
    book.draw(BOX)
    book.draw(TRIANGLE, "correct")
    book.pick("")
    view.zoom(2)
    before = pixels(view)
    view.pan(QPointF(30, 20))
    panned = pixels(view)
    view.marks.show(book.marks, "", "wrong", "")  # drawn anew
    view.viewport().update()
    assert np.abs(pixels(view) - panned).max() < 12
    inner = (slice(150, 350), slice(150, 450))
    assert np.abs(panned[170:370, 180:480] - before[inner]).max(axis=2).mean() < 4


# In the window


def test_a_pane_draws_flags_and_shows_what_is_said_of_the_case_in_view(open_demo, settle, qtbot, move):
    viewer = open_demo(2)
    session, grid = viewer.session, viewer.window.grid
    session.panes.set_layout("1x2")
    settle()
    first, second = (pane.view for pane in grid.panes)
    viewer.window.commands["tool_rectangle"].trigger()
    height, width = first.image_size
    places = [at(first, share * height, share * width) for share in (0.1, 0.2, 0.3)]
    QTest.mousePress(first.viewport(), LEFT, pos=places[0])
    for place in places[1:]:
        move(first, place, LEFT)
    QTest.mouseRelease(first.viewport(), LEFT, pos=places[-1])
    settle()
    (mark,) = session.annotating.annotations
    assert (mark.shape.kind, mark.verdict) == ("rectangle", "wrong")
    assert first.marks.marks == second.marks.marks == (mark,)
    overlay = session.panes.active.overlay_map
    row, column = np.unravel_index(overlay.values.argmax(), overlay.values.shape)
    top, left, bottom, right = overlay.box
    peak = (
        top + (row + 0.5) / overlay.values.shape[0] * (bottom - top),
        left + (column + 0.5) / overlay.values.shape[1] * (right - left),
    )
    viewer.window.commands["tool_flag"].trigger()
    QTest.mouseClick(first.viewport(), LEFT, pos=at(first, *peak))
    settle()
    assert [a.shape.kind for a in session.annotating.annotations] == ["rectangle", "bitmap"]
    viewer.window.commands["show_marks"].trigger()
    assert not first.marks.is_shown
    session.panes.toggle_pinned(session.panes.shown[1])
    session.step(1)
    settle()
    assert first.marks.marks == second.marks.marks == ()
    viewer.window.commands["tool_brush"].trigger()
    QTest.mouseClick(second.viewport(), LEFT, pos=at(second, 50, 50))
    assert "another case" in second._remark.text
    assert session.annotating.annotations == ()
    session.step(-1)
    settle()
    assert len(first.marks.marks) == 2
