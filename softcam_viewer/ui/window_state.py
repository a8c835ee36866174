"""Size and place of the window, and how its parts share it, from one run to the next."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QMainWindow, QSplitter

GEOMETRY, SPLITTER = "window/geometry", "window/splitter"


def save_window(file: QSettings, window: QMainWindow, splitter: QSplitter) -> None:
    """Remember a window."""
    file.setValue(GEOMETRY, window.saveGeometry())
    file.setValue(SPLITTER, splitter.saveState())
    file.sync()


def restore_window(file: QSettings, window: QMainWindow, splitter: QSplitter) -> None:
    """Give a window its size and place; what is not known or damaged stays as it is."""
    geometry, parts = file.value(GEOMETRY), file.value(SPLITTER)
    if isinstance(geometry, QByteArray):
        window.restoreGeometry(geometry)
    if isinstance(parts, QByteArray):
        splitter.restoreState(parts)
