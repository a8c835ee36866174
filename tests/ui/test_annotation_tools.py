"""Annotations are drawn and changed on the image."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from softcam_core.annotations.shapes import Bitmap, Ellipse, Rectangle
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.image_view import ImageView
from tests.support.marking import BOX, TRIANGLE, Book, at, near, shown_view

LEFT, NONE, SHIFT = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def view(qapp) -> Iterator[ImageView]:
    yield from shown_view()


@pytest.fixture
def tools(view: ImageView) -> Tools:
    return view._tools


@pytest.fixture
def book(view: ImageView) -> Book:
    return Book(view)


@pytest.fixture
def drag(view: ImageView, move):
    """Drag from place to place of the image."""

    def do(*places: tuple[float, float], release: bool = True, shift: bool = False) -> None:
        on = [at(view, *place) for place in places]
        keys = SHIFT if shift else Qt.KeyboardModifier.NoModifier
        QTest.mousePress(view.viewport(), LEFT, keys, on[0])
        for place in on[1:]:
            move(view, place, LEFT)
        if release:
            QTest.mouseRelease(view.viewport(), LEFT, keys, on[-1])

    return do


@pytest.fixture
def click(view: ImageView):
    """Click on a place of the image."""
    return lambda row, column: QTest.mouseClick(view.viewport(), LEFT, pos=at(view, row, column))


# Drawing


def test_boxes_are_drawn_from_corner_to_corner_within_the_image_and_told_once(view, tools, book, drag):
    tools.use("rectangle")
    drag((20, 30), (40, 40), (60, 80))
    tools.use("ellipse")
    drag((50, 60), (150, 20), (150, -30))
    drag((10, 10), (20, 40), shift=True)
    box, leaving, circle = book.shapes
    assert isinstance(box, Rectangle)
    assert near(box.bounds, BOX.bounds)
    assert near(leaving.bounds, (50, 0, 100, 60))
    assert isinstance(circle, Ellipse)
    assert near(circle.bounds, (10, 10, 40, 40))
    assert circle.down == pytest.approx(circle.across)
    assert book.count("drawn") == 3


@pytest.mark.parametrize("name", ["rectangle", "ellipse", "freehand"])
def test_a_click_draws_nothing_and_is_told_why_until_something_else_is_done(view, tools, book, click, name):
    tools.use(name)
    click(50, 50)
    assert book.shapes == []
    assert "Nothing is drawn" in view._remark.text
    tools.use("window")
    assert view._remark.text == ""


def test_polygons_close_at_the_first_corner_by_enter_and_by_a_double_click(view, tools, book, click, move):
    corners = [(10, 10), (10, 90), (70, 50)]
    tools.use("polygon")
    for corner in (*corners, corners[0]):
        click(*corner)
    for corner in (*corners, (50, 50)):
        click(*corner)
    QTest.keyClick(view, Qt.Key.Key_Backspace)
    QTest.keyClick(view, Qt.Key.Key_Return)
    for corner in corners:
        click(*corner)
    QTest.mouseDClick(view.viewport(), LEFT, pos=at(view, *corners[-1]))
    assert len(book.shapes) == 3
    assert all(near(shape.points, corners) and not shape.is_freehand for shape in book.shapes)


def test_a_polygon_of_two_corners_is_not_closed_one_without_area_not_kept_and_one_can_be_given_up(
    view, tools, book, click
):
    tools.use("polygon")
    click(10, 10)
    click(30, 30)
    QTest.keyClick(view, Qt.Key.Key_Enter)
    assert "3 corners" in view._remark.text
    click(70, 70)
    QTest.keyClick(view, Qt.Key.Key_Enter)
    assert "one line" in view._remark.text
    for place in ((10, 10), (10, 60), (60, 60)):
        click(*place)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert (book.shapes, tools.active.name) == ([], "polygon")


def test_an_outline_that_crosses_itself_is_kept_and_what_is_outside_is_told(view, tools, book, drag):
    tools.use("freehand")
    drag((20, 20), (60, 20), (60, 80), (20, 80), (20, 25))
    assert view._remark.text == ""
    drag((20, 20), (60, 80), (20, 80), (60, 20))
    simple, crossing = book.shapes
    assert simple.is_freehand
    assert not simple.crosses_itself
    assert crossing.crosses_itself
    assert "twice are outside" in view._remark.text


# Brush and eraser


def test_the_brush_paints_on_to_what_it_touches_of_the_same_verdict(view, tools, book, drag):
    tools.set_brush_radius(round(4 * view.scale_factor))
    tools.use("brush")
    drag((30, 20), (30, 40))
    drag((30, 40), (30, 60))
    drag((70, 20), (70, 40))
    (joined, apart) = book.shapes
    assert isinstance(joined, Bitmap)
    assert near(joined.bounds, (26, 16, 34, 64), within=1)
    assert near(apart.bounds, (66, 16, 74, 44), within=1)
    book.verdict = "correct"
    book.show()
    drag((70, 40), (70, 60))
    assert [mark.verdict for mark in book.marks] == ["wrong", "wrong", "correct"]
    assert (book.count("drawn"), book.count("reshaped")) == (3, 1)


def test_nothing_is_told_while_something_is_drawn(view, tools, book, drag, pixels):
    tools.use("brush")
    before = pixels(view)
    drag((30, 20), (30, 40), (60, 70), release=False)
    assert (pixels(view) != before).any()
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert book.said == []
    QTest.mouseRelease(view.viewport(), LEFT, pos=at(view, 60, 70))
    assert book.said == []


def test_the_eraser_takes_from_the_selected_mark_or_the_topmost_and_removes_what_it_wipes_out(view, tools, book, drag):
    lower, upper = book.draw(BOX), book.draw(TRIANGLE)
    tools.set_brush_radius(round(5 * view.scale_factor))
    tools.use("eraser")
    book.pick(lower.id)
    drag((40, 20), (40, 90))
    assert isinstance(book.shapes[0], Bitmap)
    assert book.shapes[1] == TRIANGLE
    assert book.shapes[0].mask.sum() == pytest.approx(40 * 50 - 10 * 50, rel=0.06)
    book.pick("")
    drag((30, 50), (31, 50))
    assert isinstance(book.shapes[1], Bitmap)
    book.remove(upper.id)
    tools.set_brush_radius(100)
    drag((40, 20), (40, 90), (20, 20), (20, 90), (60, 90), (60, 20))
    assert book.marks == []
    drag((40, 20), (40, 90))
    assert "Nothing is erased" in view._remark.text


def test_shift_and_the_wheel_size_the_brush_and_step_no_further(view, tools, wheel, qtbot):
    tools.use("brush")
    radius, steps = tools.brush_radius, []
    view.stepped.connect(steps.append)
    wheel(view, 2, SHIFT)
    assert (tools.brush_radius > radius, steps) == (True, [])
    wheel(view, 1)
    assert steps == [-1]
    tools.use("rectangle")
    wheel(view, -1, SHIFT)
    assert steps == [-1, 1]


# Selecting and changing


def test_a_click_selects_the_topmost_a_second_what_lies_below_and_one_beside_them_nothing(view, tools, book, click):
    lower, upper = book.draw(BOX), book.draw(TRIANGLE)
    book.pick("")
    tools.use("edit")
    for expected in (upper.id, lower.id, upper.id):
        click(30, 50)
        assert book.selected == expected
    click(95, 5)
    assert book.selected == ""
    assert book.shapes == [BOX, TRIANGLE]


def test_a_drag_moves_a_mark_at_once_and_it_stays_at_the_image(view, tools, book, drag):
    book.draw(BOX)
    book.pick("")
    tools.use("edit")
    drag((30, 50), (40, 52), (45, 60))
    assert near(book.shapes[0].bounds, (35, 40, 75, 90))
    assert book.count("reshaped") == 1
    drag((45, 60), (145, 60))
    assert near(book.shapes[0].bounds[0], 99, within=1e-6)


def test_handles_reshape(view, tools, book, drag):
    tools.use("edit")
    book.draw(BOX)
    drag((20, 30), (10, 10))
    assert near(book.shapes[0].bounds, (10, 10, 60, 80))
    book.draw(Ellipse(row=50, column=60, down=20, across=30))
    drag((50, 90), (50, 110))
    assert near(book.shapes[1].bounds, (30, 30, 70, 110))
    book.draw(TRIANGLE)
    drag((70, 50), (90, 70))
    assert near(book.shapes[2].points, ((10, 10), (10, 90), (90, 70)))
    assert book.count("reshaped") == 3


def test_corners_are_added_by_a_double_click_and_removed_down_to_three(view, tools, book, click, move):
    book.draw(TRIANGLE)
    tools.use("edit")
    place = at(view, 10, 50)
    click(10, 50)
    QTest.mouseDClick(view.viewport(), LEFT, pos=place)
    QTest.mouseRelease(view.viewport(), LEFT, pos=place)
    assert near(book.shapes[0].points, ((10, 10), (10, 50), (10, 90), (70, 50)))
    move(view, place, NONE)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert book.shapes == [TRIANGLE]
    move(view, at(view, 70, 50), NONE)
    QTest.keyClick(view, Qt.Key.Key_Backspace)
    assert book.shapes == [TRIANGLE]
    assert "keeps 3 corners" in view._remark.text
    move(view, at(view, 30, 50), NONE)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert book.marks == []


def test_arrows_move_the_selected_mark_and_tell_when_they_are_let_go(view, tools, book):
    mark = book.draw(BOX)
    tools.use("edit")
    QTest.keyPress(view, Qt.Key.Key_Right)
    QTest.keyPress(view, Qt.Key.Key_Right)
    assert book.count("reshaped") == 0
    QTest.keyRelease(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Up, SHIFT)
    assert book.shapes[0] == BOX.moved(-10, 2)
    assert book.count("reshaped") == 2
    where = view.view
    book.remove(mark.id)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.view != where  # with nothing selected they pan


def test_what_changes_otherwise_while_it_is_dragged_is_let_go(view, tools, book, drag):
    mark = book.draw(BOX)
    tools.use("edit")
    drag((30, 50), (50, 60), release=False)
    book.remove(mark.id)
    QTest.mouseRelease(view.viewport(), LEFT, pos=at(view, 50, 60))
    assert book.count("reshaped") == 0
    assert not view.marks.held


# Flagging


def test_a_click_with_the_flag_flags_a_drag_windows_and_beside_the_image_is_nothing(view, tools, book, click, drag):
    windowed = []
    view.windowed.connect(lambda *by: windowed.append(by))
    tools.use("flag")
    click(30, 40)
    drag((30, 40), (50, 60))
    QTest.mouseClick(view.viewport(), LEFT, pos=QPoint(1, 1))
    ((_, row, column),) = book.said
    assert near((row, column), (30, 40))
    assert windowed


def test_marks_that_are_hidden_are_not_changed(view, tools, book, click):
    book.draw(BOX)
    tools.use("edit")
    tools.show_marks(on=False)
    click(30, 50)
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert book.shapes == [BOX]


def test_a_view_says_why_its_image_is_not_annotated_there(view, tools, book, click, drag):
    view.why_not_marked = "This pane keeps another case."
    book.draw(BOX)
    said = list(book.said)
    for name in ("flag", "rectangle", "polygon", "brush", "edit"):
        tools.use(name)
        drag((30, 40), (60, 80))
        click(30, 40)
        assert (book.said, view._remark.text) == ([*said], view.why_not_marked) or name == "flag"
    assert book.said == said
