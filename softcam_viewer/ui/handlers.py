"""What the commands do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QGuiApplication

from softcam_core.annotations.annotation import VERDICTS
from softcam_viewer.commands import Handlers
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.overlay import OVERLAY_STEP
from softcam_viewer.model.presets import PRESETS
from softcam_viewer.model.tools import TOOLS
from softcam_viewer.model.window_presets import PERCENTILES
from softcam_viewer.ui.canvas.image_view import ZOOM_STEP
from softcam_viewer.ui.card_dialog import CardDialog
from softcam_viewer.ui.export_dialog import ExportDialog
from softcam_viewer.ui.help import AboutDialog, ShortcutSheet
from softcam_viewer.ui.palette import Palette
from softcam_viewer.ui.pictures import picture_of
from softcam_viewer.ui.settings_dialog import SettingsDialog
from softcam_viewer.ui.shortcut_dialog import ShortcutDialog

if TYPE_CHECKING:
    from softcam_viewer.ui.main_window import MainWindow

MIDDLE, ALL = PERCENTILES  # titles of presets that every grey image has


class CommandHandlers:
    """Does what the commands say, to a window and its session.

    Parameters
    ----------
    window : MainWindow
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def all(self) -> Handlers:
        """What each command does, by its name."""
        window = self._window
        session, panes, grid = window.session, window.session.panes, window.grid
        handlers: Handlers = {
            "open_files": window.opening.ask_files,
            "open_folder": window.opening.ask_folder,
            "open_model": window.opening.ask_model,
            "add_model": window.opening.ask_model_to_compare,
            "close_compared": session.close_compared,
            "show_card": self._show_card,
            "open_session": window.opening.ask_session,
            "reopen_session": window.opening.reopen,
            "save_session": window.opening.save_session,
            "save_session_as": window.opening.ask_where_to_save,
            "open_demo": window.open_demo,
            "export": self._export,
            "copy_picture": self._copy_picture,
            "show_settings": self._show_settings,
            "quit": window.close,
            "next_case": lambda: session.step(1),
            "previous_case": lambda: session.step(-1),
            "next_frame": lambda: session.step_frame(1),
            "previous_frame": lambda: session.step_frame(-1),
            "toggle_reviewed": session.toggle_reviewed,
            "next_unreviewed": session.step_to_unreviewed,
            "focus_filter": window.worklist.focus_filter,
            "explain_all": session.explain_all,
            "stop_scan": session.previews.stop_scan,
            "toggle_grouping": lambda: session.worklist.group(on=not session.worklist.is_grouped),
            "fit": lambda: grid.active.view.fit(),
            "zoom_in": lambda: grid.active.view.zoom(ZOOM_STEP),
            "zoom_out": lambda: grid.active.view.zoom(1 / ZOOM_STEP),
            "window_1": lambda: self._use_window(0),
            "window_2": lambda: session.film.use_preset(MIDDLE),
            "window_3": lambda: session.film.use_preset(ALL),
            "window_4": lambda: self._use_window(1),
            "invert": session.film.toggle_inverted,
            "threshold_down": lambda: self._step_overlay("threshold", -OVERLAY_STEP),
            "threshold_up": lambda: self._step_overlay("threshold", OVERLAY_STEP),
            "opacity_down": lambda: self._step_overlay("opacity", -OVERLAY_STEP),
            "opacity_up": lambda: self._step_overlay("opacity", OVERLAY_STEP),
            "tool_window": lambda: grid.tools.use("window"),
            **{f"tool_{name}": partial(grid.tools.toggle, name) for name in TOOLS if name != "window"},
            "show_crosshair": lambda: grid.tools.show_crosshair(on=not grid.tools.shows_crosshair),
            "show_cells": lambda: grid.tools.show_cells(on=not grid.tools.shows_cells),
            "show_annotations": lambda: grid.tools.show_annotations(on=not grid.tools.shows_annotations),
            "show_marks": lambda: grid.tools.show_marks(on=not grid.tools.shows_marks),
            "brush_smaller": lambda: grid.tools.step_brush(-1),
            "brush_larger": lambda: grid.tools.step_brush(1),
            "clear_measures": self._clear_measures,
            "flag": self._flag,
            **{f"verdict_{name}": partial(session.annotating.set_verdict, name) for name in VERDICTS},
            "undo": session.annotating.undo,
            "redo": session.annotating.redo,
            "next_annotation": lambda: session.annotating.step(1),
            "previous_annotation": lambda: session.annotating.step(-1),
            "comment_annotation": window.annotations.write_comment,
            "delete_annotation": lambda: session.annotating.remove(session.annotating.selected),
            "find_annotations": window.annotating.find,
            "fine_tune": window.training.fine_tune,
            "show_jobs": window.training.show_jobs,
            "compare_before": window.training.compare_latest,
            "accept_model": window.desk.comparing.accept,
            "discard_model": window.desk.comparing.discard,
            "leave_comparison": window.desk.comparing.leave,
            "next_class": lambda: panes.active.next_class(),
            "toggle_overlay": lambda: panes.active.set_overlay(visible=not panes.active.overlay.visible),
            "outline_only": self._toggle_outline,
            "show_waterfall": window.ledger.as_waterfall.toggle,
            "count_all": session.weighing.count_all,
            "compute_curves": session.figures.compute,
            "open_figures": window.figures.open_dialog,
            "next_pane": lambda: panes.step(1),
            "previous_pane": lambda: panes.step(-1),
            "maximise": lambda: panes.maximise(on=not panes.is_maximised),
            "swap_panes": lambda: panes.swap(panes.active_index, (panes.active_index + 1) % len(panes.shown)),
            "blink": panes.toggle_blinking,
            "copy_overlay": panes.copy_overlay,
            "link_views": lambda: panes.link_views(on=not panes.links_views),
            "share_scale": lambda: panes.share_scale(on=not panes.shares_scale),
            "pin_case": lambda: panes.toggle_pinned(panes.active),
            "choose_method": lambda: grid.active.header.method.showPopup(),
            "choose_class": lambda: grid.active.header.target.showPopup(),
            "choose_model": lambda: grid.active.header.model.showPopup(),
            "method_options": lambda: grid.active.open_options(),
            "cancel": lambda: panes.cancel(panes.active),
            "toggle_theme": window.appearance.toggle,
            "show_palette": self._show_palette,
            "show_shortcuts": lambda: ShortcutSheet(window.commands.keys, window).exec(),
            "edit_shortcuts": self._edit_shortcuts,
            "show_about": lambda: AboutDialog(window.title.device.text() or "no model open", window).exec(),
        }
        handlers |= {f"layout_{name}": partial(panes.set_layout, name) for name in LAYOUTS}
        handlers |= {f"preset_{name}": partial(preset.apply, session) for name, preset in PRESETS.items()}
        return handlers | {f"pane_{n}": partial(panes.activate, n - 1) for n in range(1, 5)}

    # What they do

    def _show_card(self) -> None:
        model = self._window.session.panes.active.model or self._window.session.model
        if model is not None:
            CardDialog(model, self._window).exec()

    def _clear_measures(self) -> None:
        image = self._window.session.panes.active.film.image
        if image is not None:
            self._window.grid.tools.clear((image.source, image.frame))

    def _flag(self) -> None:
        window, pointed = self._window, self._window.status.pointed
        panes = window.session.panes
        pane = None if pointed is None else pointed[0].state
        if pointed is None or pane not in panes.shown:
            window.session.failed.emit("Point at the evidence that is wrong, and press the key again.")
            return
        panes.activate(panes.shown.index(pane))
        window.session.annotating.flag_at(pointed[1], pointed[2], "wrong")

    def _export(self) -> None:
        window = self._window
        folder = window.desk.recent.recent.export_folder or Path.home() / "softcam-export"
        dialog = ExportDialog(window.session, window.session.exporting, window.grid.films, folder, window)
        dialog.exec()
        window.desk.recent.note_export_folder(dialog.request.folder)
        dialog.deleteLater()

    def _copy_picture(self) -> None:
        QGuiApplication.clipboard().setImage(picture_of(self._window.grid.films, self._window.session, 2.0))

    def _step_overlay(self, name: str, by: float) -> None:
        pane = self._window.session.panes.active
        pane.set_overlay(**{name: float(np.clip(getattr(pane.overlay, name) + by, 0, 1))})

    def _toggle_outline(self) -> None:
        pane = self._window.session.panes.active
        pane.set_overlay(style="both" if pane.overlay.style == "contour" else "contour")

    def _use_window(self, number: int) -> None:
        film = self._window.session.film
        if number < len(film.presets):
            film.use_preset(film.presets[number].title)

    def _show_palette(self) -> None:
        palette = Palette(self._window.commands, self._window.desk.recent.recent.commands, self._window)
        palette.chosen.connect(self._on_command_chosen)
        palette.show()
        palette.line.setFocus()

    def _on_command_chosen(self, name: str) -> None:
        self._window.desk.recent.note_command(name)
        self._window.commands[name].trigger()

    def _edit_shortcuts(self) -> None:
        dialog = ShortcutDialog(self._window.desk.settings.settings.shortcuts, self._window)
        if dialog.exec():
            self._window.desk.settings.change(shortcuts=dialog.chosen)
        dialog.deleteLater()

    def _show_settings(self) -> None:
        folders = self._window.desk.folders
        dialog = SettingsDialog(
            self._window.desk.settings.settings, "" if folders is None else str(folders.settings), self._window
        )
        dialog.edit_shortcuts_wanted.connect(self._edit_shortcuts)
        if dialog.exec():
            self._window.desk.settings.change(**dialog.changes)
        dialog.deleteLater()
