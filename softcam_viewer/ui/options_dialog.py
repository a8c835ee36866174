"""Options of a method, made from what the method tells of them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from softcam_core.errors import SettingsError
from softcam_viewer.model.methods import Method, Option, OptionValue, spec_of, values_of
from softcam_viewer.model.pane import PaneState

MOST = 1_000_000
TEXT_MARGINS = 7, 0, 7, 0
"""Of numbers, which style sheets cannot give them: as of the text in other fields."""


class OptionEditor:
    """One option: the widget that fits its kind, and its value.

    Parameters
    ----------
    option : Option
    """

    def __init__(self, option: Option) -> None:
        self.option = option
        self.widget: QCheckBox | QComboBox | QSpinBox | QLineEdit
        default = option.default
        if isinstance(default, bool):
            self.widget = QCheckBox(_name(option))
        elif isinstance(default, int):
            self.widget = QSpinBox()
            self.widget.lineEdit().setTextMargins(*TEXT_MARGINS)
            self.widget.setRange(int(option.least if option.least is not None else -MOST), MOST)
        elif option.choices:
            self.widget = QComboBox()
            self.widget.addItems(list(option.choices))
        else:  # numbers too: a spin box would round small ones away
            self.widget = QLineEdit()
        self.widget.setAccessibleName(_name(option))
        self.value = default

    @property
    def value(self) -> OptionValue:
        """What is chosen; text that is no number where one is needed stays text, and is refused with its option."""
        widget = self.widget
        if isinstance(widget, QCheckBox):
            return widget.isChecked()
        if isinstance(widget, QSpinBox):
            return widget.value()
        if isinstance(widget, QComboBox):
            return widget.currentText()
        text = widget.text().strip()
        try:
            return float(text) if isinstance(self.option.default, float) else text
        except ValueError:
            return text

    @value.setter
    def value(self, value: OptionValue) -> None:
        widget = self.widget
        if isinstance(widget, QCheckBox):
            widget.setChecked(bool(value))
        elif isinstance(widget, QSpinBox):
            widget.setValue(int(value))
        elif isinstance(widget, QComboBox):
            widget.setCurrentText(str(value))
        else:
            widget.setText(str(value))


class OptionsDialog(QDialog):
    """Options of a pane's method.

    Parameters
    ----------
    pane : PaneState
    method : Method
        The one that the pane shows.
    """

    def __init__(self, pane: PaneState, method: Method, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Options of {method.title}")
        self.setMinimumWidth(460)
        self._pane, self._method = pane, method
        self.editors = {option.name: OptionEditor(option) for option in method.options}
        for name, value in values_of(pane.method).items():
            self.editors[name].value = value
        self._problem = QLabel()
        self._problem.setObjectName("failure")
        self._problem.setWordWrap(True)
        self._problem.hide()
        self.buttons = QDialogButtonBox()
        self.reset_button, self.apply_button = QPushButton("Reset"), QPushButton("Compute")
        self.apply_button.setObjectName("primary")
        self.apply_button.setDefault(True)
        self.buttons.addButton(self.reset_button, QDialogButtonBox.ButtonRole.ResetRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.addButton(self.apply_button, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self._apply)
        self.buttons.rejected.connect(self.reject)
        self.reset_button.clicked.connect(self._reset)
        self._build()

    def _build(self) -> None:
        title, about = QLabel(self._method.title), QLabel(f"{self._method.reference}. {self._method.valid}")
        title.setObjectName("emptyTitle")
        about.setObjectName("muted")
        about.setWordWrap(True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for editor in self.editors.values():
            row = grid.rowCount()
            if not isinstance(editor.widget, QCheckBox):  # which carries its own name
                grid.addWidget(QLabel(_name(editor.option)), row, 0)
            hint = QLabel(_sentence(editor.option))
            hint.setObjectName("muted")
            hint.setWordWrap(True)
            grid.addWidget(editor.widget, row, 1)
            grid.addWidget(hint, row + 1, 1)
            grid.setRowMinimumHeight(row + 2, 10)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(about)
        column.addLayout(grid)
        column.addWidget(self._problem)
        column.addWidget(self.buttons)

    def _reset(self) -> None:
        for editor in self.editors.values():
            editor.value = editor.option.default

    def _apply(self) -> None:
        try:
            spec = spec_of(self._method.name, {name: editor.value for name, editor in self.editors.items()})
        except SettingsError as error:
            self._problem.setText(str(error))
            self._problem.show()
            return
        self._pane.set_method(spec)
        self.accept()


def _name(option: Option) -> str:
    return option.name.replace("_", " ").capitalize()


def _sentence(option: Option) -> str:
    text = option.help[:1].upper() + option.help[1:]
    if isinstance(option.default, bool) or option.default == "":
        return text
    return f"{text}. Standard: {option.default}."
