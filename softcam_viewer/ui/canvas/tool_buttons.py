"""The tools as buttons."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from softcam_viewer.model.tools import TOOLS, Tool, Tools
from softcam_viewer.ui.theme import current_theme


class ToolButtons(QWidget):
    """One button for each tool; the one in use is checked.

    Parameters
    ----------
    tools : Tools
    """

    def __init__(self, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        self.buttons = {name: ToolButton(tool, self) for name, tool in TOOLS.items()}
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for name, button in self.buttons.items():
            group.addButton(button)
            row.addWidget(button)
            button.clicked.connect(lambda _checked=False, name=name: tools.use(name))
        tools.tool_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        self.buttons[self._tools.active.name].setChecked(True)


class ToolButton(QToolButton):
    """A tool, drawn in the colours of the theme.

    Parameters
    ----------
    tool : Tool
    """

    def __init__(self, tool: Tool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("iconButton")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the image
        self.setAccessibleName(tool.title)
        self.setToolTip(tool.title)
        self._name = tool.name

    def sizeHint(self) -> QSize:
        """Qt: a square."""
        return QSize(26, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        super().paintEvent(event)
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(QRectF(self.rect()).center())
        color = QColor(theme.accent if self.isChecked() else theme.text if self.underMouse() else theme.muted)
        painter.setPen(QPen(color, 1.4, c=Qt.PenCapStyle.RoundCap, j=Qt.PenJoinStyle.RoundJoin))
        path = _PICTURES[self._name]()
        painter.drawPath(path)
        if self._name == "window":  # half of it is filled
            half = QPainterPath()
            half.moveTo(0, -6)
            half.arcTo(QRectF(-6, -6, 12, 12), 90, 180)
            painter.fillPath(half, color)


def _window() -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(0, 0), 6, 6)
    return path


def _ruler() -> QPainterPath:
    path = QPainterPath(QPointF(-6, 5))
    path.lineTo(6, -5)
    for x, y in ((-6.0, 5.0), (6.0, -5.0)):
        path.moveTo(x - 2, y - 2.4)
        path.lineTo(x + 2, y + 2.4)
    return path


def _angle() -> QPainterPath:
    path = QPainterPath(QPointF(4, -6))
    path.lineTo(-6, 5)
    path.lineTo(7, 5)
    path.arcMoveTo(QRectF(-12, -1, 12, 12), 0)
    path.arcTo(QRectF(-12, -1, 12, 12), 0, 48)
    return path


def _lasso() -> QPainterPath:
    path = QPainterPath(QPointF(-2, 4))
    path.cubicTo(-9, 3, -8, -6, 0, -6)
    path.cubicTo(9, -6, 8, 4, -2, 4)
    path.cubicTo(-4, 4, -4, 6.5, -6, 6.5)
    return path


def _magnifier() -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(-1.5, -1.5), 4.5, 4.5)
    path.moveTo(2, 2)
    path.lineTo(6, 6)
    return path


_PICTURES = {"window": _window, "ruler": _ruler, "angle": _angle, "lasso": _lasso, "magnifier": _magnifier}
