"""Sessions and what was open of late, in the window."""

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QToolButton

from softcam_viewer.model.recent import RecentPath


def test_a_session_is_saved_closed_and_all_is_back(
    make_viewer, qtbot, rest, folder, signed_model_file, tmp_path, monkeypatch
):
    viewer = make_viewer()
    viewer.window.opening.open_all([signed_model_file, folder])
    rest(viewer)
    viewer.window.commands["layout_1x2"].trigger()
    rest(viewer)
    viewer.session.select(1)
    rest(viewer)
    viewer.session.panes.active.set_overlay(threshold=0.35)
    for _ in range(3):
        viewer.window.grid.active.view.zoom(1.5)
    viewer.window.grid.active.view.pan(QPointF(20, -10))
    view = viewer.window.grid.active.view.view
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    viewer.window.commands["save_session"].trigger()
    rest(viewer)
    assert "mine" in viewer.window.windowTitle()
    methods = [pane.method for pane in viewer.session.panes.shown]
    viewer.close()
    again = make_viewer()
    assert again.window.start.isVisible()
    qtbot.mouseClick(again.window.start.reopen, Qt.MouseButton.LeftButton)
    rest(again)
    rest(again)
    assert again.window.messages.text == ""
    assert again.session.film.image.source.name == "case_1.png"
    assert [pane.method for pane in again.session.panes.shown] == methods
    assert again.session.panes.active.overlay.threshold == 0.35
    for pane in again.window.grid.panes[:2]:
        now = pane.view.view
        assert (now.x, now.y, now.scale) == pytest.approx((view.x, view.y, view.scale))
        assert not now.is_fitted
    assert "mine" in again.window.windowTitle()


def test_a_session_can_be_dropped(make_viewer, rest, folder, signed_model_file, tmp_path):
    viewer = make_viewer()
    viewer.window.opening.open_all([folder])
    rest(viewer)
    viewer.desk.keeping.save_as(tmp_path / "s.softcam")
    rest(viewer)
    viewer.close()
    again = make_viewer()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "s.softcam"))])
    again.window.dropEvent(
        QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.NoModifier)
    )
    rest(again)
    rest(again)
    assert len(again.session.cases) == 4


def test_a_read_only_place_for_a_session_is_one_message(make_viewer, rest, folder, tmp_path):
    viewer = make_viewer()
    viewer.window.opening.open_all([folder])
    rest(viewer)
    (tmp_path / "file").write_text("", "utf-8")
    viewer.desk.keeping.save_as(tmp_path / "file" / "s.softcam")
    rest(viewer)
    assert "s.softcam" in viewer.window.messages.text
    assert viewer.desk.keeping.path is None


# The start page


def test_the_start_page_offers_what_was_open_and_marks_what_is_gone(make_viewer, qtbot, rest, folder, tmp_path, texts):
    viewer = make_viewer()
    assert not viewer.window.start.reopen.isVisible()
    viewer.desk.recent.note("folder", folder)
    viewer.desk.recent.note("model", tmp_path / "gone.safetensors")
    viewer.close()
    again = make_viewer()
    rest(again)
    buttons = {b.text(): b for b in again.window.start.findChildren(QToolButton) if not b.isHidden()}
    assert not buttons["gone.safetensors"].isEnabled()
    assert "is gone" in texts(again.window.start)
    qtbot.mouseClick(buttons["films"], Qt.MouseButton.LeftButton)
    rest(again)
    assert len(again.session.cases) == 4
    assert not again.window.start.isVisible()
    actions = again.window.opening.menu.actions()
    assert [action.isEnabled() for action in actions[:2]] == [True, False]
    assert again.desk.recent.recent.paths[0] == RecentPath(kind="folder", path=folder)


def test_viewers_of_tests_keep_nothing(viewer, folder, settle):
    assert viewer.desk.folders is None
    viewer.desk.open_images([folder])
    viewer.desk.settings.change(reviewer="R")
    settle()
    assert viewer.desk.keeping._target is None
    assert viewer.desk.settings._path is None
    assert viewer.desk.recent._path is None


def test_a_case_is_marked_as_reviewed_by_key_and_the_command_is_ticked(opened, qtbot):
    view, command = opened.window.grid.active.view, opened.window.commands["toggle_reviewed"]
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert opened.session.cases[0].reviewed
    assert command.isChecked()
    opened.session.cases.set_reviewed([opened.session.cases[0].path], on=False)
    assert not command.isChecked()
