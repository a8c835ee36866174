"""Panes as users work with them: on the bundled demo, with mouse and keyboard."""

import threading

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication

from softcam_core.resources import resource
from softcam_viewer.app import Viewer
from softcam_viewer.model.methods import list_methods
from softcam_viewer.ui.options_dialog import OptionsDialog


def key(viewer, qtbot, what, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    viewer.window.activateWindow()
    qtbot.keyClick(viewer.window.grid.active.view, what, modifiers)
    QApplication.processEvents()


def choose(qtbot, selector, title: str) -> None:
    """Open a selector with the mouse and click one of its lines."""
    qtbot.mouseClick(selector, Qt.MouseButton.LeftButton)
    view = selector.view()
    qtbot.waitUntil(view.isVisible)
    index = selector.model().index(selector.findText(title), 0)
    view.scrollTo(index)
    qtbot.mouseMove(view.viewport(), view.visualRect(index).center())
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
    qtbot.waitUntil(lambda: not view.isVisible())


def test_layouts_have_keys_buttons_and_a_frame_round_the_active_pane(demo, qtbot, settle, pixels):
    grid, panes = demo.window.grid, demo.session.panes
    key(demo, qtbot, Qt.Key.Key_4, Qt.KeyboardModifier.AltModifier)
    settle()
    assert [pane.isVisible() for pane in grid.panes] == [True] * 4
    places = {(pane.x() // 50, pane.y() // 50) for pane in grid.panes}
    assert len(places) == 4
    qtbot.mouseClick(demo.window.title.buttons["layout_1x2"], Qt.MouseButton.LeftButton)
    assert [pane.isVisible() for pane in grid.panes] == [True, True, False, False]
    assert [demo.window.commands[f"layout_{name}"].isChecked() for name in ("1x1", "1x2", "2x2")] == [
        False,
        True,
        False,
    ]
    checked = [name for name, button in demo.window.title.buttons.items() if button.isChecked()]
    assert checked == ["layout_1x2", "link_views"]
    left = pixels(grid.panes[0])
    qtbot.mouseClick(grid.panes[1].view.viewport(), Qt.MouseButton.LeftButton)
    assert panes.active_index == 1
    assert np.abs(left - pixels(grid.panes[0]))[0].max() > 40  # its frame is gone
    key(demo, qtbot, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert panes.active_index == 0
    key(demo, qtbot, Qt.Key.Key_F6)
    assert panes.active_index == 1


def test_every_method_can_be_chosen_in_the_header_by_family(demo):
    selector = demo.window.grid.active.header.method
    lines = [selector.itemText(row) for row in range(selector.count())]
    assert {method.title for method in list_methods()} <= set(lines)
    assert lines.index("Class activation maps") < lines.index("Grad-CAM")
    assert selector.currentText() == "SoftCAM evidence"


def test_arrow_keys_go_past_headings_and_the_wheel_chooses_nothing(demo, qtbot, settle, wheel_event):
    selector = demo.window.grid.active.header.method
    selector.setFocus()
    qtbot.keyClick(selector, Qt.Key.Key_Down)
    settle()
    assert demo.session.panes.active.method == "gradcam"
    assert demo.session.panes.active.explanation.method == "gradcam"
    QApplication.sendEvent(selector, wheel_event(selector, -1))
    assert demo.session.panes.active.method == "gradcam"


def test_choosing_a_method_with_the_mouse_draws_its_map_and_says_what_it_runs_on(
    demo, qtbot, settle, pixels, move, texts
):
    pane = demo.window.grid.active
    before = pixels(pane.view)
    choose(qtbot, pane.header.method, "Grad-CAM")
    settle()
    assert pane.state.explanation.method == "gradcam"
    assert not np.array_equal(before, pixels(pane.view))
    shown = texts(pane.header)
    assert "black-box twin" in shown
    assert "% of max" in shown
    assert "without its bias" in shown  # the note that it is the evidence under another name
    assert "Grad-CAM does not add up to the prediction." in texts(demo.window.ledger)
    at = pane.view.widget_position(200.5, 300.5).toPoint()
    move(pane.view, at, Qt.MouseButton.NoButton)
    assert "% of max" in demo.window.status.text
    assert "Grad-CAM" in demo.window.status.text


def test_choosing_the_other_class_in_the_header_turns_the_map_round(demo, qtbot, settle):
    pane = demo.window.grid.active
    before = pane.state.overlay_map.values
    choose(qtbot, pane.header.target, "no finding against opacity")
    assert np.allclose(pane.state.overlay_map.values, -before)
    choose(qtbot, pane.header.target, "no finding")
    assert pane.state.overlay_map.unit == "logit"


def test_a_slow_method_shows_progress_and_can_be_cancelled_while_the_rest_goes_on(
    viewer, folder, signed_model_file, qtbot, settle, monkeypatch
):
    monkeypatch.setattr("softcam_core.explainers.rise.forward_pixels", lambda device: 2**17)  # short passes
    viewer.session.open_model(signed_model_file)
    viewer.session.open_paths([folder / "case_0.png"])
    viewer.session.panes.set_layout("1x2")
    settle()
    quick, slow = viewer.window.grid.panes
    slow.state.set_method("rise:masks=40000")
    qtbot.waitUntil(slow.header.bar.isVisible, timeout=10_000)
    qtbot.waitUntil(lambda: slow.header.bar.value() > 0, timeout=30_000)
    # Meanwhile another pane is answered.
    choose(qtbot, quick.header.method, "LayerCAM")
    qtbot.waitUntil(lambda: quick.state.explanation is not None, timeout=10_000)
    assert slow.state.progress is not None
    qtbot.mouseClick(slow.header.cancel, Qt.MouseButton.LeftButton)
    assert "Stopped" in slow.notice.text
    assert not slow.header.bar.isVisible()
    settle()
    assert slow.state.explanation is None


def test_a_refusal_stands_in_its_pane_and_the_window_goes_on(demo, qtbot, settle):
    pane = demo.window.grid.active
    pane.state.set_method("gradcam:layer=no.such.layer")
    settle()
    assert "no layer of this name" in pane.notice.text
    assert demo.window.messages.text == ""
    assert "94.4 %" in demo.window.prediction._bars[1].accessibleName()  # the prediction is still told
    choose(qtbot, pane.header.method, "SoftCAM evidence")
    assert pane.notice.text == ""


def test_options_are_asked_for_in_a_dialog_and_can_be_reset(demo, qtbot, settle, texts):
    pane = demo.window.grid.active
    assert not demo.window.commands["method_options"].isEnabled()  # evidence has none
    pane.state.set_method("gradcam")
    settle()
    unsigned = pane.state.overlay_map
    qtbot.mouseClick(pane.header.options, Qt.MouseButton.LeftButton)
    dialog = pane.findChild(OptionsDialog)
    assert "Selvaraju" in texts(dialog)
    dialog.editors["relu"].widget.click()
    qtbot.mouseClick(dialog.apply_button, Qt.MouseButton.LeftButton)
    settle()
    assert pane.state.method == "gradcam:relu=False"
    assert pane.state.overlay_map.signed
    assert not unsigned.signed
    qtbot.waitUntil(lambda: pane.findChild(OptionsDialog) is None)
    pane.open_options()
    dialog = pane.findChild(OptionsDialog)
    assert not dialog.editors["relu"].value
    qtbot.mouseClick(dialog.reset_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.apply_button, Qt.MouseButton.LeftButton)
    settle()
    assert pane.state.method == "gradcam"


def test_panes_look_at_the_same_part_of_the_image_however_the_window_is_resized(demo, qtbot, settle, wheel, move):
    demo.session.panes.set_layout("2x2")
    settle()
    views = [pane.view for pane in demo.window.grid.panes]
    wheel(views[1], 2, Qt.KeyboardModifier.ControlModifier, QPointF(60, 70))
    drag(views[2], QPoint(25, 10), Qt.MouseButton.MiddleButton, qtbot, move)
    assert len({view.view for view in views}) == 1
    scale = views[0].scale_factor
    for width in (1000, 1300, 1100, 1200):
        demo.window.resize(width, 800)
        QApplication.processEvents()
    assert {view.scale_factor for view in views} == {scale}
    demo.session.panes.set_layout("1x1")
    demo.window.commands["fit"].trigger()
    demo.session.panes.set_layout("1x2")
    QApplication.processEvents()
    assert all(view.view.is_fitted for view in views[:2])


def drag(view, by: QPoint, button: Qt.MouseButton, qtbot, move) -> None:
    middle = view.viewport().rect().center()
    qtbot.mousePress(view.viewport(), button, pos=middle)
    move(view, middle + by, button)
    qtbot.mouseRelease(view.viewport(), button, pos=middle + by)


def test_overlay_controls_act_on_the_active_pane_alone(demo, qtbot, settle, pixels, texts):
    demo.session.panes.set_layout("1x2")
    settle()
    first, second = demo.window.grid.panes
    qtbot.mouseClick(second.view.viewport(), Qt.MouseButton.LeftButton)
    before = pixels(first.view), pixels(second.view)
    demo.window.overlay.opacity.setValue(100)
    assert np.array_equal(before[0], pixels(first.view))
    assert not np.array_equal(before[1], pixels(second.view))
    assert "pane 2" in texts(demo.window.overlay)


def test_space_hides_the_overlays_of_all_panes_while_it_is_held(demo, qtbot, settle, pixels):
    demo.session.panes.set_layout("1x2")
    settle()
    views = [pane.view for pane in demo.window.grid.panes]
    shown = [pixels(view) for view in views]
    views[0].setFocus()
    qtbot.keyPress(views[0], Qt.Key.Key_Space)
    assert not any(np.array_equal(before, pixels(view)) for before, view in zip(shown, views, strict=True))
    qtbot.keyRelease(views[0], Qt.Key.Key_Space)
    assert all(np.array_equal(before, pixels(view)) for before, view in zip(shown, views, strict=True))


def test_a_second_model_can_be_compared_and_says_whose_prediction_is_told(
    demo, qtbot, settle, signed_model_file, texts
):
    pane = demo.window.grid.active
    assert not pane.header.model.isVisible()
    demo.session.panes.set_layout("1x2")
    demo.session.panes.activate(1)
    demo.session.add_model(signed_model_file)
    settle()
    assert demo.window.grid.panes[1].header.model.currentText() == "Test network"
    assert pane.header.model.currentText() == "Demo: phantom opacities"
    assert "Test network" in texts(demo.window.prediction)
    choose(qtbot, demo.window.grid.panes[1].header.model, "Demo: phantom opacities")
    settle()
    assert demo.window.grid.panes[1].state.model is demo.session.model
    demo.window.commands["close_compared"].trigger()
    assert not pane.header.model.isVisible()


def test_long_class_names_fit_and_are_told_whole(viewer, folder, three_class_file, settle):
    viewer.session.open_model(three_class_file)
    viewer.session.open_paths([folder / "case_0.png"])
    settle()
    viewer.session.panes.active.set_overlay(target=2)
    viewer.session.panes.set_layout("2x2")
    settle()
    viewer.window.resize(1280, 720)
    QApplication.processEvents()
    assert viewer.window.width() == 1280
    for pane in viewer.window.grid.panes:
        selector = pane.header.target
        assert selector.geometry().right() < pane.header.width()
        assert "much too long for any panel" in selector.toolTip()


def test_no_threads_are_left_behind_where_the_window_closes_while_something_runs(qtbot):
    app = QApplication.instance()
    before = set(threading.enumerate())
    viewer = Viewer(app, device="cpu")
    viewer.window.show()
    viewer.session.open_model(resource("demo/model.safetensors"))
    viewer.session.open_paths(sorted(resource("demo/cases").iterdir())[:1])
    qtbot.waitUntil(lambda: viewer.is_idle, timeout=30_000)
    viewer.session.panes.set_layout("2x2")
    viewer.session.panes.active.set_method("rise")
    viewer.close()  # while RISE runs
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert left == []
    viewer.window.deleteLater()


def test_a_double_click_shows_a_pane_alone_and_all_again(demo, qtbot, settle):
    demo.session.panes.set_layout("2x2")
    settle()
    grid = demo.window.grid
    size = grid.panes[2].view.size()
    qtbot.mouseDClick(grid.panes[2].view.viewport(), Qt.MouseButton.LeftButton)
    assert [pane.isVisible() for pane in grid.panes] == [False, False, True, False]
    qtbot.waitUntil(lambda: grid.panes[2].view.width() > 1.5 * size.width())
    qtbot.mouseDClick(grid.panes[2].view.viewport(), Qt.MouseButton.LeftButton)
    assert all(pane.isVisible() for pane in grid.panes)


def test_with_one_pane_a_double_click_fits_the_image(demo, qtbot):
    view = demo.window.grid.active.view
    view.zoom(3)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton)
    assert view.view.is_fitted


def test_swapped_panes_are_seen_in_each_others_place(demo, qtbot, settle):
    demo.session.panes.set_layout("1x2")
    settle()
    first, second = demo.window.grid.panes
    places = first.pos(), second.pos()
    key(demo, qtbot, Qt.Key.Key_S, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: (second.pos(), first.pos()) == places)
    assert demo.window.grid.active is first


def test_a_pinned_pane_shows_its_own_case_beside_another_of_another_size(demo, qtbot, settle, folder):
    demo.session.open_paths([folder / f"case_{n}.png" for n in range(3)])
    settle()
    demo.session.panes.set_layout("1x2")
    demo.session.panes.activate(1)
    settle()
    key(demo, qtbot, Qt.Key.Key_K)
    demo.session.step(1)
    settle()
    left, right = demo.window.grid.panes
    assert (left.state.film.image.source.name, right.state.film.image.source.name) == ("case_1.png", "case_0.png")
    left.view.zoom(2.0)
    left.view.pan(QPointF(10, 0))
    a, b = left.view.view, right.view.view
    assert (a.x / a.size[1], a.y / a.size[0]) == pytest.approx((b.x / b.size[1], b.y / b.size[0]))
    assert a.scale * a.size[0] == pytest.approx(b.scale * b.size[0])
