"""Appearance: the theme that was chosen, or that of the system as it changes."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from softcam_viewer.model.settings import SettingsStore
from softcam_viewer.ui.theme import DARK, LIGHT, THEMES, apply_theme, current_theme


class Appearance(QObject):
    """Keeps the application in its theme.

    Parameters
    ----------
    app : QApplication
    store : SettingsStore
    forced : str
        A theme for this run that is not kept; "" for that of the settings.
    """

    changed = Signal()

    def __init__(
        self, app: QApplication, store: SettingsStore, forced: str = "", parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._app, self._store = app, store
        self._forced = forced
        app.styleHints().colorSchemeChanged.connect(self._on_system_changed)
        store.changed.connect(self._on_settings_changed)
        self._wanted = store.settings.theme
        apply_theme(app, THEMES[self._theme()])

    def toggle(self) -> None:
        """From dark to light or back, whatever the system says."""
        self._forced = ""
        self._store.change(theme="light" if current_theme() is DARK else "dark")
        self._apply()

    def _on_settings_changed(self) -> None:
        if self._store.settings.theme != self._wanted:
            self._wanted, self._forced = self._store.settings.theme, ""
            self._apply()

    def _on_system_changed(self, _scheme: Qt.ColorScheme) -> None:
        self._apply()

    def _theme(self) -> str:
        choice = self._forced or self._store.settings.theme
        if choice != "system":
            return choice
        # Films are read in the dark; so it is where the system has no opinion.
        is_light = self._app.styleHints().colorScheme() == Qt.ColorScheme.Light
        return (LIGHT if is_light else DARK).name

    def _apply(self) -> None:
        name = self._theme()
        if name != current_theme().name:
            apply_theme(self._app, THEMES[name])
            self.changed.emit()
