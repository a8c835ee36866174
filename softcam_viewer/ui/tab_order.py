"""Places in the order of the Tab key for widgets that are made later than those around them."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def insert_before(later: QWidget, widgets: Iterable[QWidget]) -> None:
    """Let the Tab key come to widgets before another one of their window.

    Parameters
    ----------
    later : QWidget
        Need not take the keyboard itself.
    widgets : iterable of QWidget
        In their order; they must take the keyboard by Tab, or Qt passes them over.
    """
    before = later.previousInFocusChain()
    while before is not None and before is not later and not _is_stop(before):
        before = before.previousInFocusChain()
    for widget in widgets:
        if before is not None:
            QWidget.setTabOrder(before, widget)
        before = widget


def _is_stop(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
