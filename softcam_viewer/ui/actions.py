"""Commands as Qt's actions, enabled only when they can be used."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget

from softcam_viewer.commands import COMMANDS, MENUS, Handlers, Need
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.methods import name_of
from softcam_viewer.model.session import Session

CHECKED = ("share_scale", "maximise", "blink", "pin_case")
"""Commands that are on or off."""


class Actions:
    """One action for each command.

    Parameters
    ----------
    session : Session
    handlers : Handlers
        What each command does.
    window : QWidget
        Where their keys work.
    """

    def __init__(self, session: Session, handlers: Handlers, window: QWidget) -> None:
        self._session = session
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.title, window)
            action.setShortcuts([QKeySequence(key) for key in command.keys])
            action.triggered.connect(lambda _checked=False, run=handlers[command.name]: run())
            action.setCheckable(command.name in CHECKED or command.name.startswith("layout_"))
            if "Tab" in command.keys:
                # Only on the image: elsewhere Tab goes from control to control.
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            self._actions[command.name] = action

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def fill(self, bar: QMenuBar) -> None:
        """Add all to menus."""
        menus = {name: bar.addMenu(name) for name in MENUS}
        for command in COMMANDS:
            if command.separated:
                menus[command.menu].addSeparator()
            menus[command.menu].addAction(self._actions[command.name])

    def add_to_image(self, view: QWidget) -> None:
        """Let an image have the keys that work on images alone."""
        for action in self._actions.values():
            if action.shortcutContext() == Qt.ShortcutContext.WidgetShortcut:
                view.addAction(action)

    def refresh(self) -> None:
        """Enable what can be used now, and check what is chosen."""
        session, panes, pane = self._session, self._session.panes, self._session.panes.active
        method = panes.methods.get(name_of(pane.method))
        there: dict[Need, bool] = {
            "nothing": True,
            "cases": len(session.cases) > 1,
            "image": session.film.image is not None,
            "model": session.model is not None,
            "explanation": pane.explanation is not None,
            "pane": len(panes.shown) > 1,
            "options": method is not None and bool(method.options) and session.model is not None,
            "compared": bool(session.compared),
            "progress": pane.progress is not None,
        }
        for command in COMMANDS:
            self._actions[command.name].setEnabled(there[command.needs])
        presets = session.film.image.window_presets if session.film.image else ()
        self._actions["window_4"].setEnabled(len(presets) > 1)
        for number in range(1, 5):
            self._actions[f"pane_{number}"].setEnabled(1 < len(panes.shown) >= number)
        is_on = (panes.shares_scale, panes.is_maximised, panes.is_blinking, panes.is_pinned(pane))
        for name, on in zip(CHECKED, is_on, strict=True):
            self._actions[name].setChecked(on)
        for name in LAYOUTS:
            self._actions[f"layout_{name}"].setChecked(name == panes.layout)
