"""Reading on the image: crosshair, contours, tools, places that are marked."""

import re

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from softcam_viewer.app import Viewer
from softcam_viewer.model.probe import value_at
from softcam_viewer.ui.canvas.film import pyramid_of

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


@pytest.fixture
def demo(open_demo, settle) -> Viewer:
    """Two panes over the first of two bundled cases."""
    viewer = open_demo(2)
    viewer.session.panes.set_layout("1x2")
    settle()
    return viewer


def at(view, down: float, across: float) -> QPoint:
    """Share of the image -> position on the widget."""
    height, width = view.image_size
    return view.widget_position(down * height, across * width).toPoint()


def drag(view, qtbot, move, *places: QPoint) -> None:
    qtbot.mousePress(view.viewport(), LEFT, pos=places[0])
    for place in places[1:]:
        move(view, place, LEFT)
    qtbot.mouseRelease(view.viewport(), LEFT, pos=places[-1])


def test_the_crosshair_tells_each_panes_own_value_and_can_be_switched_off(demo, move, pixels):
    grid = demo.window.grid
    first, second = grid.panes
    before = pixels(second.view)
    move(first.view, at(first.view, 0.4, 0.6), NONE)
    here = first.view._crosshair.at
    for pane in grid.panes:
        crosshair = pane.view._crosshair
        assert crosshair.text == value_at(pane.state.explanation, pane.state.overlay_map, here.y(), here.x())
        assert (crosshair.at.x(), crosshair.at.y()) == pytest.approx((here.x(), here.y()))
    assert re.fullmatch(r"[+−].* log-odds", first.view._crosshair.text)
    assert second.view._crosshair.text.endswith("% of max")
    changed = np.abs(pixels(second.view) - before).max(axis=2) > 20
    place = second.view.to_widget.map(here).toPoint()
    assert changed[:, place.x() - 1 : place.x() + 2].sum() > 50
    assert not changed[place.y(), place.x()]  # what is pointed at stays free
    grid.tools.show_crosshair(on=False)
    assert np.array_equal(pixels(second.view), before)
    grid.tools.show_crosshair(on=True)
    move(first.view, at(first.view, 0.5, 0.5), NONE)
    QApplication.sendEvent(first.view, QEvent(QEvent.Type.Leave))
    assert np.array_equal(pixels(second.view), before)


def test_the_crosshair_is_at_the_same_share_of_an_image_of_another_size(demo, settle, move):
    demo.session.panes.toggle_pinned(demo.session.panes.shown[1])
    demo.session.step(1)
    settle()
    first, second = (pane.view for pane in demo.window.grid.panes)
    assert first.image_size != second.image_size
    move(first, at(first, 0.3, 0.7), NONE)
    shares = [
        (view._crosshair.at.y() / view.image_size[0], view._crosshair.at.x() / view.image_size[1])
        for view in (first, second)
    ]
    assert shares[0] == pytest.approx(shares[1])


def test_cells_are_outlined_where_wanted(demo, move):
    grid = demo.window.grid
    view = grid.panes[0].view
    move(view, at(view, 0.5, 0.5), NONE)
    assert view._cells.cell is None
    grid.tools.show_cells(on=True)
    move(view, at(view, 0.5, 0.51), NONE)
    here, (top, left, bottom, right) = view._crosshair.at, view._cells.cell
    assert top <= here.y() <= bottom
    assert left <= here.x() <= right
    seen = view._cells.field
    assert seen[0] <= top
    assert seen[3] >= right
    grid.tools.show_cells(on=False)
    assert view._cells.cell is None


def test_a_ruler_is_drawn_moved_shown_in_all_panes_and_deleted(demo, qtbot, move, pixels):
    grid = demo.window.grid
    first, second = (pane.view for pane in grid.panes)
    image = demo.session.film.image
    window = demo.session.film.window
    grid.tools.use("ruler")
    before = pixels(second)
    drag(first, qtbot, move, at(first, 0.2, 0.2), at(first, 0.4, 0.5), at(first, 0.6, 0.2))
    (ruler,) = grid.tools.measures_of((image.source, image.frame))
    height, width = image.size
    assert np.abs(np.subtract(ruler.points, ((0.2 * height, 0.2 * width), (0.6 * height, 0.2 * width)))).max() < 2
    assert demo.session.film.window == window
    assert not np.array_equal(pixels(second), before)
    assert "Ruler" not in demo.window.status.hint
    assert "measure" in demo.window.status.hint
    drag(second, qtbot, move, at(second, 0.6, 0.2), at(second, 0.6, 0.5), at(second, 0.6, 0.8))
    (moved,) = grid.tools.measures_of((image.source, image.frame))
    assert moved.points[0] == ruler.points[0]
    assert moved.points[1][1] == pytest.approx(0.8 * width, abs=2)
    move(first, at(first, 0.4, 0.5), NONE)  # on the line
    qtbot.keyClick(first, Qt.Key.Key_Delete)
    assert grid.tools.measures_of((image.source, image.frame)) == ()
    qtbot.keyClick(first, Qt.Key.Key_Escape)
    assert grid.tools.active.name == "window"
    assert "window/level" in demo.window.status.hint


def test_an_angle_has_two_arms_and_measures_stay_with_their_image(demo, qtbot, move, settle):
    grid = demo.window.grid
    view = grid.panes[0].view
    grid.tools.use("angle")
    drag(view, qtbot, move, at(view, 0.2, 0.5), at(view, 0.3, 0.5), at(view, 0.5, 0.5))
    move(view, at(view, 0.5, 0.6), NONE)
    qtbot.mouseClick(view.viewport(), LEFT, pos=at(view, 0.5, 0.8))
    image = demo.session.film.image
    (angle,) = grid.tools.measures_of((image.source, image.frame))
    assert len(angle.points) == 3
    demo.session.step(1)
    settle()
    other = demo.session.film.image
    assert grid.tools.measures_of((other.source, other.frame)) == ()
    demo.session.step(-1)
    settle()
    assert grid.tools.measures_of((image.source, image.frame)) == (angle,)


def test_a_click_draws_no_ruler_and_escape_gives_one_up(demo, qtbot, move):
    grid = demo.window.grid
    view = grid.panes[0].view
    grid.tools.use("ruler")
    qtbot.mouseClick(view.viewport(), LEFT, pos=at(view, 0.3, 0.3))
    qtbot.mousePress(view.viewport(), LEFT, pos=at(view, 0.3, 0.3))
    move(view, at(view, 0.6, 0.6), LEFT)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view.viewport(), LEFT, pos=at(view, 0.6, 0.6))
    image = demo.session.film.image
    assert grid.tools.measures_of((image.source, image.frame)) == ()
    assert grid.tools.active.name == "ruler"


def test_a_drawn_shape_is_weighed_named_in_all_panes_and_removed_again(demo, qtbot, move):
    grid, weighing = demo.window.grid, demo.session.weighing
    first, second = (pane.view for pane in grid.panes)
    grid.tools.use("lasso")
    places = [at(first, 0.4, 0.5), at(first, 0.4, 0.7), at(first, 0.6, 0.7), at(first, 0.6, 0.5)]
    drag(first, qtbot, move, *places)
    assert [shape.name for shape in weighing.shapes] == ["L1"]
    height, width = first.image_size
    corners = np.array(weighing.shapes[0].points) / (height, width)
    assert np.abs(corners - [(0.4, 0.5), (0.4, 0.7), (0.6, 0.7), (0.6, 0.5)]).max() < 0.01
    assert weighing.outcome is not None
    assert second.shapes == weighing.shapes
    assert first._removed.path is not None
    assert second._removed.path is None  # another map, which is whole
    move(first, at(first, 0.5, 0.6), NONE)
    qtbot.keyClick(first, Qt.Key.Key_Delete)
    assert weighing.shapes == ()
    assert first._removed.path is None


def test_what_is_removed_loses_its_colour(demo, pixels):
    pane = demo.window.grid.panes[0]
    view, overlay = pane.view, pane.state.overlay_map
    pane.state.set_overlay(threshold=0.3, style="fill", visible=False)
    plain = pixels(view)
    pane.state.set_overlay(visible=True)
    row, column = np.unravel_index(np.abs(overlay.values).argmax(), overlay.values.shape)
    top, left, bottom, right = overlay.box
    height, width = overlay.values.shape
    place = view.widget_position(
        top + (row + 0.5) / height * (bottom - top), left + (column + 0.5) / width * (right - left)
    ).toPoint()
    near = np.s_[place.y() - 5 : place.y() + 6, place.x() - 5 : place.x() + 6]
    assert np.ptp(pixels(view)[near], axis=2).max() > 30  # coloured
    view.show_removed(np.abs(overlay.values) >= 0.3 * overlay.scale)
    hatched = pixels(view)
    assert np.ptp(hatched[near], axis=2).max() < 12  # grey, and
    assert not np.array_equal(hatched[near], plain[near])  # hatched
    view.show_removed(None)
    assert np.ptp(pixels(view)[near], axis=2).max() > 30
    with pytest.raises(ValueError, match="mask"):
        view.show_removed(np.ones((3, 3), bool))


def test_places_are_pointed_out_looked_at_and_annotated(demo, pixels):
    grid = demo.window.grid
    first, second = (pane.view for pane in grid.panes)
    before = pixels(first)
    first.highlight((50, 60, 150, 200))
    assert not np.array_equal(pixels(first), before)
    first.highlight(None)
    assert np.array_equal(pixels(first), before)
    first.show_annotations([(100, 120, 80, 40)], np.eye(20, dtype=bool), "known: opacity")
    assert not np.array_equal(pixels(first), before)
    grid.tools.show_annotations(on=False)
    assert np.array_equal(pixels(first), before)
    first.zoom_to(50, 60, 150, 200)
    corner, end = first.widget_position(50, 60), first.widget_position(150, 200)
    assert corner.x() >= 0
    assert end.x() <= first.width()
    assert end.x() - corner.x() == pytest.approx(0.6 * first.width()) or end.y() - corner.y() == pytest.approx(
        0.6 * first.height()
    )
    assert second.view == first.view


def test_lines_around_evidence_against_are_dashed_and_seen_without_fill(demo, settle, pixels):
    pane = demo.window.grid.panes[0]
    pane.state.set_overlay(visible=False)
    plain = pixels(pane.view)
    share = []
    for target, against in ((1, 0), (0, 1)):  # the same map turned round
        pane.state.set_overlay(visible=True, style="contour", threshold=0.3, target=target, against=against)
        settle()
        changed = np.abs(pixels(pane.view) - plain).max(axis=2) > 60
        share.append(changed.sum())
        assert 0 < changed.mean() < 0.05
    assert share[1] < 0.9 * share[0]


def test_the_magnifier_shows_the_image_larger_round_the_cursor(demo, qtbot, move, pixels):
    grid = demo.window.grid
    view = grid.panes[0].view
    grid.tools.show_crosshair(on=False)
    grid.tools.use("magnifier")
    before = pixels(view)
    move(view, at(view, 0.5, 0.4), NONE)
    circle, after = view._lens.circle(view), pixels(view)
    outside = np.ones(after.shape[:2], bool)
    area = circle.toAlignedRect().adjusted(-4, -4, 4, 16)
    outside[max(area.top(), 0) : area.bottom() + 1, max(area.left(), 0) : area.right() + 1] = False
    assert np.array_equal(after[outside], before[outside])
    middle = circle.center().toPoint()
    assert not np.array_equal(
        after[middle.y() - 40 : middle.y() + 40, middle.x() - 40 : middle.x() + 40],
        before[middle.y() - 40 : middle.y() + 40, middle.x() - 40 : middle.x() + 40],
    )
    qtbot.mouseClick(view.viewport(), LEFT, pos=at(view, 0.5, 0.4))
    assert grid.tools.magnification == 3
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert np.array_equal(pixels(view), before)


def _mouse(widget, kind: QEvent.Type, place: QPoint) -> None:
    pressed = NONE if kind == QEvent.Type.MouseButtonRelease else LEFT
    button = NONE if kind == QEvent.Type.MouseMove else LEFT
    where = QPointF(place), QPointF(widget.mapToGlobal(place))
    QApplication.sendEvent(widget, QMouseEvent(kind, *where, button, pressed, Qt.KeyboardModifier.NoModifier))


def test_a_pane_dragged_by_its_header_onto_another_swaps_with_it(demo):
    grid, panes = demo.window.grid, demo.session.panes
    first, second = grid.panes
    header, start = first.header, QPoint(4, first.header.height() - 3)
    target = header.mapFromGlobal(second.mapToGlobal(second.rect().center()))
    _mouse(header, QEvent.Type.MouseButtonPress, start)
    _mouse(header, QEvent.Type.MouseMove, start + QPoint(30, 0))
    assert second.view._hint.text == ""
    _mouse(header, QEvent.Type.MouseMove, target)
    assert "Swap with pane 1" in second.view._hint.text
    _mouse(header, QEvent.Type.MouseButtonRelease, target)
    assert panes.shown == (second.state, first.state)
    assert second.view._hint.text == ""


def test_a_header_tells_of_a_case_of_its_own_and_of_blinking(demo):
    panes, (first, second) = demo.session.panes, demo.window.grid.panes
    assert not first.header.state_label.isVisible()
    panes.toggle_pinned(second.state)
    assert second.state.film.image.source.name in second.header.state_label.text()
    panes.toggle_pinned(second.state)
    assert not second.header.state_label.isVisible()
    panes.toggle_blinking()
    assert "Blinking" in first.header.state_label.text()
    panes.stop_blinking()
    assert not first.header.state_label.isVisible()


def test_tools_have_buttons_that_leave_the_keys_with_the_image(demo, qtbot):
    from softcam_viewer.ui.canvas.tool_buttons import ToolButtons

    buttons = demo.window.grid.findChild(ToolButtons).buttons
    demo.window.activateWindow()
    demo.window.grid.active.view.setFocus()
    qtbot.mouseClick(buttons["angle"], LEFT)
    assert demo.window.grid.tools.active.name == "angle"
    assert [name for name, button in buttons.items() if button.isChecked()] == ["angle"]
    demo.window.grid.tools.use("lasso")
    assert buttons["lasso"].isChecked()
    assert not buttons["angle"].hasFocus()


def test_panes_of_one_film_share_its_pictures(demo):
    first, second = (pane.view for pane in demo.window.grid.panes)
    assert first._film._pyramid is second._film._pyramid is pyramid_of(demo.session.film.image.presentation)
