"""Commands by menu, key and search; settings, sessions and what was open of late, in the window."""

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QSpinBox,
    QSplitter,
)

from softcam_viewer.commands import COMMANDS
from softcam_viewer.ui.help import ShortcutSheet
from softcam_viewer.ui.palette import Palette
from softcam_viewer.ui.settings_dialog import SettingsDialog
from softcam_viewer.ui.shortcut_dialog import ShortcutDialog
from softcam_viewer.ui.theme import current_theme
from softcam_viewer.ui.window_state import restore_window, save_window


@pytest.fixture
def palette(opened, qtbot):
    opened.window.commands["show_palette"].trigger()
    found = opened.window.findChild(Palette)
    yield found
    if opened.window.findChild(Palette) is not None:
        found.close()


# Keys


@pytest.mark.parametrize("field", [QLineEdit, QPlainTextEdit, QSpinBox])
def test_letters_typed_into_a_field_are_no_commands(opened, qtbot, field):
    widget = field(opened.window)
    widget.setGeometry(0, 0, 200, 60)
    widget.show()
    widget.setFocus()
    row, inverted = opened.session.row, opened.session.film.inverted
    qtbot.keyClicks(widget, "nip1=[?k")
    assert (opened.session.row, opened.session.film.inverted) == (row, inverted)
    assert not opened.session.panes.is_pinned(opened.session.panes.active)
    assert opened.window.findChild(ShortcutSheet) is None
    view = opened.window.grid.active.view
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_I)
    assert opened.session.film.inverted != inverted


def test_other_keys_act_at_once_and_the_old_ones_no_longer(opened, qtbot):
    opened.desk.settings.change(shortcuts={"invert": ("F9",)})
    view, film = opened.window.grid.active.view, opened.session.film
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_I)
    assert not film.inverted
    qtbot.keyClick(view, Qt.Key.Key_F9)
    assert film.inverted
    assert opened.window.commands["invert"].isChecked()


def test_the_tab_key_can_be_given_away_and_goes_on_to_the_next_class_only_on_an_image(opened, qtbot):
    pane, view = opened.session.panes.active, opened.window.grid.active.view
    view.setFocus()
    before = pane.overlay.target
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    assert pane.overlay.target != before
    opened.desk.settings.change(shortcuts={"next_class": ("F9",)})
    after = pane.overlay.target
    qtbot.keyClick(view, Qt.Key.Key_F9)
    assert pane.overlay.target != after


def test_a_command_that_is_on_is_ticked_however_it_was_switched(opened):
    commands, panes = opened.window.commands, opened.session.panes
    assert commands["layout_1x1"].isChecked()
    commands["layout_1x1"].trigger()
    assert commands["layout_1x1"].isChecked()  # the click alone would have taken the tick away
    panes.active.set_overlay(visible=False)
    assert not commands["toggle_overlay"].isChecked()
    commands["toggle_overlay"].trigger()
    assert panes.active.overlay.visible
    assert commands["toggle_overlay"].isChecked()


def test_the_sheet_shows_the_keys_in_use_and_fits_a_small_screen(opened, texts):
    opened.desk.settings.change(shortcuts={"invert": ("F9",)})
    sheet = ShortcutSheet(opened.window.commands.keys)
    shown = texts(sheet)
    assert "F9" in shown
    assert all(command.label in shown for command in COMMANDS if opened.window.commands.keys[command.name])
    assert sheet.sizeHint().width() <= 1280
    assert sheet.sizeHint().height() <= 720
    sheet.deleteLater()


# The dialog of keys


@pytest.fixture
def keys(qtbot):
    dialog = ShortcutDialog({})
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_a_free_key_is_given_to_a_command(keys):
    keys.choose_command("invert")
    assert keys.editors[0].keySequence() == QKeySequence("I")
    keys.editors[0].setKeySequence(QKeySequence("F9"))
    assert keys.chosen == {"invert": ("F9",)}
    assert keys.problem == ""


def test_a_key_that_is_taken_is_told_and_can_be_taken_over(keys, qtbot):
    keys.choose_command("invert")
    keys.editors[0].setKeySequence(QKeySequence("N"))
    assert "Next case" in keys.problem
    assert keys.chosen == {}
    qtbot.mouseClick(keys.take_button, Qt.MouseButton.LeftButton)
    assert keys.chosen == {"invert": ("N",), "next_case": ("PgDown",)}
    assert keys.problem == ""


def test_a_key_that_no_command_can_have_is_told(keys):
    keys.choose_command("invert")
    keys.editors[0].setKeySequence(QKeySequence("Space"))
    assert "hides the overlays" in keys.problem
    assert not keys.take_button.isVisible()
    assert keys.chosen == {}


def test_keys_go_back_to_the_standard_one_by_one_or_all(keys, qtbot):
    for name, key in (("invert", "F9"), ("fit", "F10")):
        keys.choose_command(name)
        keys.editors[0].setKeySequence(QKeySequence(key))
    assert set(keys.chosen) == {"invert", "fit"}
    qtbot.mouseClick(keys.reset_button, Qt.MouseButton.LeftButton)
    assert set(keys.chosen) == {"invert"}
    qtbot.mouseClick(keys.reset_all_button, Qt.MouseButton.LeftButton)
    assert keys.chosen == {}


def test_the_list_of_keys_is_filtered_by_words(keys):
    keys.search.setText("compare pane")
    shown = [keys.table.item(row, 0).text() for row in range(keys.table.rowCount()) if not keys.table.isRowHidden(row)]
    assert "Next pane" in shown
    assert "Invert black and white" not in shown


# Search


def test_a_command_is_found_by_letters_and_run_when_the_search_has_closed(opened, palette, qtbot):
    qtbot.keyClicks(palette.line, "invbl")
    assert palette.hits[0].command.name == "invert"
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert opened.session.film.inverted
    assert opened.desk.recent.recent.commands == ("invert",)


def test_the_arrow_keys_choose_among_what_is_found(opened, palette, qtbot):
    qtbot.keyClicks(palette.line, "four panes")
    names = [hit.command.name for hit in palette.hits]
    qtbot.keyClick(palette.line, Qt.Key.Key_Down)
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert opened.session.panes.layout == names[1].removeprefix("layout_")


def test_what_was_chosen_last_comes_first(opened, qtbot):
    opened.desk.recent.note_command("zoom_in")
    opened.desk.recent.note_command("show_about")
    opened.window.commands["show_palette"].trigger()
    palette = opened.window.findChild(Palette)
    assert [hit.command.name for hit in palette.hits[:2]] == ["show_about", "zoom_in"]
    palette.close()


def test_what_cannot_be_used_comes_last_and_says_why(viewer, qtbot, texts):
    viewer.window.commands["show_palette"].trigger()
    palette = viewer.window.findChild(Palette)
    qtbot.keyClicks(palette.line, "fit the")
    assert palette.hits[0].why_not == "needs an open image"
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.isVisible()
    qtbot.keyClicks(palette.line, "qqqqq")
    assert palette.hits == []
    assert "No command has these letters" in texts(palette)
    qtbot.keyClick(palette.line, Qt.Key.Key_Escape)
    QApplication.processEvents()


# Settings


def test_settings_are_changed_in_the_dialog_and_hold_in_the_next_run(make_viewer, qtbot):
    viewer = make_viewer()
    dialog = SettingsDialog(viewer.desk.settings.settings, "settings.json", viewer.window)
    qtbot.addWidget(dialog)
    dialog.reviewer.setText("  R. 1 ")
    dialog.layout_choice.setCurrentIndex(dialog.layout_choice.findData("1x2"))
    dialog.theme.setCurrentIndex(dialog.theme.findData("light"))
    viewer.desk.settings.change(**dialog.changes)
    assert current_theme().name == "light"
    viewer.close()
    again = make_viewer()
    assert again.desk.settings.settings.reviewer == "R. 1"
    assert again.session.panes.layout == "1x2"


def test_the_theme_follows_the_system_until_one_is_chosen(viewer):
    hints = QApplication.styleHints()
    assert current_theme().name == "dark"
    try:
        hints.setColorScheme(Qt.ColorScheme.Light)
        followed = current_theme().name
        viewer.desk.settings.change(theme="dark")
        hints.setColorScheme(Qt.ColorScheme.Dark)
        hints.setColorScheme(Qt.ColorScheme.Light)
        chosen = current_theme().name
    finally:
        hints.unsetColorScheme()
        viewer.desk.settings.change(theme="dark")
    # Where the platform has no say (offscreen), it stays unknown and the theme dark.
    assert followed == ("light" if hints.colorScheme() != Qt.ColorScheme.Unknown else "dark")
    assert chosen == "dark"


def test_a_damaged_settings_file_is_told_and_the_window_opens(make_viewer, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.json").write_text("{ no", "utf-8")
    viewer = make_viewer()
    assert "settings.json.damaged" in viewer.window.messages.text


def test_the_window_has_the_height_that_it_had(make_viewer):
    viewer = make_viewer()
    viewer.window.resize(900, 655)  # the screen of these tests is 800 wide, which Qt takes into account
    viewer.close()
    assert make_viewer().window.height() == 655


def test_a_window_and_its_parts_are_put_back_and_damage_is_passed_over(qtbot, tmp_path):
    def make() -> tuple[QMainWindow, QSplitter]:
        window, splitter = QMainWindow(), QSplitter()
        for _ in range(2):
            splitter.addWidget(QLabel())
        window.setCentralWidget(splitter)
        window.resize(500, 300)
        qtbot.addWidget(window)
        return window, splitter

    file = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window, splitter = make()
    window.show()
    splitter.setSizes([120, 380])
    sizes = splitter.sizes()
    save_window(file, window, splitter)
    window, splitter = make()
    restore_window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat), window, splitter)
    window.show()
    assert splitter.sizes() == sizes
    (tmp_path / "window.ini").write_text("[window]\ngeometry=@ByteArray(broken)\nsplitter=7\n", "utf-8")
    window, splitter = make()
    restore_window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat), window, splitter)
    assert (window.width(), window.height()) == (500, 300)
