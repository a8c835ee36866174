"""Deletion and insertion curves, small: one colour and one dash pattern a pane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from softcam_viewer.ui.theme import current_theme

TITLE, LEFT, RIGHT, BOTTOM = 25.0, 24.0, 6.0, 18.0
DASHES: tuple[tuple[float, ...], ...] = ((), (4.0, 2.0), (1.0, 1.6), (5.0, 1.6, 1.0, 1.6))
"""Of panes 1 to 4, in widths of the line; a solid line has none."""


def pane_pen(number: int, width: float = 2.0) -> QPen:
    """The line of a pane, by its number from 1."""
    theme = current_theme()
    colors = (theme.accent, theme.evidence_for, theme.ok, theme.text)
    place = (number - 1) % len(colors)
    pen = QPen(QColor(colors[place]), width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if DASHES[place]:
        pen.setDashPattern(DASHES[place])
    return pen


class LineSample(QWidget):
    """A piece of a pane's line, for legends.

    Parameters
    ----------
    number : int
        Of the pane, from 1.
    """

    def __init__(self, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._number = number
        self.setFixedSize(26, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pane_pen(self._number))
        painter.drawLine(QPointF(0, self.height() / 2), QPointF(self.width(), self.height() / 2))


class CurvesPlot(QWidget):
    """The probability of a class after 0, 1, ... blocks, one line a pane.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._empty = title, ""
        self._curves: dict[int, npt.NDArray[np.float64]] = {}
        self.setAccessibleName(f"{title} curves")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def show_curves(self, curves: Mapping[int, npt.NDArray[np.float64]], empty: str) -> None:
        """Show curves.

        Parameters
        ----------
        curves : mapping of int to ndarray
            Number of the pane -> (n,) probabilities.
        empty : str
            What stands there where there is none.
        """
        self._curves, self._empty = dict(curves), empty
        told = [f"pane {number} from {c[0]:.2f} to {c[-1]:.2f}" for number, c in self._curves.items()]
        self.setAccessibleDescription("; ".join(told) or empty)
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: two beside each other in a narrow column."""
        return QSize(120, 112)

    def minimumSizeHint(self) -> QSize:
        """Qt: as small as lines can be told apart."""
        return QSize(96, 90)

    @property
    def area(self) -> QRectF:
        """Where the lines are."""
        return QRectF(LEFT, TITLE, max(self.width() - LEFT - RIGHT, 1), max(self.height() - TITLE - BOTTOM, 1))

    @property
    def steps(self) -> int:
        """Blocks at the right end."""
        return max((len(curve) - 1 for curve in self._curves.values()), default=0)

    def step_at(self, x: float) -> int | None:
        """Blocks at a position, None where there is no curve."""
        if not self.steps or not self.area.left() - 4 <= x <= self.area.right() + 4:
            return None
        return min(max(round((x - self.area.left()) / self.area.width() * self.steps), 0), self.steps)

    def reading(self, step: int) -> str:
        """The probabilities after some blocks, for people."""
        values = (f"pane {n}: {c[step]:.2f}" for n, c in self._curves.items() if step < len(c))
        return "\n".join((f"{step} block{'' if step == 1 else 's'}", *values))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: tell the probabilities under the mouse."""
        step = self.step_at(event.position().x())
        text = "" if step is None else self.reading(step)
        QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        painter, theme, area = QPainter(self), current_theme(), self.area
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(0, 0, self.width(), TITLE - 8), Qt.AlignmentFlag.AlignLeft, self._title)
        for share in (0.0, 0.5, 1.0) if self.steps else (0.0, 1.0):  # no line through what says that there is none
            y = area.bottom() - share * area.height()
            painter.setPen(QPen(QColor(theme.line), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(theme.muted))
            painter.drawText(
                QRectF(0, y - 8, LEFT - 5, 16), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{share:g}".removeprefix("0") if share == 0.5 else f"{share:g}",
            )  # fmt: skip
        below = QRectF(area.left(), area.bottom() + 3, area.width(), BOTTOM - 4)
        if not self.steps:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)
            return
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "blocks")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, str(self.steps))
        for number, curve in self._curves.items():
            across = np.linspace(0, (len(curve) - 1) / self.steps, len(curve))
            points = [
                QPointF(area.left() + x * area.width(), area.bottom() - y * area.height())
                for x, y in zip(across.tolist(), curve.tolist(), strict=True)
            ]
            painter.setPen(pane_pen(number, 1.8))
            painter.drawPolyline(QPolygonF(points))
