"""The tools as buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSpinBox, QWidget

from softcam_viewer.model.tools import BRUSH_RADII, TOOLS, Tools
from softcam_viewer.ui.icons import IconButton
from softcam_viewer.ui.theme import current_theme

SIZED = ("brush", "eraser")
"""Tools that have a size."""


class ToolButtons(QWidget):
    """One button for each tool, those that annotate apart from the others; the one in use is checked.

    Parameters
    ----------
    tools : Tools
    """

    def __init__(self, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        self.buttons = {name: IconButton(name, self) for name in TOOLS}
        self.radius = QSpinBox()
        self.radius.setStyleSheet("padding: 1px 5px; font-size: 12px;")  # no higher than the buttons
        self.radius.setFixedWidth(58)
        self.radius.setRange(*BRUSH_RADII)
        self.radius.setSuffix(" px")
        self.radius.setAccessibleName("Radius of the brush")
        self.radius.setToolTip("Radius of the brush, in pixels of the screen (Shift+wheel)")
        self.radius.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.radius.valueChanged.connect(tools.set_brush_radius)
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        before = ""
        for name, button in self.buttons.items():
            tool = TOOLS[name]
            if before not in ("", tool.group):
                row.addWidget(_Line())
            before = tool.group
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the image
            button.setAccessibleName(tool.title)
            button.setToolTip(tool.title)
            button.clicked.connect(lambda _checked=False, name=name: tools.use(name))
            group.addButton(button)
            row.addWidget(button)
        row.addWidget(self.radius)
        tools.tool_changed.connect(self._refresh)
        tools.brush_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        self.buttons[self._tools.active.name].setChecked(True)
        self.radius.setVisible(self._tools.active.name in SIZED)
        self.radius.setValue(self._tools.brush_radius)


class _Line(QWidget):
    """Between two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(9, 18)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        QPainter(self).fillRect(4, 0, 1, self.height(), QColor(current_theme().line))
