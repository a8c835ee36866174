"""The start page: what to do where nothing is open."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from softcam_viewer.model.recent import RecentPath, RecentStore
from softcam_viewer.ui.elided_label import ElidedLabel

KINDS = {"session": "Session", "folder": "Folder", "file": "Image", "model": "Model"}
SHOWN = 6
WIDTH = 520


class StartPage(QWidget):
    """Ways to begin, and what was open of late.

    Parameters
    ----------
    store : RecentStore
    """

    open_files_wanted = Signal()
    open_folder_wanted = Signal()
    demo_wanted = Signal()
    reopen_wanted = Signal()
    recent_wanted = Signal(object)  # a RecentPath

    def __init__(self, store: RecentStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        title = QLabel("Open images to look inside a classifier")
        title.setObjectName("emptyTitle")
        hint = QLabel(
            "DICOM, PNG, JPEG or TIFF, single files or whole folders; models and sessions.\n"
            "You can also drop them here."
        )
        hint.setObjectName("muted")
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch()
        for text, name, signal in (
            ("Open files…", "primary", self.open_files_wanted),
            ("Open folder…", "", self.open_folder_wanted),
            ("Show the demo", "", self.demo_wanted),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.clicked.connect(signal)
            buttons.addWidget(button)
        buttons.addStretch()
        self.reopen = QPushButton("Reopen the last session")
        self.reopen.clicked.connect(self.reopen_wanted)
        self._recent = QWidget()
        self._recent.setFixedWidth(WIDTH)
        self._lines = QGridLayout(self._recent)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setHorizontalSpacing(12)
        self._lines.setVerticalSpacing(2)
        self._lines.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(2)
        column.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(hint, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addLayout(buttons)
        column.addWidget(self.reopen, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        column.addWidget(self._recent, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        store.changed.connect(self._update)
        self._update()

    def _update(self) -> None:
        self.reopen.setVisible(self._store.last_session is not None)
        while (item := self._lines.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()  # gone from the screen at once, and deleted when its own signal is over
                widget.deleteLater()
        entries = self._store.recent.paths[:SHOWN]
        self._recent.setVisible(bool(entries))
        if not entries:
            return
        title = QLabel("RECENT")
        title.setObjectName("panelTitle")
        title.setContentsMargins(7, 0, 0, 4)  # over the names, which have room for their frame
        self._lines.addWidget(title, 0, 0, 1, 3)
        for row, entry in enumerate(entries, 1):
            self._add_line(row, entry)

    def _add_line(self, row: int, entry: RecentPath) -> None:
        is_gone = entry.path in self._store.gone
        button = QToolButton()
        button.setObjectName("recent")
        button.setText(short_name(entry.path))
        button.setToolTip(str(entry.path))
        button.setAccessibleName(f"{KINDS[entry.kind]} {entry.path.name}{', is gone' if is_gone else ''}")
        button.setEnabled(not is_gone)
        button.clicked.connect(partial(self.recent_wanted.emit, entry))
        kind, place = QLabel(KINDS[entry.kind]), ElidedLabel("muted")
        kind.setObjectName("muted")
        place.setText("is gone" if is_gone else str(entry.path.parent))
        self._lines.addWidget(button, row, 0, Qt.AlignmentFlag.AlignLeft)
        self._lines.addWidget(place, row, 1)
        self._lines.addWidget(kind, row, 2)


def short_name(path: Path, longest: int = 32) -> str:
    """A file's name, shortened in the middle."""
    name = path.name or str(path)
    if len(name) <= longest:
        return name
    half = (longest - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
