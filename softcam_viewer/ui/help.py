"""Dialogs under Help: keys and mouse, and about."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from softcam_core.notice import NOTICE
from softcam_viewer.commands import COMMANDS, MENUS, MOUSE

PARTS = ("softcam", "torch", "torchvision", "PySide6_Essentials", "pyqtgraph", "pydicom", "numpy")


def key_text(keys: tuple[str, ...]) -> str:
    """Keys as this system writes them."""
    return ", ".join(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys)


class ShortcutSheet(QDialog):
    """All keys and mouse actions on one page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        groups = [("Mouse on the image", MOUSE)]
        groups += [
            (menu, tuple((key_text(c.keys), c.title) for c in COMMANDS if c.menu == menu and c.keys)) for menu in MENUS
        ]
        # Two columns of groups, so that the sheet fits a small screen.
        half_way = [("Mouse on the image", "File", "Evidence", "Help"), ("View", "Compare")]
        for side, half in enumerate([group for group in groups if group[0] in names] for names in half_way):
            row = 0
            for name, lines in half:
                title = QLabel(name.upper())
                title.setObjectName("panelTitle")
                grid.addWidget(title, row, side * 2, 1, 2)
                for offset, (keys, what) in enumerate(lines, row + 1):
                    key = QLabel(keys)
                    key.setObjectName("strong")
                    grid.addWidget(key, offset, side * 2)
                    grid.addWidget(QLabel(what), offset, side * 2 + 1)
                row += len(lines) + 2
                grid.setRowMinimumHeight(row - 1, 10)
        _finish(self, grid)


class AboutDialog(QDialog):
    """What this is, which versions it runs with, and the notice."""

    def __init__(self, device: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About the SoftCAM viewer")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
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


def _finish(dialog: QDialog, grid: QGridLayout) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(24, 20, 24, 16)
    column.setSpacing(18)
    column.addLayout(grid)
    column.addWidget(buttons)
