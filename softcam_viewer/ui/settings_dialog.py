"""Dialog of the settings."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.settings import Settings
from softcam_viewer.ui.elided_label import ElidedLabel

THEMES = {"system": "As the system", "dark": "Dark", "light": "Light"}


class SettingsDialog(QDialog):
    """What people choose once and for all.

    Parameters
    ----------
    settings : Settings
        As they are.
    file : str
        Where they are kept, for people; "" for nowhere.
    """

    edit_shortcuts_wanted = Signal()

    def __init__(self, settings: Settings, file: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setMinimumWidth(560)
        self._windows = dict(settings.windows)
        self.theme, self.layout_choice = QComboBox(), QComboBox()
        for name, title in THEMES.items():
            self.theme.addItem(title, name)
        for name, layout in LAYOUTS.items():
            self.layout_choice.addItem(layout.title, name)
        self.theme.setCurrentIndex(self.theme.findData(settings.theme))
        self.layout_choice.setCurrentIndex(self.layout_choice.findData(settings.layout))
        self.reviewer = QLineEdit(settings.reviewer)
        self.reviewer.setMaxLength(120)
        self.reviewer.setPlaceholderText("Your name or initials")
        self.store, self.store_button = QLineEdit(settings.annotation_store), QPushButton("Choose…")
        self.store.setPlaceholderText("Your own")
        self.store.setClearButtonEnabled(True)
        self.store_button.setAccessibleName("Choose the file of annotations")
        self.store_button.clicked.connect(self._choose_store)
        self.autosave = QCheckBox("Save the session at each change")
        self.autosave.setChecked(settings.autosave)
        self.show_identity = QCheckBox("Show names and identifiers of patients")
        self.show_identity.setChecked(settings.show_identity)
        self.windows_button, self.keys_button = QPushButton("Forget"), QPushButton("Change keys…")
        self.windows_button.setEnabled(bool(self._windows))
        self.windows_button.clicked.connect(self._forget_windows)
        self.keys_button.clicked.connect(self.edit_shortcuts_wanted)
        self._windows_text = QLabel()
        self._windows_text.setWordWrap(True)
        self._tell_windows()
        self.buttons = QDialogButtonBox()
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        save = QPushButton("Save")
        save.setObjectName("primary")
        save.setDefault(True)
        self.buttons.addButton(save, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._build(file)

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of Settings as they are chosen."""
        return {
            "theme": self.theme.currentData(),
            "layout": self.layout_choice.currentData(),
            "reviewer": self.reviewer.text().strip(),
            "annotation_store": self.store.text().strip(),
            "autosave": self.autosave.isChecked(),
            "show_identity": self.show_identity.isChecked(),
            "windows": self._windows,
        }

    def _build(self, file: str) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QWidget, QWidget | None, str], ...] = (
            ("Theme", self.theme, None, ""),
            ("Panes at the start", self.layout_choice, None, ""),
            ("Reviewer", self.reviewer, None, "Stands in annotations, and in reports that you save."),
            (
                "Annotations",
                self.store,
                self.store_button,
                "File that they are kept in at each edit; several viewers may use one at the same time.",
            ),
            ("Session", self.autosave, None, "Without a file of its own it can be reopened from the start page."),
            ("Privacy", self.show_identity, None, "Off: nobody who looks over your shoulder reads them."),
            (
                "Windows",
                self._windows_text,
                self.windows_button,
                "Chosen last for each modality, used for the next image.",
            ),
            ("Keys", QLabel("Of all commands"), self.keys_button, ""),
        )
        for title, widget, button, hint in rows:
            row = grid.rowCount()
            grid.addWidget(QLabel(title), row, 0)
            if not widget.accessibleName():
                widget.setAccessibleName(title)
            grid.addWidget(widget, row, 1, 1, 1 if button else 2)
            if button is not None:
                grid.addWidget(button, row, 2)
            if hint:
                text = QLabel(hint)
                text.setObjectName("muted")
                text.setWordWrap(True)
                grid.addWidget(text, row + 1, 1, 1, 2)
            grid.setRowMinimumHeight(row + 2, 10)
        grid.setRowStretch(grid.rowCount(), 1)  # takes what is too much, so that hints stay with what they are of
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addLayout(grid)
        if file:
            place = ElidedLabel("muted")
            place.setText(f"Kept in {file}")
            column.addWidget(place)
        column.addWidget(self.buttons)

    def _choose_store(self) -> None:
        # A file that is there is opened, never written over.
        text, _ = QFileDialog.getSaveFileName(
            self,
            "File of annotations",
            self.store.text(),
            "Annotations (*.sqlite);;All files (*)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if text:
            self.store.setText(text)

    def _forget_windows(self) -> None:
        self._windows = {}
        self.windows_button.setEnabled(False)
        self._tell_windows()

    def _tell_windows(self) -> None:
        known = [f"{modality or 'Other'}: {title}" for modality, title in sorted(self._windows.items())]
        self._windows_text.setText("; ".join(known) or "Those of the files")
