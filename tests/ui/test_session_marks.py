"""What was drawn, measured and switched comes back with a session, and closing asks for what would be lost."""

import errno
import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from softcam_viewer.model.session_file import read_session

KEYS = QMessageBox.StandardButton


@pytest.fixture
def drag(qtbot, move):
    """Drag the left button over an image, given with (x, y) in its pixels."""

    def run(view, *points: tuple[float, float]) -> None:
        places = [view.widget_position(y, x).toPoint() for x, y in points]
        qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=places[0])
        for place in places[1:]:
            move(view, place, Qt.MouseButton.LeftButton)
        qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=places[-1])

    return run


@pytest.fixture
def saved(make_viewer, rest, folder, signed_model_file, tmp_path):
    """A viewer with a session in a file of its own."""
    model = tmp_path / "model.safetensors"
    shutil.copy(signed_model_file, model)
    viewer = make_viewer()
    viewer.window.opening.open_all([model, folder])
    rest(viewer)
    viewer.desk.keeping.save_as(tmp_path / "s.softcam")
    rest(viewer)
    return viewer


@pytest.fixture
def reopened(make_viewer, rest, tmp_path):
    """Closes a viewer and opens its session in the next."""

    def run(viewer):
        viewer.close()
        again = make_viewer()
        again.desk.open_session(tmp_path / "s.softcam")
        rest(again)
        return again

    return run


def test_what_was_drawn_measured_and_switched_is_back(saved, reopened, qtbot, rest, drag):
    window, commands = saved.window, saved.window.commands
    commands["layout_1x2"].trigger()
    rest(saved)
    view = window.grid.active.view
    commands["tool_ruler"].trigger()
    drag(view, (10, 10), (40, 30), (60, 50))
    commands["tool_lasso"].trigger()
    drag(view, (20, 20), (60, 20), (60, 70), (20, 70))
    saved.session.panes.active.set_overlay(threshold=0.3)
    QApplication.processEvents()
    box = next(row.box for title, row in window.ledger.rows.items() if title[0] in "RN")
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    view.setFocus()  # or it would go astray with the box, which the waterfall replaces
    qtbot.mouseClick(window.ledger.as_waterfall, Qt.MouseButton.LeftButton)
    for name in ("show_crosshair", "show_cells", "show_annotations", "tool_magnifier", "maximise"):
        commands[name].trigger()
    window.figures.controls.automatic.setChecked(True)
    rest(saved)
    weighing, tools = saved.session.weighing, window.grid.tools
    names, outcome, measured = weighing.names_left_out, weighing.outcome, tools.measured
    assert len(names) == 2
    assert [measure.kind for (measure,) in measured.values()] == ["ruler"]

    again = reopened(saved)
    rest(again)
    assert again.window.messages.text == ""
    weighing, tools = again.session.weighing, again.window.grid.tools
    assert weighing.names_left_out == names
    assert weighing.outcome.probabilities == pytest.approx(outcome.probabilities, abs=1e-7)
    assert again.window.grid.active.view.shapes == weighing.shapes
    assert tools.measured == measured
    assert (tools.shows_crosshair, tools.shows_cells, tools.shows_annotations) == (False, True, False)
    assert tools.active.name == "magnifier"
    assert again.window.ledger.as_waterfall.isChecked()
    assert again.session.figures.automatic
    assert again.window.figures.controls.automatic.isChecked()
    assert again.session.panes.is_maximised
    assert not again.window.grid.panes[1].isVisible()
    assert not again.window.commands["show_crosshair"].isChecked()


def test_each_mark_and_switch_is_saved_by_itself(saved, qtbot, rest, tmp_path):
    window, keeping = saved.window, saved.desk.keeping
    changes = [
        lambda: window.grid.tools.show_cells(on=True),
        lambda: window.ledger.as_waterfall.setChecked(True),
        lambda: saved.session.weighing.add_shape([(1, 1), (1, 9), (9, 9)]),
        lambda: window.figures.controls.automatic.setChecked(True),
        lambda: window.commands["tool_magnifier"].trigger(),
    ]
    before = read_session(tmp_path / "s.softcam")
    for change in changes:
        keeping._timer.stop()
        change()
        assert keeping._timer.isActive()
        keeping._timer.stop()
        keeping._on_time()
        rest(saved)
        now = read_session(tmp_path / "s.softcam")
        assert now != before
        before = now


def test_a_model_file_with_other_classes_in_its_place_is_told_with_what_is_shown_instead(
    saved, reopened, rest, three_class_file, tmp_path
):
    saved.session.panes.active.set_overlay(target=1, against=None)
    saved.session.weighing.set_counted(1, counted=False)
    saved.session.weighing.add_shape([(1, 1), (1, 30), (30, 30)])
    rest(saved)
    saved.close()
    shutil.copy(three_class_file, tmp_path / "model.safetensors")
    again = reopened(saved)
    text = again.window.messages.text
    assert "model.safetensors has changed since the session was saved" in text
    assert "Pane 1: Three classes has no class 'opacity', but normal, drusen" in text
    assert "it shows the class of its own choice" in text
    pane = again.session.panes.active
    assert pane.explanation.class_names[:2] == ("normal", "drusen")
    assert pane.overlay_map is not None
    assert again.session.weighing.names_left_out == ("L1",)


# Closing


@pytest.fixture
def unsaved(saved, rest):
    """The session has a change that nobody but the user will save."""
    saved.desk.settings.change(autosave=False)
    rest(saved)
    saved.session.panes.active.set_overlay(threshold=0.77)
    assert saved.desk.keeping.has_unsaved
    return saved


@pytest.fixture
def answer(qtbot):
    """Click a button of the question that comes up next, or press Escape; gives the texts of those that came."""
    asked: list[str] = []
    keys: list[QMessageBox.StandardButton | None] = []
    timer = QTimer(singleShot=True, interval=50)  # the question has an event loop of its own

    def click() -> None:
        box, key = QApplication.activeModalWidget(), keys.pop()
        if not isinstance(box, QMessageBox):
            return
        asked.append(box.text())
        if key is None:
            qtbot.keyClick(box, Qt.Key.Key_Escape)
        else:
            qtbot.mouseClick(box.button(key), Qt.MouseButton.LeftButton)

    def run(key: QMessageBox.StandardButton | None) -> list[str]:
        keys.append(key)
        timer.start()
        return asked

    timer.timeout.connect(click)
    yield run
    timer.stop()


def threshold_in(path: Path) -> float:
    return read_session(path).panes[0].overlay["threshold"]


def test_without_changes_closing_asks_nothing(saved, answer):
    saved.desk.settings.change(autosave=False)
    asked = answer(KEYS.Cancel)
    assert saved.window.close()
    assert not saved.window.isVisible()
    assert asked == []


def test_a_session_that_was_only_opened_closes_without_a_question(saved, reopened, answer):
    saved.desk.settings.change(autosave=False)
    again = reopened(saved)
    assert not again.desk.settings.settings.autosave
    asked = answer(KEYS.Cancel)
    assert again.window.close()
    assert asked == []


def test_closing_with_changes_can_save_them(unsaved, answer, tmp_path):
    asked = answer(KEYS.Save)
    assert unsaved.window.close()
    assert not unsaved.window.isVisible()
    assert asked == ["Save the changes of the session s?"]
    assert threshold_in(tmp_path / "s.softcam") == 0.77
    unsaved.close()  # what the program then does asks no more
    assert len(asked) == 1


def test_closing_with_changes_can_discard_them(unsaved, answer, tmp_path):
    before = (tmp_path / "s.softcam").read_bytes()
    asked = answer(KEYS.Discard)
    assert unsaved.window.close()
    unsaved.close()
    assert len(asked) == 1
    assert not unsaved.window.isVisible()
    assert (tmp_path / "s.softcam").read_bytes() == before


@pytest.mark.parametrize("key", [KEYS.Cancel, None])
def test_closing_with_changes_can_be_cancelled_by_button_or_escape(unsaved, answer, tmp_path, monkeypatch, key):
    before = (tmp_path / "s.softcam").read_bytes()
    asked = answer(key)
    assert not unsaved.window.close()
    assert len(asked) == 1
    assert unsaved.window.isVisible()
    assert unsaved.desk.keeping.has_unsaved
    assert (tmp_path / "s.softcam").read_bytes() == before
    unsaved.session.panes.active.set_overlay(threshold=0.5)  # it still works
    monkeypatch.setattr(QMessageBox, "question", lambda *_: KEYS.Discard)
    assert unsaved.window.close()


def test_a_save_into_a_read_only_folder_keeps_the_window_open_and_tells_why(unsaved, answer, tmp_path, monkeypatch):
    def refuse(self: Path, content: bytes) -> int:  # root may write anywhere
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    before = (tmp_path / "s.softcam").read_bytes()
    asked = answer(KEYS.Save)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        assert not unsaved.window.close()
    assert len(asked) == 1
    assert unsaved.window.isVisible()
    text = unsaved.window.messages.text
    assert f"{tmp_path / 's.softcam'}: cannot be written: Permission denied. Choose another folder." in text
    assert (tmp_path / "s.softcam").read_bytes() == before
    assert unsaved.desk.keeping.has_unsaved
    answer(KEYS.Save)
    assert unsaved.window.close()
    assert threshold_in(tmp_path / "s.softcam") == 0.77
