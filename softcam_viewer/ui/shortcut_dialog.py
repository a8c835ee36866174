"""Dialog that changes the keys of commands."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.commands import COMMAND, COMMANDS
from softcam_viewer.shortcuts import FIXED, changed_only, keys_in_use, owner_of
from softcam_viewer.ui.actions import key_text
from softcam_viewer.ui.row_table import read_by_rows

NAME_ROLE = Qt.ItemDataRole.UserRole + 1
MOST_KEYS = 2


class ShortcutDialog(QDialog):
    """Two keys for each command; keys that are taken are told, and can be taken over.

    Parameters
    ----------
    chosen : mapping of str to tuple of str
        Keys that are not the standard ones.
    """

    def __init__(self, chosen: Mapping[str, tuple[str, ...]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Change keys")
        self.resize(720, 560)
        self._keys = keys_in_use(chosen)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Filter by command, menu or key")
        self.search.setAccessibleName("Filter commands")
        self.search.setClearButtonEnabled(True)
        self.table = self._make_table()
        self.editors = tuple(QKeySequenceEdit() for _ in range(MOST_KEYS))
        self._problem = QLabel()
        self._problem.setObjectName("warning")
        self._problem.setWordWrap(True)
        self.take_button = QPushButton("Take it over")
        self.reset_button = QPushButton("Standard for this command")
        self.reset_all_button = QPushButton("Standard for all")
        self.buttons = QDialogButtonBox()
        self.buttons.addButton(self.reset_all_button, QDialogButtonBox.ButtonRole.ResetRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        save = QPushButton("Save")
        save.setObjectName("primary")
        self.buttons.addButton(save, QDialogButtonBox.ButtonRole.AcceptRole)
        for button in (self.take_button, self.reset_button, self.reset_all_button, save):
            button.setAutoDefault(False)  # Return ends a key, not the dialog
        self._build()
        self.search.textChanged.connect(self._filter)
        self.table.currentCellChanged.connect(self._on_command_chosen)
        for number, editor in enumerate(self.editors):
            editor.setMaximumSequenceLength(1)
            editor.setClearButtonEnabled(True)
            editor.setAccessibleName("Key" if number == 0 else "Second key")
            editor.editingFinished.connect(self._on_edited)
            editor.keySequenceChanged.connect(self._on_edited)
        self.take_button.clicked.connect(self._take_over)
        self.reset_button.clicked.connect(self._reset)
        self.reset_all_button.clicked.connect(self._reset_all)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.table.setCurrentCell(0, 0)
        self.search.setFocus()

    @property
    def chosen(self) -> dict[str, tuple[str, ...]]:
        """Keys that are not the standard ones."""
        return changed_only(self._keys)

    @property
    def problem(self) -> str:
        """What keeps the keys that were typed from being used, "" for nothing."""
        return self._problem.text()

    def choose_command(self, name: str) -> None:
        """Bring a command into the editors."""
        self.table.setCurrentCell(list(COMMAND).index(name), 0)

    # Building

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(len(COMMANDS), 3)
        table.setHorizontalHeaderLabels(["Command", "Menu", "Keys"])
        read_by_rows(table, "Commands and their keys")
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(2, 190)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for row, command in enumerate(COMMANDS):
            for column, text in enumerate((command.label, command.menu, key_text(self._keys[command.name]))):
                item = QTableWidgetItem(text)
                item.setData(NAME_ROLE, command.name)
                table.setItem(row, column, item)
        return table

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        for column, (title, editor) in enumerate(zip(("Key", "Second key"), self.editors, strict=True)):
            label = QLabel(title)
            label.setObjectName("muted")
            grid.addWidget(label, 0, column)
            grid.addWidget(editor, 1, column)
        grid.addWidget(self.reset_button, 1, 2)
        grid.addWidget(self._problem, 2, 0, 1, 2)
        grid.addWidget(self.take_button, 2, 2)
        grid.setRowMinimumHeight(2, 40)  # messages come and go without moving the rest
        whole = QVBoxLayout(self)
        whole.setContentsMargins(24, 20, 24, 16)
        whole.setSpacing(12)
        whole.addWidget(self.search)
        whole.addWidget(self.table, 1)
        whole.addLayout(grid)
        whole.addWidget(self.buttons)

    # Editing

    @property
    def _name(self) -> str:
        item = self.table.item(self.table.currentRow(), 0)
        return "" if item is None else str(item.data(NAME_ROLE))

    @property
    def _typed(self) -> tuple[str, ...]:
        keys = [e.keySequence().toString(QKeySequence.SequenceFormat.PortableText) for e in self.editors]
        return tuple(dict.fromkeys(key for key in keys if key))

    def _filter(self, text: str) -> None:
        for row in range(self.table.rowCount()):
            items = [self.table.item(row, column) for column in range(3)]
            whole = " ".join(item.text() for item in items if item is not None).casefold()
            self.table.setRowHidden(row, any(word not in whole for word in text.casefold().split()))

    def _on_command_chosen(self) -> None:
        self._show_keys()
        self._say("", can_take=False)

    def _show_keys(self) -> None:
        own = self._keys.get(self._name, ())
        for number, editor in enumerate(self.editors):
            editor.blockSignals(True)
            editor.setKeySequence(QKeySequence(own[number] if number < len(own) else ""))
            editor.blockSignals(False)

    def _on_edited(self) -> None:
        name, typed = self._name, self._typed
        if not name or typed == self._keys[name]:
            self._say("", can_take=False)
            return
        fixed = [key for key in typed if key in FIXED]
        if fixed:
            self._say(f"{key_text((fixed[0],))} {FIXED[fixed[0]]}, and cannot be used.", can_take=False)
            return
        others = {key: owner_of(key, self._keys) for key in typed}
        taken = [
            f"{key_text((key,))} is “{COMMAND[other].label}”"
            for key, other in others.items()
            if other and other != name
        ]
        if taken:
            self._say(f"{', and '.join(taken)}.", can_take=True)
        else:
            self._give(name, typed)

    def _take_over(self) -> None:
        typed = self._typed
        for other, keys in self._keys.items():
            if other != self._name:
                self._keys[other] = tuple(key for key in keys if key not in typed)
        self._give(self._name, typed)

    def _give(self, name: str, keys: tuple[str, ...]) -> None:
        self._keys[name] = keys
        self._say("", can_take=False)
        self._show_all()

    def _reset(self) -> None:
        name = self._name
        if not name:
            return
        for number, editor in enumerate(self.editors):
            keys = COMMAND[name].keys
            editor.setKeySequence(QKeySequence(keys[number] if number < len(keys) else ""))
        self._on_edited()

    def _reset_all(self) -> None:
        self._keys = keys_in_use({})
        self._show_keys()
        self._say("", can_take=False)
        self._show_all()

    def _show_all(self) -> None:
        for row, command in enumerate(COMMANDS):
            item = self.table.item(row, 2)
            if item is not None:
                item.setText(key_text(self._keys[command.name]))

    def _say(self, problem: str, *, can_take: bool) -> None:
        self._problem.setText(problem)
        self.take_button.setVisible(can_take)
