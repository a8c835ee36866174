"""The window's first line: menus, layouts, model and device."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenuBar, QWidget

from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.session import Session
from softcam_viewer.ui.actions import Actions, key_text
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.icons import IconButton
from softcam_viewer.ui.theme import current_theme


class TitleLine(QWidget):
    """Menus at the left, layouts in the middle, the model at the right.

    Parameters
    ----------
    session : Session
    actions : Actions
    """

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session, self._actions = session, actions
        bar = QMenuBar()
        bar.setNativeMenuBar(False)
        actions.fill(bar)
        self._model, self.device = ElidedLabel(), QLabel()
        self._model.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 14, 4)
        row.setSpacing(16)
        row.addWidget(bar)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        self.buttons = {f"layout_{name}": IconButton(f"layout-{name}") for name in LAYOUTS}
        self.buttons["link_views"] = IconButton("unlinked", checked="linked")
        for command, button in self.buttons.items():
            button.setCheckable(True)
            button.setAccessibleName(actions[command].text())
            button.clicked.connect(actions[command].trigger)
            actions[command].changed.connect(partial(self._follow, command))
            buttons.addWidget(button)
        row.addLayout(buttons)
        row.addWidget(self._model, 1)
        row.addWidget(self.device)
        actions.keys_changed.connect(self._tell_keys)
        self._tell_keys()

    def _tell_keys(self) -> None:
        for command, button in self.buttons.items():
            keys = key_text(self._actions.keys[command])
            button.setToolTip(self._actions[command].text() + (f" ({keys})" if keys else ""))

    def _follow(self, command: str) -> None:
        button, action = self.buttons[command], self._actions[command]
        button.setChecked(action.isChecked())
        button.setEnabled(action.isEnabled())

    def refresh(self) -> None:
        """Show the model, and where it runs."""
        session = self._session
        if session.model is None:
            self._model.setText("No model")
            self.device.setText("")
        else:
            card = session.model.card
            others = len(session.compared)
            self._model.setText(card.name + (f"  ·  {others} to compare" if others else ""))
            names = [f"{model.card.name}\n{model.card.architecture}\n{model.path}" for model in session.models]
            self._model.setToolTip("\n\n".join(names))
            self.device.setText(session.model.device)
        self.device.setStyleSheet(f"color: {current_theme().ok}; font-weight: 600;")
