"""Controls have names for screen readers, and the keyboard reaches them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QRadioButton,
    QScrollBar,
    QWidget,
)

from softcam_core.annotations.shapes import Rectangle
from softcam_viewer.app import Viewer
from softcam_viewer.model.backend import Convertible
from softcam_viewer.ui.card_dialog import CardDialog
from softcam_viewer.ui.conversion_dialog import ConversionDialog
from softcam_viewer.ui.export_dialog import ExportDialog
from softcam_viewer.ui.find_annotations_dialog import FindAnnotationsDialog
from softcam_viewer.ui.help import AboutDialog, ShortcutSheet
from softcam_viewer.ui.options_dialog import OptionsDialog
from softcam_viewer.ui.palette import Palette
from softcam_viewer.ui.panels.prediction import ClassBar
from softcam_viewer.ui.settings_dialog import SettingsDialog
from softcam_viewer.ui.shortcut_dialog import ShortcutDialog

EDITORS = (QComboBox, QAbstractSpinBox, QAbstractSlider, QLineEdit, QPlainTextEdit, QKeySequenceEdit)
CONTROLS = (QAbstractButton, QAbstractItemView, QProgressBar, *EDITORS)
PARTS_OF = (QComboBox, QAbstractSpinBox, QAbstractItemView, QLineEdit, QKeySequenceEdit)


def is_part(widget: QWidget) -> bool:
    """Whether Qt made it as a part of a control."""
    parent = widget.parentWidget()
    in_popup = parent is not None and isinstance(parent.parentWidget(), QComboBox)
    is_qts = isinstance(widget, QScrollBar | QHeaderView) or widget.objectName().startswith("qt_")
    return is_qts or isinstance(parent, PARTS_OF) or in_popup


def name_of(widget: QWidget) -> str:
    if isinstance(widget, EDITORS):
        return widget.accessibleName()  # what Qt takes for it otherwise is what is chosen or typed
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


def nameless(root: QWidget) -> list[str]:
    controls = [w for w in root.findChildren(QWidget) if isinstance(w, CONTROLS) and not is_part(w)]
    assert controls
    return [f"{type(w).__name__} in {type(w.parentWidget()).__name__}" for w in controls if not name_of(w).strip()]


def nameless_stops(root: QWidget) -> list[str]:
    """Where the Tab key stops without a name."""
    stops = [
        w
        for w in root.findChildren(QWidget)
        if w.isVisible() and w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.focusProxy() is None and not is_part(w)
    ]
    return [f"{type(w).__name__} in {type(w.parentWidget()).__name__}" for w in stops if not name_of(w).strip()]


def out_of_reach(root: QWidget) -> list[str]:
    """Controls for the mouse alone; of radio buttons the arrow keys reach the others."""
    kinds = tuple(kind for kind in CONTROLS if kind is not QProgressBar)
    return [
        f"{type(w).__name__} {name_of(w)}"
        for w in root.findChildren(QWidget)
        if isinstance(w, kinds) and not isinstance(w, QRadioButton) and not is_part(w)
        if w.isVisible() and w.isEnabled() and not w.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]


@pytest.fixture
def opened(viewer: Viewer, folder: Path, three_class_file: Path, settle: Callable[[], None]) -> Viewer:
    """Two panes, one with a method that has options, an annotation that is chosen, and a message."""
    viewer.session.open_model(three_class_file)
    viewer.session.open_paths([folder / "case_0.png", folder / "case_1.png"])
    settle()
    viewer.session.panes.set_layout("1x2")
    viewer.session.panes.shown[1].set_method("random")
    settle()
    viewer.session.annotating.draw(Rectangle(top=10, left=10, height=20, width=20))  # and the form that changes it
    viewer.window.messages.show_message("Something to dismiss.")
    settle()
    return viewer


DIALOGS: dict[str, Callable[[Viewer], QWidget]] = {
    "export": lambda v: ExportDialog(v.session, v.session.exporting, v.window.grid.films, Path("out"), v.window),
    "keys and mouse": lambda v: ShortcutSheet(v.window.commands.keys, v.window),
    "about": lambda v: AboutDialog("cpu", v.window),
    "settings": lambda v: SettingsDialog(v.desk.settings.settings, "settings.json", v.window),
    "change keys": lambda v: ShortcutDialog({}, v.window),
    "find annotations": lambda v: FindAnnotationsDialog(v.session, v.window),
    "palette": lambda v: Palette(v.window.commands, (), v.window),
    "model": lambda v: CardDialog(v.session.model, v.window),
    "figures": lambda v: v.window.figures.open_dialog(),
    "fine-tuning": lambda v: v.window.training.fine_tune(),
    "jobs": lambda v: v.window.training.show_jobs(),
    "options": lambda v: OptionsDialog(v.session.panes.active, v.session.panes.methods["occlusion"], v.window),
    "conversion": lambda v: ConversionDialog(
        v.session, Convertible(Path("weights.pth"), "resnet18", 1.0, ("resnet18",), 2), v.window
    ),
}


def test_every_control_of_the_window_has_a_name_and_is_reached(opened: Viewer) -> None:
    assert nameless(opened.window) == []
    assert nameless_stops(opened.window) == []
    assert out_of_reach(opened.window) == []


def test_every_control_of_the_empty_window_has_a_name_and_is_reached(viewer: Viewer) -> None:
    assert nameless(viewer.window) == []
    assert out_of_reach(viewer.window) == []


def test_every_control_of_every_dialog_has_a_name_and_is_reached(opened: Viewer) -> None:
    wrong = {}
    for name, make in DIALOGS.items():
        dialog = make(opened)
        dialog.show()
        wrong[name] = nameless(dialog) + nameless_stops(dialog)
        if name != "palette":  # whose line has the keys of its list
            wrong[name] += out_of_reach(dialog)
        dialog.close()
    assert wrong == {name: [] for name in DIALOGS}


def test_arrow_keys_in_the_palette_move_in_its_list(opened: Viewer, qtbot) -> None:
    palette = Palette(opened.window.commands, (), opened.window)
    palette.show()
    qtbot.keyClick(palette.line, Qt.Key.Key_Down)
    assert palette.list.currentIndex().row() == 1
    palette.close()


def test_arrow_keys_choose_the_class_from_the_bars_of_the_prediction(opened: Viewer, qtbot) -> None:
    bars = opened.window.prediction.findChildren(ClassBar)
    pane = opened.session.panes.active
    pane.set_overlay(target=0, against=None)
    assert [bar.focusPolicy() for bar in bars] == [Qt.FocusPolicy.TabFocus, *[Qt.FocusPolicy.NoFocus] * 2]
    qtbot.keyClick(bars[0], Qt.Key.Key_Down)
    assert pane.overlay.target == 1
    assert bars[1].focusPolicy() == Qt.FocusPolicy.TabFocus
    qtbot.keyClick(bars[1], Qt.Key.Key_Up)
    qtbot.keyClick(bars[0], Qt.Key.Key_Up)
    assert pane.overlay.target == 0


def test_the_tab_key_goes_from_the_image_down_the_panels(opened: Viewer) -> None:
    window, order = opened.window, []
    widget = window.nextInFocusChain()
    while widget is not window:
        order.append(widget)
        widget = widget.nextInFocusChain()
    chosen = next(bar for bar in window.prediction.findChildren(ClassBar) if bar.focusPolicy())
    boxes = [row.box for row in window.ledger.rows.values() if row.box.isVisible()]
    stops = [window.grid.active.view, chosen, window.overlay.threshold, *boxes, window.ledger.as_waterfall]
    assert boxes
    assert [w for w in order if w in stops] == stops
