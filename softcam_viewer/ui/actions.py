"""Commands as Qt's actions: their keys, enabled only when they can be used, checked when they are on."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from softcam_core.annotations.annotation import VERDICTS
from softcam_viewer.commands import COMMAND, COMMANDS, MENUS, NEEDS, Handlers, Need
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.methods import name_of
from softcam_viewer.model.session import Session
from softcam_viewer.model.tools import TOOLS, Tools
from softcam_viewer.shortcuts import Keys, keys_in_use


def key_text(keys: tuple[str, ...]) -> str:
    """Keys as this system writes them."""
    return ", ".join(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys)


class Actions(QObject):
    """One action for each command.

    Parameters
    ----------
    session : Session
    tools : Tools
    handlers : Handlers
        What each command does.
    window : QWidget
        Where their keys work.
    """

    keys_changed = Signal()

    def __init__(self, session: Session, tools: Tools, handlers: Handlers, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._tools = session, tools
        self._images: list[QWidget] = []
        self._actions: dict[str, QAction] = {}
        self.menus: dict[str, QMenu] = {}
        self.keys: dict[str, tuple[str, ...]] = {}
        # Which only the window knows:
        self.has_last_session = self.has_finished_job = self.is_comparing = False
        for command in COMMANDS:
            action = QAction(command.title, window)
            action.setCheckable(command.checkable)
            action.triggered.connect(lambda _checked=False, name=command.name: self._run(name, handlers))
            # On the window, not in the menus alone: these may be hidden.
            window.addAction(action)
            self._actions[command.name] = action
        self.set_keys({})

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def _run(self, name: str, handlers: Handlers) -> None:
        handlers[name]()
        self.refresh()  # the click has changed the tick by itself, whatever came of it

    # Keys

    def set_keys(self, chosen: Keys) -> None:
        """Use other keys than the standard ones; see `keys_in_use`."""
        self.keys = keys_in_use(chosen)
        for name, action in self._actions.items():
            keys = self.keys[name]
            action.setShortcuts([QKeySequence(key) for key in keys])
            # Only on the image: elsewhere Tab goes from control to control.
            on_images = "Tab" in keys
            action.setShortcutContext(
                Qt.ShortcutContext.WidgetShortcut if on_images else Qt.ShortcutContext.WindowShortcut
            )
            for view in self._images:
                (view.addAction if on_images else view.removeAction)(action)
        self.keys_changed.emit()

    def add_to_image(self, view: QWidget) -> None:
        """Let an image have the keys that work on images alone."""
        self._images.append(view)
        for action in self._actions.values():
            if action.shortcutContext() == Qt.ShortcutContext.WidgetShortcut:
                view.addAction(action)

    # Menus

    def fill(self, bar: QMenuBar) -> None:
        """Add all to menus."""
        self.menus = {name: bar.addMenu(name) for name in MENUS}
        for command in COMMANDS:
            if command.separated:
                self.menus[command.menu].addSeparator()
            self.menus[command.menu].addAction(self._actions[command.name])

    # When they can be used

    def why_not(self, name: str) -> str:
        """Why a command cannot be used now, "" where it can."""
        return "" if self._actions[name].isEnabled() else NEEDS[COMMAND[name].needs]

    def refresh(self) -> None:
        """Enable what can be used now, and check what is chosen."""
        session, panes, pane = self._session, self._session.panes, self._session.panes.active
        method = panes.methods.get(name_of(pane.method))
        image, annotating = session.film.image, session.annotating
        there: dict[Need, bool] = {
            "nothing": True,
            "something": session.model is not None or len(session.cases) > 0,
            "last_session": self.has_last_session,
            "cases": len(session.cases) > 1,
            "image": image is not None,
            "second_window": image is not None and len(image.window_presets) > 1,
            "model": session.model is not None,
            "explanation": pane.explanation is not None,
            "pane": len(panes.shown) > 1,
            "options": method is not None and bool(method.options) and session.model is not None,
            "compared": bool(session.compared),
            "progress": pane.progress is not None,
            "scan": session.previews.is_scanning,
            "left_out": bool(session.weighing.names_left_out),
            "curves": session.figures.can_compute,
            "undo": bool(annotating.undo_title),
            "redo": bool(annotating.redo_title),
            "chosen": bool(annotating.selected),
            "annotations": bool(annotating.annotations),
            "finished_job": self.has_finished_job,
            "comparison": self.is_comparing,
        }
        for command in COMMANDS:
            self._actions[command.name].setEnabled(there[command.needs])
        for number in range(1, 5):
            self._actions[f"pane_{number}"].setEnabled(1 < len(panes.shown) >= number)
        is_on = {
            "invert": session.film.inverted,
            "toggle_reviewed": 0 <= session.row < len(session.cases) and session.cases[session.row].reviewed,
            "toggle_overlay": pane.overlay.visible,
            "outline_only": pane.overlay.style == "contour",
            "link_views": panes.links_views,
            "share_scale": panes.shares_scale,
            "maximise": panes.is_maximised,
            "blink": panes.is_blinking,
            "pin_case": panes.is_pinned(pane),
            "toggle_grouping": session.worklist.is_grouped,
            "show_crosshair": self._tools.shows_crosshair,
            "show_cells": self._tools.shows_cells,
            "show_annotations": self._tools.shows_annotations,
            "show_marks": self._tools.shows_marks,
        }
        is_on |= {f"verdict_{name}": name == annotating.verdict for name in VERDICTS}
        is_on |= {f"layout_{name}": name == panes.layout for name in LAYOUTS}
        is_on |= {f"tool_{name}": name == self._tools.active.name for name in TOOLS}
        for name, on in is_on.items():
            self._actions[name].setChecked(on)
        for name, title in (("undo", annotating.undo_title), ("redo", annotating.redo_title)):
            self._actions[name].setText(f"{COMMAND[name].title} {title[:1].lower()}{title[1:]}".strip())
