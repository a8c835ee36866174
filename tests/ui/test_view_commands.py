"""Commands of the view, by their keys: linked views, outlines, opacity, frames, arrows, the waterfall."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from softcam_viewer.model.tools import TOOLS


@pytest.fixture
def two(viewer, settle, folder, signed_model_file):
    """Two panes over the first of three films; the last file is damaged."""
    viewer.session.open_model(signed_model_file)
    viewer.session.open_paths([folder])
    settle()
    viewer.session.select(0)
    viewer.session.panes.set_layout("1x2")
    settle()
    viewer.window.grid.active.view.setFocus()
    return viewer


def key(viewer, qtbot, which, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.keyClick(viewer.window.grid.active.view, which, modifier)
    QApplication.processEvents()


def test_views_are_linked_until_the_command_lets_go_and_meet_again_where_the_active_one_is(two, qtbot, wheel):
    first, second = (pane.view for pane in two.window.grid.panes)
    wheel(first, 2, Qt.KeyboardModifier.ControlModifier)
    assert second.view == first.view
    key(two, qtbot, Qt.Key.Key_L, Qt.KeyboardModifier.AltModifier)
    button = two.window.title.buttons["link_views"]
    assert not button.isChecked()
    wheel(first, 2, Qt.KeyboardModifier.ControlModifier)
    assert second.scale_factor < first.scale_factor
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert two.window.commands["link_views"].isChecked()
    assert second.view == first.view


def test_a_single_pane_has_nothing_to_be_linked_with(two):
    two.session.panes.set_layout("1x1")
    assert not two.window.commands["link_views"].isEnabled()
    assert not two.window.title.buttons["link_views"].isEnabled()


def test_the_button_of_the_layout_in_use_stays_checked_when_it_is_clicked_again(two, qtbot):
    button = two.window.title.buttons["layout_1x2"]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.isChecked()


def test_arrow_keys_pan_all_linked_views(two, qtbot):
    first, second = (pane.view for pane in two.window.grid.panes)
    before = first.view
    key(two, qtbot, Qt.Key.Key_Right)
    key(two, qtbot, Qt.Key.Key_Down)
    after = first.view
    assert (after.x - before.x) * after.scale == pytest.approx(0.1 * first.width())
    assert (after.y - before.y) * after.scale == pytest.approx(0.1 * first.height())
    assert second.view == after


def test_outline_and_opacity_have_keys_and_leave_the_other_pane_as_it_is(two, qtbot):
    active, other = two.session.panes.shown
    before, unchanged = active.overlay, other.overlay
    key(two, qtbot, Qt.Key.Key_V)
    assert active.overlay.style == "contour"
    assert two.window.commands["outline_only"].isChecked()
    key(two, qtbot, Qt.Key.Key_V)
    assert active.overlay.style == "both"
    key(two, qtbot, Qt.Key.Key_BraceLeft)
    assert active.overlay.opacity == pytest.approx(before.opacity - 0.02)
    key(two, qtbot, Qt.Key.Key_BraceRight)
    key(two, qtbot, Qt.Key.Key_BraceRight)
    assert active.overlay.opacity == pytest.approx(before.opacity + 0.02)
    assert other.overlay == unchanged


def test_frames_are_stepped_by_key_and_past_the_last_one_the_case(two, qtbot, settle):
    key(two, qtbot, Qt.Key.Key_Period)
    settle()
    assert two.session.row == 1
    key(two, qtbot, Qt.Key.Key_Comma)
    settle()
    assert two.session.row == 0


def test_the_ledger_is_a_waterfall_and_a_table_again_by_key(two, qtbot):
    ledger = two.window.ledger
    assert ledger.rows
    key(two, qtbot, Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert not ledger.rows
    key(two, qtbot, Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert ledger.rows
    assert two.window.grid.tools.active is TOOLS["window"]  # which has W alone


def test_the_tab_key_goes_through_the_panes_one_after_another(two, settle):
    two.session.panes.set_layout("2x2")
    two.session.panes.swap(0, 3)
    settle()
    stops = [stop for pane in two.window.grid.panes for stop in pane.stops]
    chain, at = [], stops[0]
    for _ in range(1000):
        chain.append(at)
        at = at.nextInFocusChain()
        if at is stops[0]:
            break
    assert [widget for widget in chain if widget in stops] == stops
    # And nothing but what belongs to panes comes between.
    between = chain[: chain.index(stops[-1])]
    assert two.window.overlay.threshold not in between
    assert two.window.worklist.list not in between
