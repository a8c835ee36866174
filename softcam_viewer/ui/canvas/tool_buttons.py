"""The tools as buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from softcam_viewer.model.tools import TOOLS, Tools
from softcam_viewer.ui.icons import IconButton


class ToolButtons(QWidget):
    """One button for each tool; the one in use is checked.

    Parameters
    ----------
    tools : Tools
    """

    def __init__(self, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        self.buttons = {name: IconButton(name, self) for name in TOOLS}
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for name, button in self.buttons.items():
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the image
            button.setAccessibleName(TOOLS[name].title)
            button.setToolTip(TOOLS[name].title)
            button.clicked.connect(lambda _checked=False, name=name: tools.use(name))
            group.addButton(button)
            row.addWidget(button)
        tools.tool_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        self.buttons[self._tools.active.name].setChecked(True)
