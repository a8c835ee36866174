import numpy as np
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit

from softcam_core.notice import NOTICE
from softcam_viewer.commands import COMMANDS, MENUS
from softcam_viewer.ui.handlers import CommandHandlers


def test_an_empty_window_says_what_to_do_and_carries_the_notice(viewer, texts):
    shown = texts(viewer.window)
    assert "Open images to look inside" in shown
    assert NOTICE in shown
    assert "No model is open" in shown


def test_opening_a_folder_shows_the_first_case_with_its_evidence(opened, texts):
    session = opened.session
    assert len(session.cases) == 4
    assert session.film.image.source.name == "case_0.png"
    assert session.panes.active.explanation.class_names == ("no finding", "opacity")
    assert session.panes.active.overlay.target == 1
    assert session.panes.active.overlay.against == 0
    shown = texts(opened.window)
    assert opened.window.grid.active.header.target.currentText() == "opacity against no finding"
    assert "Test network" in shown
    assert "cpu" in shown
    # 120 x 90 px at 85 x 64, four pixels a cell
    assert "the mean of 21 × 16 evidence cells" in opened.window.ledger.rows["Sum"].toolTip()


def test_the_worklist_fills_with_thumbnails_predictions_and_what_cannot_be_read(opened, settle):
    opened.window.worklist.list.grab()
    settle()
    cases = [opened.session.cases[row] for row in range(4)]
    assert all(case.thumbnail is not None and case.prediction for case in cases[:3])
    assert "damaged.png" in cases[3].error


def test_an_unreadable_case_shows_a_message_and_no_other_cases_film(opened, settle):
    opened.session.select(3)
    settle()
    assert "damaged.png" in opened.window.messages.text
    assert opened.session.film.image is None
    assert opened.session.panes.active.explanation is None
    opened.session.select(1)
    settle()
    assert opened.window.messages.text == ""
    assert opened.session.film.image.source.name == "case_1.png"


def test_moving_the_threshold_slider_changes_the_pixels_of_the_image_only_where_evidence_is(opened, pixels):
    view = opened.window.grid.active.view
    opened.window.overlay.threshold.setValue(0)
    everything = pixels(view)
    opened.window.overlay.threshold.setValue(opened.window.overlay.threshold.maximum())
    least = pixels(view)
    opened.session.panes.active.set_overlay(visible=False)
    film = pixels(view)
    assert np.abs(everything - film).max() > 40
    assert (np.abs(everything - film).max(axis=2) > 8).mean() > (np.abs(least - film).max(axis=2) > 8).mean()


def test_opacity_zero_leaves_the_film_alone(opened, pixels):
    view = opened.window.grid.active.view
    opened.session.panes.active.set_overlay(style="fill")
    opened.window.overlay.opacity.setValue(0)
    transparent = pixels(view)
    opened.session.panes.active.set_overlay(visible=False)
    assert np.array_equal(transparent, pixels(view))


def test_space_hides_the_overlay_while_it_is_held(opened, qtbot, pixels):
    view = opened.window.grid.active.view
    view.setFocus()
    shown = pixels(view)
    qtbot.keyPress(view, Qt.Key.Key_Space)
    assert not np.array_equal(shown, pixels(view))
    assert opened.session.panes.active.overlay.visible  # nothing has been set
    qtbot.keyRelease(view, Qt.Key.Key_Space)
    assert np.array_equal(shown, pixels(view))


def test_choosing_another_class_redraws_the_map_and_the_numbers(viewer, folder, three_class_file, settle, pixels):
    viewer.session.open_model(three_class_file)
    viewer.session.open_paths([folder / "case_0.png"])
    settle()
    view, session = viewer.window.grid.active.view, viewer.session
    target = session.panes.active.overlay.target
    before = pixels(view)
    viewer.window.grid.active.view.setFocus()
    session.panes.active.next_class()
    assert session.panes.active.overlay.target == (target + 1) % 3
    assert not np.array_equal(before, pixels(view))
    logit = session.panes.active.explanation.logits[session.panes.active.overlay.target]
    overlay = session.panes.active.overlay_map
    assert overlay.offset + overlay.values.mean() == pytest.approx(logit, abs=1e-4)


def test_class_against_class_can_be_chosen_in_the_panel(viewer, folder, three_class_file, settle):
    viewer.session.open_model(three_class_file)
    viewer.session.open_paths([folder / "case_0.png"])
    settle()
    session = viewer.session
    against = next(
        c for c in viewer.window.overlay.findChildren(QComboBox) if c.accessibleName().startswith("Class it")
    )
    target, logits = session.panes.active.overlay.target, session.panes.active.explanation.logits
    for row in range(1, against.count()):
        against.setCurrentIndex(row)
        against.activated.emit(row)
        other = against.itemData(row)
        others = [k for k in range(3) if k != target] if other == "rest" else [other]
        expected = logits[target] - logits[others].mean()
        overlay = session.panes.active.overlay_map
        assert overlay.offset + overlay.values.mean() == pytest.approx(expected, abs=1e-4)
        assert overlay.unit == ("logit difference" if other == "rest" else "log-odds")
    assert against.count() == 4


def test_a_cropped_image_has_its_analysed_area_outlined(viewer, folder, three_class_file, settle, pixels):
    viewer.session.open_model(three_class_file)
    viewer.session.open_paths([folder / "case_0.png"])
    settle()
    view = viewer.window.grid.active.view
    # The crop is the middle 48 of 64 pixels: nothing is drawn over the film beyond it.
    top, left, bottom, right = viewer.session.panes.active.explanation.geometry.analysed_box
    viewer.session.panes.active.set_overlay(threshold=0.0, style="fill")
    with_overlay = pixels(view)
    viewer.session.panes.active.set_overlay(visible=False)
    changed = np.argwhere(np.abs(with_overlay - pixels(view)).max(axis=2) > 2)
    corner = view.widget_position(top, left)
    end = view.widget_position(bottom, right)
    assert changed[:, 0].min() >= corner.y() - 1.5
    assert changed[:, 0].max() <= end.y() + 1.5
    assert changed[:, 1].min() >= corner.x() - 1.5
    assert changed[:, 1].max() <= end.x() + 1.5
    assert changed[:, 1].max() - changed[:, 1].min() > 0.5 * (end.x() - corner.x())


def test_a_left_drag_changes_the_window_and_a_key_brings_it_back(opened, qtbot, pixels, move):
    view, session = opened.window.grid.active.view, opened.session
    before, film = session.film.window, pixels(view)
    middle = view.viewport().rect().center()
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    move(view, middle + QPoint(60, 40), Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=middle + QPoint(60, 40))
    assert session.film.window.width > before.width
    assert session.film.window.center > before.center
    assert not np.array_equal(film, pixels(view))
    opened.window.commands["window_1"].trigger()
    assert session.film.window == before
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))  # and takes the crosshair along
    assert np.array_equal(film, pixels(view))


def test_zoom_keeps_the_point_under_the_cursor_and_resizing_keeps_centre_and_scale(opened, qtbot, wheel):
    view = opened.window.grid.active.view
    at = QPointF(100, 120)
    under = view.image_position(at)
    wheel(view, 3, Qt.KeyboardModifier.ControlModifier, at)
    after = view.image_position(at)
    assert (after - under).manhattanLength() < 1e-6
    scale, centre = view.scale_factor, view.image_position(QPointF(view.width() / 2, view.height() / 2))
    for width in (1000, 1300, 1100, 1200):
        opened.window.resize(width, 800)
        QApplication.processEvents()
    assert view.scale_factor == pytest.approx(scale)
    moved = view.image_position(QPointF(view.width() / 2, view.height() / 2)) - centre
    assert moved.manhattanLength() < 1e-6
    # What is drawn agrees with what is computed.
    drawn = view._box.mapSceneToView(view.mapToScene(at.toPoint()))
    assert (drawn - view.image_position(at)).manhattanLength() < 0.05


def test_the_wheel_and_the_keys_step_through_the_cases(opened, qtbot, settle, wheel):
    wheel(opened.window.grid.active.view, -1)
    settle()
    assert opened.session.row == 1
    opened.window.commands["previous_case"].trigger()
    settle()
    assert opened.session.row == 0
    opened.window.commands["previous_case"].trigger()
    settle()
    assert opened.session.row == 0


def evidence_in(status: str) -> float:
    return float(status.split("evidence ")[1].split()[0].replace("−", "-"))


def test_the_probe_tells_position_value_and_evidence(opened, qtbot, move):
    view, explanation = opened.window.grid.active.view, opened.session.panes.active.explanation
    at = view.widget_position(45.5, 40.5)
    move(view, at.toPoint(), Qt.MouseButton.NoButton)
    shown = opened.window.status.text
    position = view.image_position(QPointF(at.toPoint()))
    row, column = int(position.y()), int(position.x())
    assert f"x {column}  y {row}" in shown
    assert f"stored {opened.session.film.image.pixels[row, column]}" in shown
    value = explanation.on_image(1, against=0)[row, column] - explanation.offset_of(1, 0)
    assert evidence_in(shown) == pytest.approx(value, rel=1e-3)
    opened.session.panes.active.next_class()
    assert evidence_in(opened.window.status.text) == pytest.approx(-value, rel=1e-3)


def test_files_and_models_can_be_dropped(viewer, folder, signed_model_file, settle):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(signed_model_file)), QUrl.fromLocalFile(str(folder))])
    event = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    viewer.window.dropEvent(event)
    settle()
    assert viewer.session.model is not None
    assert len(viewer.session.cases) == 4


@pytest.mark.parametrize("content", [b"", b"\x80\x04junk that was a pickle", b"PK\x03\x04 zipped", b"\x10" * 100])
def test_a_bad_model_file_is_one_message_and_the_model_in_use_stays(opened, tmp_path, settle, content):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(content)
    model = opened.session.model
    opened.session.open_model(bad)
    settle()
    assert "bad.safetensors" in opened.window.messages.text
    assert opened.session.model is model
    assert opened.session.panes.active.explanation is not None


def test_a_folder_without_images_is_one_message_and_the_worklist_stays(opened, tmp_path, settle):
    empty = tmp_path / "empty"
    empty.mkdir()
    opened.session.open_paths([empty])
    settle()
    assert str(empty) in opened.window.messages.text
    assert len(opened.session.cases) == 4
    assert opened.session.film.image is not None


def test_the_worklist_can_be_filtered(opened):
    panel = opened.window.worklist
    panel.findChild(QLineEdit).setText("case_1")
    assert panel.list.model().rowCount() == 1


def test_commands_are_enabled_only_when_they_can_be_used(viewer, folder, signed_model_file, settle):
    def enabled(name: str) -> bool:
        return viewer.window.commands[name].isEnabled()

    assert enabled("open_files")
    assert not any(map(enabled, ("fit", "next_case", "threshold_up", "window_4")))
    viewer.session.open_paths([folder])
    settle()
    assert all(map(enabled, ("fit", "next_case")))
    assert not enabled("threshold_up")
    viewer.session.open_model(signed_model_file)
    settle()
    assert enabled("threshold_up")


def test_the_light_theme_keeps_the_canvas_dark(opened, pixels):
    opened.window.commands["toggle_theme"].trigger()
    try:
        QApplication.processEvents()
        panel = opened.window.worklist
        corner = panel.mapTo(opened.window, panel.rect().bottomLeft())
        assert pixels(opened.window)[corner.y() - 5, corner.x() + 5].min() > 200
        assert pixels(opened.window.grid.active.view)[2, 2].max() < 40
    finally:
        opened.window.commands["toggle_theme"].trigger()


def test_every_command_has_a_handler_and_no_two_share_a_key(viewer):
    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))
    assert set(CommandHandlers(viewer.window).all()) == {command.name for command in COMMANDS}
    assert {command.menu for command in COMMANDS} == set(MENUS)
