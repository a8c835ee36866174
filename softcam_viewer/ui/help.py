"""Dialogs under Help: keys and mouse, and about."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from softcam_core.notice import NOTICE
from softcam_viewer.commands import COMMANDS, MENUS, MOUSE
from softcam_viewer.ui.actions import key_text

PARTS = ("softcam", "torch", "torchvision", "PySide6_Essentials", "pyqtgraph", "pydicom", "numpy")
COLUMNS, TITLE_ROWS, LEAST_LINES = 3, 2, 3
LARGEST = QSize(1210, 570)
"""Of what scrolls, so that the sheet fits a screen of 1280 x 720."""

Group = tuple[str, tuple[tuple[str, str], ...]]


class ShortcutSheet(QDialog):
    """All keys and mouse actions on one page.

    Parameters
    ----------
    keys : mapping of str to tuple of str
        Of all commands, by name.
    """

    def __init__(self, keys: Mapping[str, tuple[str, ...]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        groups: list[Group] = [("Mouse on the image", MOUSE)]
        for menu in MENUS:
            lines = [(key_text(keys[c.name]), c.label) for c in COMMANDS if c.menu == menu and keys[c.name]]
            if lines:
                groups.append((menu, tuple(lines)))
        sheet = QWidget()
        row = QHBoxLayout(sheet)
        row.setContentsMargins(0, 0, 12, 0)
        row.setSpacing(28)
        for column in _columns(groups):
            row.addLayout(_column(column))
        scroll = QScrollArea()
        scroll.setAccessibleName("Keys and mouse")
        scroll.setWidget(sheet)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        size = sheet.sizeHint()
        scroll.setMinimumSize(min(size.width() + 12, LARGEST.width()), min(size.height() + 4, LARGEST.height()))
        _finish(self, scroll)


def _columns(groups: list[Group]) -> list[list[Group]]:
    """Groups in columns of about the same height, in their order; one that is too long goes on in the next column."""
    total = sum(len(lines) + TITLE_ROWS for _, lines in groups)
    height = -(-total // COLUMNS) + TITLE_ROWS // 2
    columns: list[list[Group]] = [[]]
    free = height
    for name, lines in groups:
        left = lines
        while left:
            room = free - TITLE_ROWS
            if room < LEAST_LINES and len(columns) < COLUMNS:
                columns.append([])
                free = height
                continue
            count = len(left) if len(columns) == COLUMNS else min(room, len(left))
            columns[-1].append((name, left[:count]))
            free -= count + TITLE_ROWS
            left = left[count:]
    return columns


def _column(groups: list[Group]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(4)
    row = 0
    for name, lines in groups:
        title = QLabel(name.upper())
        title.setObjectName("panelTitle")
        grid.addWidget(title, row, 0, 1, 2)
        for offset, (keys, what) in enumerate(lines, row + 1):
            key = QLabel(keys)
            key.setObjectName("strong")
            grid.addWidget(key, offset, 0)
            grid.addWidget(QLabel(what), offset, 1)
        row += len(lines) + 2
        grid.setRowMinimumHeight(row - 1, 10)
    grid.setRowStretch(row, 1)
    return grid


class AboutDialog(QDialog):
    """What this is, which versions it runs with, and the notice."""

    def __init__(self, device: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About the SoftCAM viewer")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        title = QLabel("SoftCAM viewer")
        title.setObjectName("emptyTitle")
        notice = QLabel(NOTICE)
        notice.setObjectName("notice")
        method = QLabel(
            "Shows the evidence of image classifiers whose prediction is the mean of their evidence map.\n"
            "Method: Djoumessi & Berens, SoftCAM, MIDL 2026 (PMLR 315:433–467)."
        )
        for row, label in enumerate((title, notice, method)):
            grid.addWidget(label, row, 0, 1, 2)
        lines = [("Python", platform.python_version()), *((name, _version(name)) for name in PARTS), ("Device", device)]
        for row, (name, value) in enumerate(lines, 4):
            grid.addWidget(QLabel(name.replace("_", " ")), row, 0)
            grid.addWidget(QLabel(value), row, 1)
        _finish(self, grid)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _finish(dialog: QDialog, content: QLayout | QWidget) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(24, 20, 24, 16)
    column.setSpacing(18)
    if isinstance(content, QWidget):
        column.addWidget(content)
    else:
        column.addLayout(content)
    column.addWidget(buttons)
